"""Rules about who may write to a volume."""

from __future__ import annotations

from durable.checks.placement import placed
from durable.checks.registry import Fault, rule
from durable.findings import WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Consumer, Stack

IGNORED = ("hostPath", "nfs")


@rule(
    WARN,
    "Set persistence: {<consumer>: {fixOwnership: true}}, or chown the directory by hand; on NFS "
    "let the export squash all to the server's user.",
)
def ignored(stack: Stack) -> Iterator[Fault]:
    """On hostPath and NFS fsGroup does nothing, so the server may not write: permission denied.

    Seen on a cluster: the kubelet makes prometheus-db as root on a hostPath volume
    (prometheus-operator#3459). How an export squashes cannot be seen here: where all_squash does
    the work, accept this rule.
    """
    for consumer in stack.managed():
        if consumer.plan is None or consumer.plan.fix_ownership:
            continue
        mine = (v for v in placed(stack) if v.consumer == consumer.name)
        kinds = sorted({v.kind for v in mine if v.kind in IGNORED})
        if kinds:
            on = " and ".join(kinds)
            says = f"is ignored on {on}, and fixOwnership is off: the server may be unable to write"
            field = ".".join((*consumer.pod, "securityContext", "fsGroup"))
            yield Fault(consumer.object, field, says, _fix(consumer, kinds))


def _fix(consumer: Consumer, kinds: list[str]) -> str:
    """What to do; the chown of fixOwnership is refused by an export that squashes root."""
    if "hostPath" in kinds:
        return f"persistence: {{{consumer.name}: {{fixOwnership: true}}}}."
    squash = "all_squash,anonuid={},anongid={}".format(*consumer.ids)
    return f"{squash} for the export, then persistence: {{accept: [ownership/ignored]}}."

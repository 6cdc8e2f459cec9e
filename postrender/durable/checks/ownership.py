"""Rules about who may write to a volume."""

from __future__ import annotations

from durable.checks.placement import placed
from durable.checks.registry import Fault, rule
from durable.findings import WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Stack

IGNORED = ("hostPath", "nfs")


@rule(WARN, "Set persistence: {<consumer>: {fixOwnership: true}}, or chown the directory by hand.")
def ignored(stack: Stack) -> Iterator[Fault]:
    """On hostPath and NFS fsGroup does nothing, so the server may not write: permission denied.

    Seen on a cluster: the kubelet makes prometheus-db as root on a hostPath volume
    (prometheus-operator#3459).
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
            fix = f"persistence: {{{consumer.name}: {{fixOwnership: true}}}}."
            yield Fault(consumer.object, field, says, fix)

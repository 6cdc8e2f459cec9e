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


@rule(WARN, "Set persistence: {<consumer>: {fixOwnership: true}}, or prepare the directory's owner by hand.")
def ignored(stack: Stack) -> Iterator[Fault]:
    """fsGroup does nothing on hostPath and NFS, so the server may not write: permission denied at the start.

    Seen on a cluster: the kubelet makes prometheus-db as root on a hostPath volume.
    """
    for consumer in stack.managed():
        if consumer.plan is None or consumer.plan.fix_ownership:
            continue
        kinds = sorted({v.kind for v in placed(stack) if v.consumer == consumer.name and v.kind in IGNORED})
        if kinds:
            says = f"is ignored on {' and '.join(kinds)}, and fixOwnership is off: the server may not be able to write"
            field = ".".join((*consumer.pod, "securityContext", "fsGroup"))
            fix = f"persistence: {{{consumer.name}: {{fixOwnership: true}}}}."
            yield Fault(consumer.object, field, says, fix)

"""Rules about the Prometheus agent."""

from __future__ import annotations

from durable.checks.placement import paste
from durable.checks.registry import Fault, rule
from durable.findings import REFUSE
from durable.stack import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Stack


@rule(REFUSE, "Leave mode out, or set persistence: {prometheus: {enabled: false}}.")
def stateful(stack: Stack) -> Iterator[Fault]:
    """An agent in DaemonSet mode has no volume at all: unsent samples die with the pod.

    The operator mounts nothing at /prometheus there and its CRD refuses storage
    (prometheus-operator#7812, #7813).
    """
    for consumer in guarded(stack):
        if not consumer.stateful:
            says = "is DaemonSet, which has no storage that could be made durable"
            # The chart knows the field by additionalConfig only.
            block = "additionalConfig: {mode: StatefulSet}"
            plain = f"spec: {{mode: StatefulSet}} in {consumer}."
            fix = paste(consumer.object, block, plain=plain).removesuffix(".")
            fix += ", or persistence: {prometheus: {enabled: false}}."
            yield Fault(consumer.object, "spec.mode", says, fix)

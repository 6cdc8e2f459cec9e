"""Keep pods on the nodes that have their volumes."""

from __future__ import annotations

from durable.edits import insert, set_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.stack import Consumer, Stack

HOSTNAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
TERMS = ("affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms")


def pin_nodes(stack: Stack) -> Iterator[Edit]:
    """Merge a required node affinity into what is there; terms are ORed, so each one gets it."""
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        nodes = consumer.plan.pinned_nodes
        if nodes:
            expression = {"key": HOSTNAME, "operator": "In", "values": list(nodes)}
            yield from _pin(consumer, expression)


def _pin(consumer: Consumer, expression: dict[str, Any]) -> Iterator[Edit]:
    target, path = consumer.object, (*consumer.pod, *TERMS)
    terms = target.items(*path)
    if not terms:
        yield from set_value(target, path, [{"matchExpressions": [expression]}])
        return
    for index in range(len(terms)):
        expressions = (*path, str(index), "matchExpressions")
        present = target.items(*expressions)
        if expression not in present:
            yield from insert(target, expressions, len(present), expression)

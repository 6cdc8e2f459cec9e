"""Keep Prometheus from filling its volume: then it crashes in a loop that no retention cures."""

from __future__ import annotations

from durable.edits import set_value
from durable.quantity import auto_retention, parse_quantity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.edits import Edit
    from durable.stack import Stack

LIMITS = ("retentionSize", "retentionPercentage")


def limit_retention(stack: Stack) -> Iterator[Edit]:
    """Write spec.retentionSize; with ``auto`` only where the stream has no limit of its own."""
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        wanted = consumer.plan.retention_size
        if not wanted or consumer.facts is None or not consumer.facts.retention_size:
            continue
        if wanted == "auto":
            if any(consumer.object.get("spec", limit) for limit in LIMITS):
                continue
            wanted = auto_retention(parse_quantity(consumer.plan.size) or 0)
        yield from set_value(consumer.object, ("spec", "retentionSize"), wanted)

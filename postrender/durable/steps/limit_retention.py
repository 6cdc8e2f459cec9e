"""Keep Prometheus from filling its volume: a full one crashes in a loop that retention cannot cure."""

from __future__ import annotations

from durable.edits import set_value
from durable.quantity import auto_retention, parse_quantity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.edits import Edit
    from durable.stack import Stack


def limit_retention(stack: Stack) -> Iterator[Edit]:
    """Write spec.retentionSize; with ``auto`` only where the stream says no size or percentage of its own."""
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        wanted = consumer.plan.retention_size
        if not wanted or consumer.facts is None or not consumer.facts.retention_size:
            continue
        if wanted == "auto":
            if consumer.object.get("spec", "retentionSize") or consumer.object.get("spec", "retentionPercentage"):
                continue
            wanted = auto_retention(parse_quantity(consumer.plan.size) or 0)
        yield from set_value(consumer.object, ("spec", "retentionSize"), wanted)

"""Leave a record in the cluster: the plan, each edit in a line, each warning."""

from __future__ import annotations

from durable import __version__
from durable.objects import FILENAME
from durable.scalars import write_block
from durable.stack import RECORD_LABEL, objects_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from durable.edits import Edit
    from durable.objects import Object
    from durable.stack import Stack

NAME = "persistence-plan"


def plan_text(stack: Stack) -> str:
    """The plan as the record holds it."""
    return "\n".join(write_block(stack.plan.raw, 0)) + "\n"


def record_plan(stack: Stack, edits: Sequence[Edit], warnings: Sequence[str]) -> None:
    """Turn the plan document into the ConfigMap <release>-persistence-plan, or add one.

    The plan's kind exists in no cluster, so a stream that still holds it cannot be applied: that is
    what stops an install without the post-renderer.
    """
    if stack.recorded and not edits:
        return
    data = {
        "plan.yaml": plan_text(stack),
        "version": __version__,
        "edits": "".join(f"{e.object}: {e.operation['op']} {e.operation['path']}\n" for e in edits),
        "warnings": "".join(f"{text}\n" for text in warnings),
    }
    # A KRM function's plan is its configuration, not an object of the stream.
    configured = stack.plan_object is not None and stack.plan_object.base == ("functionConfig",)
    place = stack.record_object if configured else stack.plan_object or stack.record_object
    if place is None:
        stack.add(_config_map(stack, data), _list_item(stack))
    elif place is stack.record_object:
        place.apply([{"op": "add", "path": "/data", "value": data}])
    else:
        value = _config_map(stack, data)
        if FILENAME in place.annotations:
            value["metadata"]["annotations"] = {FILENAME: place.annotations[FILENAME]}
        place.apply([{"op": "replace", "path": "", "value": value}])


def _config_map(stack: Stack, data: dict[str, str]) -> dict[str, Any]:
    release = stack.plan.release
    told = (c.namespace for c in stack.consumers if c.namespace)
    namespace = stack.plan.namespace or next(told, "")
    labels = {RECORD_LABEL: NAME}
    if release:
        labels["app.kubernetes.io/instance"] = release
    metadata: dict[str, Any] = {"name": f"{release}-{NAME}" if release else NAME}
    if namespace:
        metadata["namespace"] = namespace
    metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _list_item(stack: Stack) -> Object | None:
    """An object of a ResourceList, whose list must take the record in: no more is read of it."""
    lists = (chunk for chunk in stack.stream.chunks if chunk.kind == "ResourceList")
    return next((item for chunk in lists for item in objects_of(chunk)), None)

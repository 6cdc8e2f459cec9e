"""Apply the user's own patches, after everything else."""

from __future__ import annotations

from durable.edits import Edit
from durable.errors import PlanError
from durable.stack import LISTS, objects_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.objects import Object
    from durable.plan import Patch
    from durable.stack import Stack


def apply_patches(stack: Stack) -> Iterator[Edit]:
    """Apply each patch to every object that fits its target; a patch that fits none is an error.

    A stream that carries the record of this very plan has been patched: nobody wants an item twice.
    """
    if stack.recorded:
        return
    for number, patch in enumerate(stack.plan.patches):
        targets = list(_targets(stack, patch))
        if not targets:
            what = "/".join(filter(None, [patch.kind, patch.namespace, patch.name]))
            raise PlanError(
                f"persistence.patches[{number}].target fits no object: the stream has no {what}"
            )
        for target in targets:
            for index, operation in enumerate(patch.operations):
                yield Edit(target, operation, f"persistence.patches[{number}].patch[{index}]")


def overruled(stack: Stack, edit: Edit) -> bool:
    """Whether a patch has been there before: a second run must not take its change back."""
    return stack.recorded and any(
        f"{edit.operation['path']}/".startswith(f"{operation['path']}/")
        for patch in stack.plan.patches
        if _fits(stack, patch, edit.object)
        for operation in patch.operations
        if operation["op"] != "test"
    )


def _targets(stack: Stack, patch: Patch) -> Iterator[Object]:
    for chunk in stack.stream.chunks:
        if chunk.kind != patch.kind and chunk.kind not in LISTS:
            continue
        yield from (item for item in objects_of(chunk) if _fits(stack, patch, item))
    for item in stack.kind(patch.kind):
        added = item.chunk is None or item.document is not item.chunk.document
        if added and _fits(stack, patch, item):
            yield item


def _fits(stack: Stack, patch: Patch, item: Object) -> bool:
    named = not patch.name or item.name == patch.name
    spaced = not patch.namespace or item.namespace == patch.namespace
    return item.kind == patch.kind and named and spaced and (stack.hooks or not item.hook)

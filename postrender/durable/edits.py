"""Edits that steps yield: RFC 6902 operations on an object, none where it is already so."""

from __future__ import annotations

from durable.errors import DocumentError
from durable.patch import pointer
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.objects import Object
    from durable.patch import Operation, Path


@record
class Edit:
    """One operation on one object, and where the plan asks for it, if it is the user's own."""

    object: Object
    operation: Operation
    origin: str = ""

    def apply(self) -> None:
        """Make the edit; a DocumentError of a patch says which one it is."""
        try:
            self.object.apply([self.operation])
        except DocumentError as error:
            if self.origin:
                raise DocumentError(f"{self.origin}: {error}") from None
            raise


def set_value(target: Object, path: Path, value: Any) -> Iterator[Edit]:
    """Put a value at a path, with the parents that are missing."""
    if target.get(*path) == value:
        return
    depth = len(path)
    while target.get(*path[: depth - 1]) is None:
        depth -= 1
        value = {path[depth]: value}
    name = "add" if _absent(target, path[:depth]) else "replace"
    yield Edit(target, {"op": name, "path": pointer(path[:depth]), "value": value})


def _absent(target: Object, path: Path) -> bool:
    parent = target.get(*path[:-1])
    if isinstance(parent, list):
        return int(path[-1]) >= len(parent)
    return not isinstance(parent, dict) or path[-1] not in parent


def merge(target: Object, path: Path, values: dict[str, Any]) -> Iterator[Edit]:
    """Set keys of the mapping at a path, which is made if missing; its other keys stay."""
    if target.get(*path) is None:
        yield from set_value(target, path, values)
        return
    target.mapping(*path)
    for key, value in values.items():
        if isinstance(value, dict) and target.get(*path, key) is not None:
            yield from merge(target, (*path, key), value)
        else:
            yield from set_value(target, (*path, key), value)


def fill(target: Object, path: Path, values: dict[str, Any]) -> Iterator[Edit]:
    """Like merge, for keys only that are absent or null."""
    present = target.mapping(*path)
    yield from merge(target, path, {k: v for k, v in values.items() if present.get(k) is None})


def remove(target: Object, path: Path) -> Iterator[Edit]:
    """Take away what is at a path, if anything is."""
    # To read it first names a parent that has the wrong type.
    if target.get(*path) is not None or not _absent(target, path):
        yield Edit(target, {"op": "remove", "path": pointer(path)})


def insert(target: Object, path: Path, index: int, value: Any) -> Iterator[Edit]:
    """Put an item into the list at a path, which is made if missing."""
    if not target.get(*path):
        yield from set_value(target, path, [value])
    else:
        yield Edit(target, {"op": "add", "path": pointer((*path, str(index))), "value": value})

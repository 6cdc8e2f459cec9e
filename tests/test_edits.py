"""The edits that steps are made of: what is set, merged, filled, removed and inserted, and how."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from durable import edits
from durable.document import Document
from durable.edits import Edit
from durable.errors import DocumentError
from durable.objects import Object

TEXT = """\
kind: A
metadata: {name: a}
null-key:
mapping: {one: 1, two: {three: 3}, null-key: null}
list: [1, {a: 1}]
empty: []
"""
Operation = tuple[str, str, Any]

# What is wanted, and the operations that are yielded one after the other.
ROWS: tuple[
    tuple[Callable[..., Iterator[Edit]], tuple[str, ...], tuple[Any, ...], list[Any]], ...
] = (
    (edits.set_value, ("mapping", "one"), (1,), []),
    (edits.set_value, ("mapping", "one"), (2,), [("replace", "/mapping/one", 2)]),
    (edits.set_value, ("mapping", "new"), (2,), [("add", "/mapping/new", 2)]),
    (edits.set_value, ("new", "a", "b"), (2,), [("add", "/new", {"a": {"b": 2}})]),
    (edits.set_value, ("mapping", "a/b", "c"), (2,), [("add", "/mapping/a~1b", {"c": 2})]),
    (edits.set_value, ("null-key", "a"), (2,), [("replace", "/null-key", {"a": 2})]),
    (edits.set_value, ("list", "1", "a"), (2,), [("replace", "/list/1/a", 2)]),
    (edits.set_value, ("list", "1", "b"), (2,), [("add", "/list/1/b", 2)]),
    (edits.set_value, ("list", "0"), ({"b": 1},), [("replace", "/list/0", {"b": 1})]),
    (edits.set_value, ("list", "2"), (2,), [("add", "/list/2", 2)]),
    (edits.merge, ("mapping",), ({"one": 1},), []),
    (edits.merge, ("mapping",), ({},), []),
    (
        edits.merge,
        ("mapping",),
        ({"one": 2, "two": {"four": 4, "three": 3}, "new": {"a": 1}},),
        [
            ("replace", "/mapping/one", 2),
            ("add", "/mapping/two/four", 4),
            ("add", "/mapping/new", {"a": 1}),
        ],
    ),
    (
        edits.merge,
        ("mapping",),
        ({"null-key": {"a": 1}},),
        [("replace", "/mapping/null-key", {"a": 1})],
    ),
    (edits.merge, ("new", "a"), ({"b": 1},), [("add", "/new", {"a": {"b": 1}})]),
    (
        edits.fill,
        ("mapping",),
        ({"one": 5, "null-key": 5, "new": 5},),
        [("replace", "/mapping/null-key", 5), ("add", "/mapping/new", 5)],
    ),
    (edits.fill, ("mapping",), ({"one": 5},), []),
    (edits.fill, ("new",), ({"a": 1},), [("add", "/new", {"a": 1})]),
    (edits.remove, ("mapping", "one"), (), [("remove", "/mapping/one", None)]),
    (edits.remove, ("null-key",), (), [("remove", "/null-key", None)]),
    (edits.remove, ("mapping", "new"), (), []),
    (edits.remove, ("null-key", "new"), (), []),
    (edits.remove, ("list", "1"), (), [("remove", "/list/1", None)]),
    (edits.remove, ("list", "2"), (), []),
    (edits.insert, ("list",), (0, 5), [("add", "/list/0", 5)]),
    (edits.insert, ("list",), (2, 5), [("add", "/list/2", 5)]),
    (edits.insert, ("empty",), (0, 5), [("replace", "/empty", [5])]),
    (edits.insert, ("null-key",), (0, 5), [("replace", "/null-key", [5])]),
    (edits.insert, ("new", "a"), (0, 5), [("add", "/new", {"a": [5]})]),
)


def _object() -> Object:
    return Object(None, Document(TEXT))


@pytest.mark.parametrize(("edit", "path", "arguments", "operations"), ROWS)
def test_operations(
    edit: Callable[..., Iterator[Edit]],
    path: tuple[str, ...],
    arguments: tuple[Any, ...],
    operations: list[Operation],
) -> None:
    """An edit yields the operations that are missing, and none where nothing is."""
    target = _object()
    made = []
    for each in edit(target, path, *arguments):
        made.append((each.operation["op"], each.operation["path"], each.operation.get("value")))
        target.apply([each.operation])
    assert operations == made
    assert [] == list(edit(target, path, *arguments)) or edit in (edits.insert, edits.remove)


@pytest.mark.parametrize(
    ("edit", "arguments", "says"),
    [
        (edits.merge, (("list",), {"a": 1}), "list is a list, it must be a mapping"),
        (edits.fill, (("list",), {"a": 1}), "list is a list, it must be a mapping"),
        (edits.merge, (("mapping",), {"one": {"a": 1}}), "one is a whole number, it must be"),
        (edits.set_value, (("list", "a", "b"), 1), "list is a list, it must be a mapping"),
    ],
)
def test_wrong_types(edit: Callable[..., Iterator[Edit]], arguments: Any, says: str) -> None:
    """Where a document has something else than the edit needs, its field is named."""
    with pytest.raises(DocumentError, match=says):
        list(edit(_object(), *arguments))

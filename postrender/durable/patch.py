"""JSON Pointer (RFC 6901) and JSON Patch (RFC 6902) on plain data."""

from __future__ import annotations

import re

from durable.errors import DocumentError
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Path = tuple[str, ...]
    Operation = dict[str, Any]

BAD_ESCAPE = pattern(r"~(?![01])")
INDEX = pattern(r"0|[1-9][0-9]*", re.ASCII)
OPERATIONS = {
    "add": {"value"},
    "remove": set(),
    "replace": {"value"},
    "test": {"value"},
    "move": {"from"},
    "copy": {"from"},
}


def pointer(path: Path) -> str:
    """Write a path as an RFC 6901 pointer."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def tokens(text: str) -> Path:
    """Read an RFC 6901 pointer; raises DocumentError where it is none."""
    if text and not text.startswith("/"):
        raise DocumentError(f"{text!r} is no JSON pointer: it starts with '/'")
    if BAD_ESCAPE.search(text):
        raise DocumentError(
            f"{text!r} is no JSON pointer: '~' is written '~0', '/' inside a key '~1'"
        )
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in text.split("/")[1:])


def index_of(token: str, size: int, path: Path) -> int:
    """Read an index of a list; raises DocumentError where it is none."""
    if not INDEX.fullmatch(token):
        raise DocumentError(f"{pointer(path)}: {token!r} is no index of a list")
    index = int(token)
    if index >= size:
        raise DocumentError(f"{pointer(path)} does not exist: the list ends before")
    return index


def value_at(value: Any, path: Path) -> Any:
    """Give what plain data holds at a path; raises DocumentError where there is nothing."""
    for depth, token in enumerate(path, 1):
        if isinstance(value, list):
            value = value[index_of(token, len(value), path[:depth])]
        elif isinstance(value, dict) and token in value:
            value = value[token]
        else:
            raise DocumentError(f"{pointer(path[:depth])} does not exist")
    return value


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to JSON: 1 is 1.0, but not true."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other and isinstance(one, bool) == isinstance(other, bool))


def patched(value: Any, operation: Operation) -> Any:
    """Apply one operation, which the editor could carry out, to plain data."""
    name, path = operation["op"], tokens(operation["path"])
    if name == "test":
        return value
    new = operation.get("value")
    if name in ("move", "copy"):
        source = tokens(operation["from"])
        if name == "move" and path == source:
            return value
        new = value_at(value, source)
        value = _changed(value, source, "remove") if name == "move" else value
        name = "add"
    return _changed(value, path, name, new)


def _changed(value: Any, path: Path, name: str, new: Any = None) -> Any:
    """Copy plain data with one place changed; only what is on the way there is copied."""
    if not path:
        return new
    copied: Any = value.copy()
    key: Any = path[0]
    if isinstance(value, list):
        key = len(value) if key == "-" else int(key)
        if name == "add" and len(path) == 1:
            copied.insert(key, new)
            return copied
    if len(path) > 1:
        copied[key] = _changed(value[key], path[1:], name, new)
    elif name == "remove":
        del copied[key]
    else:
        copied[key] = new
    return copied


def check_operations(patch: Any, path: str) -> None:
    """Raise DocumentError, with the path of what is wrong, where ``patch`` is no JSON Patch."""
    if not isinstance(patch, list):
        raise DocumentError(f"{path} must be a list of operations")
    for number, operation in enumerate(patch):
        where = f"{path}[{number}]"
        if not isinstance(operation, dict) or str(operation.get("op")) not in OPERATIONS:
            raise DocumentError(f"{where}.op must be one of {', '.join(OPERATIONS)}")
        for member in {"path"} | OPERATIONS[operation["op"]]:
            if member not in operation:
                raise DocumentError(f"{where}.{member} is missing")
        for member in {"path", "from"} & operation.keys():
            if not isinstance(operation[member], str):
                raise DocumentError(f"{where}.{member} must be a string")
            tokens(operation[member])

"""One document: read by path, edited by JSON Patch (RFC 6902), every other byte untouched."""

from __future__ import annotations

import re

from durable import nodes, splice
from durable.errors import DocumentError
from durable.pattern import pattern
from durable.record import record
from durable.splice import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durable.nodes import Node
    from durable.splice import Splice

    Path = tuple[str, ...]
    Operation = dict[str, Any]

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
    if re.search(r"~(?![01])", text):
        raise DocumentError(
            f"{text!r} is no JSON pointer: '~' is written '~0', '/' inside a key '~1'"
        )
    return tuple(t.replace("~1", "/").replace("~0", "~") for t in text.split("/")[1:])


@record
class Place:
    """A node found by its path."""

    slot: Slot
    node: Node


class Document:
    """The text of one document of the stream, with its separator line."""

    __slots__ = ("_tree", "_value", "edited", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.edited = False
        self._tree: nodes.Tree | None = None
        self._value: Any = None

    @property
    def tree(self) -> nodes.Tree:
        """The parsed text; raises DocumentError where it is not YAML."""
        if self._tree is None:
            self._tree = nodes.parse(self.text)
            self._value = None
        return self._tree

    @property
    def value(self) -> Any:
        """The document as plain data (see nodes.to_value); not to be changed by the reader."""
        tree = self.tree
        if self._value is None and tree.root is not None:
            try:
                self._value = nodes.to_value(tree.root)
            except RecursionError:
                raise DocumentError("nested too deeply to be read") from None
        return self._value

    def apply(self, operations: list[Operation]) -> None:
        """Apply a JSON Patch, or leave the document as it was and raise DocumentError."""
        before = self.text
        try:
            if not self.edited:  # our own edits double no key and tie no knot
                self._refuse_uneditable()
            for operation in operations:
                value = self.value
                self._operate(operation)
                self._verify(value, operation)
        except DocumentError:
            self._write(before)
            raise
        self.edited = self.edited or self.text != before

    def _verify(self, before: Any, operation: Operation) -> None:
        """Refuse a text that says more or less than the operation: no value changes silently."""
        if self.value != _patched(before, operation):
            raise DocumentError(
                f"{operation['op']} {operation['path'] or 'of the document'}: "
                "the text around it forbids the edit; write it in a simpler form"
            )

    def _refuse_uneditable(self) -> None:
        twice = self.tree.duplicate_key()
        if twice:
            msg = (
                f"line {twice[1] + 1}: the key {twice[0]!r} stands twice in one mapping: remove one"
            )
            raise DocumentError(msg)
        if self.tree.recursive:
            raise DocumentError(
                f"the anchor &{self.tree.recursive} holds itself: write the value out"
            )

    def _write(self, text: str) -> None:
        self.text = text
        self._tree = self._value = None

    def _splice(self, change: Splice) -> None:
        self._write(self.text[: change.start] + change.text + self.text[change.end :])

    def _operate(self, operation: Operation) -> None:
        name, path = operation["op"], tokens(operation["path"])
        if name == "add":
            self._add(path, operation["value"])
        elif name == "replace":
            self._replace(path, operation["value"])
        elif name == "remove":
            self._remove(path)
        elif name == "test":
            self._test(path, operation["value"])
        else:
            self._transfer(name, tokens(operation["from"]), path)

    def _transfer(self, name: str, source: Path, path: Path) -> None:
        if name == "move" and path[: len(source)] == source and path != source:
            raise DocumentError(f"{pointer(source)} cannot move into itself")
        value = nodes.to_value(self._look(source), verbatim=True)
        if name == "move":
            if path == source:
                return
            self._remove(source)
        self._add(path, value)

    def _test(self, path: Path, value: Any) -> None:
        found = value_at(self.value, path)
        if not same(found, value):
            raise DocumentError(f"{pointer(path) or 'the document'} is {found!r}, not {value!r}")

    def _add(self, path: Path, value: Any) -> None:
        if not path:
            self._replace(path, value)
            return
        parent = self._collection(path[:-1])
        target, last = parent.node, path[-1]
        if target.kind == "map":
            if target.find(last):
                self._replace(path, value)
                return
            self._close_open_scalar(path[:-1])
            parent = self._collection(path[:-1])
            self._splice(splice.insert_pair(self.text, parent.slot, parent.node, last, value))
            return
        size = len(target.items)
        index = size if last == "-" else _index(last, size + 1, path)
        if index == size:
            self._close_open_scalar(path[:-1])
            parent = self._collection(path[:-1])
        self._splice(splice.insert_item(self.text, parent.slot, parent.node, index, value))

    def _close_open_scalar(self, path: Path) -> None:
        change = splice.open_ended(self.text, self._collection(path).node)
        if change:
            self._splice(change)

    def _replace(self, path: Path, value: Any) -> None:
        if path:
            parent = self._collection(path[:-1])
            inherited = parent.node.kind == "map" and not parent.node.find(path[-1])
            if inherited and _from_merge(parent.node, path[-1]) is not None:
                self._splice(
                    splice.insert_pair(self.text, parent.slot, parent.node, path[-1], value)
                )
                return
        place = self._find(path)
        self._refuse_shared(place.node, path)
        self._splice(splice.replace(self.text, place.slot, place.node, value))

    def _remove(self, path: Path) -> None:
        if not path:
            raise DocumentError("the whole document cannot be removed by a patch")
        parent = self._collection(path[:-1])
        target, last = parent.node, path[-1]
        if target.kind == "seq":
            index = _index(last, len(target.items), path)
            self._refuse_shared(target.items[index], path)
            self._splice(splice.remove_item(self.text, parent.slot, target, index))
            return
        pair = target.find(last)
        if pair is None:
            reason = (
                "comes from a merge key (<<)"
                if _from_merge(target, last) is not None
                else "does not exist"
            )
            raise DocumentError(f"{pointer(path)} {reason}: it cannot be removed")
        if _from_merge(target, last) is not None:
            raise DocumentError(
                f"{pointer(path)} stands before a merge key (<<) that has it too: "
                "it cannot be removed"
            )
        self._refuse_shared(pair[1], path)
        self._refuse_shared(pair[0], path)
        index = next(i for i, p in enumerate(target.pairs) if p[0] is pair[0])
        self._splice(splice.remove_pair(self.text, parent.slot, target, index))

    def _look(self, path: Path) -> Node:
        """Find a node to read it: through aliases and merge keys."""
        node = self._find(()).node
        for depth, token in enumerate(path, 1):
            node = node.items[0] if node.kind == "alias" else node
            if node.kind == "seq":
                node = node.items[_index(token, len(node.items), path[:depth])]
                continue
            pair = node.find(token)
            found = pair[1] if pair else _from_merge(node, token)
            if found is None:
                raise DocumentError(f"{pointer(path[:depth])} does not exist")
            node = found
        return node

    def _collection(self, path: Path) -> Place:
        """Find a collection that may be edited: not through an alias, not inside a shared anchor."""
        place = self._find(path)
        self._refuse_alias(place.node, path)
        if place.node.kind not in ("map", "seq"):
            raise DocumentError(f"{pointer(path) or 'the document'} is no mapping or list")
        return place

    def _find(self, path: Path) -> Place:
        root = self.tree.root
        if root is None:
            raise DocumentError("the document is empty")
        place = Place(Slot(None, 0), root)
        for depth, token in enumerate(path):
            self._refuse_alias(place.node, path[:depth])
            found = _child(place.node, token, path[: depth + 1])
            if found is None:
                raise DocumentError(f"{pointer(path[: depth + 1])} does not exist")
            place = found
        return place

    def _refuse_alias(self, node: Node, path: Path) -> None:
        """Refuse to walk into what stands in two places: an edit there would change both."""
        shared = node.kind == "alias" or id(node) in self.tree.aliased
        if shared:
            name = node.anchor
            msg = (
                f"line {node.line + 1}: {pointer(path)} is shared by the anchor &{name}: "
                "an edit would change every alias of it; write the value out"
            )
            raise DocumentError(msg)

    def _refuse_shared(self, node: Node, path: Path) -> None:
        """Refuse to drop an anchor that an alias elsewhere needs."""
        stack = [node]
        while stack:
            inner = stack.pop()
            if id(inner) in self.tree.aliased and inner.kind != "alias":
                msg = (
                    f"line {inner.line + 1}: {pointer(path)} holds the anchor &{inner.anchor}, which an alias uses: "
                    "write the value out at the alias"
                )
                raise DocumentError(msg)
            if inner.kind != "alias":
                stack += inner.items
                stack += [n for pair in inner.pairs for n in pair]


def _child(node: Node, token: str, path: Path) -> Place | None:
    if node.kind == "seq":
        index = _index(token, len(node.items), path)
        return Place(Slot(node, index), node.items[index])
    pair = node.find(token)
    if pair is not None:
        index = next(i for i, p in enumerate(node.pairs) if p[0] is pair[0])
        return Place(Slot(node, index), pair[1])
    merged = _from_merge(node, token)
    if merged is not None:
        raise DocumentError(f"{pointer(path)} comes from a merge key (<<): write the value out")
    return None


def _from_merge(node: Node, key: str) -> Node | None:
    for source in node.merged():
        pair = source.find(key)
        if pair:
            return pair[1]
    return None


def _index(token: str, size: int, path: Path) -> int:
    if not INDEX.fullmatch(token):
        raise DocumentError(f"{pointer(path)}: {token!r} is no index of a list")
    index = int(token)
    if index >= size:
        raise DocumentError(f"{pointer(path)} does not exist: the list has {size} items")
    return index


def value_at(value: Any, path: Path) -> Any:
    """Give what plain data holds at a path; raises DocumentError where there is nothing."""
    for depth, token in enumerate(path, 1):
        if isinstance(value, list):
            value = value[_index(token, len(value), path[:depth])]
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


def _patched(value: Any, operation: Operation) -> Any:
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
    """Raise DocumentError, with the path of what is wrong, where ``patch`` is no RFC 6902 document."""
    if not isinstance(patch, list):
        raise DocumentError(f"{path} must be a list of operations")
    for number, operation in enumerate(patch):
        where = f"{path}[{number}]"
        if not isinstance(operation, dict) or operation.get("op") not in OPERATIONS:
            raise DocumentError(f"{where}.op must be one of {', '.join(OPERATIONS)}")
        for member in {"path"} | OPERATIONS[operation["op"]]:
            if member not in operation:
                raise DocumentError(f"{where}.{member} is missing")
        for member in {"path", "from"} & operation.keys():
            if not isinstance(operation[member], str):
                raise DocumentError(f"{where}.{member} must be a string")
            tokens(operation[member])

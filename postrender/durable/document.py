"""One document: read by path, edited by JSON Patch (RFC 6902), every other byte untouched."""

from __future__ import annotations

from durable import nodes, splice
from durable.errors import DocumentError
from durable.patch import index_of, patched, pointer, same, tokens, value_at
from durable.record import record
from durable.splice import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durable.nodes import Node
    from durable.patch import Operation, Path
    from durable.splice import Splice


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
        if self.value != patched(before, operation):
            raise DocumentError(
                f"{operation['op']} {operation['path'] or 'of the document'}: "
                "the text around it forbids the edit; write it in a simpler form"
            )

    def _refuse_uneditable(self) -> None:
        twice = self.tree.duplicate_key()
        if twice:
            says = f"the key {twice[0]!r} stands twice in one mapping: remove one"
            raise DocumentError(says, twice[1] + 1)
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
        index = size if last == "-" else index_of(last, size + 1, path)
        if index == size:
            self._close_open_scalar(path[:-1])
            parent = self._collection(path[:-1])
        self._splice(splice.insert_item(self.text, parent.slot, parent.node, index, value))

    @property
    def open_ended(self) -> bool:
        """Whether a block scalar ends the text without a line break, and would gain one."""
        root = self.tree.root
        return root is not None and splice.open_ended(self.text, root) is not None

    def end_line(self) -> None:
        """End the text with a line break; a block scalar that ends it keeps its value."""
        if self.open_ended:
            self._close_open_scalar(())
        self._write(self.text + splice.newline_of(self.text))
        self.edited = True

    def _close_open_scalar(self, path: Path) -> None:
        change = splice.open_ended(self.text, self._find(path).node)
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
            index = index_of(last, len(target.items), path)
            self._refuse_shared(target.items[index], path)
            self._splice(splice.remove_item(self.text, parent.slot, target, index))
            return
        index = self._removable(target, path)
        self._splice(splice.remove_pair(self.text, parent.slot, target, index))

    def _removable(self, target: Node, path: Path) -> int:
        """The place of a mapping's entry, which no alias and no merge key has a part in."""
        index = _pair_index(target, path[-1])
        merged = _from_merge(target, path[-1]) is not None
        if merged:
            how = "comes from" if index is None else "stands beside"
            says = f"{pointer(path)} {how} a merge key (<<): it cannot be removed"
            raise DocumentError(says, target.line + 1)
        if index is None:
            raise DocumentError(f"{pointer(path)} does not exist: it cannot be removed")
        for node in target.pairs[index]:
            self._refuse_shared(node, path)
        return index

    def line_of(self, path: Path) -> int:
        """The line of a value, from 1."""
        return self._look(path).line + 1

    def _look(self, path: Path) -> Node:
        """Find a node to read it: through aliases and merge keys."""
        node = self._find(()).node
        for depth, token in enumerate(path, 1):
            node = node.items[0] if node.kind == "alias" else node
            if node.kind == "seq":
                node = node.items[index_of(token, len(node.items), path[:depth])]
                continue
            pair = node.find(token)
            found = pair[1] if pair else _from_merge(node, token)
            if found is None:
                raise DocumentError(f"{pointer(path[:depth])} does not exist")
            node = found
        return node

    def _collection(self, path: Path) -> Place:
        """Find a collection that may be edited: not by an alias, not inside a shared anchor."""
        place = self._find(path)
        self._refuse_alias(place.node, path)
        if place.node.kind not in ("map", "seq"):
            says = f"{pointer(path) or 'the document'} is no mapping or list"
            raise DocumentError(says, place.node.line + 1)
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
            raise DocumentError(
                f"{pointer(path)} is shared by the anchor &{node.anchor}: "
                "an edit would change every alias of it; write the value out",
                node.line + 1,
            )

    def _refuse_shared(self, node: Node, path: Path) -> None:
        """Refuse to drop an anchor that an alias elsewhere needs."""
        stack = [node]
        while stack:
            inner = stack.pop()
            if id(inner) in self.tree.aliased and inner.kind != "alias":
                raise DocumentError(
                    f"{pointer(path)} holds the anchor &{inner.anchor}, which an alias uses: "
                    "write the value out at the alias",
                    inner.line + 1,
                )
            if inner.kind != "alias":
                stack += inner.items
                stack += [n for pair in inner.pairs for n in pair]


def _child(node: Node, token: str, path: Path) -> Place | None:
    if node.kind == "seq":
        index = index_of(token, len(node.items), path)
        return Place(Slot(node, index), node.items[index])
    found = _pair_index(node, token)
    if found is not None:
        return Place(Slot(node, found), node.pairs[found][1])
    if _from_merge(node, token) is not None:
        says = f"{pointer(path)} comes from a merge key (<<): write the value out"
        raise DocumentError(says, node.line + 1)
    return None


def _pair_index(node: Node, key: str) -> int | None:
    pair = node.find(key)
    return None if pair is None else next(i for i, p in enumerate(node.pairs) if p is pair)


def _from_merge(node: Node, key: str) -> Node | None:
    for source in node.merged():
        pair = source.find(key)
        if pair:
            return pair[1]
    return None

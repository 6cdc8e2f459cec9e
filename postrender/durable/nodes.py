"""One document's text to a tree of nodes that remember where they stand.

libyaml's events carry the marks; PyYAML's composer would lose the place of an alias and resolve
scalars that nobody asks for (and refuses the plain scalar ``=`` of the operator's CRDs when it constructs).
"""

from __future__ import annotations

import re

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from durable.errors import DocumentError
from durable.scalars import Verbatim, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal

    Kind = Literal["scalar", "map", "seq", "alias"]


# A plain scalar that stands in block and in flow style alike without quotes.
PLAIN_WORD = re.compile(r"[A-Za-z0-9+.~][A-Za-z0-9+.:_-]*(?<!:)", re.ASCII)


class Node:
    """A YAML node: its span in the text (characters), and its children or its scalar text.

    ``pairs`` are a mapping's (key, value) nodes, ``items`` a sequence's nodes; an alias has its
    anchored node as its only item. ``end`` of a block collection is not exact: see ``content_end``.
    """

    __slots__ = (
        "anchor",
        "column",
        "end",
        "flow",
        "items",
        "kind",
        "line",
        "pairs",
        "plain",
        "start",
        "style",
        "tag",
        "text",
    )

    def __init__(self, kind: Kind, event: Any) -> None:
        self.kind = kind
        mark = event.start_mark
        self.start: int = mark.index
        self.line: int = mark.line
        self.column: int = mark.column
        self.end: int = event.end_mark.index
        self.anchor: str | None = event.anchor
        self.tag: str | None = None
        self.text = ""
        self.style: str | None = None
        self.plain = False
        self.flow = False
        self.items: list[Node] = []
        self.pairs: list[tuple[Node, Node]] = []

    @property
    def block_scalar(self) -> bool:
        """Whether this is a literal (|) or folded (>) scalar."""
        return self.kind == "scalar" and self.style in ("|", ">")

    def content_end(self) -> int:
        """Index behind the last character of content (block scalars: behind their trailing blank lines)."""
        node = self
        while node.kind in ("map", "seq") and not node.flow:
            if not (node.pairs or node.items):
                break
            node = node.pairs[-1][1] if node.kind == "map" else node.items[-1]
        return node.end

    def find(self, key: str) -> tuple[Node, Node] | None:
        """The last pair with this key (goyaml: the last one wins), not looking through merge keys."""
        for pair in reversed(self.pairs):
            if pair[0].kind == "scalar" and pair[0].text == key:
                return pair
        return None

    def merged(self) -> list[Node]:
        """The mappings that ``<<`` merges into this one, the strongest first."""
        sources: list[Node] = []
        for key, value in self.pairs:
            if key.kind == "scalar" and key.text == "<<" and key.plain:
                target = value.items[0] if value.kind == "alias" else value
                sources += target.items if target.kind == "seq" else [target]
        return [s.items[0] if s.kind == "alias" else s for s in sources]


class Tree:
    """The parsed document: its root node, its anchors, and what forbids an edit."""

    def __init__(self, root: Node | None, aliased: set[int], recursive: str | None) -> None:
        self.root = root
        self.aliased = aliased  # ids of nodes that an alias points to
        self.recursive = recursive

    def duplicate_key(self) -> tuple[str, int] | None:
        """The first mapping key that stands twice, with its line (from 0)."""
        if self.root is None:
            return None
        stack = [self.root]
        while stack:
            node = stack.pop()
            seen: set[Any] = set()
            for key, value in node.pairs:
                name = go_key(key)
                if name in seen and name != "<<":
                    return key.text, key.line
                seen.add(name)
                stack.append(value)
            if node.kind == "seq":
                stack += node.items
        return None


def go_key(key: Node) -> Any:
    """A key as the Go reader names it: ``on: 1`` and ``true: 2`` are the same key there."""
    if key.kind != "scalar":
        return id(key)
    if not key.plain:
        return key.text
    value = resolve(key.text)
    return value if isinstance(value, str) else str(value).lower()


def parse(text: str) -> Tree:
    """Parse the text of exactly one document.

    Raises DocumentError, with a line counted from 1 within the text, for anything that is not one YAML document.
    """
    parser = CParser(text)
    try:
        return _build(parser)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DocumentError(f"line {line}: {error.problem or error.context}") from None
    except YAMLError as error:
        raise DocumentError(f"line 1: {str(error).splitlines()[0]}") from None
    finally:
        parser.dispose()


def _build(parser: Any) -> Tree:
    """Run through the events with a stack of our own: depth of nesting is the input's choice."""
    anchors: dict[str, Node] = {}
    aliased: set[int] = set()
    open_nodes: list[
        tuple[Node, Node | None]
    ] = []  # collection, and its key that waits for a value
    root: Node | None = None
    documents = 0
    recursive: str | None = None
    while parser.check_event():
        event = parser.get_event()
        kind = type(event)
        if kind is DocumentStartEvent:
            documents += 1
            _refuse_second(event, documents)
            continue
        if kind is ScalarEvent:
            node = Node("scalar", event)
            node.text, node.style, node.tag = event.value, event.style, event.tag
            node.plain = event.implicit[0] and not event.style
        elif kind is AliasEvent:
            node = Node("alias", event)
            node.items.append(_target(event, anchors))
            aliased.add(id(node.items[0]))
            if any(node.items[0] is parent for parent, _ in open_nodes):
                recursive = event.anchor
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            node = Node("map" if kind is MappingStartEvent else "seq", event)
            node.flow, node.tag = bool(event.flow_style), event.tag
        else:
            if open_nodes and kind.__name__ in ("MappingEndEvent", "SequenceEndEvent"):
                open_nodes.pop()[0].end = event.end_mark.index
            continue
        if node.anchor and kind is not AliasEvent:
            anchors[node.anchor] = node
        root = root or node
        _attach(open_nodes, node)
        if kind is MappingStartEvent or kind is SequenceStartEvent:
            open_nodes.append((node, None))
    return Tree(root, aliased, recursive)


def _refuse_second(event: Any, documents: int) -> None:
    if documents > 1:
        line = event.start_mark.line + 1
        msg = f"line {line}: content after the document's end mark '...': start a new document with '---'"
        raise DocumentError(msg)


def _target(event: Any, anchors: dict[str, Node]) -> Node:
    target = anchors.get(event.anchor)
    if target is None:
        line = event.start_mark.line + 1
        msg = f"line {line}: the alias *{event.anchor} has no anchor in this document: write the value out"
        raise DocumentError(msg)
    return target


def _attach(open_nodes: list[tuple[Node, Node | None]], node: Node) -> None:
    if not open_nodes:
        return
    parent, key = open_nodes[-1]
    if parent.kind == "seq":
        parent.items.append(node)
    elif key is None:
        open_nodes[-1] = (parent, node)
    else:
        parent.pairs.append((key, node))
        open_nodes[-1] = (parent, None)


def to_value(node: Node, *, verbatim: bool = False) -> Any:
    """Give a node as dict, list, str, int, float, bool or None; merge keys are merged, aliases followed.

    With ``verbatim`` plain scalars that are no strings keep their source text, so that a copy is written as it was.
    The same anchored node gives the same object, so that nested aliases cost no more than their text.
    """
    return _Values(verbatim=verbatim).of(node)


class _Values:
    def __init__(self, *, verbatim: bool) -> None:
        self.verbatim = verbatim
        self.known: dict[int, Any] = {}

    def of(self, node: Node) -> Any:
        if node.kind == "scalar":
            return self.scalar(node)
        if node.kind == "alias":
            node = node.items[0]
        if id(node) not in self.known:
            self.known[id(node)] = (
                None  # a recursive alias ends here; edits of such a document are refused
            )
            self.known[id(node)] = self.collection(node)
        return self.known[id(node)]

    def collection(self, node: Node) -> Any:
        if node.kind == "scalar":
            return self.scalar(node)
        if node.kind == "seq":
            return [self.of(item) for item in node.items]
        merged: dict[str, Any] = {}
        for source in reversed(node.merged()):
            value = self.of(source)
            merged.update(value if isinstance(value, dict) else {})
        for key, value in node.pairs:
            if not (key.kind == "scalar" and key.plain and key.text == "<<"):
                merged[key.text] = self.of(value)
        return merged

    def scalar(self, node: Node) -> Any:
        if not node.plain or node.tag:
            return self.tagged(node)
        value = resolve(node.text)
        if self.verbatim and value is not None and PLAIN_WORD.fullmatch(node.text):
            return Verbatim(node.text)
        return value

    def tagged(self, node: Node) -> Any:
        if not node.tag or node.tag == "!" or node.tag == "tag:yaml.org,2002:str":
            return node.text
        return resolve(node.text) if node.tag.startswith("tag:yaml.org,2002:") else node.text

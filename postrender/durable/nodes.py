"""One document's text to a tree of nodes that remember where they stand.

libyaml's events carry the marks; PyYAML's composer would lose the place of an alias and resolve
scalars that nobody asks for (and its constructor refuses the plain scalar ``=`` of the CRDs).
"""

from __future__ import annotations

import re

from durable.errors import DocumentError
from durable.libyaml import (
    AliasEvent,
    CParser,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    MarkedYAMLError,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    YAMLError,
)
from durable.pattern import pattern
from durable.scalars import Verbatim, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Literal

    Kind = Literal["scalar", "map", "seq", "alias"]

# Line breaks of YAML 1.1, which Go's readers and PyYAML keep to: NEL, LS and PS are some.
BREAK = "(?:\r\n|[\r\n\x85\u2028\u2029])"
BLANK = "[ \t\r\n\x85\u2028\u2029]"
COMMENT = "#[^\r\n\x85\u2028\u2029]*"
# Between tokens: blanks, line breaks and comments.
GAP = pattern(f"(?:{BLANK}|(?<!{BLANK.replace('[', '[^')}){COMMENT})*")
SECOND = "content behind an end mark '...' or a directive: start a new document with a line '---'"
# The value is the text itself, or what the text would be without quotes.
TEXT_TAGS = ("!", "tag:yaml.org,2002:str")
RESOLVED_TAGS = tuple(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))
# A plain scalar that stands in block and in flow style alike without quotes.
PLAIN_WORD = pattern(r"[A-Za-z0-9+.~][A-Za-z0-9+.:_-]*(?<!:)", re.ASCII)


class Node:
    """A YAML node: its span in the text (characters), and its children or its scalar text.

    ``pairs`` are a mapping's (key, value) nodes, ``items`` a sequence's nodes; an alias has its
    anchored node as its only item. ``end`` of a block collection is not exact: ``content_end`` is.
    """

    # Defaults on the class: most nodes are scalars, and making nodes is most of the parser's time.
    anchor: str | None = None
    tag: str | None = None
    style: str | None = None
    text = ""
    plain = False
    flow = False
    items: Sequence[Node] = ()
    pairs: Sequence[tuple[Node, Node]] = ()

    def __init__(self, kind: Kind, event: Any) -> None:
        self.kind = kind
        self.mark = event.start_mark
        self.start: int = event.start_mark.index
        self.end: int = event.end_mark.index

    @property
    def line(self) -> int:
        """The line that the node starts in, from 0."""
        found: int = self.mark.line
        return found

    @property
    def column(self) -> int:
        """The column that the node starts in, from 0."""
        found: int = self.mark.column
        return found

    @property
    def block_scalar(self) -> bool:
        """Whether this is a literal (|) or folded (>) scalar."""
        return self.kind == "scalar" and self.style in ("|", ">")

    def last(self) -> Node:
        """The scalar, alias or flow collection that ends a block; of others the node itself."""
        node = self
        while not node.flow and (node.pairs or node.kind == "seq"):
            node = node.pairs[-1][1] if node.pairs else node.items[-1]
        return node

    def content_end(self) -> int:
        """Index behind the last character of content (and behind a block scalar's blank lines)."""
        return self.last().end

    def find(self, key: str) -> tuple[Node, Node] | None:
        """The last pair with this key (as goyaml has it), not looking through merge keys."""
        for pair in reversed(self.pairs):
            if pair[0].text == key and pair[0].kind == "scalar" and not pair[0].is_merge():
                return pair
        return None

    def merged(self) -> list[Node]:
        """The mappings that ``<<`` merges into this one, the strongest first."""
        found: list[Node] = []
        for key, value in self.pairs:
            if key.is_merge():
                found = value.sources() + found
        return found

    def sources(self) -> list[Node]:
        """The mappings that this value of a merge key names."""
        target = self.items[0] if self.kind == "alias" else self
        items = target.items if target.kind == "seq" else [target]
        return [item.items[0] if item.kind == "alias" else item for item in items]

    def is_merge(self) -> bool:
        """Whether this is the merge key ``<<``."""
        tagged = self.tag == "tag:yaml.org,2002:merge"
        return self.kind == "scalar" and self.text == "<<" and (self.plain or tagged)


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
                if name in seen and not key.is_merge():
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

    Raises DocumentError, with a line counted from 1 within the text, for anything else.
    """
    parser = CParser(text)
    try:
        return _Builder(text).build(parser)
    except YAMLError as error:
        raise not_yaml(error) from None
    finally:
        parser.dispose()


def not_yaml(error: YAMLError) -> DocumentError:
    """Give libyaml's error, with its line, as one of ours."""
    if not isinstance(error, MarkedYAMLError):
        return DocumentError(f"not YAML: {str(error).splitlines()[0]}", 1)
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "it cannot be read"
    says = SECOND if "<document start>" in problem else f"not YAML: {problem}"
    return DocumentError(says, mark.line + 1 if mark else 1)


class _Builder:
    """Runs through the events with a stack of its own: depth of nesting is the input's choice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.anchors: dict[str, Node] = {}
        self.aliased: set[int] = set()
        self.open: list[tuple[Node, list[Node]]] = []  # collections, and the children so far
        self.documents = 0
        self.recursive: str | None = None

    def build(self, parser: Any) -> Tree:  # noqa: C901  the innermost loop: a call costs as much
        top: list[Node] = []
        children = top
        get = parser.get_event
        while True:
            event = get()
            kind = type(event)
            if kind is ScalarEvent:
                node = Node("scalar", event)
                node.text = event.value
                if event.style:
                    node.style = event.style
                else:
                    node.plain = event.implicit[0]
                if event.tag or event.anchor:
                    self.named(node, event)
                children.append(node)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                node = Node("map" if kind is MappingStartEvent else "seq", event)
                node.flow = bool(event.flow_style)
                if event.tag or event.anchor:
                    self.named(node, event)
                self.open.append((node, children))
                children.append(node)
                children = []
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                node, outer = self.open.pop()
                self.close(node, children, event)
                children = outer
            elif kind is AliasEvent:
                children.append(self.alias(event))
            elif kind is DocumentStartEvent:
                self.documents += 1
                _refuse_second(event, self.documents)
            elif kind is StreamEndEvent:
                return Tree(top[0] if top else None, self.aliased, self.recursive)

    def named(self, node: Node, event: Any) -> None:
        node.tag, node.anchor = event.tag, event.anchor
        if node.anchor:
            self.anchors[node.anchor] = node

    def close(self, node: Node, children: list[Node], event: Any) -> None:
        node.end = event.end_mark.index
        if node.kind == "seq":
            node.items = children
            return
        node.pairs = list(zip(children[::2], children[1::2], strict=True))
        for key, value in node.pairs:
            if value.start == value.end:
                self.place_empty(key, value)

    def alias(self, event: Any) -> Node:
        node = Node("alias", event)
        node.anchor = event.anchor
        target = _target(event, self.anchors)
        node.items = [target]
        self.aliased.add(id(target))
        if any(target is parent for parent, _ in self.open):
            self.recursive = event.anchor
        return node

    def place_empty(self, key: Node, value: Node) -> None:
        """Move the value of a key without ``:`` behind it; libyaml puts it at the next token."""
        if skip_gap(self.text, key.content_end()) == value.start:
            value.start = value.end = key.content_end()


def _refuse_second(event: Any, documents: int) -> None:
    if documents > 1:
        raise DocumentError(SECOND, event.start_mark.line + 1)


def _target(event: Any, anchors: dict[str, Node]) -> Node:
    target = anchors.get(event.anchor)
    if target is None:
        raise DocumentError(
            f"the alias *{event.anchor} has no anchor in this document: write the value out",
            event.start_mark.line + 1,
        )
    return target


def skip_gap(text: str, index: int) -> int:
    """Index of the next token."""
    found = GAP.match(text, index)
    return found.end() if found else index


def to_value(node: Node, *, verbatim: bool = False) -> Any:
    """Give a node as dict, list, str, int, float, bool or None; merge keys are merged.

    With ``verbatim`` plain scalars keep their source text, so that a copy is written as it was.
    One anchored node gives one object, so that nested aliases cost no more than their text.
    """
    return _Values(verbatim=verbatim).of(node)


class _Values:
    def __init__(self, *, verbatim: bool) -> None:
        self.verbatim = verbatim
        self.known: dict[int, Any] = {}

    def of(self, node: Node) -> Any:
        if node.kind == "alias":
            node = node.items[0]
        if node.kind == "scalar":
            return self.scalar(node)
        if id(node) not in self.known:
            # A recursive alias ends here; edits of such a document are refused.
            self.known[id(node)] = None
            self.known[id(node)] = self.collection(node)
        return self.known[id(node)]

    def collection(self, node: Node) -> Any:
        if node.kind == "seq":
            return [self.of(item) for item in node.items]
        found: dict[str, Any] = {}
        for key, value in node.pairs:
            if key.is_merge():  # to Go it also wins over the keys before it
                for source in reversed(value.sources()):
                    found.update(self.mapping(source))
            else:
                found[self.key(key)] = self.of(value)
        return found

    def mapping(self, node: Node) -> dict[str, Any]:
        value = self.of(node)
        return value if isinstance(value, dict) else {}

    def key(self, node: Node) -> str:
        plain = self.verbatim and node.plain and PLAIN_WORD.fullmatch(node.text)
        return Verbatim(node.text) if plain else node.text

    def scalar(self, node: Node) -> Any:
        if node.tag:
            return self.tagged(node)
        if not node.plain:
            return node.text
        value = resolve(node.text)
        if self.verbatim and value is not None and PLAIN_WORD.fullmatch(node.text):
            return Verbatim(node.text)
        return value

    def tagged(self, node: Node) -> Any:
        if node.tag in TEXT_TAGS:
            return node.text
        value = resolve(node.text) if node.tag in RESOLVED_TAGS else node.text
        if self.verbatim and isinstance(value, str):
            raise DocumentError(f"a value with the tag {node.tag} cannot be copied", node.line + 1)
        return value

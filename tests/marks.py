"""What of a text an operation may touch, by the marks of PyYAML's composer."""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from tests.editing import Operation, Path
from tests.tools.documents import Loader

Span = tuple[int, int]
NOWHERE = (0, 0)


@dataclass(frozen=True)
class Place:
    """A node, the collection that holds it, and its entry there: from key or dash to the end."""

    node: yaml.Node
    parent: yaml.Node | None
    entry: Span


@dataclass(frozen=True)
class Reach:
    """Where the text may change, and where a comment may be lost."""

    change: Span
    comments: Span


def content_end(node: yaml.Node) -> int:
    """Return the index behind the last character of a node, without what follows a block."""
    return int(_last(node).end_mark.index)


def _last(node: yaml.Node) -> yaml.Node:
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(node, yaml.MappingNode) else last
    return node


def entries(text: str, node: yaml.Node) -> list[tuple[str, yaml.Node, Span]]:
    """Return the entries of a collection: key or index, value, and span."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(key.value, key.start_mark.index, value) for key, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        pairs = [(str(i), item.start_mark.index, item) for i, item in enumerate(node.value)]
    else:
        return []
    found = []
    behind = node.start_mark.index
    for name, start, value in pairs:
        mark = re.compile(r"(?:[\s,{\[]|#.*)*").match(text, behind)
        assert mark
        dashed = isinstance(node, yaml.SequenceNode) and not node.flow_style
        explicit = text.startswith("?", mark.end()) and mark.end() < start
        behind = content_end(value)
        found.append((name, value, (mark.end() if dashed or explicit else start, behind)))
    return found


def place(text: str, path: Path) -> Place | None:
    """Return where the node of a path stands, or nothing."""
    node = yaml.compose(text, Loader)
    assert node is not None
    found = Place(node, None, (node.start_mark.index, content_end(node)))
    for token in path:
        inner = [e for e in entries(text, found.node) if e[0] == token]
        if not inner:
            return None
        _, child, span = inner[-1]
        found = Place(child, found.node, span)
    return found


def reach(text: str, operation: Operation, path: Path) -> Reach:
    """Return what an add, replace or remove may touch."""
    here = place(text, path)
    if operation["op"] == "remove":
        assert here is not None
        return _removal(text, here, path)
    if here and not _inserts(here, operation):
        return _replacement(here)
    parent = place(text, path[:-1])
    assert parent
    if not parent.node.value and "#" not in text[slice(*_span(parent.node))]:
        return _replacement(parent)
    # A block scalar that ends the text gets quotes when lines are put behind it, not before it.
    last = _last(parent.node)
    block = isinstance(last, yaml.ScalarNode) and last.style in ("|", ">")
    open_ended = block and content_end(last) == len(text) and not text.endswith("\n")
    return Reach(_span(last) if open_ended and not here else NOWHERE, NOWHERE)


def _inserts(here: Place, operation: Operation) -> bool:
    return operation["op"] == "add" and isinstance(here.parent, yaml.SequenceNode)


def _span(node: yaml.Node) -> Span:
    return node.start_mark.index, content_end(node)


def _replacement(here: Place) -> Reach:
    start, end = _span(here.node)
    return Reach((here.entry[0], end), (start, end))


def _removal(text: str, here: Place, path: Path) -> Reach:
    assert here.parent
    siblings = [span for _, _, span in entries(text, here.parent)]
    if len(siblings) == 1:
        parent = place(text, path[:-1])
        assert parent
        return _replacement(parent)
    if isinstance(here.parent, yaml.CollectionNode) and here.parent.flow_style:
        at = siblings.index(here.entry)
        before = siblings[at - 1][1] if at else here.entry[0]
        after = siblings[at + 1][0] if at + 1 < len(siblings) else here.entry[1]
        return Reach((before, after), here.entry)
    return _lines(text, here.entry)


def _lines(text: str, entry: Span) -> Reach:
    """Return the lines of a block's entry, with the comments below that are deeper than it."""
    start, end = entry
    line = text.rfind("\n", 0, start) + 1
    rest = re.compile(r"[^\n]*(?:\n|$)" if text[end - 1] != "\n" else "").match(text, end)
    assert rest
    column = start - line
    deeper = rf"(?:(?:[ \t]*\r?\n)*[ ]{{{column + 1},}}#[^\n]*(?:\n|$))*"
    comments = re.compile(deeper).match(text, rest.end())
    assert comments
    blanks = re.compile(r"(?:[ \t]*\r?\n)*[ ]*").match(text, comments.end())
    assert blanks
    return Reach((line, blanks.end()), (start, comments.end()))

"""Put, replace and remove one node in a document's text; every other character stays as it is."""

from __future__ import annotations

from durable.errors import DocumentError
from durable.nodes import BLANK, BREAK, COMMENT, skip_gap
from durable.pattern import pattern
from durable.record import record
from durable.scalars import quote, write_block, write_flow, write_inline, write_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from durable.nodes import Node

PROPERTY = pattern("[^ \t\r\n\x85\u2028\u2029]+")
# What ends the line of a value: blanks, perhaps a comment.
LINE_REST = pattern(rf"[ \t]*(?:{COMMENT})?(?:{BREAK}|$)")
BLANK_REST = pattern(rf"[ \t]*(?:{BREAK}|$)")
BLANK_LINES = pattern(rf"(?:[ \t]*{BREAK})*(?:[ \t]+$)?")
COMMENT_LINE = pattern(rf"(?:[ \t]*{BREAK})*([ ]*){COMMENT}(?:{BREAK}|$)")
FLOW_GAP = pattern(rf"(?:{BLANK}|,|(?<!{BLANK.replace('[', '[^,')}){COMMENT})*")
BREAKS = "\n\r\x85\u2028\u2029"
# Blanks, or an indented comment on a line of its own: text, if a block scalar stood before it.
TAKEN_IN = pattern(rf"{BREAK}*[ \t]+(?:#|{BREAK}|$)")


@record
class Splice:
    """Replace text[start:end] by ``text``."""

    start: int
    end: int
    text: str


@record
class Slot:
    """Where a node hangs: its parent collection and its place there."""

    parent: Node | None
    index: int


def newline_of(text: str) -> str:
    """The document's own line ending."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def replace(text: str, slot: Slot, node: Node, value: Any) -> Splice:
    """Write ``value`` where ``node`` stands."""
    end = node.content_end()
    at_line_start = end > node.start and text[end - 1] in BREAKS
    # At the end of a text without a final line break a literal block would lose its own.
    unended = end == len(text) and not at_line_start
    tail = newline_of(text) if at_line_start or unended else ""
    if slot.parent is None:
        return _replace_root(text, node, value, tail)
    if slot.parent.flow:
        return Splice(node.start, end, _colon(text, slot, node) + write_flow(value))
    head = _head_end(text, slot)
    roomy = not text[head : node.start].strip()
    ended = tail or BLANK_REST.match(text, end)
    if value and isinstance(value, (dict, list)) and roomy and ended:
        return Splice(head, end, _block_body(text, slot.parent, value, end) + tail)
    if roomy:
        return Splice(head, end, " " + write_inline(value) + tail)
    # A comment stands between; on its own line the value must be deeper than its parent.
    deeper = " " * max(0, parent_column(text, slot.parent) + 1 - node.column)
    return Splice(node.start, end, deeper + write_inline(value) + tail)


def _replace_root(text: str, node: Node, value: Any, tail: str) -> Splice:
    end = node.content_end()
    if not value or not isinstance(value, (dict, list)) or node.flow:
        return Splice(node.start, end, write_inline(value) + tail)
    line = newline_of(text)
    head = "" if _line_start(text, node.start) == node.start else line
    body = line.join(write_block(value, 0, literal=_may_be_literal(text, end)))
    return Splice(node.start, end, head + body + tail)


def _may_be_literal(text: str, index: int) -> bool:
    """Whether a literal block that ends here would not take what follows for its text."""
    return not TAKEN_IN.match(text, index)


def _colon(text: str, slot: Slot, node: Node) -> str:
    """What must precede a value in a flow mapping: ``{a}`` and ``{a:}`` have no room for one."""
    parent = slot.parent
    if parent is None or parent.kind != "map" or node.start != node.end:
        return ""
    if not text.startswith(":", skip_gap(text, parent.pairs[slot.index][0].content_end())):
        return ": "
    return "" if text[node.start - 1] in " \t\n" else " "


def _head_end(text: str, slot: Slot) -> int:
    """Index behind the ``:`` or ``-`` that introduces the node in a block collection."""
    parent = slot.parent
    assert parent is not None  # noqa: S101  block collections only, see replace()
    if parent.kind == "seq":
        return _dash(text, parent, slot.index) + 1
    key = parent.pairs[slot.index][0]
    colon = skip_gap(text, key.content_end())
    if text.startswith(":", colon):
        return colon + 1
    says = f"the key {key.text!r} has no ':': write it as 'key: value'"
    raise DocumentError(says, key.line + 1)


def _block_body(text: str, parent: Node, value: Any, end: int) -> str:
    """A non-empty collection as the block that follows ``key:`` or ``-``, up to ``end``."""
    line = newline_of(text)
    column = parent_column(text, parent) + 2
    lines = write_block(value, column, literal=_may_be_literal(text, end))
    if parent.kind == "seq":
        return " " + line.join(lines)
    return line + " " * column + line.join(lines)


def parent_column(text: str, parent: Node) -> int:
    """The column of a block collection's keys or dashes."""
    if parent.kind == "seq":
        dash = _dash(text, parent, 0)
        return dash - _line_start(text, dash)
    first = _entry_start(text, parent, 0)
    return first - _line_start(text, first)


def _line_start(text: str, index: int) -> int:
    return max(text.rfind(mark, 0, index) for mark in BREAKS) + 1


def _dash(text: str, parent: Node, index: int) -> int:
    """Index of the ``-`` of an item of a block sequence."""
    before = parent.items[index - 1].content_end() if index else _behind_properties(text, parent)
    return skip_gap(text, before)


def _behind_properties(text: str, node: Node) -> int:
    """Index behind a block collection's anchor and tag."""
    index = node.start
    while index < len(text) and text[index] in "&!":
        found = PROPERTY.match(text, index)
        index = skip_gap(text, found.end() if found else index + 1)
    return index


def _entry_start(text: str, parent: Node, index: int) -> int:
    """Index of a block mapping's entry: its key with the key's properties, or its ``?``."""
    key = parent.pairs[index][0]
    start = parent.pairs[index - 1][1].content_end() if index else _behind_properties(text, parent)
    first = skip_gap(text, start) if index else start
    explicit = text.startswith("?", first) and first < key.start
    return first if explicit else key.start


def insert_pair(text: str, slot: Slot, target: Node, key: str, value: Any) -> Splice:
    """Add an entry at the end of a mapping."""
    if _is_bare(text, slot, target):
        return replace(text, slot, target, {key: value})
    if target.flow:
        entry = f"{write_key(key, flow=True)}: {write_flow(value)}"
        return _insert_flow(text, target, [v for _, v in target.pairs], len(target.pairs), entry)
    return _insert_line(text, target, {key: value})


def insert_item(text: str, slot: Slot, target: Node, index: int, value: Any) -> Splice:
    """Add an item to a sequence, before the item that has this index."""
    if _is_bare(text, slot, target):
        return replace(text, slot, target, [value])
    if target.flow:
        return _insert_flow(text, target, target.items, index, write_flow(value))
    if index == len(target.items):
        return _insert_line(text, target, [value])
    dash = _dash(text, target, index)
    line = newline_of(text)
    column = parent_column(text, target)
    return Splice(dash, dash, line.join(write_block([value], column)) + line + " " * column)


def _is_bare(text: str, slot: Slot, target: Node) -> bool:
    """Whether this is ``{}`` or ``[]`` behind a key or a dash: it becomes a block."""
    if target.pairs or target.items or slot.parent is None or slot.parent.flow:
        return False
    return "#" not in text[target.start : target.end]


def _insert_flow(text: str, target: Node, items: Sequence[Node], index: int, entry: str) -> Splice:
    if text[target.start] not in "{[&!":
        raise DocumentError(
            "a mapping without braces inside a list cannot be edited: write {key: value}",
            target.line + 1,
        )
    if not items:
        brace = _behind_properties(text, target) + 1
        return Splice(brace, brace, entry + (" " if text.startswith("#", brace) else ""))
    if index < len(items):
        return Splice(items[index].start, items[index].start, entry + ", ")
    end = items[-1].content_end()
    return Splice(end, end, (" , " if text[end - 1] == ":" else ", ") + entry)


def _insert_line(text: str, target: Node, value: Any) -> Splice:
    """Put lines behind the last line of a block collection."""
    line = newline_of(text)
    end = _line_end(text, target.content_end())
    column = parent_column(text, target)
    lines = write_block(value, column, literal=_may_be_literal(text, end))
    body = " " * column + line.join(lines) + line
    return Splice(end, end, body if text[end - 1] in BREAKS else line + body)


def _line_end(text: str, end: int) -> int:
    """Index behind the line on which a value ends, a comment behind the value included."""
    if text[end - 1] in BREAKS:  # behind a block scalar
        return end
    rest = LINE_REST.match(text, end)
    if rest is None:
        line = text.count("\n", 0, end) + 1
        raise DocumentError("something follows the value on its line", line)
    return rest.end()


def open_ended(text: str, target: Node) -> Splice | None:
    """A block scalar that ends the text without a line break would gain one: quote it first."""
    node = target.last()
    if not node.block_scalar or text[node.end - 1] in BREAKS:
        return None
    start = _behind_properties(text, node)
    _, mark, comment = text[start : node.end].splitlines()[0].partition("#")
    return Splice(start, node.end, quote(node.text) + (f" {mark}{comment}" if mark else ""))


def remove_pair(text: str, slot: Slot, target: Node, index: int) -> Splice:
    """Take an entry out of a mapping; the last one leaves ``{}``."""
    if len(target.pairs) == 1:
        return replace(text, slot, target, {})
    nodes = [value for _, value in target.pairs]
    if target.flow:
        return _remove_flow(text, _flow_starts(text, target), nodes, index)
    starts = [_entry_start(text, target, i) for i in (index, index + 1) if i < len(nodes)]
    return _remove_lines(text, starts, nodes, index)


def remove_item(text: str, slot: Slot, target: Node, index: int) -> Splice:
    """Take an item out of a sequence; the last one leaves ``[]``."""
    if len(target.items) == 1:
        return replace(text, slot, target, [])
    if target.flow:
        return _remove_flow(text, [item.start for item in target.items], target.items, index)
    starts = [_dash(text, target, i) for i in (index, index + 1) if i < len(target.items)]
    return _remove_lines(text, starts, target.items, index)


def _flow_starts(text: str, target: Node) -> list[int]:
    """Where each entry of a flow mapping starts: at its key, or at the ``?`` before it."""
    starts = []
    behind = _behind_properties(text, target) + 1
    for key, value in target.pairs:
        mark = FLOW_GAP.match(text, behind)
        first = mark.end() if mark else key.start
        starts.append(first if text.startswith("?", first) and first < key.start else key.start)
        behind = value.content_end()
    return starts


def _remove_flow(text: str, starts: list[int], nodes: Sequence[Node], index: int) -> Splice:
    """Take an entry with one comma; comments between the entries stay."""
    if index + 1 < len(starts):
        start, end = starts[index], starts[index + 1]
        gap = text[nodes[index].content_end() : end]
    else:
        start, end = nodes[index - 1].content_end(), nodes[index].content_end()
        gap = text[start : starts[index]]
    if "#" not in gap:
        return Splice(start, end, "")
    comma = skip_gap(gap, 0)
    return Splice(start, end, gap[:comma] + gap[comma + 1 :])


def _remove_lines(text: str, starts: list[int], nodes: Sequence[Node], index: int) -> Splice:
    """Take an entry's lines, and the comments below that are indented as its inside would be."""
    start = starts[0]
    line_start = _line_start(text, start)
    end = _line_end(text, nodes[index].content_end())
    end = _inner_comments(text, end, start - line_start)
    if text[line_start:start].strip(" "):  # the first entry behind a dash
        if "#" not in text[end : starts[1]]:
            return Splice(start, starts[1], "")  # pull the next one up
        return Splice(len(text[:start].rstrip(" ")), end, newline_of(text))
    if index and nodes[index - 1].last().block_scalar:
        end += _gained(text, nodes[index - 1].last(), end)
    return Splice(line_start, end, "")


def _inner_comments(text: str, index: int, column: int) -> int:
    """Index behind the comments on lines of their own that are indented deeper than a column."""
    found = COMMENT_LINE.match(text, index)
    while found and len(found[1]) > column:
        index = found.end()
        found = COMMENT_LINE.match(text, index)
    return index


def _gained(text: str, before: Node, index: int) -> int:
    """How much of the blank lines here would become part of a block scalar's text."""
    found = BLANK_LINES.match(text, index)
    blank = found[0] if found else ""
    keeps = "+" in text[before.start : before.end].splitlines()[0]
    return len(blank) if keeps or blank.strip("\r\n") else 0

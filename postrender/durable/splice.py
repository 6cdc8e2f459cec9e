"""Put, replace and remove one node in a document's text; every other character stays as it is."""

from __future__ import annotations

import re

from durable.errors import DocumentError
from durable.record import record
from durable.scalars import quote, write_block, write_flow, write_inline, write_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durable.nodes import Node

# Between tokens: blanks, line breaks and comments.
GAP = re.compile(r"(?:[ \t\r\n]|(?<![^ \t\r\n])#[^\r\n]*)*")
FLOW_GAP = re.compile(r"(?:[ \t\r\n,]|(?<![^ \t\r\n,])#[^\r\n]*)*")
LINE_REST = re.compile(r"[ \t]*(?:(?<=[ \t])#[^\r\n]*)?(?:\r\n|\r|\n|$)")
BLANK_REST = re.compile(r"[ \t]*(?:\r\n|\r|\n|$)")


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
    at_line_start = end > node.start and text[end - 1] == "\n"
    # At the end of a text without a final line break a literal block would lose its own.
    unended = end == len(text) and not at_line_start
    tail = newline_of(text) if at_line_start or unended else ""
    parent = slot.parent
    if parent is None:
        return _replace_root(text, node, value, end, tail)
    if parent.flow:
        return Splice(node.start, end, _colon(text, slot, node) + write_flow(value))
    head = _head_end(text, slot)
    gap = text[head : node.start]
    roomy = not gap.strip()
    if (
        value
        and isinstance(value, (dict, list))
        and roomy
        and (tail or BLANK_REST.match(text, end))
    ):
        return Splice(head, end, _block_body(text, slot, value) + tail)
    inline = write_inline(value)
    if roomy:
        return Splice(head, end, " " + inline + tail)
    # A comment stands between; on its own line the value must be deeper than its parent.
    deeper = " " * max(0, parent_column(text, parent) + 1 - node.column)
    return Splice(node.start, end, deeper + inline + tail)


def _replace_root(text: str, node: Node, value: Any, end: int, tail: str) -> Splice:
    if value and isinstance(value, (dict, list)) and not node.flow:
        at_start = not text[: node.start].rpartition("\n")[2]
        lines = newline_of(text).join(write_block(value, 0))
        return Splice(node.start, end, ("" if at_start else newline_of(text)) + lines + tail)
    return Splice(node.start, end, write_inline(value) + tail)


def _colon(text: str, slot: Slot, node: Node) -> str:
    """What must precede a value in a flow mapping: ``{a}`` and ``{a:}`` have no room for one."""
    parent = slot.parent
    if parent is None or parent.kind != "map" or node.start != node.end:
        return ""
    key = parent.pairs[slot.index][0]
    if ":" not in text[key.end : node.start]:
        return ": "
    return "" if text[node.start - 1] in " \t\n" else " "


def _head_end(text: str, slot: Slot) -> int:
    """Index behind the ``:`` or ``-`` that introduces the node in a block collection."""
    parent = slot.parent
    assert parent is not None  # noqa: S101  block collections only, see replace()
    if parent.kind == "seq":
        return _dash(text, parent, slot.index) + 1
    key = parent.pairs[slot.index][0]
    colon = _skip_gap(text, key.end)
    if colon < len(text) and text[colon] == ":":
        return colon + 1
    msg = f"line {key.line + 1}: the key {key.text!r} has no ':': write it as 'key: value'"
    raise DocumentError(msg)


def _block_body(text: str, slot: Slot, value: Any) -> str:
    """A non-empty collection as the block that follows ``key:`` or ``-``."""
    parent = slot.parent
    assert parent is not None  # noqa: S101  block collections only, see replace()
    line = newline_of(text)
    column = parent_column(text, parent) + 2
    lines = write_block(value, column)
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
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1


def _skip_gap(text: str, index: int) -> int:
    found = GAP.match(text, index)
    return found.end() if found else index


def _dash(text: str, parent: Node, index: int) -> int:
    """Index of the ``-`` of an item of a block sequence."""
    if index:
        start = parent.items[index - 1].content_end()
    else:
        start = _behind_properties(text, parent)
    return _skip_gap(text, start)


def _behind_properties(text: str, node: Node) -> int:
    """Index behind a block collection's anchor and tag."""
    index = node.start
    while index < len(text) and text[index] in "&!":
        found = re.compile(r"[^ \t\r\n]+").match(text, index)
        index = _skip_gap(text, found.end() if found else index + 1)
    return index


def _entry_start(text: str, parent: Node, index: int) -> int:
    """Index of a block mapping's entry: its key with the key's properties, or its ``?``."""
    key = parent.pairs[index][0]
    start = parent.pairs[index - 1][1].content_end() if index else _behind_properties(text, parent)
    first = _skip_gap(text, start) if index else start
    explicit = text.startswith("?", first) and first < key.start
    return first if explicit else key.start


def insert_pair(text: str, slot: Slot, target: Node, key: str, value: Any) -> Splice:
    """Add an entry at the end of a mapping."""
    if (
        not target.pairs
        and not (slot.parent and slot.parent.flow)
        and text.startswith("{", target.start)
    ):
        if slot.parent is not None:
            return replace(text, slot, target, {key: value})
        return Splice(
            target.start + 1, target.start + 1, f"{write_key(key, flow=True)}: {write_flow(value)}"
        )
    if target.flow:
        entry = f"{write_key(key, flow=True)}: {write_flow(value)}"
        return _insert_flow(text, target, [v for _, v in target.pairs], len(target.pairs), entry)
    column = parent_column(text, target)
    return _insert_line(text, target, column, write_block({key: value}, column))


def insert_item(text: str, slot: Slot, target: Node, index: int, value: Any) -> Splice:
    """Add an item to a sequence, before the item that has this index."""
    if not target.items and slot.parent is not None and not slot.parent.flow:
        return replace(text, slot, target, [value])
    if target.flow:
        return _insert_flow(text, target, target.items, index, write_flow(value))
    column = parent_column(text, target)
    lines = write_block([value], column)
    if index == len(target.items):
        return _insert_line(text, target, column, lines)
    dash = _dash(text, target, index)
    line = newline_of(text)
    return Splice(dash, dash, line.join(lines) + line + " " * column)


def _insert_flow(text: str, target: Node, items: list[Node], index: int, entry: str) -> Splice:
    if text[target.start] not in "{[&!":
        msg = f"line {target.line + 1}: a mapping without braces inside a list cannot be edited: write {{key: value}}"
        raise DocumentError(msg)
    if not items:
        brace = _behind_properties(text, target) + 1
        return Splice(brace, brace, entry)
    if index < len(items):
        return Splice(items[index].start, items[index].start, entry + ", ")
    end = items[-1].content_end()
    return Splice(end, end, ", " + entry)


def _insert_line(text: str, target: Node, column: int, lines: list[str]) -> Splice:
    """Put lines behind the last line of a block collection."""
    line = newline_of(text)
    end = target.content_end()
    body = (line + "").join([" " * column + lines[0], *lines[1:]])
    if text[end - 1] == "\n":  # behind a block scalar
        return Splice(end, end, body + line)
    rest = LINE_REST.match(text, end)
    if rest is None:
        msg = f"line {text.count(chr(10), 0, end) + 1}: something follows the value on its line"
        raise DocumentError(msg)
    if rest.end() == len(text) and not rest[0].endswith(("\n", "\r")):
        return Splice(rest.end(), rest.end(), line + body + line)
    return Splice(rest.end(), rest.end(), body + line)


def open_ended(text: str, target: Node) -> Splice | None:
    """A block scalar that ends the text without a line break would gain one: give it quotes first."""
    node = target
    while node.kind in ("map", "seq") and not node.flow and (node.pairs or node.items):
        node = node.pairs[-1][1] if node.kind == "map" else node.items[-1]
    if not node.block_scalar or text[: node.end].endswith("\n"):
        return None
    behind = _behind_properties(text, node)
    return Splice(behind, node.end, quote(node.text))


def remove_pair(text: str, slot: Slot, target: Node, index: int) -> Splice:
    """Take an entry out of a mapping; the last one leaves ``{}``."""
    if len(target.pairs) == 1:
        return replace(text, slot, target, {})
    if target.flow:
        starts = _flow_starts(text, target)
        return _remove_flow(starts, [v.content_end() for _, v in target.pairs], index)
    start = _entry_start(text, target, index)
    after = _entry_start(text, target, index + 1) if index + 1 < len(target.pairs) else None
    return _remove_lines(text, start, target.pairs[index][1].content_end(), after)


def remove_item(text: str, slot: Slot, target: Node, index: int) -> Splice:
    """Take an item out of a sequence; the last one leaves ``[]``."""
    if len(target.items) == 1:
        return replace(text, slot, target, [])
    if target.flow:
        starts = [item.start for item in target.items]
        return _remove_flow(starts, [item.content_end() for item in target.items], index)
    start = _dash(text, target, index)
    after = _dash(text, target, index + 1) if index + 1 < len(target.items) else None
    return _remove_lines(text, start, target.items[index].content_end(), after)


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


def _remove_flow(starts: list[int], ends: list[int], index: int) -> Splice:
    if index + 1 < len(starts):
        return Splice(starts[index], starts[index + 1], "")
    return Splice(ends[index - 1], ends[index], "")


def _remove_lines(text: str, start: int, end: int, after: int | None) -> Splice:
    line_start = _line_start(text, start)
    if text[line_start:start].strip(" ") and after is not None:
        return Splice(start, after, "")  # the first entry behind a dash: pull the next one up
    if text[end - 1] == "\n":
        return Splice(line_start, end, "")
    rest = LINE_REST.match(text, end)
    return Splice(line_start, rest.end() if rest else end, "")

"""YAML texts in many styles, patches that fit them, and readers that are not ours."""

from __future__ import annotations

import copy
import functools
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import yaml
from hypothesis import settings
from hypothesis import strategies as st
from jsonpatch import JsonPatchException, JsonPointerException, apply_patch
from ruamel.yaml import YAML

from durable.document import Document
from durable.errors import DocumentError
from tests.handwriting import Hand
from tests.tools.documents import Loader

Operation = dict[str, Any]
Path = tuple[str, ...]

# Texts that look like something else in one of YAML's versions or places, each read alike by all.
WORDS = (
    *("a", "b", "spec", "name", "x:y", "a#b", "x,y", "10Gi", "12:30x", "a/b", "{{", "[a", "{a"),
    *("]x", "%a", "@a", "`a", "*a", "&b", "!t", "|", ">", ">-", "-", "?", ",", ":", "#", '"q"'),
    *(
        "it's",
        "- d",
        "? d",
        "x: y",
        "# c",
        "a #b",
        "key:",
        " lead",
        "trail ",
        " ",
        "",
        "two\nlines",
    ),
    *("one\n", "two\nlines\n", "\n", "\n\n", "a\n\n", "a\n\nb\n", " lead\nx\n", "x\n y\n"),
    *("trail \nx\n", "a: b\nc: d\n", "# c\nx\n", "tab\there", "\t", "tab\n\tx\n", "x\r\ny\r\n"),
    *("\r", "---", "--- a", "...", "x\n---\ny\n", "%YAML", "long " * 30, "é", "\U0001f600"),
    *("\u4e2d\u6587", "\x07", "\x85", "a\u2028b", "\u2029", "\ufeff", "\x7f", "\x00", "\\", "\\n"),
    *("a\\", "/", "~x"),
)
# Texts that YAML 1.1, YAML 1.2 and Go take for different things where they stand without quotes.
DISPUTED = (
    *("y", "n", "Y", "N", "yes", "no", "on", "off", "1e3", "1E5", "1e-7", "0644", "0o644", "08"),
    *("0899", "+.5", "1_0", "22:22", "1:30:00", "0x1F", "0b11", "2024-01-01", "true", "True"),
    *("null", "Null", "~", "=", "<<", ".inf", "-.inf", ".nan", "+1", "1.", ".5", "1.10", "1" * 20),
)
NUMBERS = (0, 1, -5, 472, 10**20, 3.5, -0.0, 1e16, 1e-7, 0.1)
WORD = st.one_of(st.sampled_from(WORDS), st.text(max_size=8))
ANY_WORD = st.one_of(WORD, st.sampled_from(DISPUTED))


def examples(number: int) -> settings:
    """Try so many drawn examples, or $DURABLE_EXAMPLES."""
    return settings(max_examples=int(os.environ.get("DURABLE_EXAMPLES", number)))


@functools.cache
def values(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Draw what JSON can hold."""
    scalars = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), words, words, words)
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.dictionaries(words, inner, max_size=4), st.lists(inner, max_size=4)
        ),
        max_leaves=8,
    )


@functools.cache
def mappings(words: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """Draw what a document holds."""
    return st.dictionaries(words, values(words), min_size=1, max_size=5)


def pyyaml(text: str) -> Any:
    """Read as YAML 1.1, with libyaml."""
    return yaml.load(text, Loader)  # noqa: S506  a subclass of the safe loader


def ruamel(text: str) -> Any:
    """Read as YAML 1.2, with a reader of its own."""
    return YAML(typ="safe", pure=True).load(text)


def exact(value: Any) -> Any:
    """Return a form that differs wherever type or order differs, as 1, 1.0 and true do."""
    if isinstance(value, dict):
        return {(type(k).__name__, str(k)): exact(v) for k, v in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return (type(value).__name__, str(value))


def _dump(**options: Any) -> Callable[[Any], str]:
    said = {"sort_keys": False, "allow_unicode": True, **options}
    return lambda value: str(yaml.dump(value, Dumper=yaml.SafeDumper, **said))


def _round_trip(mapping: int, sequence: int, offset: int) -> Callable[[Any], str]:
    def dump(value: Any) -> str:
        writer = YAML()
        writer.indent(mapping=mapping, sequence=sequence, offset=offset)
        out = io.StringIO()
        writer.dump(value, out)
        return out.getvalue()

    return dump


def _json(indent: int | None) -> Callable[[Any], str]:
    return lambda value: json.dumps(value, indent=indent, ensure_ascii=False) + "\n"


STYLES: dict[str, Callable[[Any], str]] = {
    "toYaml": _dump(sort_keys=True),
    "block": _dump(),
    "narrow": _dump(width=20),
    "flow": _dump(default_flow_style=True),
    "narrow flow": _dump(default_flow_style=True, width=20),
    "mixed": _dump(default_flow_style=None),
    "double quotes": _dump(default_style='"'),
    "single quotes": _dump(default_style="'"),
    "literal": _dump(default_style="|"),
    "folded": _dump(default_style=">", width=20),
    "wide": _dump(indent=6),
    "marked": _dump(explicit_start=True, explicit_end=True),
    "round trip": _round_trip(2, 2, 0),
    "indented lists": _round_trip(2, 4, 2),
    "deep lists": _round_trip(4, 6, 4),
    "json": _json(2),
    "compact json": _json(None),
}
HEADS = ("", "", "---\n", "--- # Source: chart/templates/a.yaml\n", "# before\n---\n# behind\n\n")


def pick(draw: st.DrawFn, options: Sequence[Any]) -> Any:
    """Draw one of the options; st.sampled_from is slow to build."""
    return options[draw(st.integers(0, len(options) - 1))]


@functools.cache
def texts(words: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw a document's text, by a dumper with notes put in, or by hand."""
    lines = st.sampled_from(("\n", "\n", "\r\n"))
    by_hand = st.builds(_by_hand, mappings(words), st.integers(0, 2**32), lines)
    dumped = st.builds(
        _text,
        mappings(words),
        st.sampled_from(sorted(STYLES)),
        st.sampled_from(HEADS),
        st.lists(st.tuples(st.integers(0, 40), st.sampled_from(sorted(NOTES))), max_size=5),
        lines,
        st.booleans(),
    )
    return st.one_of(dumped, by_hand)


def _by_hand(value: Any, seed: int, line: str) -> str:
    text = Hand(seed).document(value).replace("\n", line)
    try:
        same = exact(pyyaml(text)) == exact(value)
    except yaml.YAMLError:
        same = False
    return text if same else _dump()(value)


def _text(
    value: Any, style: str, head: str, noted: list[tuple[int, str]], line: str, *rest: bool
) -> str:
    text = STYLES[style](value)
    if not text.startswith("---"):
        text = head + text
    for number, (place, kind) in enumerate(noted):
        text = _noted(text, place, kind, f"# note {number}!")
    text = _kept(text, text.replace("\n", line))
    return text.rstrip("\r\n") if any(rest) else text


# Own-line comments as deep as the line before, the line behind, not at all, deeper; behind a value.
NOTES = {
    "as before": "{line}\n{before}{note}",
    "as behind": "{line}\n{behind}{note}",
    "at the margin": "{line}\n{note}",
    "deeper": "{line}\n{before}    {note}",
    "on the line": "{line} {note}",
    "blank": "{line}\n",
    "blanks": "{line}\n   ",
}


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _noted(text: str, place: int, kind: str, note: str) -> str:
    lines = text.split("\n")
    at = place % len(lines)
    following = lines[at + 1] if at + 1 < len(lines) else ""
    said = {"line": lines[at], "before": _indent(lines[at]), "behind": _indent(following)}
    lines[at] = NOTES[kind].format(**said, note=note)
    return _kept(text, "\n".join(lines))


def _kept(text: str, changed: str) -> str:
    """Give the changed text if it holds the same nodes."""
    try:
        same = _nodes(changed) == _nodes(text)
    except yaml.YAMLError:
        return text
    return changed if same else text


def _nodes(text: str) -> list[tuple[type, str | None]]:
    return [(type(e), getattr(e, "value", None)) for e in yaml.parse(text, Loader)]


def notes(text: str) -> list[str]:
    """Return the comments that `texts` put in."""
    return re.findall(r"# note \d+!", text)


def pointer(path: Path) -> str:
    """Write an RFC 6901 pointer."""
    return "".join("/" + token.replace("~", "~0").replace("/", "~1") for token in path)


def places(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every path of a value, with what is there."""
    yield path, value
    children: Any = ()
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = ((str(index), item) for index, item in enumerate(value))
    for key, child in children:
        yield from places(child, (*path, key))


OPERATIONS = ("add", "add", "replace", "remove", "move", "copy", "test")


def operation(draw: st.DrawFn, value: Any, words: st.SearchStrategy[str]) -> Operation:
    """Draw an operation that fits the value."""
    found = list(places(value))
    inner = [path for path, _ in found if path]
    op = pick(draw, OPERATIONS)
    if op == "test":
        path, there = pick(draw, found)
        return {"op": op, "path": pointer(path), "value": there}
    source = pick(draw, inner) if inner else ()
    targets = [
        (path, there)
        for path, there in found
        if isinstance(there, dict | list) and (op == "add" or path[: len(source)] != source)
    ]
    if op in ("add", "copy", "move") and targets:
        path = pointer(_entry(draw, pick(draw, targets), words))
        content = {"value": draw(values(words))} if op == "add" else {"from": pointer(source)}
        return {"op": op, "path": path, **content}
    if op == "remove" and source:
        return {"op": op, "path": pointer(source)}
    return {"op": "replace", "path": pointer(source), "value": draw(values(words))}


def _entry(draw: st.DrawFn, where: tuple[Path, Any], words: st.SearchStrategy[str]) -> Path:
    path, target = where
    if isinstance(target, list):
        return (*path, pick(draw, ["-", *map(str, range(len(target) + 1))]))
    known = [*target, "new"]
    return (*path, draw(words) if draw(st.booleans()) else pick(draw, known))


@st.composite
def patches(
    draw: st.DrawFn, value: Any, words: st.SearchStrategy[str], size: int = 4
) -> list[Operation]:
    """Draw a patch that fits the value."""
    operations: list[Operation] = []
    for _ in range(pick(draw, range(1, size + 1))):
        one = operation(draw, value, words)
        try:
            value = patched(value, [one])
        except (JsonPatchException, JsonPointerException):
            break  # a move within one list, whose indices shift
        operations.append(one)
    return operations


def patched(value: Any, operations: list[Operation]) -> Any:
    """Apply a patch to plain data by jsonpatch, which is not ours."""
    return apply_patch(copy.deepcopy(value), copy.deepcopy(operations))


def string_keys(value: Any) -> bool:
    """Say whether a reader gave only strings as keys, so that a pointer can name each."""
    if isinstance(value, dict):
        return all(isinstance(k, str) and string_keys(v) for k, v in value.items())
    return all(map(string_keys, value)) if isinstance(value, list) else True


# All that the editor may say of a text without anchors; anything else is a defect.
REASONS = r"stands twice in one mapping|readers take at most \d+$|tag \S+ cannot be copied$"


def applied(document: Document, operations: list[Operation], reasons: str = REASONS) -> bool:
    """Apply a patch, or say that the document was refused for a reason that it may have."""
    try:
        document.apply(operations)
    except DocumentError as error:
        if not re.search(reasons, str(error), re.DOTALL):
            raise
        return False
    return True

"""Streams that are broken or bent at random, each by its seed; tests/judging.py judges the runs."""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import yaml

from durable import pipeline
from durable.objects import Object
from durable.plan import DEFAULTS
from tests.checking import FORMS, cases, read
from tests.tools import corpus as recorded
from tests.tools.documents import Document, Loader

Path = tuple[str | int, ...]
Random = random.Random
Bend = Callable[[Random, str], str]

# What a field may hold instead; texts of this form are written as they stand between the marks.
BARE = re.compile(r"'?<<<(.*?)>>>'?")
WRONG: tuple[Any, ...] = (
    *(None, [], {}, 0, -1, 1, 10**30, 1.5, True, False, "", "x", "/", "0", "a\nb", "é\U0001f600"),
    *([None], [[]], [{}], ["x"], [1], {"a": 1}, {"": None}, {"x": {"y": ["z"]}}, [{"name": None}]),
    *("x" * 10_000, "{{ .Values.x }}", "<<<=>>>", "<<<1e3>>>", "<<<.inf>>>", "<<<0x1F>>>"),
    *("<<<" + "9" * 5000 + ">>>", "<<<!!binary aGk=>>>", "<<<2024-01-01>>>", "<<<&a x>>>"),
)
# Kinds that a run may edit, some only with this text in them; all else comes out byte by byte.
TOUCHED = {
    **dict.fromkeys(("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"), ""),
    **dict.fromkeys(("PersistentVolume", "PersistentVolumeClaim", "PersistencePlan"), ""),
    **dict.fromkeys(("Deployment", "StatefulSet"), "/var/lib/grafana"),
    **dict.fromkeys(("List", "ResourceList"), ""),
    "ConfigMap": "durable-prometheus-stack/record",
}
KIND = re.compile(r"^kind: *['\"]?(\w+)", re.MULTILINE)
SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
SOURCES = ("kps-88.5.3-ha", "kps-88.5.3-grafana-sts", "kps-88.5.3-agent", "kps-45.9.1-default")
EVERY = 15
"""Of the recorded documents that no step touches, each so-manieth is enough."""
PLAN = """\
apiVersion: durable-prometheus-stack/v1
kind: PersistencePlan
metadata: {name: run-helm-with-post-renderer-durable, namespace: monitoring}
spec:
  namespace: monitoring
  persistence:
    prometheus: {size: 50Gi, fixOwnership: true}
    alertmanager: {size: 5Gi, nodes: [node-1]}
    thanosRuler: {enabled: auto}
    grafana: {size: 10Gi}
"""


@cache
def bases() -> tuple[str, ...]:
    """Return the streams to start from: each rule's cases, and excerpts of recorded ones."""
    excerpts = [_excerpt(name) for name in SOURCES if name in recorded.names()]
    return (*(case.text for case in cases()), *excerpts * (len(cases()) // 20))


def _excerpt(name: str) -> str:
    parts = SEPARATOR.split(recorded.stream(name).decode())
    kept = [
        part
        for number, part in enumerate(parts)
        if may_change(part) or ("\nkind: " in part and not number % EVERY)
    ]
    return "---".join([PLAN, *kept])


def may_change(part: str) -> bool:
    """Say whether a run may edit this document."""
    kinds = KIND.findall(part)
    return bool(kinds) and kinds[0] in TOUCHED and TOUCHED[kinds[0]] in part


def stream(seed: int) -> str:
    """Return the stream of a seed: one of the bases, bent once, twice or three times."""
    chance = Random(seed)
    text = chance.choice(bases())
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        text = chance.choice(BENDS)(chance, text)
    return text


def split(text: str) -> list[str]:
    """Return the documents of a stream, each behind its separator."""
    return SEPARATOR.split(text)


def _joined(parts: list[str]) -> str:
    return "---".join(
        part if part.startswith("\n") or not i else f"\n{part}" for i, part in enumerate(parts)
    )


def _lines(chance: Random, text: str, change: Callable[[str], str]) -> str:
    lines = text.split("\n")
    at = chance.randrange(len(lines))
    lines[at] = change(lines[at])
    return "\n".join(lines)


def cut(chance: Random, text: str) -> str:
    """Cut the end off, or a piece out."""
    start = chance.randrange(len(text) + 1)
    length = chance.choice((1, 2, 10, 100, len(text)))
    return text[:start] + text[start + length :]


def drop_line(chance: Random, text: str) -> str:
    """Take a line out."""
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines)


def double_line(chance: Random, text: str) -> str:
    """Write a line twice."""
    return _lines(chance, text, lambda line: f"{line}\n{line}")


def double(chance: Random, text: str) -> str:
    """Write a document twice."""
    parts = split(text)
    parts.insert(chance.randrange(len(parts) + 1), chance.choice(parts))
    return _joined(parts)


def drop(chance: Random, text: str) -> str:
    """Take a document out."""
    parts = split(text)
    del parts[chance.randrange(len(parts))]
    return _joined(parts)


def reorder(chance: Random, text: str) -> str:
    """Mix the documents."""
    parts = split(text)
    chance.shuffle(parts)
    return _joined(parts)


def glue(chance: Random, text: str) -> str:
    """Take a separator out, or put text behind it."""
    found = [match.start() for match in SEPARATOR.finditer(text)] or [0]
    at = chance.choice(found)
    return (
        text[:at]
        + chance.choice(("", "--- x", "---x", "...\n---", "--- # c", "---\n---"))
        + text[at + 3 :]
    )


def indent(chance: Random, text: str) -> str:
    """Indent a document twice as deep, or one of its lines by a blank or a tab."""
    if chance.random() < 0.5:
        parts = split(text)
        at = chance.randrange(len(parts))
        parts[at] = re.sub(r"^( +)", r"\1\1", parts[at], flags=re.MULTILINE)
        return "---".join(parts)
    return _lines(chance, text, lambda line: chance.choice((" ", "\t", "  ")) + line)


def quote(chance: Random, text: str) -> str:
    """Give the plain values of some lines quotes, or take quotes away."""
    mark = chance.choice("\"'")

    def change(match: re.Match[str]) -> str:
        return match[0] if chance.random() < 0.5 else f"{match[1]}{mark}{match[2]}{mark}"

    if chance.random() < 0.3:
        return text.replace(mark, "")
    return re.sub(r"^([ -]*[\w./-]+: )([\w./-]+)$", change, text, flags=re.MULTILINE)


def form(chance: Random, text: str) -> str:
    """Write it in another of the forms in which it may come."""
    try:
        return FORMS[chance.choice(sorted(FORMS))](text)
    except (yaml.YAMLError, KeyError, TypeError, StopIteration, AttributeError, ValueError):
        return text


def flow(chance: Random, text: str) -> str:
    """Write one document in flow style, or as JSON."""
    return _rewritten(chance, text, lambda value: value, default_flow_style=True)


def line_ends(chance: Random, text: str) -> str:
    """Write Windows' or old Macs' line ends, everywhere or once."""
    end = chance.choice(("\r\n", "\r", "\n\n", "\x85", "\u2028"))
    return text.replace("\n", end, chance.choice((-1, 1, 5)))


def marks(chance: Random, text: str) -> str:
    """Put a byte order mark, a control, a YAML sign or a comment somewhere."""
    at = chance.choice((0, chance.randrange(len(text) + 1)))
    signs = (
        "\ufeff",
        "\x00",
        "\x07",
        "#",
        "# c\n",
        ": ",
        "- ",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a ",
        "!",
        "|\n",
        "%",
        "@",
        "`",
        "\t",
        "'",
        '"',
        "? ",
        "<<: ",
        ",",
        "\n",
        " ",
        "~",
        "\U0001f600",
    )
    return text[:at] + chance.choice(signs) + text[at:]


def retype(chance: Random, text: str) -> str:
    """Put a wrong value at a path that a step or a rule reads, or at any other one."""
    return _rewritten(chance, text, lambda value: _retyped(chance, value))


def _rewritten(chance: Random, text: str, change: Callable[[Document], Any], **style: Any) -> str:
    parts = split(text)
    at = chance.randrange(len(parts))
    try:
        value = yaml.load(parts[at], Loader)  # noqa: S506  a subclass of the safe loader
    except (yaml.YAMLError, ValueError):
        return text
    if not isinstance(value, dict):
        return text
    written = write(change(value), **style)
    parts[at] = written if at == 0 else f"\n{written}"
    return "---".join(parts)


def write(value: Any, **style: Any) -> str:
    """Write a document, with what is marked to stand there bare."""
    said = {"width": 10**6, "allow_unicode": True, **style}
    return BARE.sub(r"\1", str(yaml.dump(value, Dumper=yaml.CSafeDumper, **said)))


def _retyped(chance: Random, value: Document) -> Document:
    read_paths = sorted(paths_read().get(str(value.get("kind")), ()))
    there = sorted(paths(value), key=str)
    path = chance.choice(read_paths if read_paths and chance.random() < 0.6 else there)
    put(value, path, chance.choice(WRONG))
    return value


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Give every path of a value but its own."""
    if path:
        yield path
    children = value.items() if isinstance(value, dict) else ()
    for key, child in children or (enumerate(value) if isinstance(value, list) else ()):
        yield from paths(child, (*path, key))


def put(value: Any, path: Path, wrong: Any) -> None:
    """Put something at a path, with what is missing on the way."""
    for depth, token in enumerate(path[:-1]):
        new: Any = [] if isinstance(path[depth + 1], int) else {}
        value = _child(value, token, new)
    _child(value, path[-1], wrong, replace=True)


def _child(value: Any, token: str | int, new: Any, *, replace: bool = False) -> Any:
    if isinstance(value, list) and isinstance(token, int):
        if token >= len(value):
            value.append(new)
        elif replace or not isinstance(value[token], dict | list):
            value[token] = new
        return value[min(token, len(value) - 1)]
    if not isinstance(value, dict):
        return new
    if replace or not isinstance(value.get(token), dict | list):
        value[token] = new
    return value[token]


@cache
def paths_read() -> dict[str, set[Path]]:
    """Return every path that steps and rules read, by kind, as a run over all bases shows."""
    found: dict[str, set[Path]] = collections.defaultdict(set)
    plain = Object.get

    def recorded_get(self: Object, *path: str) -> Any:
        if path:
            found[str(self.value.get("kind"))].add(
                tuple(int(t) if t.isdigit() else t for t in path)
            )
        return plain(self, *path)

    Object.get = recorded_get  # type: ignore[method-assign]
    try:
        for text in dict.fromkeys(bases()):
            pipeline.run(read(text), None)
    finally:
        Object.get = plain  # type: ignore[method-assign]
    plan = ("spec", "persistence")
    for consumer, keys in DEFAULTS.items():
        found["PersistencePlan"] |= {(*plan, consumer, key) for key in keys} | {(*plan, consumer)}
    found["PersistencePlan"] |= {(*plan, key) for key in ("accept", "patches", "image")}
    return dict(found)


BENDS: tuple[Bend, ...] = (
    *(cut, drop_line, double_line, double, drop, reorder, glue, indent, quote, form, flow),
    *(line_ends, marks),
    *[retype] * 12,
)

"""What we write, read back by PyYAML, ruamel.yaml and the Go reader of real Helm."""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from durable.document import Document
from tests import editing
from tests.editing import ANY_WORD, DISPUTED, WORD, WORDS, Operation, exact, patched, pyyaml, ruamel
from tests.go_reader import as_json, read_all
from tests.rendering import EACH_MAJOR

# Latin letters and controls, the marks that YAML or Unicode treat apart, and one beyond the BMP.
SIGNS = [*map(chr, (*range(1, 0x180), *range(0x2000, 0x2070), *range(0xFFF0, 0x10000))), "\ufeff"]
SIGNS += ["\u4e2d", "\ue000", "\U0001f600"]


def drawn(count: int) -> list[str]:
    """Return random strings, the same in each run, out of what YAML gives a meaning to."""
    dice = random.Random(20)  # noqa: S311  no secret is made of it
    signs = [*"ab01:-#?,[]{}&*!|>'\"%@`~<=.+_ \n\t\r\\/eEyYnNoO" * 5, *SIGNS]
    return ["".join(dice.choices(signs, k=dice.randint(1, 12))) for _ in range(count)]


KEYS = list(dict.fromkeys([*WORDS, *DISPUTED, *drawn(1000), *SIGNS]))
STRINGS = [*KEYS, *(f"a{sign}b" for sign in SIGNS), "x" * 3000, "word " * 1000]


def block() -> tuple[str, Any]:
    """In a block: items, values and keys; literals where they fit."""
    return _written("a: x\n", {"items": STRINGS, "keys": dict.fromkeys(KEYS, 1), "in": [[STRINGS]]})


def flow() -> tuple[str, Any]:
    """In braces, as in a JSON document."""
    return _written('{"a": {}}\n', {"items": STRINGS, "keys": dict.fromkeys(KEYS, "y")})


def behind_comments() -> tuple[str, Any]:
    """On one line, because a comment follows on the next that a literal would take in."""
    return _written("a: x\n         # deep\n", {"items": STRINGS, "keys": dict.fromkeys(KEYS, "y")})


def single() -> tuple[str, Any]:
    """Each one by an edit of its own, in place of a scalar."""
    lines = []
    for number, string in enumerate(STRINGS):
        document = Document(f"k{number}: x # note\n")
        document.apply([{"op": "replace", "path": f"/k{number}", "value": string}])
        lines.append(document.text)
    return "".join(lines), {f"k{number}": string for number, string in enumerate(STRINGS)}


def _written(text: str, value: Any) -> tuple[str, Any]:
    document = Document(text)
    document.apply([{"op": "add", "path": "/a", "value": value}])
    return document.text, {"a": value}


LAYOUTS: tuple[Callable[[], tuple[str, Any]], ...] = (block, flow, behind_comments, single)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("reader", [pyyaml, ruamel])
def test_strings_read_back_in_python(
    reader: Callable[[str], Any], layout: Callable[[], tuple[str, Any]]
) -> None:
    """YAML 1.1 and YAML 1.2 give back each string as a string."""
    text, expected = layout()
    assert exact(expected) == exact(reader(text))


@EACH_MAJOR
def test_strings_read_back_in_go(major: int, tmp_path: Path) -> None:
    """Helm's own reader gives back each string as a string."""
    cases = [layout() for layout in LAYOUTS]
    read = read_all(major, [text for text, _ in cases], tmp_path / "reader")
    assert [expected for _, expected in cases] == read


def plain() -> list[str]:
    """Return plain scalars that are nearly numbers, the same in each run."""
    dice = random.Random(8)  # noqa: S311  no secret is made of it
    found = {
        "".join(dice.choices("00112789__..+-eExXobaf", k=dice.randint(1, 6))) for _ in range(2000)
    }
    limits = (2**63, 2**63 + 1, 2**64 - 1, 2**64, 10**30)
    found |= {form.format(limit) for limit in limits for form in ("{}", "-{}", "{:#x}", "-{:#x}")}
    words = ["+.5", "-0", ".5e-3", "0b12", "1:2", "tRUE", "nULL", ".Inf", *DISPUTED]
    words.append("2001-12-14t21:59:43.10-05:00")
    # What has no form in JSON, what is no scalar, and what ends the document.
    return [w for w in sorted(found.union(words)) if not NOT_PLAIN.match(w)]


NOT_PLAIN = re.compile(r"-$|---|\.\.\.|[-+]?\.(inf|nan)$|.*:$", re.IGNORECASE)


@EACH_MAJOR
def test_plain_scalars_mean_what_they_mean_to_go(major: int, tmp_path: Path) -> None:
    """A number, a boolean, a null or a string: a plain scalar is what Helm's reader makes of it."""
    text = "".join(f"k{number}: {word}\n" for number, word in enumerate(plain()))
    (read,) = read_all(major, [text], tmp_path / "reader")
    assert as_json(read) == as_json(Document(text).value)


@functools.cache
def edited() -> list[tuple[str, list[Operation], str]]:
    """Draw texts and patches; return each text before, its patch, and the text after."""
    found: list[tuple[str, list[Operation], str]] = []

    @given(data=st.data())
    @settings(editing.examples(200), phases=[Phase.generate], database=None)
    def collect(data: st.DataObject) -> None:
        text = data.draw(editing.texts(WORD))
        try:
            value = pyyaml(text)
        except (yaml.YAMLError, ValueError):
            assume(False)  # noqa: FBT003  its only parameter
        assume(editing.string_keys(value) and exact(value) == exact(Document(text).value))
        operations = data.draw(editing.patches(value, ANY_WORD))
        document = Document(text)
        assume(editing.applied(document, operations))
        found.append((text, operations, document.text))

    collect()
    return found


@EACH_MAJOR
def test_edits_mean_the_same_to_go(major: int, tmp_path: Path) -> None:
    """What Go reads in an edited text is what jsonpatch makes of what Go reads in the original."""
    cases = edited()
    before = read_all(major, [text for text, _, _ in cases], tmp_path / "before")
    after = read_all(major, [text for _, _, text in cases], tmp_path / "after")
    compared = 0
    for (text, operations, result), old, new in zip(cases, before, after, strict=True):
        # Not every reader takes every text: what Go refuses, Helm would not have sent.
        if as_json(old) == as_json(Document(text).value):
            expected = patched(old, operations)
            # Helm's fromYaml reads nothing but mappings.
            assert not isinstance(expected, dict) or as_json(expected) == as_json(new), result
            compared += 1
    assert compared > 0.9 * len(cases)

"""Drawn texts with anchors, aliases and merge keys: edited as if written out, or refused."""

from __future__ import annotations

import copy
import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from durable.document import Document
from tests import editing
from tests.editing import applied, exact, patched, pyyaml

WORDS = st.sampled_from(("a", "b", "c", "x: y", "two\nlines\n", "# c", "10Gi"))
COLLECTIONS = editing.values(WORDS).filter(lambda value: value and isinstance(value, dict | list))
# What refuses an edit that would change another place too; each says the line.
REASONS = r"^line \d+: .*(shared by the anchor|holds the anchor|a merge key \(<<\))"


def dump(value: Any, *, flow: bool | None = False) -> str:
    """Return the value as PyYAML writes it; one object in two places becomes an alias."""
    return yaml.dump(value, Dumper=yaml.SafeDumper, sort_keys=False, default_flow_style=flow)


@st.composite
def aliased(draw: st.DrawFn) -> str:
    """Draw a text in which two or three places share a node."""
    shared = draw(COLLECTIONS)
    inner = draw(COLLECTIONS)
    return dump(
        {
            "first": {"own": 1, "shared": shared},
            "list": [shared, {"in": inner}, draw(editing.values(WORDS))],
            "last": draw(st.sampled_from((shared, inner, 1))),
        },
        flow=draw(st.sampled_from((False, True, None))),
    )


@st.composite
def merging(draw: st.DrawFn) -> str:
    """Draw a text in which a mapping takes in another by a merge key."""
    mapping = st.dictionaries(WORDS, editing.values(WORDS), min_size=1, max_size=3)
    base, own = draw(mapping), draw(mapping)
    block = textwrap.indent(dump({"base": "ANCHOR", **base}), "  ")
    head = block.replace("  base: ANCHOR\n", "", 1)
    use = textwrap.indent(dump(own), "  ")
    return f"base: &base\n{head}use:\n  <<: *base\n{use}rest: {{k: *base}}\n"


def written_out(text: str) -> Any:
    """Return what a text means, each place with a value of its own."""
    value = pyyaml(text)
    return _unshared(value)


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_unshared(item) for item in value]
    return copy.copy(value)


@given(data=st.data())
@editing.examples(300)
def test_no_edit_reaches_another_place(data: st.DataObject) -> None:
    """A patch is applied as to the text without aliases, or refused with the line."""
    text = data.draw(st.one_of(aliased(), merging()))
    value = written_out(text)
    operations = data.draw(editing.patches(value, WORDS, size=3))
    assume(operations)
    document = Document(text)
    if not applied(document, operations, REASONS):
        assert (text, False) == (document.text, document.edited)
        return
    assert exact(patched(value, operations)) == exact(pyyaml(document.text)), document.text
    assert exact(patched(value, operations)) == exact(document.value), document.text


@pytest.mark.parametrize("text", ["a: &x {b: 1}\nc: *x\nd: 1\n", "a: &x 1\nb: [*x, *x]\nd: 1\n"])
def test_an_anchor_elsewhere_is_no_reason(text: str) -> None:
    """What stands beside anchors and aliases can be edited."""
    operation = {"op": "replace", "path": "/d", "value": [2]}
    document = Document(text)
    assert applied(document, [operation], REASONS)
    assert text.replace("d: 1\n", "d:\n  - 2\n") == document.text

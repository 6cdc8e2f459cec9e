"""The editor held against PyYAML, ruamel.yaml and jsonpatch, on drawn texts and patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st
from ruamel.yaml.error import YAMLError

from durable.document import Document
from durable.errors import DocumentError
from tests import editing
from tests.editing import ANY_WORD, DISPUTED, WORD, applied, exact, patched, pyyaml, ruamel
from tests.marks import reach


def read(reader: Callable[[str], Any], text: str) -> Any:
    """Return what a reader makes of a text, if that is a mapping whose keys are all strings."""
    try:
        value = reader(text)
    except (yaml.YAMLError, YAMLError, KeyError, ValueError):
        return None
    return value if isinstance(value, dict) and editing.string_keys(value) else None


@given(data=st.data())
@editing.examples(1000)
def test_a_patched_text_means_what_jsonpatch_makes_of_it(data: st.DataObject) -> None:
    """Where all readers agree on a text, they agree on the patched text, and nothing is refused."""
    text = data.draw(editing.texts(WORD))
    value = read(pyyaml, text)
    document = Document(text)
    assume(value is not None and exact(value) == exact(read(ruamel, text)))
    assume(exact(value) == exact(document.value))
    operations = data.draw(editing.patches(value, ANY_WORD))
    document.apply(operations)
    expected = exact(patched(value, operations))
    assert expected == exact(pyyaml(document.text)), document.text
    assert expected == exact(ruamel(document.text)), document.text
    assert expected == exact(document.value), document.text


@given(data=st.data())
@editing.examples(600)
def test_each_reader_keeps_its_own_view(data: st.DataObject) -> None:
    """A word that readers dispute means to each of them afterwards what it meant before."""
    words = st.one_of(st.sampled_from(DISPUTED), WORD)
    text = data.draw(editing.texts(words))
    value = read(pyyaml, text)
    assume(value is not None)
    operations = [o for o in data.draw(editing.patches(value, words)) if o["op"] != "test"]
    document = Document(text)
    assume(applied(document, operations))
    for reader in (pyyaml, ruamel):
        before = read(reader, text)
        if before is not None:
            assert exact(patched(before, operations)) == exact(reader(document.text)), document.text


@given(data=st.data())
@editing.examples(700)
def test_what_is_not_edited_keeps_its_bytes(data: st.DataObject) -> None:
    """The text before and behind the edited node stays, and so does each comment outside it."""
    text = data.draw(editing.texts(WORD))
    value = read(pyyaml, text)
    assume(value is not None)
    operations = data.draw(editing.patches(value, WORD, size=1))
    assume(operations and operations[0]["op"] not in ("move", "test"))
    operation = operations[0]
    path = tuple(t.replace("~1", "/").replace("~0", "~") for t in operation["path"].split("/")[1:])
    allowed = reach(text, operation, path)
    document = Document(text)
    assume(applied(document, [operation]))
    _assert_outside_kept(text, document.text, *allowed.change)
    lost = [n for n in editing.notes(text) if n not in document.text]
    inside = editing.notes(text[slice(*allowed.comments)])
    assert set(lost) <= set(inside), document.text


def _assert_outside_kept(before: str, after: str, start: int, end: int) -> None:
    if start == end:  # nothing goes, so the text is still there in two parts around what is new
        kept = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), -1)
        start = end = len(before) if kept < 0 else kept
    assert after.startswith(before[:start]), after
    assert after.endswith(before[end:]), after


@given(data=st.data())
@editing.examples(200)
def test_a_refused_patch_leaves_the_text(data: st.DataObject) -> None:
    """When one operation cannot be carried out, the earlier ones have left no trace."""
    text = data.draw(editing.texts(WORD))
    value = read(pyyaml, text)
    assume(value is not None and exact(value) == exact(Document(text).value))
    operations = data.draw(editing.patches(value, WORD))
    wrong = data.draw(st.sampled_from(WRONG))
    document = Document(text)
    with pytest.raises(DocumentError):
        document.apply([*operations, wrong])
    assert (text, False) == (document.text, document.edited)


WRONG: tuple[editing.Operation, ...] = (
    {"op": "remove", "path": "/no such key"},
    {"op": "replace", "path": "/no such key/at all", "value": 1},
    {"op": "add", "path": "/no such key/at all", "value": 1},
    {"op": "test", "path": "", "value": "not this"},
    {"op": "copy", "from": "/no such key", "path": "/a"},
    {"op": "move", "from": "/no such key", "path": "/a"},
    {"op": "remove", "path": ""},
    {"op": "add", "path": "no pointer", "value": 1},
    {"op": "add", "path": "/~2", "value": 1},
)

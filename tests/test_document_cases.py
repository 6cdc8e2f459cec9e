"""Tables of texts that are rare in charts and easy to get wrong."""

from __future__ import annotations

from typing import Any

import pytest

from durable.document import Document
from durable.errors import DocumentError
from tests.editing import Operation, exact, patched, pyyaml


def put(path: str, value: Any) -> Operation:
    """Put a value."""
    return {"op": "add", "path": path, "value": value}


def replace(path: str, value: Any) -> Operation:
    """Put another value."""
    return {"op": "replace", "path": path, "value": value}


def remove(path: str) -> Operation:
    """Take away."""
    return {"op": "remove", "path": path}


def copied(source: str, path: str) -> Operation:
    """Put the value of another place."""
    return {"op": "copy", "from": source, "path": path}


def demand(path: str, value: Any) -> Operation:
    """Test for a value."""
    return {"op": "test", "path": path, "value": value}


LITERAL = {"k": "p\nq\n"}
ALIAS = "a: &x\n  b: 1\nc: *x\n"
MERGE = "d: &d {k: 1}\nx:\n  <<: *d\n  y: 2\n"
FLOW = "a: {\n  b: 1, # one\n  # about c\n  c: 2 # two\n}\n"

# Text, operation, what the text is then.
EDITS: dict[str, tuple[str, Operation, str]] = {
    "the alias itself": (ALIAS, replace("/c", 2), "a: &x\n  b: 1\nc: 2\n"),
    "an alias taken away": (ALIAS, remove("/c"), "a: &x\n  b: 1\n"),
    "a copy of what an alias names": (ALIAS, copied("/c/b", "/d"), ALIAS + "d: 1\n"),
    "a test through an alias": (ALIAS, demand("/c/b", 1), ALIAS),
    "beside an alias": (ALIAS, put("/d", 1), ALIAS + "d: 1\n"),
    "inside an anchor without alias": ("a: &x\n  b: 1\n", replace("/a/b", 2), "a: &x\n  b: 2\n"),
    "an anchor without alias": ("a: &x {b: 1}\n", replace("/a", 2), "a: 2\n"),
    "an anchored key": ("&x a: 1\nb: *x\n", replace("/a", 2), "&x a: 2\nb: *x\n"),
    "an anchored flow": ("a: &x {b: 1}\n", put("/a/c", 2), 'a: &x {b: 1, "c": 2}\n'),
    "over a merged key": (MERGE, put("/x/k", 5), MERGE + "  k: 5\n"),
    "in place of a merged key": (MERGE, replace("/x/k", 5), MERGE + "  k: 5\n"),
    "beside a merge key": (MERGE, replace("/x/y", 5), MERGE.replace("2", "5")),
    "a copy of a merged key": (MERGE, copied("/x/k", "/z"), MERGE + "z: 1\n"),
    "a test of a merged key": (MERGE, demand("/x", {"k": 1, "y": 2}), MERGE),
    "an explicit key": ("? a\n: 1\n", replace("/a", {"k": 1}), "? a\n:\n  k: 1\n"),
    "an explicit key goes": ("m:\n  ? a\n  : - 1\n  b: 1\n", remove("/m/a"), "m:\n  b: 1\n"),
    "a key without a value goes": ("m:\n  ? a\n  b: 1\n", remove("/m/a"), "m:\n  b: 1\n"),
    "behind a key without a value": ("? a\n? b\n", put("/c", 1), "? a\n? b\nc: 1\n"),
    "a tagged block": ("b: !!map\n  c: 1\n", put("/b/d", 2), "b: !!map\n  c: 1\n  d: 2\n"),
    "a tagged flow": ("b: !!map {c: 1}\n", put("/b/d", 2), 'b: !!map {c: 1, "d": 2}\n'),
    "a tagged list": ("b: !!seq\n- 1\n", put("/b/0", 0), "b: !!seq\n- 0\n- 1\n"),
    "a tagged root": ("--- !!map\nb: 1\n", put("/c", 2), "--- !!map\nb: 1\nc: 2\n"),
    "a tagged root goes": ("--- !!map\nb: 1\n", replace("", {"x": 1}), "--- \nx: 1\n"),
    "a tagged scalar": ("a: !!str 1\n", replace("/a", "x"), "a: x\n"),
    "behind a literal without end": ("a: |\n  x", put("/b", 1), 'a: "x"\nb: 1\n'),
    "behind a literal with a comment": ("a: | # c\n  x", put("/b", 1), 'a: "x" # c\nb: 1\n'),
    "behind a folded without end": ("a: >-\n  x\n  y", put("/b", 1), 'a: "x y"\nb: 1\n'),
    "a literal without end": ("a: |\n  x", replace("/a", LITERAL), "a:\n  k: |\n    p\n    q\n"),
    "behind kept blank lines": (
        "a:\n- |+\n  x\n\n\n",
        put("/a/-", 1),
        "a:\n- |+\n  x\n\n\n- 1\n",
    ),
    "blank lines are no one's gain": (
        "a: |+\n  x\nb: 1\n\nc: 2\n",
        remove("/b"),
        "a: |+\n  x\nc: 2\n",
    ),
    "blanks are no one's gain": (
        "a: |\n  x\nb: 1\n      \nc: 2\n",
        remove("/b"),
        "a: |\n  x\nc: 2\n",
    ),
    "blanks at the end are no one's gain": ("a: |\n  x\nb: 1\n   ", remove("/b"), "a: |\n  x\n"),
    "blank lines stay": ("a: |\n  x\nb: 1\n\nc: 2\n", remove("/b"), "a: |\n  x\n\nc: 2\n"),
    "a comment is no literal's gain": (
        "a: |\n  x\nb:\n  c: 1\n  # tail\nd: 2\n",
        remove("/b"),
        "a: |\n  x\nd: 2\n",
    ),
    "no literal before a deeper comment": (
        "b: 1\n     # tail\nd: 2\n",
        replace("/b", LITERAL),
        'b:\n  k: "p\\nq\\n"\n     # tail\nd: 2\n',
    ),
    "no literal put before a deeper comment": (
        "b:\n  c: 1\n      # tail\nd: 2\n",
        put("/b/x", "p\nq\n"),
        'b:\n  c: 1\n  x: "p\\nq\\n"\n      # tail\nd: 2\n',
    ),
    "no literal before blanks": (
        "a: [] \n",
        replace("/a", ["p\nq\n"]),
        'a:\n  - "p\\nq\\n" \n',
    ),
    "no literal put before blanks": (
        "a:\n  b: 1\n\n        \nc: 1\n",
        put("/a/x", "p\nq\n"),
        'a:\n  b: 1\n  x: "p\\nq\\n"\n\n        \nc: 1\n',
    ),
    "an empty value": ("a:\nb: 1\n", replace("/a", {"x": 1}), "a:\n  x: 1\nb: 1\n"),
    "an empty value goes": ("a:\nb: 1\n", remove("/a"), "b: 1\n"),
    "an empty item": ("a:\n-\n- 1\n", replace("/a/0", {"x": 1}), "a:\n- x: 1\n- 1\n"),
    "a null": ("a: ~\n", replace("/a", [1]), "a:\n  - 1\n"),
    "empty braces": ("a: {} # c\n", put("/a/b", 1), 'a: {"b": 1} # c\n'),
    "empty braces at the end of a line": ("a: {}\n", put("/a/b", 1), "a:\n  b: 1\n"),
    "empty brackets": ("a: []\n", put("/a/-", {"b": 1}), "a:\n  - b: 1\n"),
    "a comment in braces": ("a: { # c\n }\n", put("/a/x", 1), 'a: {"x": 1 # c\n }\n'),
    "a comment before the block": ("a: # c\n  b: 1\n", replace("/a", 2), "a: # c\n  2\n"),
    "a comment line before the block": (
        "a:\n  # c\n  b: 1\n",
        replace("/a", {"z": [1]}),
        'a:\n  # c\n  {"z": [1]}\n',
    ),
    "a comment before a flat list": ("a: # c\n- 1\n", remove("/a/0"), "a: # c\n []\n"),
    "a comment below the first key": (
        "- a: 1 # one\n  # about b\n  b: 2\n",
        remove("/0/a"),
        "-\n  # about b\n  b: 2\n",
    ),
    "the first key": ("- a: 1\n  b: 2\n", remove("/0/a"), "- b: 2\n"),
    "the last of nested": ("- - a\n- c\n", remove("/0/0"), "- []\n- c\n"),
    "the first of nested": ("- - a\n  - b\n- c\n", remove("/0/0"), "- - b\n- c\n"),
    "before the first of nested": ("- - - c\n", put("/0/0/0", "b"), "- - - b\n    - c\n"),
    "behind the last of nested": ("- - - c\n", put("/0/-", "b"), "- - - c\n  - b\n"),
    "a flat list": ("a:\n- b: 1\nd: 3\n", put("/a/-", [1]), "a:\n- b: 1\n- - 1\nd: 3\n"),
    "a flat list's last": ("a:\n- b: 1\nd: 3\n", remove("/a/0"), "a: []\nd: 3\n"),
    "a flow's first": (FLOW, remove("/a/b"), "a: {\n   # one\n  # about c\n  c: 2 # two\n}\n"),
    "a flow's last": (FLOW, remove("/a/c"), "a: {\n  b: 1 # one\n  # about c\n   # two\n}\n"),
    "a trailing comma": ("a: [\n  1,\n]\n", put("/a/-", 2), "a: [\n  1, 2,\n]\n"),
    "a key alone in a flow": ("a: {b # x: y\n }\n", replace("/a/b", 1), "a: {b: 1 # x: y\n }\n"),
    "an empty value in a flow": ("a: {b: , c: 1}\n", replace("/a/b", 2), "a: {b: 2, c: 1}\n"),
    "an empty value stays": ("a: {b: , c: 1}\n", remove("/a/c"), "a: {b: }\n"),
    "an explicit key in a flow": ("a: {? b : 1, c: 2}\n", remove("/a/b"), "a: {c: 2}\n"),
    "a pair in a list": ("a: [b: 1, c]\n", replace("/a/0/b", 2), "a: [b: 2, c]\n"),
    "JSON": ('{"a":[],"c":[1,2]}', put("/a/-", {"x": "y"}), '{"a":[{"x": "y"}],"c":[1,2]}'),
    "CRLF": (
        "a:\r\n  b: 1\r\nd: 1\r\n",
        replace("/a/b", LITERAL),
        "a:\r\n  b:\r\n    k: |\r\n      p\r\n      q\r\nd: 1\r\n",
    ),
    "CR": ("a:\r  b: 1\r  c: 2\rd: 1\r", remove("/a/b"), "a:\r  c: 2\rd: 1\r"),
    "NEL ends a comment": ("a: 1 # x\x85b: 2\nc: 3\n", remove("/a"), "b: 2\nc: 3\n"),
    "LS ends a line": ("a: 1\u2028b: 2\nc: 3\n", remove("/b"), "a: 1\u2028c: 3\n"),
    "beyond the BMP": (
        "\U0001f600: x # \U0001f600\nb: 1\n",
        replace("/b", 2),
        "\U0001f600: x # \U0001f600\nb: 2\n",
    ),
    "tabs between": ("a:\tb\t# x\nc: d\n", replace("/a", "z"), "a: z\t# x\nc: d\n"),
    "a comment right behind quotes": ('a: "x"#c\n', put("/b", 1), 'a: "x"#c\nb: 1\n'),
    "an end mark": ("a: 1\n...\n", put("/b", 1), "a: 1\nb: 1\n...\n"),
    "an end mark without end": ("a: 1\n...", put("/b", "p\nq\n"), "a: 1\nb: |\n  p\n  q\n..."),
    "a scalar root": ("--- foo\n", replace("", {"a": 1}), "--- \na: 1\n"),
    "modes and dates stay as written": (
        "m: {a: 0644, on: 2024-01-01}\n",
        copied("/m", "/z"),
        "m: {a: 0644, on: 2024-01-01}\nz:\n  a: 0644\n  on: 2024-01-01\n",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edit(name: str) -> None:
    """The text is the expected one, and means what jsonpatch makes of the original."""
    text, operation, expected = EDITS[name]
    document = Document(text)
    document.apply([operation])
    assert expected == document.text
    assert exact(patched(pyyaml(text), [operation])) == exact(pyyaml(expected))


# Text, operation, why it is refused.
REFUSALS: dict[str, tuple[str, Operation, str]] = {
    "into an anchor": (ALIAS, put("/a/n", 1), "line 1: /a is shared by the anchor &x"),
    "inside an anchor": (ALIAS, replace("/a/b", 2), "line 1: /a is shared by the anchor &x"),
    "through an alias": (ALIAS, put("/c/n", 1), "line 3: /c is shared by the anchor &x"),
    "an anchor with an alias": (ALIAS, remove("/a"), "line 1: /a holds the anchor &x, which an"),
    "above an anchor": (
        "r:\n  a: &x 1\nb: *x\n",
        replace("/r", 1),
        "line 2: /r holds the anchor &x",
    ),
    "an anchored key goes": ("&x a: 1\nb: *x\n", remove("/a"), "line 1: /a holds the anchor &x"),
    "the second anchor of a name": (
        "a: &x 1\nb: &x 2\nc: *x\n",
        replace("/b", 1),
        "line 2: /b holds the anchor &x",
    ),
    "a merged key goes": (MERGE, remove("/x/k"), "line 3: /x/k comes from a merge key (<<)"),
    "inside a merged key": (
        "d: &d {k: {z: 1}}\nx:\n  <<: *d\n",
        replace("/x/k/z", 1),
        "line 3: /x/k comes from a merge key (<<): write the value out",
    ),
    "an override of a merged key goes": (
        MERGE + "  k: 2\n",
        remove("/x/k"),
        "line 3: /x/k stands beside a merge key (<<)",
    ),
    "what is merged elsewhere": (MERGE, put("/d/n", 1), "line 1: /d is shared by the anchor &d"),
    "a key that Go takes from the merge key behind it": (
        "d: &d {k: 1}\nx:\n  k: 2\n  <<: *d\n",
        replace("/x/k", 3),
        "replace /x/k: the text around it forbids the edit",
    ),
    "the merge key": (MERGE, remove("/x/<<"), "/x/<< does not exist"),
    "an anchor inside itself": ("a: &a [*a]\n", put("/b", 1), "the anchor &a holds itself"),
    "an unknown alias": ("a: *x\n", put("/b", 1), "line 1: the alias *x has no anchor"),
    "a key twice": ("a:\n  c: 1\n  c: 2\n", put("/d", 1), "line 3: the key 'c' stands twice"),
    "a key twice to Go": ("on: 1\ntrue: 2\n", put("/d", 1), "line 2: the key 'true' stands twice"),
    "a key twice in quotes": ('1: 1\n"1": 2\n', put("/d", 1), "line 2: the key '1' stands twice"),
    "a key without a colon": ("? a\n", replace("/a", 1), "line 1: the key 'a' has no ':'"),
    "a pair in a list": ("a: [b: 1]\n", put("/a/0/z", 2), "line 1: a mapping without braces"),
    "a copy of binary data": (
        "a: !!binary aGk=\n",
        copied("/a", "/b"),
        "line 1: a value with the tag tag:yaml.org,2002:binary cannot be copied",
    ),
    "a copy of a private tag": (
        "a: [!x y]\n",
        copied("/a", "/b"),
        "with the tag !x cannot be copied",
    ),
    "too long a key": ("a: 1\n", put("/" + "k" * 1001, 1), "has 1001 characters; YAML readers"),
    "no value of JSON": ("a: 1\n", put("/b", float("nan")), "nan cannot be written"),
    "true is not 1": ("a: [1]\n", demand("/a", [True]), "/a is [1], not [True]"),
    "nothing there": ("a: {}\n", replace("/a/b", 1), "/a/b does not exist"),
    "a test of nothing": ("a: {}\n", demand("/a/b", None), "/a/b does not exist"),
    "behind the end of a list": ("a: [1]\n", put("/a/2", 1), "/a/2 does not exist"),
    "an index with a zero before": ("a: [1]\n", remove("/a/00"), "'00' is no index of a list"),
    "an end that cannot be read": ("a: [1]\n", replace("/a/-", 1), "'-' is no index of a list"),
    "into a scalar": ("a: 1\n", put("/a/b", 1), "line 1: /a is no mapping or list"),
    "into nothing": ("# only a comment\n", put("/a", 1), "the document is empty"),
    "the whole": ("a: 1\n", remove(""), "the whole document cannot be removed"),
    "into itself": ("a: {b: 1}\n", {"op": "move", "from": "/a", "path": "/a/b"}, "into itself"),
    "no pointer": ("a: 1\n", put("a", 1), "'a' is no JSON pointer: it starts with '/'"),
    "a wrong escape": ("a: 1\n", put("/~a", 1), "'/~a' is no JSON pointer: '~' is written '~0'"),
    "a BOM inside": ("a: 1\n\ufeffb: 2\n", put("/c", 1), "line 2: not YAML"),
    "two documents": (
        "a: 1\n...\nb: 2\n",
        put("/c", 1),
        "line 3: content behind an end mark",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal(name: str) -> None:
    """The reason names the place, and the text stays."""
    text, operation, reason = REFUSALS[name]
    document = Document(text)
    with pytest.raises(DocumentError) as raised:
        document.apply([operation])
    assert reason in str(raised.value)
    assert (text, False) == (document.text, document.edited)


def test_move_to_its_own_place_changes_nothing() -> None:
    """RFC 6902 calls it a no-operation, in a list too."""
    document = Document("a: [1, 2]\n")
    document.apply([{"op": "move", "from": "/a/0", "path": "/a/0"}])
    assert ("a: [1, 2]\n", False) == (document.text, document.edited)


def test_deep_nesting_is_a_refusal() -> None:
    """Ten thousand brackets are an error of the document, not of the program."""
    with pytest.raises(DocumentError, match="nested too deeply"):
        Document("a: " + "[" * 10_000 + "]" * 10_000).apply([put("/b", 1)])

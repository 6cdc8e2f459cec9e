"""Bytes to documents and back: nothing is lost, merged, reordered or rewritten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durable import pipeline, stream
from durable.errors import StreamError
from durable.pipeline import PlanFile
from tests.running import PLAN, PROMETHEUS, SETTINGS
from tests.tools.documents import Document, key, load


@dataclass(frozen=True)
class Body:
    """A document without its separator, its kind, and where an edit may add a key."""

    text: bytes
    kind: str = ""
    path: str = "/metadata/labels"


BLOCK = b"# Source: a/templates/b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
TEXTS = b'data:\n  a: |\n    --- no separator\n    ---\n  b: "c ---"   # --- neither\n'
OBJECTS = (
    Body(BLOCK, "ConfigMap"),
    Body(BLOCK + TEXTS, "ConfigMap"),
    Body((BLOCK + TEXTS).replace(b"\n", b"\r\n"), "ConfigMap"),
    Body(BLOCK + "data: {a: ünïcödé 🗄}\n".encode(), "ConfigMap"),
    Body(BLOCK + b"data:\n  a: |+\n    b\n\n\n", "ConfigMap"),
    Body(b'{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}\n', "Service"),
    Body(b"{apiVersion: v1, kind: Service, metadata: {name: a}}   # flow\n", "Service"),
    Body(b"metadata: {name: a}\nkind: 'Service' # late\napiVersion: v1\n...\n", "Service"),
    Body(
        b"apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n- kind: Secret\n",
        "List",
        "/items/0/metadata/labels",
    ),
)
EMPTY = tuple(map(Body, (b"", b"\n  \n", b"# a comment\n", b"null\n", b"~ # none\n", b"#\r\n")))
SEPARATORS = (b"---\n", b"--- # a comment\n", b"---   \n", b"---\t\n", b"---\r\n")
BOM = b"\xef\xbb\xbf"
ADDED = "---\napiVersion: v1\nkind: Added\nmetadata:\n  name: new\n"
Parts = list[tuple[bytes, Body]]


@st.composite
def parts(draw: st.DrawFn) -> Parts:
    """Draw documents with their separators; the first one may have none, or a BOM before it."""
    bodies = st.sampled_from((*OBJECTS, *EMPTY))
    found = draw(st.lists(st.tuples(st.sampled_from(SEPARATORS), bodies), max_size=6))
    place = draw(st.integers(0, len(found)))
    found.insert(place, (draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(OBJECTS))))
    starts = [found[0][0], BOM + found[0][0]]
    starts += [b"", BOM] if found[0][1].text else []
    return [(draw(st.sampled_from(starts)), found[0][1]), *found[1:]]


def raws(found: Parts) -> list[bytes]:
    """Return each document's bytes."""
    return [separator + body.text for separator, body in found]


def joined(read: stream.Stream) -> bytes:
    """Return what would be written."""
    return b"".join(read.pieces())


@given(found=parts(), cut=st.booleans())
@settings(max_examples=300)
def test_what_nobody_edits_keeps_its_bytes(found: Parts, cut: bool) -> None:
    """Any mix of documents comes out as it went in; only a last line without its end gets one."""
    data = b"".join(raws(found))
    data = data.removesuffix(b"\n").removesuffix(b"\r") if cut else data
    out = joined(stream.read(data))
    ends = (b"",) if data.endswith(b"\n") else (b"", b"\n", b"\r\n")
    assert out in [data + end for end in ends]
    assert load(data) == load(out)


@given(found=parts())
@settings(max_examples=100)
def test_each_separator_starts_a_document(found: Parts) -> None:
    """Documents are cut at their separators, and their kinds are known in any style."""
    chunks = stream.read(b"".join(raws(found))).chunks
    assert raws(found) == [chunk.raw for chunk in chunks]
    assert [body.kind for _, body in found] == [chunk.kind for chunk in chunks]
    assert list(range(1, len(chunks) + 1)) == [chunk.number for chunk in chunks]


@given(found=parts(), data=st.data())
@settings(max_examples=200)
def test_an_edit_changes_one_document(found: Parts, data: st.DataObject) -> None:
    """When one document is edited, all others keep their bytes and their places."""
    texts = raws(found)
    bodies = [body for _, body in found]
    index = data.draw(st.sampled_from([i for i, body in enumerate(bodies) if body.kind]))
    read = stream.read(b"".join(texts))
    operation = {"op": "add", "path": bodies[index].path, "value": {"new": "label"}}
    read.chunks[index].document.apply([operation])
    new = read.chunks[index].encoded()
    assert texts[index] != new
    assert b"".join([*texts[:index], new, *texts[index + 1 :]]) == joined(read)
    changed = [
        both for both in zip(load(texts[index]), load(new), strict=True) if both[0] != both[1]
    ]
    assert [{"new": "label"}] == [after["metadata"]["labels"] for _, after in changed]


@given(found=parts(), data=st.data())
@settings(max_examples=150)
def test_a_document_is_added_in_its_place(found: Parts, data: st.DataObject) -> None:
    """A new document stands before the chosen one, or at the end, and moves nothing else."""
    texts = raws(found)
    read = stream.read(b"".join(texts))
    index = data.draw(st.integers(0, len(texts)))
    read.add_before(read.chunks[index] if index < len(texts) else None, ADDED)
    out = joined(read)
    before, after = (b"".join(part) for part in (texts[:index], texts[index:]))
    assert [*load(before), *load(ADDED), *load(after)] == load(out)
    assert out.startswith(before)
    assert out.endswith(after.removeprefix(BOM) or ADDED.encode())
    assert out.count(BOM) == b"".join(texts).count(BOM)


def test_two_added_documents_keep_their_order() -> None:
    """What is added first stands first, at the end as well as before a document."""
    read = stream.read(BLOCK)
    for chunk in (read.chunks[0], None):
        for name in "xy":
            read.add_before(chunk, ADDED.replace("new", name))
    names = [document["metadata"]["name"] for document in load(joined(read))]
    assert ["x", "y", "a", "x", "y"] == names


LAST = (
    (b"a: b", b"\n"),
    (b"a: b\r\nc: d", b"\r\n"),
    (b"a: b # end", b"\n"),
    (b"a: 'b'", b"\n"),
    (b"a: |\n  b", b""),
    (b"a: >-\n  b", b""),
    (b"a:\n- {b: c}", b"\n"),
    (b"a: b\n---", b"\n"),
    (b"a: b\n---\n# end", b"\n"),
)


@pytest.mark.parametrize(("text", "end"), LAST)
def test_the_last_line_ends(text: bytes, end: bytes) -> None:
    """Output ends with a line break in the stream's own form, unless a block text ends it."""
    data = b"kind: A\n" + text
    if text.startswith(b"a: b\r"):
        data = data.replace(b"A\n", b"A\r\n")
    assert data + end == joined(stream.read(data))
    assert load(data) == load(data + end)


def test_a_last_block_text_keeps_its_value_before_an_added_document() -> None:
    """A block text without its line break gains none when a document follows it."""
    read = stream.read(b"kind: A\na: |\n  b")
    read.add_before(None, ADDED)
    assert [{"kind": "A", "a": "b"}, *load(ADDED)] == load(joined(read))


GLUED = (
    (1, b"---apiVersion: v1\nkind: A\n"),
    (1, BOM + b"---apiVersion: v1\nkind: A\n"),
    (3, b"kind: A\na: b\n---kind: B\n"),
    (3, b"kind: A\r\na: b\r\n---kind: B\r\n"),
    (2, b'kind: A\n---{"kind": "B"}\n'),
)


@pytest.mark.parametrize(("line", "data"), GLUED)
def test_text_at_a_separator_is_refused(line: int, data: bytes) -> None:
    """Text that touches a separator is refused with its line: YAML sees a key, Helm a document."""
    with pytest.raises(StreamError) as caught:
        stream.read(data)
    says = "'---' must be followed by a line break, not by text: split the line"
    assert f"stdin, line {line}: {says}" == str(caught.value)


ALERTMANAGER = """\
apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata:
  name: kps
  namespace: mon
spec:
  replicas: 2
"""
GRAFANA = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: grafana
  namespace: mon
spec:
  template:
    spec:
      containers:
        - name: grafana
          volumeMounts:
            - name: storage
              mountPath: /var/lib/grafana
      volumes:
        - name: storage
          emptyDir: {}
"""
VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata:
  name: disk-{0}
  labels:
    durable-prometheus-stack/consumer: {1}
    durable-prometheus-stack/volume: "{0}"
spec:
  capacity:
    storage: 5Gi
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath:
    path: /srv/{0}
"""
OPERATOR = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: operator
spec:
  template:
    spec:
      containers:
        - name: operator
          image: quay.io/prometheus-operator/prometheus-operator:v0.80.0
"""
WHOLE = (
    PLAN + "    alertmanager: {}\n    grafana: {}\n",
    PROMETHEUS,
    ALERTMANAGER,
    GRAFANA,
    VOLUME.format(0, "prometheus"),
    VOLUME.format(0, "alertmanager").replace("disk-0", "disk-a"),
    VOLUME.format(1, "alertmanager").replace("disk-1", "disk-b"),
    OPERATOR,
    SETTINGS,
)


def finished(documents: Sequence[str]) -> dict[Any, Document]:
    """Return the finished objects by what names them."""
    read = stream.read("---\n".join(documents).encode())
    pipeline.run(read, None)
    objects = load(joined(read))
    found = {key(each): each for each in objects}
    assert len(objects) == len(found)
    return found


@given(order=st.permutations(WHOLE))
@settings(max_examples=20)
def test_order_does_not_matter(order: list[str]) -> None:
    """Each object comes out the same wherever it stands in the stream."""
    assert finished(WHOLE) == finished(order)


HOOK = PROMETHEUS.replace("  namespace", '  annotations: {"helm.sh/hook": test}\n  namespace')
ASKED = PlanFile("plan", "persistence: {prometheus: {size: 5Gi}}")


@pytest.mark.parametrize("hooks", [False, True])
def test_hooks_are_left_alone_unless_asked_for(hooks: bool) -> None:
    """A hook keeps its bytes; with --hooks it is edited like any other object."""
    read = stream.read(f"{PROMETHEUS}---\n{HOOK}".encode())
    pipeline.run(read, ASKED, hooks=hooks)
    assert [True, hooks] == [chunk.edited for chunk in read.chunks[:2]]
    assert 1 + hooks == joined(read).count(b"volumeClaimTemplate:")

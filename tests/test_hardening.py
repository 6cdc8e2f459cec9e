"""Broken and hostile input: no traceback, no document lost, nothing half done."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from durable import pipeline
from durable.errors import DurableError
from durable.stream import Stream
from tests.checking import CASES, read
from tests.editing import pyyaml, ruamel
from tests.judging import verdict
from tests.mutations import (
    BENDS,
    WRONG,
    Random,
    bases,
    paths,
    paths_read,
    put,
    stream,
    write,
)
from tests.tools.documents import load

ROOT = Path(__file__).resolve().parents[1]
DURABLE = ROOT / "postrender" / "durable.sh"
BATCH, BATCHES = 100, 22
# As a program a run takes long: a few streams, spread over the seeds.
PROGRAM = range(0, 2200, 44)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_bent_streams(batch: int) -> None:
    """However a stream is bent, a run ends in one of three ways, and no document is lost."""
    ends = Counter(verdict(stream(seed)) for seed in range(batch * BATCH, (batch + 1) * BATCH))
    assert {"done", "refused", "cannot run"} >= set(ends)
    assert BATCH == ends.total()
    assert ends["done"] > BATCH // 10, "bent so far that nothing is tried"


def test_bends_bend() -> None:
    """Each way to bend a stream changes some, and the paths are those that are read."""
    for bend in {*BENDS}:
        tried = (bend(Random(seed), bases()[seed * 7 % len(bases())]) for seed in range(20))
        changed = [text != bases()[seed * 7 % len(bases())] for seed, text in enumerate(tried)]
        assert any(changed), bend
    found = paths_read()
    assert ("spec", "storage", "volumeClaimTemplate", "spec") in found["Prometheus"]
    assert ("spec", "claimRef", "name") in found["PersistentVolume"]
    assert ("spec", "template", "spec", "containers") in found["Deployment"]
    assert len({path for paths in found.values() for path in paths}) > 200


def _program(data: bytes, *arguments: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("HELM_", "DURABLE_"))}
    return subprocess.run(
        [DURABLE, *arguments],
        input=data,
        env={**plain, "DURABLE_PYTHON": sys.executable, **variables},
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("seed", PROGRAM)
def test_bent_streams_as_a_program(seed: int) -> None:
    """Exit code 0, 1 or 2; on stdout all or nothing; on stderr a message, never a traceback."""
    text = stream(seed)
    data = text.encode()
    done = _program(data)
    ends = {0: "done", 1: "refused", 2: "cannot run"}
    assert verdict(text) == ends[done.returncode]
    assert b"Traceback" not in done.stderr
    if "ResourceList" not in text:
        assert bool(done.stdout) == (done.returncode == 0)
    if done.returncode:
        assert done.stderr.startswith((b"refused ", b"durable: ", b"warning ", b"accepted "))


@pytest.mark.parametrize("seed", PROGRAM[::5])
def test_bent_streams_under_helm_4(seed: int) -> None:
    """Where Helm 4 would drop the message, it gets one that it must quote, and no object."""
    data = stream(seed).encode()
    plain, helm = _program(data), _program(data, HELM_PLUGIN_NAME="durable")
    assert 0 == helm.returncode or b"kind: ResourceList" in data
    if not plain.returncode:
        assert plain.stdout == helm.stdout
    elif not helm.returncode:
        head, message, *rest = helm.stdout.decode().split("\n")
        assert "refused: true" == head
        assert message.startswith("--- durable")
        assert [""] == rest, "one line: what follows would be read as a document"


HOSTILE = {
    "template": "{{ .Values.x | quote }}",
    "template with a dash": "{{- end }}",
    "line break": "a\nb",
    "line breaks": "\na\n\nb\n",
    "Windows": "a\r\nb",
    "anchor": "&a",
    "alias": "*a",
    "number": "1e3",
    "octal": "0777",
    "hexadecimal": "0x1F",
    "minutes": "1:30",
    "date": "2024-01-01",
    "infinite": ".inf",
    "value": "=",
    "merge": "<<",
    "yes": "y",
    "no": "No",
    "null": "null",
    "tilde": "~",
    "empty": "",
    "emoji": "\U0001f600",
    "accents": "é\u4e2d\u6587",
    "separators": "a\u2028b\u2029c\x85d",
    "byte order mark": "\ufeffa",
    "long": "x" * 10_000,
    "long words": "word " * 2_000,
    "tab": "a\tb",
    "double quote": 'a"b',
    "single quote": "it's",
    "backslash": "a\\nb",
    "comment": "a # c",
    "comment only": "# c",
    "document": "---",
    "documents": "a\n---\nkind: Secret\n",
    "document end": "...",
    "mapping": "a: b",
    "mapping at the end": "a:",
    "sequence": "- a",
    "flow": "{a: [b, c]}",
    "directive": "%YAML 1.2",
    "tag": "!!binary aGk=",
    "reserved": "@a `b",
    "blanks": "  a  ",
    "escape": "\x1b[31mred",
    "nothing": "\x00",
    "environment": "$(HOME) ${HOME}",
}
EACH_STRING = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
READERS = (pyyaml, ruamel)


def _plan(**consumer: Any) -> dict[str, Any]:
    metadata = {"name": "run-helm-with-post-renderer-durable", "namespace": "monitoring"}
    plan = {"prometheus": {"size": "50Gi", **consumer}}
    spec = {"release": "kps", "namespace": "monitoring", "persistence": plan}
    head = {"apiVersion": "durable-prometheus-stack/v1", "kind": "PersistencePlan"}
    return {**head, "metadata": metadata, "spec": spec}


EVERYTHING = {
    "image": "busybox:1.37.0",
    "prometheus": {
        "enabled": True,
        "size": "50Gi",
        "storageClassName": "c",
        "nodes": ["n1"],
        "accessModes": ["ReadWriteOnce"],
        "fsGroup": 2000,
        "fixOwnership": True,
        "retentionSize": "40GB",
        "volumes": [
            {"node": "n1", "local": "/a", "size": "9Gi", "shard": 0, "mountOptions": ["noatime"]},
            {"node": "n1", "hostPath": "/b"},
            {"nfs": {"server": "s", "path": "/c", "readOnly": False}},
            {"csi": {"driver": "d", "volumeHandle": "h", "volumeAttributes": {"a": "b"}}},
        ],
    },
    "grafana": {"subPath": "a/b"},
    "accept": ["volumes/posix"],
    "patches": [
        {
            "target": {"kind": "Prometheus", "name": "kps", "namespace": "monitoring"},
            "patch": [
                {"op": "add", "path": "/spec/a", "value": {"b": ["c"]}},
                {"op": "copy", "from": "/spec/a", "path": "/spec/d"},
                {"op": "test", "path": "/spec/d/b/0", "value": "c"},
            ],
        }
    ],
}
PLAN_PATHS = sorted(
    paths({"spec": {"gitops": {"argocd": True}, "persistence": EVERYTHING}}), key=str
)


def test_wrong_plans() -> None:
    """Whatever stands anywhere in a plan, a run ends in one of three ways."""
    ends: Counter[str] = Counter()
    for path in PLAN_PATHS:
        for wrong in WRONG:
            plan = _plan()
            plan["spec"] |= {"gitops": {"argocd": True}, "persistence": copy.deepcopy(EVERYTHING)}
            put(plan, path, copy.deepcopy(wrong))
            ends[verdict(f"{write(plan)}---\n{write(_object({}))}")] += 1
    assert len(PLAN_PATHS) * len(WRONG) == ends.total()
    assert {"done", "refused", "cannot run"} >= set(ends)
    assert ends["cannot run"] > ends.total() // 2, "most of it is wrong"


def _object(spec: dict[str, Any]) -> dict[str, Any]:
    head = {"apiVersion": "monitoring.coreos.com/v1", "kind": "Prometheus"}
    return {**head, "metadata": {"name": "kps", "namespace": "monitoring"}, "spec": spec}


class Quoting(yaml.SafeDumper):
    """Writes each text in double quotes, so that no reader takes it for something else."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def _stream(*documents: Any) -> str:
    return yaml.dump_all(documents, Dumper=Quoting, width=10**6)


def _refused(given: Stream) -> str:
    """Run the pipeline; return why it cannot, or nothing."""
    try:
        pipeline.run(given, None)
    except DurableError as error:
        return str(error)
    return ""


def _written(plan: dict[str, Any], spec: dict[str, Any]) -> tuple[Any, str] | None:
    """Return spec and recorded plan as both YAML versions read them, or None if refused."""
    given = read(_stream(plan, _object(spec)))
    if _refused(given):
        return None
    *_, record, target = b"".join(given.pieces()).decode().split("\n---\n")
    one, other = (reader(target)["spec"] for reader in READERS)
    assert one == other
    plans = [reader(record)["data"]["plan.yaml"] for reader in READERS]
    assert plans[0] == plans[1]
    assert plan["spec"] == pyyaml(plans[0]) == ruamel(plans[0])
    return one, plans[0]


@EACH_STRING
def test_hostile_class(text: str) -> None:
    """A class name is written so that both YAML versions read it, in the object and the record."""
    written = _written(_plan(storageClassName=text), {})
    assert written is not None
    claim = written[0]["storage"]["volumeClaimTemplate"]["spec"]
    assert (text or None) == claim.get("storageClassName")


@EACH_STRING
def test_hostile_node(text: str) -> None:
    """The name of a node likewise; an empty one is refused."""
    written = _written(_plan(nodes=["node-1", text]), {})
    assert (written is None) == (not text)
    if written:
        affinity = written[0]["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert ["node-1", text] == term["matchExpressions"][0]["values"]


@EACH_STRING
@pytest.mark.parametrize("kind", ["local", "hostPath"])
def test_hostile_path(text: str, kind: str) -> None:
    """A path is kept as it is in the record, or refused where it is no absolute path."""
    path = f"/mnt/{text}"
    plan = _plan(storageClassName="c", volumes=[{kind: path, "node": text or "n"}])
    written = _written(plan, {})
    assert (written is None) == (not text)


@EACH_STRING
def test_hostile_image(text: str) -> None:
    """The image of the init container is written as it is said."""
    plan = _plan(fixOwnership=True)
    plan["spec"]["persistence"]["image"] = text
    written = _written(plan, {})
    assert (written is None) == (not text)
    if written:
        assert text == written[0]["initContainers"][0]["image"]


@EACH_STRING
@pytest.mark.parametrize("value", ["{}", "[{}]", '{{"{}": 1}}'], ids=["text", "list", "key"])
def test_hostile_patch(text: str, value: str) -> None:
    """What the user's own patch adds is read as it was said, be it a value or a key."""
    wanted: Any = {"{}": text, "[{}]": [text, {"a": text}]}.get(value, {text: 1})
    plan = _plan()
    operation = {"op": "add", "path": "/spec/extra", "value": wanted}
    plan["spec"]["persistence"]["patches"] = [
        {"target": {"kind": "Prometheus"}, "patch": [operation]}
    ]
    written = _written(plan, {"replicas": 1})
    if written is None:
        assert value.startswith("{{"), "only a key may be too long to be written"
        assert len(text) > 1000
    else:
        assert wanted == written[0]["extra"]


@EACH_STRING
def test_hostile_sub_path(text: str) -> None:
    """Grafana's directory is written into each mount, or refused where it leads outside."""
    plan = _plan()
    plan["spec"]["persistence"]["grafana"] = {"subPath": text}
    case = (CASES / "claims" / "durable" / "good-grafana.yaml").read_text()
    given = read(f"{_stream(plan)}---\n{case.partition('---')[2].lstrip()}")
    if said := _refused(given):
        assert "subPath" in said
        assert {"", ".", ".."} & set(text.split("/"))
        return
    workload = next(d for d in load(b"".join(given.pieces())) if d["kind"] == "Deployment")
    mounts = workload["spec"]["template"]["spec"]["containers"][0]["volumeMounts"]
    assert (text or None) == mounts[0].get("subPath")


@EACH_STRING
def test_hostile_names_in_messages(text: str) -> None:
    """A finding is three lines of visible characters, whatever the stream calls its objects."""
    target = _object({"volumeMounts": [{"name": text, "mountPath": text}]})
    target["metadata"]["name"] = f"a{text}"
    found = pipeline.run(read(_stream(_plan(), target)), None).findings
    assert found
    for each in found:
        assert 3 == len(each.text().split("\n"))
        assert each.line().isprintable()
        assert len(each.line()) < 2_500

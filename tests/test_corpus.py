"""The recorded streams of real charts through the post-renderer, one by one."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from tests.tools import corpus as recorded
from tests.tools.corpus_table import PLAN, Row, durable, row
from tests.tools.documents import is_hook, load, of_kind

STREAMS = recorded.names()
KINDS = ("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler")
# By kind: what tests/bench/plan.yaml asks for.
SIZES = {
    "Prometheus": "50Gi",
    "PrometheusAgent": "50Gi",
    "Alertmanager": "5Gi",
    "ThanosRuler": "10Gi",
}
GRAFANA_SIZE, STORAGE_CLASS, SUB_PATH = "10Gi", "standard", "grafana-db"

pytestmark = pytest.mark.skipif(not STREAMS, reason=recorded.ABSENT)
each_stream = pytest.mark.parametrize("name", STREAMS)


@cache
def run(name: str) -> Row:
    """Put a stream through the post-renderer once for all tests."""
    return row(name)


@cache
def objects(name: str) -> list[dict[str, Any]]:
    """The objects of the result, hooks left out."""
    return [each for each in load(b"".join(run(name).after)) if not is_hook(each)]


@each_stream
def test_untouched_documents_keep_their_bytes_and_their_place(name: str) -> None:
    """No document is lost or moved; as many differ as the explanation names."""
    told = run(name)

    assert len(told.before) == len(told.kept)
    assert len(told.patches) >= len(told.changed)
    assert 0 < len(told.changed)


@each_stream
def test_an_edited_document_changes_as_explained_and_nowhere_else(name: str) -> None:
    """jsonpatch, given the explained edits, makes the same object of the same input."""
    told = run(name)
    patches = {key(patch["target"]): patch["patch"] for patch in told.patches}

    for old, new in told.changed:
        (before,), (after,) = load(old), load(new)
        patch = patches[key({"kind": before["kind"], **before["metadata"]})]
        assert jsonpatch.apply_patch(copy.deepcopy(before), patch) == after


def key(names: dict[str, Any]) -> tuple[str, str, str]:
    """What tells one object of a stream from another."""
    return names["kind"], names.get("namespace") or "", names["name"]


@each_stream
def test_lines_outside_the_edits_stay(name: str) -> None:
    """Comments stay in their order, and so few lines go as values were replaced or removed."""
    told = run(name)

    for old, new in told.changed:
        gone = [line for line in old.splitlines() if line not in set(new.splitlines())]
        assert comments(old) == comments(new)
        # emptyDir, strategy, class, selector: what an edit takes the place of.
        assert len(gone) <= 4, gone


def comments(document: bytes) -> list[bytes]:
    """The comment lines of a document."""
    return [line for line in document.splitlines() if line.lstrip().startswith(b"#")]


@each_stream
def test_custom_resources_get_their_claim(name: str) -> None:
    """Each consumer has a claim template as planned, and no emptyDir beside it."""
    found = of_kind(objects(name), *KINDS)

    assert found
    for each in found:
        storage = each["spec"]["storage"]
        spec = storage["volumeClaimTemplate"]["spec"]
        assert SIZES[each["kind"]] == spec["resources"]["requests"]["storage"]
        assert STORAGE_CLASS == spec["storageClassName"]
        assert ["ReadWriteOnce"] == spec["accessModes"]
        assert not {"emptyDir", "ephemeral"} & storage.keys()
        assert "selector" not in spec
        assert each["spec"]["securityContext"]["fsGroup"] == 2000


@each_stream
def test_grafana_gets_its_claim(name: str) -> None:
    """Grafana's database is on a claim of the planned size, below its own sub-path."""
    (workload,) = [
        each
        for each in of_kind(objects(name), "Deployment", "StatefulSet")
        if data_mounts(each["spec"]["template"]["spec"])
    ]
    pod = workload["spec"]["template"]["spec"]
    mounts = data_mounts(pod)
    if workload["kind"] == "StatefulSet":
        (template,) = workload["spec"]["volumeClaimTemplates"]
        spec = template["spec"]
    else:
        (volume,) = [v for v in pod["volumes"] if v["name"] == mounts[0]["name"]]
        named = volume["persistentVolumeClaim"]["claimName"]
        (claim,) = [
            c
            for c in of_kind(objects(name), "PersistentVolumeClaim")
            if c["metadata"]["name"] == named
        ]
        assert "keep" == claim["metadata"]["annotations"]["helm.sh/resource-policy"]
        assert {"type": "Recreate"} == workload["spec"]["strategy"]
        spec = claim["spec"]

    assert GRAFANA_SIZE == spec["resources"]["requests"]["storage"]
    assert STORAGE_CLASS == spec["storageClassName"]
    assert {SUB_PATH} == {m.get("subPath") for m in mounts}


def data_mounts(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Every mount of the volume that some container has at Grafana's data directory."""
    containers = pod["containers"] + pod.get("initContainers", [])
    mounts: list[dict[str, Any]] = [m for c in containers for m in c.get("volumeMounts") or []]
    names = {m["name"] for m in mounts if m["mountPath"] == "/var/lib/grafana"}
    return [m for m in mounts if m["name"] in names]


@each_stream
def test_a_second_run_changes_nothing(name: str) -> None:
    """The result is its own result, with the plan given again and with the recorded one."""
    result = b"".join(run(name).after)

    assert result == durable("render", "--plan", str(PLAN), stdin=result)
    assert result == durable("render", stdin=result)


@each_stream
def test_no_rule_fires(name: str, tmp_path: Path) -> None:
    """A sane plan, Thanos Ruler where there is one, meets no refusal and no warning."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        PLAN.read_text().replace("thanosRuler: {enabled: true", "thanosRuler: {enabled: auto")
    )
    told = durable("check", "--plan", str(plan), "--format", "json", stdin=recorded.stream(name))

    assert b"[]\n" == told

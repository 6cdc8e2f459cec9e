"""No rule finds anything in the recorded streams of real charts, whatever sane plan there is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from durable import pipeline
from durable.checks import registry
from durable.pipeline import PlanFile
from tests.checking import FORMS, PLAN, read
from tests.tools import corpus as recorded

DYNAMIC = {"storageClassName": "fast"}
CONSUMERS = ("prometheus", "alertmanager", "thanosRuler", "grafana")


SANE: dict[str, dict[str, Any]] = {
    "dynamic class": {name: dict(DYNAMIC) for name in CONSUMERS},
    "default class": {name: {} for name in CONSUMERS},
    "nothing accepted": {**{name: dict(DYNAMIC) for name in CONSUMERS}, "accept": []},
    "everything accepted": {
        **{name: dict(DYNAMIC) for name in CONSUMERS},
        "accept": sorted(registry.RULES),
    },
    "owners fixed": {name: {**DYNAMIC, "fixOwnership": True} for name in CONSUMERS},
    "nothing kept": {name: {"enabled": False} for name in CONSUMERS},
    "some nodes": {name: {**DYNAMIC, "nodes": ["node-1", "node-2"]} for name in CONSUMERS},
}
# Of each form a render or two: these streams are long.
SAMPLES = ("kps-88.5.3-grafana-sts", "kube-prometheus-main-2026-08")
NAMES: list[Any] = [*recorded.names()] or [
    pytest.param("none", marks=pytest.mark.skip(reason=recorded.ABSENT))
]
EACH_STREAM = pytest.mark.parametrize("name", NAMES)
EACH_PLAN = pytest.mark.parametrize("plan", SANE)


def _file(plan: str) -> PlanFile:
    persistence = dict(SANE[plan])
    ruler = {"enabled": "auto", **persistence["thanosRuler"]}
    return PlanFile("plan", yaml.safe_dump({"persistence": {**persistence, "thanosRuler": ruler}}))


@EACH_STREAM
@EACH_PLAN
def test_nothing_is_found(name: str, plan: str) -> None:
    """A sane plan in a file: no refusal and no warning."""
    told = pipeline.run(read(recorded.stream(name)), _file(plan))
    assert [] == [each.text() for each in told.findings]


def _document(plan: str, namespace: str) -> str:
    """Return the plan as the chart writes it, with the annotation that names Helm's version."""
    metadata = {
        "name": "run-helm-with-post-renderer-durable",
        "namespace": namespace,
        "annotations": {"durable-prometheus-stack/helm-version": "v4.3.1"},
    }
    value = yaml.safe_load(_file(plan).text)
    head = {"apiVersion": "durable-prometheus-stack/v1", "kind": PLAN, "metadata": metadata}
    return yaml.safe_dump({**head, "spec": {"namespace": namespace, **value}})


@pytest.mark.usefixtures("corpus")
@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_found_in_any_form(name: str, form: str) -> None:
    """A sane plan in the stream, and the stream in each form that it may come in."""
    text = f"{_document('dynamic class', 'monitoring')}---\n{recorded.stream(name).decode()}"
    told = pipeline.run(read(FORMS[form](text)), None)
    assert [] == [each.text() for each in told.findings]


PODS = {"prometheus": 4, "alertmanager": 3, "thanosRuler": 2, "grafana": 1}
"""As many volumes as the largest of the streams has pods; the others leave some to spare."""


def _volume(consumer: str, number: int) -> dict[str, Any]:
    """Return a volume as the chart renders it: node by node, each consumer's in its directory."""
    labels = {"consumer": consumer, "volume": str(number)}
    expression = {"key": "kubernetes.io/hostname", "operator": "In", "values": [f"node-{number}"]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"kps-{consumer.lower()}-{number}",
            "labels": {f"durable-prometheus-stack/{key}": said for key, said in labels.items()},
        },
        "spec": {
            "capacity": {"storage": "50Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "disks",
            "local": {"path": f"/mnt/disks/{consumer}"},
            "nodeAffinity": {"required": terms},
        },
    }


CLASS = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "disks"},
    "provisioner": "kubernetes.io/no-provisioner",
    "reclaimPolicy": "Retain",
    "volumeBindingMode": "WaitForFirstConsumer",
}


def _entries(consumer: str) -> list[dict[str, str]]:
    path = f"/mnt/disks/{consumer}"
    return [{"node": f"node-{number}", "local": path} for number in range(PODS[consumer])]


@EACH_STREAM
def test_nothing_is_found_with_static_volumes(name: str) -> None:
    """A volume for each pod, on nodes of their own: each is reserved, fits and is reachable."""
    text = recorded.stream(name).decode()
    ruled = "\nkind: ThanosRuler\n" in text
    there = [consumer for consumer in PODS if ruled or consumer != "thanosRuler"]
    said = {"storageClassName": "disks", "size": "50Gi"}
    plan = {"persistence": {each: {**said, "volumes": _entries(each)} for each in there}}
    made = [_volume(each, number) for each in there for number in range(PODS[each])]
    given = read(f"{yaml.safe_dump_all([CLASS, *made])}---\n{text}")
    told = pipeline.run(given, PlanFile("plan", yaml.safe_dump(plan)))
    assert [] == [each.text() for each in told.findings]
    bound = [edit for edit in told.edits if edit.operation["path"] == "/spec/claimRef"]
    assert len(made) == len(bound)


EXPORTED = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: files}
provisioner: nfs.csi.k8s.io
reclaimPolicy: Retain
volumeBindingMode: Immediate
---
"""


@EACH_STREAM
def test_only_the_accepted_is_found_on_nfs(name: str) -> None:
    """All on NFS: what the plan accepts, and a chown by root where Grafana's chart has one."""
    text = recorded.stream(name).decode()
    persistence: dict[str, Any] = {each: {"storageClassName": "files"} for each in CONSUMERS}
    persistence["thanosRuler"]["enabled"] = "auto"
    plan = yaml.safe_dump({"persistence": {**persistence, "accept": ["volumes/posix"]}})
    told = pipeline.run(read(EXPORTED + text), PlanFile("plan", plan))
    found = {(each.rule, each.accepted) for each in told.findings}
    chown = {("grafana/chown", False)} if "name: init-chown-data\n" in text else set()
    assert {("volumes/posix", True)} | chown == found


def test_every_stream_is_tried(corpus: Path) -> None:
    """The streams that are recorded are the streams that are tried."""
    assert len(list(corpus.iterdir())) - 1 == len(NAMES), "all but README.md"

"""Scenario B: kube-prometheus' plain manifests on NFS, with what the chart alone renders."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import yaml

from tests.plain import REPLICAS, manifests
from tests.rendering import ALONE, Settings, render
from tests.running import Answer, run
from tests.tools import corpus as recorded
from tests.tools.documents import is_hook, load, of_kind
from tests.tools.helm import MAJORS
from tests.values_files import ROOT

FILES = ("nfs", "nfs-static", "nfs-provisioner")
OURS = "own manifests"
STREAMS = [OURS, *(name for name in recorded.names() if name.startswith("kube-prometheus"))]
SHARE = "/mnt/data/prometheus_data/k8s-volume"
# Values file -> the class of Prometheus and who makes its volumes, the class of Grafana.
CLASSES = {
    "nfs": ("prometheus-data-db", "nfs.csi.k8s.io", "grafana-data"),
    "nfs-static": ("monitoring-nfs", "kubernetes.io/no-provisioner", "monitoring-nfs"),
    "nfs-provisioner": (
        "prometheus-data-db",
        "kps.monitoring.durable-prometheus-stack/nfs",
        "prometheus-data-db",
    ),
}
CLAIMS = [
    *(f"prometheus-k8s-db-prometheus-k8s-{n}" for n in range(REPLICAS["prometheus"])),
    *(f"alertmanager-main-db-alertmanager-main-{n}" for n in range(REPLICAS["alertmanager"])),
]
EACH_FILE = pytest.mark.parametrize("file", FILES)
EACH_STREAM = pytest.mark.parametrize("stream", STREAMS)
EACH_MAJOR = pytest.mark.parametrize("major", MAJORS)
NOTHING_ACCEPTED: tuple[Settings, ...] = (
    {"persistence.accept": None},
    {"persistence.accept": []},
)


@cache
def _manifests(stream: str) -> str:
    return manifests() if stream == OURS else recorded.stream(stream).decode()


def _both(file: str, stream: str, major: int, settings: Settings | None = None) -> bytes:
    """Return the chart without the stack, and behind it the manifests."""
    alone = render(major, {**ALONE, **(settings or {})}, ROOT / "values" / f"{file}.yaml")
    return f"{alone}\n---\n{_manifests(stream)}".encode()


@cache
def _done(file: str, stream: str, major: int = 4) -> list[dict[str, Any]]:
    answer = run(_both(file, stream, major))
    assert 0 == answer.code, answer.said
    return [each for each in load(answer.out) if not is_hook(each)]


def _checked(file: str, stream: str, major: int, settings: Settings | None = None) -> Answer:
    return run(_both(file, stream, major, settings), "check", "--format", "json")


@EACH_FILE
@EACH_STREAM
def test_prometheus_has_its_claims(file: str, stream: str) -> None:
    """The one Prometheus asks for 100Gi of the class for each pod, and nothing is in its way."""
    (server,) = of_kind(_done(file, stream), "Prometheus")
    name, provisioner, _ = CLASSES[file]
    storage = server["spec"]["storage"]
    claim = storage["volumeClaimTemplate"]["spec"]
    assert ("k8s", 2) == (server["metadata"]["name"], server["spec"]["replicas"])
    assert ("100Gi", name) == (claim["resources"]["requests"]["storage"], claim["storageClassName"])
    assert not {"emptyDir", "ephemeral"} & set(storage)
    (found,) = [c for c in of_kind(_done(file, stream), "StorageClass") if _name(c) == name]
    assert (provisioner, "Retain") == (found["provisioner"], found["reclaimPolicy"])


@EACH_FILE
@EACH_STREAM
def test_the_others_have_theirs(file: str, stream: str) -> None:
    """Alertmanager and Grafana as well; Grafana's claim is made here and named by its pod."""
    found = _done(file, stream)
    (alerts,) = of_kind(found, "Alertmanager")
    claim = alerts["spec"]["storage"]["volumeClaimTemplate"]["spec"]
    assert CLASSES[file][0] == claim["storageClassName"]
    (own,) = [c for c in of_kind(found, "PersistentVolumeClaim") if "grafana" in _name(c)]
    assert CLASSES[file][2] == own["spec"]["storageClassName"]
    (workload,) = [d for d in of_kind(found, "Deployment") if _name(d) == "grafana"]
    volumes = workload["spec"]["template"]["spec"]["volumes"]
    assert _name(own) in [v.get("persistentVolumeClaim", {}).get("claimName") for v in volumes]


def _name(document: dict[str, Any]) -> str:
    return str(document["metadata"]["name"])


def _reserved(documents: list[dict[str, Any]]) -> dict[str, str]:
    """Return the claims that volumes are reserved for, with the directories that they get."""
    volumes = of_kind(documents, "PersistentVolume")
    assert {"monitoring"} >= {v["spec"]["claimRef"]["namespace"] for v in volumes}
    return {v["spec"]["claimRef"]["name"]: v["spec"]["nfs"]["path"] for v in volumes}


@EACH_STREAM
def test_static_volumes_are_reserved(stream: str) -> None:
    """Each directory is for one pod of the manifests, by the name of its claim."""
    found = _reserved(_done("nfs-static", stream))
    grafana = found.pop("grafana-storage", None) or found.pop("grafana")
    assert grafana == "/mnt/data/grafana_data/grafana-0"
    pods = (claim.rpartition("-db-")[2] for claim in CLAIMS)
    folders = (pod.replace("-k8s-", "-").replace("-main-", "-") for pod in pods)
    assert found == {
        claim: f"{SHARE}/{folder}" for claim, folder in zip(CLAIMS, folders, strict=True)
    }


@EACH_STREAM
def test_only_the_export_is_a_volume_where_the_class_makes_them(stream: str) -> None:
    """A class that provisions brings no volume, our provisioner the export that it mounts."""
    assert [] == of_kind(_done("nfs", stream), "PersistentVolume")
    (path,) = _reserved(_done("nfs-provisioner", stream)).values()
    assert path == SHARE


@EACH_FILE
@EACH_STREAM
@EACH_MAJOR
def test_only_what_is_accepted_is_found(file: str, stream: str, major: int) -> None:
    """Exit code 0, and each finding is one that the file takes on itself."""
    answer = _checked(file, stream, major)
    found = yaml.safe_load(answer.text)
    assert 0 == answer.code
    assert {True} == {each["accepted"] for each in found}
    accepted = yaml.safe_load((ROOT / "values" / f"{file}.yaml").read_text())
    assert set(accepted["persistence"]["accept"]) == {each["rule"] for each in found}


def test_fix_names_the_export() -> None:
    """What warns of NFS without fsGroup says how the export is to squash, and how to accept it."""
    found = yaml.safe_load(_checked("nfs-static", OURS, 4).text)
    fixes = {each["object"]: each["fix"] for each in found if each["rule"] == "ownership/ignored"}
    fix = "all_squash,anonuid=1000,anongid=2000 for the export, then persistence: {accept: ["
    assert fixes["Prometheus monitoring/k8s"].startswith(fix)
    assert fixes["Alertmanager monitoring/main"].startswith(fix)
    assert 3 == len(fixes)


@EACH_FILE
@EACH_STREAM
@EACH_MAJOR
@pytest.mark.parametrize("settings", NOTHING_ACCEPTED, ids=["null", "empty"])
def test_refused_unless_accepted(file: str, stream: str, major: int, settings: Settings) -> None:
    """Exit code 1, an empty stdout, and the rule that refuses is named, for Prometheus alone."""
    answer = _checked(file, stream, major, settings)
    refused = [each for each in yaml.safe_load(answer.text) if each["severity"] == "refuse"]
    assert 1 == answer.code
    assert {"volumes/posix"} == {each["rule"] for each in refused}
    assert not [each for each in refused if "lertmanager" in each["object"]]
    rendered = run(_both(file, stream, major, settings))
    assert (1, b"") == (rendered.code, rendered.out)
    assert "volumes/posix" in rendered.said


@EACH_FILE
@EACH_MAJOR
@pytest.mark.parametrize("settings", NOTHING_ACCEPTED, ids=["null", "empty"])
def test_local_prometheus_needs_no_accept(file: str, major: int, settings: Settings) -> None:
    """Prometheus on a disk of its node, the rest on NFS: what the file's comment says."""
    disks = [{"node": f"n{n}", "local": "/mnt/disks/vol1"} for n in range(2)]
    wanted = {"storageClassName": "disks", "volumes": disks}
    local = {f"persistence.prometheus.{key}": value for key, value in wanted.items()}
    answer = _checked(file, OURS, major, settings | local)
    assert (0, set()) == (
        answer.code,
        {each["rule"] for each in yaml.safe_load(answer.text)} - {"ownership/ignored"},
    )


PLAN = """\
persistence:
  accept: [volumes/posix]
  prometheus: {size: 100Gi, storageClassName: prometheus-data-db}
  alertmanager: {size: 5Gi, storageClassName: prometheus-data-db}
  grafana: {size: 10Gi, storageClassName: prometheus-data-db}
"""
CLASS = """\
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: prometheus-data-db}
provisioner: nfs.csi.k8s.io
reclaimPolicy: Retain
volumeBindingMode: Immediate
"""


@EACH_STREAM
def test_plan_of_a_file(stream: str, tmp_path: Any) -> None:
    """With --plan the class comes with the manifests, or from the cluster; the rest is the same."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN)
    text = _manifests(stream)
    alone = run(text.encode(), "--plan", plan)
    assert (0, "") == (alone.code, alone.said)
    both = run(f"{CLASS}---\n{text}".encode(), "--plan", plan)
    assert 0 == both.code, both.said
    for answer in (alone, both):
        (server,) = of_kind(load(answer.out), "Prometheus")
        claim = server["spec"]["storage"]["volumeClaimTemplate"]["spec"]
        assert "100Gi" == claim["resources"]["requests"]["storage"]
        assert "prometheus-data-db" == claim["storageClassName"]
    plan.write_text(PLAN.replace("  accept: [volumes/posix]\n", ""))
    refused = run(f"{CLASS}---\n{text}".encode(), "--plan", plan)
    assert (1, b"") == (refused.code, refused.out)
    assert "volumes/posix" in refused.said


@EACH_FILE
def test_a_second_run_changes_nothing(file: str) -> None:
    """The result is its own result: the plan is in it as a record."""
    first = run(_both(file, OURS, 4))
    again = run(first.out)
    assert (0, first.out) == (again.code, again.out)

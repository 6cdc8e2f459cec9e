"""What the chart renders: plan, volumes and classes, value by value, with Helm 3 and Helm 4."""

from __future__ import annotations

import re
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import ruamel.yaml
import yaml

from tests.local_provisioner import VALUES as LOCAL_PROVISIONER
from tests.rendering import (
    ALONE,
    EACH_MAJOR,
    Settings,
    at,
    leaves,
    refused,
    render,
    rendered,
    static,
)
from tests.tools import stage as staging
from tests.tools.stage import CHART, STAND_IN, StageError, stage

HELM_VERSION = "durable-prometheus-stack/helm-version"
REFUSED = object()
LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
CLASS = {"name": "c"}


@dataclass(frozen=True)
class Value:
    """One value: what the plan says by default, when it is given, and when it is null."""

    path: str
    default: Any
    given: Any
    null: Any = REFUSED
    also: Settings = field(default_factory=dict)


def _consumer(name: str, size: str, group: int, *own: Value) -> tuple[Value, ...]:
    at = f"persistence.{name}"
    on = {f"{at}.enabled": True}
    return (
        Value(f"{at}.size", size, "123Gi", also=on),
        Value(f"{at}.storageClassName", "", "fast.example", ""),
        Value(f"{at}.accessModes", ["ReadWriteOnce"], ["ReadWriteOncePod"]),
        Value(f"{at}.volumes", [], [LOCAL], [], {f"{at}.storageClassName": "c"}),
        Value(f"{at}.nodes", [], ["n1", "n2"], []),
        # More digits than a float keeps when it is written as 1.0007e+09.
        Value(f"{at}.fsGroup", group, 1000700001),
        Value(f"{at}.fixOwnership", default=False, given=True),
        *own,
    )


PATCH = [{"target": {"kind": "Prometheus"}, "patch": [{"op": "remove", "path": "/spec/x"}]}]
PLAN = (
    Value("persistence.image", "docker.io/library/busybox:1.37.0", "example.com/sh@sha256:0"),
    *_consumer(
        "prometheus",
        "50Gi",
        2000,
        Value("persistence.prometheus.enabled", default=True, given=False),
        Value("persistence.prometheus.retentionSize", "auto", "40GB", ""),
    ),
    *_consumer(
        "alertmanager",
        "5Gi",
        2000,
        Value("persistence.alertmanager.enabled", default=True, given=False),
    ),
    *_consumer(
        "thanosRuler",
        "10Gi",
        2000,
        Value("persistence.thanosRuler.enabled", default=False, given=True, null=False),
    ),
    *_consumer(
        "grafana",
        "10Gi",
        472,
        Value("persistence.grafana.enabled", default=True, given=False),
        Value("persistence.grafana.subPath", "grafana-db", "other/dir", ""),
    ),
    Value("persistence.accept", [], ["volumes/posix"], []),
    Value("persistence.patches", [], PATCH, []),
    Value("gitops.argocd", default=False, given=True, null=False),
)
ELSEWHERE = (
    *("storageClasses", "kube-prometheus-stack.enabled"),
    *(f"localProvisioner.{path}" for path in LOCAL_PROVISIONER),
)
"""Values that the plan does not hold: tests of what they make are their rows."""
COMPONENTS = ("influxdb", "nfsProvisioner")
"""Blocks of components that the chart brings, each with rows in a file of tests of its own."""


def _plan(major: int, settings: Settings | None = None, **where: str) -> Any:
    (plan,) = rendered(major, {**ALONE, **(settings or {})}, **where)["PersistencePlan"]
    return plan


def test_every_value_has_a_row() -> None:
    """A key of values.yaml that no row sets is a key that may do nothing."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    found = [path for path in leaves(values) if path.partition(".")[0] not in COMPONENTS]
    assert sorted(found) == sorted([*(row.path for row in PLAN), *ELSEWHERE])


@EACH_MAJOR
@pytest.mark.parametrize("row", PLAN, ids=lambda row: row.path)
def test_default_is_in_the_plan(major: int, row: Value) -> None:
    """The plan is complete: it holds each value's default."""
    assert at(_plan(major)["spec"], row.path) == row.default


@EACH_MAJOR
@pytest.mark.parametrize("row", PLAN, ids=lambda row: row.path)
def test_given_is_in_the_plan(major: int, row: Value) -> None:
    """A value that is given reaches the plan as it is."""
    plan = _plan(major, {**row.also, row.path: row.given})
    assert at(plan["spec"], row.path) == row.given


@EACH_MAJOR
@pytest.mark.parametrize("row", PLAN, ids=lambda row: row.path)
def test_null_empties_or_is_refused(major: int, row: Value) -> None:
    """Null empties what may be empty, and is refused by name where something is needed."""
    settings = {**ALONE, **row.also, row.path: None}
    if row.null is REFUSED:
        assert row.path.rpartition(".")[2] in refused(major, settings)
        return
    assert at(_plan(major, settings)["spec"], row.path) == row.null


@EACH_MAJOR
@pytest.mark.parametrize("size", ["", None])
def test_size_of_a_consumer_that_is_off(major: int, size: str | None) -> None:
    """An empty size, possible where the consumer is off, is left out of the plan."""
    settings = {"persistence.grafana.enabled": False, "persistence.grafana.size": size}
    assert "size" not in _plan(major, settings)["spec"]["persistence"]["grafana"]


@EACH_MAJOR
@pytest.mark.parametrize(
    "whole", ["gitops", "storageClasses", "kube-prometheus-stack", "localProvisioner", *COMPONENTS]
)
def test_null_for_a_whole_block(major: int, whole: str) -> None:
    """A block that may be empty can be null, and the plan is still complete."""
    assert len(rendered(major, {whole: None})["PersistencePlan"]) == 1


@EACH_MAJOR
def test_plan_document(major: int) -> None:
    """The plan's kind exists nowhere, its name says what to do, its header names the release."""
    plan = _plan(major, release="007", namespace="123")
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    spec = plan.pop("spec")
    spec.pop("persistence")
    told = plan["metadata"].pop("annotations")
    assert [HELM_VERSION] == list(told)
    assert told[HELM_VERSION].startswith(f"v{major}.")
    assert plan == {
        "apiVersion": "durable-prometheus-stack/v1",
        "kind": "PersistencePlan",
        "metadata": {"name": "run-helm-with-post-renderer-durable", "namespace": "123"},
    }
    assert spec == {
        "release": "007",
        "namespace": "123",
        "chart": f"durable-prometheus-stack-{version}",
        "gitops": {"argocd": False},
    }


@EACH_MAJOR
@pytest.mark.parametrize("given", [True, False])
def test_thanos_ruler_follows_the_stack(major: int, *, given: bool) -> None:
    """`auto`, the default, is the stack's own switch."""
    plan = _plan(major, {"kube-prometheus-stack.thanosRuler.enabled": given})
    assert plan["spec"]["persistence"]["thanosRuler"]["enabled"] is given


@EACH_MAJOR
def test_patches_read_alike(major: int) -> None:
    """Whatever a patch holds, readers of YAML 1.1 and of YAML 1.2 get the same from the plan."""
    hostile: list[Any] = [
        "=",
        "<<",
        "y",
        "1e3",
        "0o17",
        "{{ x }}",
        "a\nb: &c",
        "\N{GRINNING FACE}",
        None,
        {},
    ]
    patch = [{"target": {"kind": "K"}, "patch": [{"op": "add", "path": "/x", "value": hostile}]}]
    text = render(major, {**ALONE, "persistence.patches": patch})
    plan = next(each for each in text.split("\n---\n") if "kind: PersistencePlan" in each)
    for reader in (yaml.safe_load, ruamel.yaml.YAML(typ="safe", pure=True).load):
        assert patch == reader(plan)["spec"]["persistence"]["patches"]


@EACH_MAJOR
def test_stack_alone_or_not_at_all(major: int) -> None:
    """Without the sub-chart plan, volumes and classes remain; with it they are beside the stack."""
    settings = static(LOCAL) | {"storageClasses": [CLASS]}
    ours = {"PersistencePlan", "PersistentVolume", "StorageClass"}
    assert ours == set(rendered(major, {**settings, **ALONE}))
    assert ours | {"Prometheus", "Alertmanager"} <= set(rendered(major, settings))


def test_dependency() -> None:
    """The stack has its exact version, a condition, and no alias (it renames every object)."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["dependencies"] == [
        {
            "name": "kube-prometheus-stack",
            "version": chart["appVersion"],
            "repository": "https://prometheus-community.github.io/helm-charts",
            "condition": "kube-prometheus-stack.enabled",
        }
    ]


@pytest.mark.parametrize(
    ("text", "only"), [(".Release.Namespace", "_helpers.tpl"), ("{{- fail ", "guards.yaml")]
)
def test_one_place(text: str, only: str) -> None:
    """The namespace is read in one file, and everything is refused in one file."""
    files = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    assert [only] == [path.name for path in files if text in path.read_text()]


NOTED: Settings = {
    **static(LOCAL, {"node": "n2", "hostPath": "/d"}),
    **static(
        {"nfs": {"server": "nfs.example.com", "path": "/exports/prometheus"}},
        {"csi": {"driver": "d", "volumeHandle": "vol-1"}},
        consumer="alertmanager",
    ),
    "localProvisioner.enabled": True,
    "localProvisioner.classes": [{"name": "disks", "hostDir": "/data/local"}],
    "persistence.thanosRuler.enabled": True,
    "persistence.thanosRuler.storageClassName": "disks",
    "influxdb.enabled": True,
    "kube-prometheus-stack.namespaceOverride": "elsewhere",
}


@EACH_MAJOR
def test_notes(major: int, tmp_path: Path) -> None:
    """The notes say for each consumer what holds its data, what to check, and what not to do."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("charts"))
    meta = yaml.safe_load((chart / "Chart.yaml").read_text())
    del meta["dependencies"]
    (chart / "Chart.yaml").write_text(yaml.safe_dump(meta))
    include = '{{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}'
    (chart / "templates" / "told.yaml").write_text(f"kind: Told\nnotes: {include}\n")
    (told,) = rendered(major, NOTED, chart=chart)["Told"]
    lines = [re.sub(" +", " ", line) for line in told["notes"].splitlines()]
    assert "prometheus 50Gi c n1:/mnt/disks/vol1, n2:/d" in lines
    assert "alertmanager 5Gi c nfs.example.com:/exports/prometheus, vol-1" in lines
    assert "grafana 10Gi (the cluster's default) provisioned by the class" in lines
    assert "thanosRuler 10Gi disks discovered in /data/local of each node" in lines
    assert "influxdb 50Gi (the cluster's default) provisioned by the class" in lines
    assert " kubectl get secret kps-influxdb -n elsewhere -o yaml" in lines
    assert " kubectl get pvc,pv -n elsewhere" in lines
    assert "--force or --force-replace" in told["notes"]


# ---- The stage ----


@pytest.fixture
def own_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stage into a folder of the test, with no dependency given."""
    monkeypatch.setattr(staging, "STAGE", tmp_path / "stage")
    monkeypatch.delenv("KPS_CHART", raising=False)
    return tmp_path


def test_stage_takes_the_stand_in(own_stage: Path) -> None:
    """The chart is copied whole, its dependency is put beside it, and chart/ stays as it is."""
    before = sorted(CHART.rglob("*"))
    staged = stage("stand-in")
    assert own_stage / "stage" / "stand-in" == staged
    assert (staged / "charts" / "kube-prometheus-stack" / "Chart.yaml").is_file()
    assert (CHART / "values.yaml").read_text() == (staged / "values.yaml").read_text()
    assert before == sorted(CHART.rglob("*"))


@pytest.mark.parametrize("packed", [False, True])
def test_stage_takes_what_is_given(
    own_stage: Path, monkeypatch: pytest.MonkeyPatch, *, packed: bool
) -> None:
    """KPS_CHART names a folder or a package."""
    given = STAND_IN
    if packed:
        given = own_stage / "kube-prometheus-stack-88.5.3.tgz"
        with tarfile.open(given, "w:gz") as package:
            package.add(STAND_IN, "kube-prometheus-stack")
    monkeypatch.setenv("KPS_CHART", str(given))
    staged = stage("given")
    assert [given.name] == [path.name for path in (staged / "charts").iterdir()]
    assert "Prometheus" in rendered(4, {}, chart=staged)


def test_stage_follows_a_change(own_stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is changed or gone since the last time is so on the stage too."""
    given = own_stage / "kube-prometheus-stack"
    shutil.copytree(STAND_IN, given)
    (given / "extra.txt").write_text("one")
    monkeypatch.setenv("KPS_CHART", str(given))
    extra = stage("given") / "charts" / given.name / "extra.txt"
    assert extra.read_text() == "one"
    (given / "extra.txt").write_text("other")
    stage("given")
    assert extra.read_text() == "other"
    (given / "extra.txt").unlink()
    stage("given")
    assert not extra.exists()


@pytest.mark.parametrize(
    ("flavour", "given", "says"),
    [
        ("standin", None, "unknown flavour 'standin': use one of built, given, stand-in"),
        ("given", None, "KPS_CHART is not set"),
        ("given", "nowhere", "is neither a chart folder nor a chart package"),
    ],
)
def test_stage_refuses(
    own_stage: Path, monkeypatch: pytest.MonkeyPatch, flavour: str, given: str | None, says: str
) -> None:
    """A dependency that is not there is an error that says which and what to do."""
    if given:
        monkeypatch.setenv("KPS_CHART", str(own_stage / given))
    with pytest.raises(StageError, match=says):
        stage(flavour)

"""How near the stand-in for kube-prometheus-stack is to the real chart, object by object.

The real chart is known from the recorded streams, and, where KPS_CHART names it, from itself.
Whole objects are compared: what may differ, and what may be left out, is in three tables here.
Beyond them, a value that the stand-in's values.yaml does not name has no effect: ingress, routes,
network policies, budgets, services per replica, Grafana's own provisioning, LDAP and SMTP.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.helm import documents, settings, template
from tests.tools import corpus
from tests.tools.documents import Document
from tests.tools.stage import STAND_IN

Leaves = dict[str, Any]
Object = tuple[str, str]
"""Kind and name."""
Objects = dict[Object, Leaves]

RECORDED = pytest.mark.skipif(not corpus.names(), reason=corpus.ABSENT)
REAL = os.environ.get("KPS_CHART", "")
CASES = sorted((STAND_IN / "ci").glob("*.yaml"))


@dataclass(frozen=True)
class Allowed:
    """Objects by kind and name, and a path in them, each a pattern, and why they may pass."""

    kind: str
    name: str
    path: str
    why: str

    def covers(self, kind: str, name: str, path: str) -> bool:
        """Say whether this row lets a leaf through."""
        patterns = ((kind, self.kind), (name, self.name), (path, self.path))
        return all(fnmatchcase(value, pattern) for value, pattern in patterns)


DIFFERENCES = (
    Allowed("Secret", "*-grafana", "data.admin-password", "random in the real chart"),
    Allowed("Secret", "alertmanager-*", "data.*", "our default only drops the alerts"),
    Allowed("ConfigMap", "*-config-dashboards", "data.*", "ours has no more than the path"),
    Allowed("ConfigMap", "*-grafana-test", "data.*", "our own script"),
    Allowed("*", "*", "spec.template.metadata.annotations.checksum/*", "other texts"),
)
"""What may differ in every render."""

RARE = (
    Allowed("*", "*-image-renderer*", "", "only the volume of the second Deployment counts"),
    Allowed("Deployment", "*-image-renderer", "*.containers[[]*", "for that reason"),
    Allowed("Deployment", "*-image-renderer", "spec.revisionHistoryLimit", "for that reason"),
    Allowed("ConfigMap", "*-grafana", "data.download_dashboards.sh", "nothing is downloaded"),
    Allowed("Deployment", "*", "*[[]download-dashboards].[ac]*", "so args and command differ"),
    Allowed("Deployment", "*", "*[[]download-dashboards].volumeMounts[[]/etc/*", "and no script"),
    Allowed("Deployment", "*", "*initContainers[[]*-init-sc-*].env*", "ours run once, unprobed"),
    Allowed("Deployment", "*-grafana", "*env[[]GF_RENDERING_*", "no token is made"),
    Allowed("Deployment", "*-grafana", "*env[[]GOMEMLIMIT]*", "nothing runs within a limit"),
    Allowed("HorizontalPodAutoscaler", "*", "metadata.labels.*", "it has one label more"),
    Allowed("ConfigMap", "kps-mon-*", "", "dashboards and data sources, by another name"),
    Allowed("ConfigMap", "a-name-of-*", "", "dashboards and data sources, by another name"),
)
"""What may differ or be left out besides, where the values of ci/ ask for it."""

LEFT_OUT = (
    Allowed("PrometheusRule", "*", "", "says nothing of storage"),
    Allowed("ConfigMap", "kps-kube-prometheus-stack-*", "", "dashboards and data sources"),
    Allowed("*", "*-kube-state-metrics", "", "a sub-chart that keeps nothing"),
    Allowed("*", "*-prometheus-node-exporter", "", "a sub-chart that keeps nothing"),
    Allowed("Service*", "*-coredns", "", "of the control plane"),
    Allowed("ServiceMonitor", "*-apiserver", "", "of the control plane"),
    Allowed("ServiceMonitor", "*-kubelet", "", "of the control plane"),
    Allowed("ServiceMonitor", "*-operator", "", "would need the certificate of the hooks"),
)
"""Objects of the real chart that the stand-in does not have."""

CLAIM = {
    "storageClassName": "gp2",
    "resources": {"requests": {"storage": "50Gi"}},
    "accessModes": ["ReadWriteOnce"],
    "selector": {},
}
SMALL_CLAIM = {"storageClassName": "gp2", "resources": {"requests": {"storage": "5Gi"}}}
HA = {
    "prometheus.prometheusSpec.replicas": 2,
    "prometheus.prometheusSpec.shards": 2,
    "alertmanager.alertmanagerSpec.replicas": 3,
    "thanosRuler.enabled": True,
    "thanosRuler.thanosRulerSpec.replicas": 2,
}
STREAMS: dict[str, tuple[int, dict[str, Any]]] = {
    "kps-88.5.3-default": (3, {}),
    "kps-88.5.3-all": (3, {"thanosRuler.enabled": True}),
    "kps-88.5.3-ha": (3, HA),
    "kps-88.5.3-grafana-pvc": (3, {"grafana.persistence.enabled": True}),
    "kps-88.5.3-grafana-sts": (3, {"grafana.persistence": {"enabled": True, "type": "sts"}}),
    "kps-88.5.3-agent": (3, {"prometheus.agentMode": True}),
    "kps-88.5.3-upstream-storage": (
        3,
        {
            "prometheus.prometheusSpec.storageSpec.volumeClaimTemplate.spec": CLAIM,
            "alertmanager.alertmanagerSpec.storage.volumeClaimTemplate.spec": SMALL_CLAIM,
        },
    ),
    "kps-88.5.3-default-helm4-plugin": (4, {}),
    # The values behind this one also name a query endpoint, which is to be seen in the stream only.
    "kps-88.5.3-ha-helm4-plugin": (
        4,
        HA | {"thanosRuler.thanosRulerSpec.queryEndpoints": ["http://q:1"]},
    ),
}
"""The recorded streams of the chart's version: the Helm and the values that they were made with."""


@cache
def recorded(name: str) -> Objects:
    """Return the objects of a recorded stream."""
    return objects(corpus.stream(name).decode())


@cache
def rendered(name: str) -> Objects:
    """Return the stand-in's objects, made with the values of a recorded stream."""
    major, values = STREAMS[name]
    # The objects of `helm test` were recorded only where Helm 4 hands them to a post-renderer.
    tests = [] if major == 4 else ["--skip-tests"]
    return objects(template(major, STAND_IN, *settings(values), *tests))


def objects(text: str) -> Objects:
    """Return each object by kind and name as a flat map; our version reads as the real one."""
    parsed = documents(text.replace("_standin", ""))
    return {(each["kind"], each["metadata"]["name"]): flat(each) for each in parsed}


def flat(document: Document) -> Leaves:
    """Return an object's leaves by path, without nulls and without Helm 4's own mark."""
    found = dict(leaves(document, ""))
    found.pop("metadata.annotations.postrenderer.helm.sh/postrender-filename", None)
    return {path: value for path, value in found.items() if value is not None}


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield path and value of each leaf; items go by what names them, lists of texts sorted."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}".removeprefix("."))
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            name = item.get("mountPath") or item.get("name") or index
            yield from leaves(item, f"{path}[{name}]")
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        yield path, sorted(value)
    else:
        yield path, value


def differences(real: Objects, mine: Objects) -> dict[Object, dict[str, tuple[Any, Any]]]:
    """Return for each of our objects the paths whose value is not the real chart's."""
    found: dict[Object, dict[str, tuple[Any, Any]]] = {}
    for each, ours in mine.items():
        theirs = real.get(each, {})
        for path in sorted(theirs.keys() | ours.keys()):
            pair = (theirs.get(path), ours.get(path))
            if pair[0] != pair[1]:
                found.setdefault(each, {})[path] = pair
    return found


def remaining(
    found: dict[Object, dict[str, tuple[Any, Any]]], rows: tuple[Allowed, ...]
) -> list[str]:
    """Return as lines the differences that no row lets through."""
    return [
        f"{kind} {name} {path}: real {theirs!r}, ours {ours!r}"
        for (kind, name), paths in found.items()
        for path, (theirs, ours) in paths.items()
        if not any(row.covers(kind, name, path) for row in rows)
    ]


def left_out(real: Objects, mine: Objects, rows: tuple[Allowed, ...]) -> list[Object]:
    """Return the real chart's objects that we do not have and that no row lets through."""
    missing = real.keys() - mine.keys()
    return sorted(each for each in missing if not any(row.covers(*each, "") for row in rows))


def stale(pairs: list[tuple[Objects, Objects]], rows: tuple[Allowed, ...]) -> list[Allowed]:
    """Return the rows that let nothing through in these pairs of the real chart and ours."""
    seen: set[tuple[str, str, str]] = set()
    for real, mine in pairs:
        seen |= {(*each, "") for each in real.keys() - mine.keys()}
        for each, paths in differences(real, mine).items():
            seen |= {(*each, path) for path in paths}
    return [row for row in rows if not any(row.covers(*leaf) for leaf in seen)]


@RECORDED
@pytest.mark.parametrize("name", STREAMS)
def test_object_is_the_recorded_one(name: str) -> None:
    """Each object of the stand-in is the recorded object, field by field, but for the table."""
    found = differences(recorded(name), rendered(name))

    assert [] == remaining(found, DIFFERENCES)


@RECORDED
@pytest.mark.parametrize("name", STREAMS)
def test_nothing_else_is_missing(name: str) -> None:
    """The stand-in leaves out what the table names, and nothing else."""
    assert [] == left_out(recorded(name), rendered(name), LEFT_OUT)


@RECORDED
def test_tables_are_not_stale() -> None:
    """Each row of the two tables still lets something through."""
    pairs = [(recorded(name), rendered(name)) for name in STREAMS]

    assert [] == stale(pairs, DIFFERENCES + LEFT_OUT)


@pytest.fixture(scope="module")
def real() -> str:
    """Return the path of the real chart of the version that is imitated, or skip."""
    if not REAL:
        pytest.skip("KPS_CHART does not name the real chart")
    if "chart: kube-prometheus-stack-88.5.3\n" not in template(3, REAL):
        pytest.skip(f"{REAL} is not kube-prometheus-stack 88.5.3")
    return REAL


@cache
def beside(real: str, values: Path) -> tuple[Objects, Objects]:
    """Return what the real chart and the stand-in make of one values file."""
    theirs, ours = (objects(template(3, chart, "--values", values)) for chart in (real, STAND_IN))
    return theirs, ours


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.stem)
def test_object_is_the_real_charts(real: str, values: Path) -> None:
    """With the values of ci/ each object is the one that the real chart renders."""
    theirs, ours = beside(real, values)

    assert [] == remaining(differences(theirs, ours), DIFFERENCES + RARE)
    assert [] == left_out(theirs, ours, LEFT_OUT + RARE)


def test_table_of_rare_differences_is_not_stale(real: str) -> None:
    """Each row that the values of ci/ ask for still lets something through."""
    assert [] == stale([beside(real, values) for values in CASES], RARE)


@pytest.mark.parametrize("values", CASES, ids=lambda path: path.stem)
def test_majors_agree(values: Path) -> None:
    """Helm 3 and Helm 4 make the same objects of the stand-in."""
    three, four = (template(major, STAND_IN, "--values", values) for major in (3, 4))

    assert objects(three) == objects(four)


LONG = "kube-prometheus-stack-1681228346"
NEWER = {
    # Since then the ruler has a Secret, and its name is cut to 25 characters instead of 26.
    ("Secret", "kube-prometheus-stack-thanos-ruler"),
    ("ThanosRuler", "kube-prometheus-stack-168-thanos-ruler"),
}


@RECORDED
def test_names_are_cut_as_recorded() -> None:
    """A long release name is cut to 26 characters in each name that the old stream has."""
    values = settings({"thanosRuler.enabled": True})
    ours = objects(template(3, STAND_IN, *values, release=LONG, namespace="prometheus"))

    assert ours.keys() - recorded("kps-45.9.1-longname").keys() == NEWER
    # Services of the control plane select its pods, so they are where those are.
    assert {"prometheus", "kube-system"} == {
        each.get("metadata.namespace", "prometheus") for each in ours.values()
    }

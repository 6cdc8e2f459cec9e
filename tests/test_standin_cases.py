"""What the stand-in for kube-prometheus-stack makes of names, Grafana's values and hooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.helm import HelmError, documents, settings, template
from tests.tools.documents import Document, is_hook, key
from tests.tools.stage import STAND_IN

CHART = "kube-prometheus-stack"
LONG = f"{CHART}-1681228346"
MAJORS = pytest.mark.parametrize("major", [3, 4])

CLEAN = {"cleanPrometheusOperatorObjectNames": True, "thanosRuler.enabled": True}
CUSTOM = ("Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler")
NAMES: tuple[tuple[str, dict[str, Any], dict[str, str]], ...] = (
    (
        "kps",
        {},
        {
            "Prometheus": "kps-kube-prometheus-stack-prometheus",
            "Alertmanager": "kps-kube-prometheus-stack-alertmanager",
        },
    ),
    (
        LONG,
        {"thanosRuler.enabled": True, "prometheus.agentMode": True},
        {
            "PrometheusAgent": "kube-prometheus-stack-1681-prometheus",
            "Alertmanager": "kube-prometheus-stack-1681-alertmanager",
            "ThanosRuler": "kube-prometheus-stack-168-thanos-ruler",
        },
    ),
    ("kps", CLEAN, dict.fromkeys(("Prometheus", "Alertmanager", "ThanosRuler"), f"kps-{CHART}")),
    (
        LONG,
        CLEAN,
        dict.fromkeys(("Prometheus", "Alertmanager", "ThanosRuler"), f"{CHART}-1681"),
    ),
    (
        "kps",
        {"fullnameOverride": "a-name-of-25-characters-x", "alertmanager.enabled": False},
        {"Prometheus": "a-name-of-25-characters-x-prometheus"},
    ),
    (
        "kps",
        {"nameOverride": "kps", "prometheus.enabled": False},
        {"Alertmanager": "kps-alertmanager"},
    ),
)
"""Release, values, and the names of the custom resources."""


@pytest.mark.parametrize(("release", "values", "expected"), NAMES)
def test_custom_resource_names(
    release: str, values: dict[str, Any], expected: dict[str, str]
) -> None:
    """The custom resources are named after the release, cut, and cleaned where that is asked."""
    found = documents(template(3, STAND_IN, *settings(values), release=release))
    custom = [each for each in found if each["kind"] in CUSTOM]

    assert expected == {each["kind"]: each["metadata"]["name"] for each in custom}


@dataclass(frozen=True)
class GrafanaCase:
    """Values of grafana, and where its data then is."""

    values: dict[str, Any]
    workload: str | None
    """None: upstream renders none, and says nothing."""
    volume: dict[str, Any] | None = None
    """The source of the pod's volume named storage; None: the pod has none of that name."""
    templates: tuple[str, ...] = ()
    claim: bool = False


EMPTY: dict[str, Any] = {"emptyDir": {}}
OWN = {"persistentVolumeClaim": {"claimName": "kps-grafana"}}
GRAFANA = {
    "off": GrafanaCase({}, "Deployment", EMPTY),
    "pvc": GrafanaCase({"persistence.enabled": True}, "Deployment", OWN, claim=True),
    "pvc, existing claim": GrafanaCase(
        {"persistence.enabled": True, "persistence.existingClaim": "mine"},
        "Deployment",
        {"persistentVolumeClaim": {"claimName": "mine"}},
    ),
    "sts": GrafanaCase(
        {"persistence": {"enabled": True, "type": "sts"}}, "StatefulSet", None, ("storage",)
    ),
    "sts, existing claim": GrafanaCase(
        {"persistence": {"enabled": True, "type": "sts", "existingClaim": "mine"}}, None
    ),
    "a type of another word": GrafanaCase(
        {"persistence": {"enabled": True, "type": "statefulSet"}}, None
    ),
    "useStatefulSet, pvc": GrafanaCase(
        {"useStatefulSet": True, "persistence.enabled": True}, "StatefulSet", OWN, ("storage",)
    ),
    "useStatefulSet, existing claim": GrafanaCase(
        {"useStatefulSet": True, "persistence": {"enabled": True, "existingClaim": "mine"}},
        "StatefulSet",
        {"persistentVolumeClaim": {"claimName": "mine"}},
        ("storage",),
    ),
    "useStatefulSet, off": GrafanaCase({"useStatefulSet": True}, "StatefulSet", EMPTY),
    "off, sts": GrafanaCase({"persistence.type": "sts"}, "Deployment", EMPTY),
}


@MAJORS
@pytest.mark.parametrize("name", GRAFANA)
def test_grafana_case(name: str, major: int) -> None:
    """Each combination of values gives the workload, volume and claims of the real chart."""
    case = GRAFANA[name]
    values = settings({f"grafana.{path}": value for path, value in case.values.items()})
    ours = [each for each in documents(template(major, STAND_IN, *values)) if _is_grafana(each)]
    workloads = [each for each in ours if each["kind"] in ("Deployment", "StatefulSet")]
    claims = [each for each in ours if each["kind"] == "PersistentVolumeClaim"]

    assert ([case.workload] if case.workload else []) == [each["kind"] for each in workloads]
    assert case.claim == bool(claims)
    for each in workloads:
        volumes = each["spec"]["template"]["spec"]["volumes"]
        sources = [volume | {"name": None} for volume in volumes if volume["name"] == "storage"]
        templates = each["spec"].get("volumeClaimTemplates", [])

        assert ([case.volume | {"name": None}] if case.volume else []) == sources
        assert case.templates == tuple(each["metadata"]["name"] for each in templates)


def _is_grafana(document: Document) -> bool:
    return bool(document["metadata"]["name"] == "kps-grafana")


INSTALL, AFTER = "pre-install,pre-upgrade", "post-install,post-upgrade"
BOTH = f"{INSTALL},{AFTER}"
ADMISSION = "kps-kube-prometheus-stack-admission"
HOOKS = {
    ("ClusterRole", ADMISSION): BOTH,
    ("ClusterRoleBinding", ADMISSION): BOTH,
    ("Job", f"{ADMISSION}-create"): INSTALL,
    ("Job", f"{ADMISSION}-patch"): AFTER,
    ("Role", ADMISSION): BOTH,
    ("RoleBinding", ADMISSION): BOTH,
    ("ServiceAccount", ADMISSION): BOTH,
    ("ConfigMap", "kps-grafana-test"): "test",
    ("Pod", "kps-grafana-test"): "test",
    ("ServiceAccount", "kps-grafana-test"): "test",
}
NO_HOOKS = {
    "prometheusOperator.admissionWebhooks.enabled": False,
    "grafana.testFramework.enabled": False,
}


@MAJORS
@pytest.mark.parametrize(("values", "expected"), [({}, HOOKS), (NO_HOOKS, {})])
def test_hooks(values: dict[str, Any], expected: dict[tuple[str, str], str], major: int) -> None:
    """The hooks run at the stages of the real chart's, and the same switches turn them off."""
    found = documents(template(major, STAND_IN, *settings(values)))
    hooks = {key(each)[1::2]: each["metadata"]["annotations"] for each in found if is_hook(each)}

    assert expected == {each: notes["helm.sh/hook"] for each, notes in hooks.items()}


@MAJORS
def test_refusal_is_told(major: int) -> None:
    """What Helm says when it refuses reaches the person who reads the failure."""
    with pytest.raises(HelmError, match="nowhere"):
        template(major, STAND_IN / "nowhere")

"""A release that is nothing but one Prometheus object: enough where only Helm is looked at."""

from __future__ import annotations

from tests.e2e.install import Values, for_stack, merged

OFF: Values = {"enabled": False}
PARTS = (
    *("crds", "alertmanager", "grafana", "kubeStateMetrics", "nodeExporter"),
    *("prometheusOperator", "coreDns", "kubeApiServer", "kubeControllerManager", "kubeEtcd"),
    *("kubeProxy", "kubeScheduler", "kubelet"),
)


def quiet() -> Values:
    """Return the values that switch everything else off."""
    ours: Values = {"persistence": {"alertmanager": OFF, "grafana": OFF, "thanosRuler": OFF}}
    parts = {**dict.fromkeys(PARTS, OFF), "defaultRules": {"create": False}}
    return merged(ours, for_stack(parts))

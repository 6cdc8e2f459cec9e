"""kube-prometheus without Helm, as far as storage goes: a few manifests of our own."""

from __future__ import annotations

from typing import Any

import yaml

Object = dict[str, Any]

REPLICAS = {"prometheus": 2, "alertmanager": 3, "grafana": 1}


def monitoring(kind: str, name: str, namespace: str, **spec: Any) -> Object:
    """Return a custom resource of the operator; Prometheus and Alertmanager run as 1000:2000."""
    context = {"runAsUser": 1000, "runAsGroup": 2000, "runAsNonRoot": True, "fsGroup": 2000}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"securityContext": context, **spec},
    }


def grafana(namespace: str) -> Object:
    """Return Grafana, which keeps its database in an emptyDir."""
    labels = {"app.kubernetes.io/name": "grafana"}
    mount = {"name": "grafana-storage", "mountPath": "/var/lib/grafana"}
    container = {"name": "grafana", "image": "grafana/grafana:13.1.3", "volumeMounts": [mount]}
    volumes = [{"name": "grafana-storage", "emptyDir": {}}]
    pod = {
        "securityContext": {"runAsUser": 65534, "runAsNonRoot": True, "fsGroup": 65534},
        "containers": [container],
        "volumes": volumes,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "grafana", "namespace": namespace},
        "spec": {
            "replicas": REPLICAS["grafana"],
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def manifests(namespace: str = "monitoring") -> str:
    """Return the stack: Prometheus k8s, Alertmanager main and Grafana, none of them durable."""
    server = monitoring("Prometheus", "k8s", namespace, replicas=REPLICAS["prometheus"])
    alerts = monitoring("Alertmanager", "main", namespace, replicas=REPLICAS["alertmanager"])
    return str(yaml.safe_dump_all([alerts, grafana(namespace), server], sort_keys=False))

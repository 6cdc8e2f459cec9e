"""The values of `localProvisioner`: where each ends, by default, when given, when null."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from tests.rendering import Settings

DISKS = {"name": "disks", "hostDir": "/data/local"}
REFUSED = object()
POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
IMAGE = "registry.k8s.io/sig-storage/local-volume-provisioner:v2.9.0"
PRIVATE = "example.com/mirror/local-volume-provisioner@sha256:0"
LINUX = {"kubernetes.io/os": "linux"}
TOLERATION = {"key": "storage", "operator": "Exists", "effect": "NoSchedule"}
RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}}


@dataclass(frozen=True)
class Value:
    """A value: the object and field that it ends in, and what stands there; None: nothing."""

    kind: str
    field: str
    default: Any
    given: Any
    shown: Any
    null: Any = None


VALUES: Mapping[str, Value] = MappingProxyType(
    {
        "enabled": Value("DaemonSet", "kind", None, given=True, shown="DaemonSet"),
        "image": Value("DaemonSet", f"{CONTAINER}.image", IMAGE, PRIVATE, PRIVATE, REFUSED),
        "classes": Value(
            "DaemonSet",
            f"{POD}.volumes.1.hostPath.path",
            "/data/local",
            [{**DISKS, "hostDir": "/d"}],
            "/d",
            REFUSED,
        ),
        "nodeSelector": Value(
            "DaemonSet",
            f"{POD}.nodeSelector",
            LINUX,
            {"disks": "local", "kubernetes.io/os": "windows"},
            {"disks": "local", **LINUX},
            LINUX,
        ),
        "tolerations": Value(
            "DaemonSet", f"{POD}.tolerations", None, [TOLERATION], [TOLERATION], None
        ),
        "resources.requests.cpu": Value(
            "DaemonSet", f"{CONTAINER}.resources.requests.cpu", "10m", "1", "1"
        ),
        "resources.requests.memory": Value(
            "DaemonSet", f"{CONTAINER}.resources.requests.memory", "32Mi", "1Gi", "1Gi"
        ),
        "resources.limits.memory": Value(
            "DaemonSet", f"{CONTAINER}.resources.limits.memory", "256Mi", "1Gi", "1Gi"
        ),
        "seLinuxOptions": Value(
            "DaemonSet",
            f"{CONTAINER}.securityContext.seLinuxOptions",
            None,
            {"type": "spc_t"},
            {"type": "spc_t"},
        ),
        "podMonitor.enabled": Value("PodMonitor", "kind", None, given=True, shown="PodMonitor"),
        "networkPolicy.enabled": Value(
            "NetworkPolicy", "kind", "NetworkPolicy", given=False, shown=None
        ),
    }
)
"""By path below `localProvisioner`; with one class of mount points, and switched on."""


def on(*classes: Any, **more: Any) -> Settings:
    """Return the settings that switch the provisioner on, with these classes."""
    settings = {"enabled": True, "classes": list(classes) or [DISKS], **more}
    return {f"localProvisioner.{path}": value for path, value in settings.items()}

"""What kube-prometheus-stack needs on the test cluster: values, and images under its names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.cluster.errors import ClusterError

VALUES = Path(__file__).resolve().parent / "lab-values.yaml"
# Repository -> recipe. The chart chooses the tags; what it gets is what mod/ pins.
REPOSITORIES: Mapping[str, str] = MappingProxyType(
    {
        "docker.io/grafana/grafana": "grafana-standin",
        "docker.io/library/busybox": "busybox",
        "docker.io/library/influxdb": "influxdb",
        "docker.io/rancher/local-path-provisioner": "local-path-provisioner",
        "quay.io/prometheus-operator/admission-webhook": "admission-webhook",
        "quay.io/prometheus-operator/prometheus-config-reloader": "prometheus-config-reloader",
        "quay.io/prometheus-operator/prometheus-operator": "prometheus-operator",
        "quay.io/prometheus/alertmanager": "alertmanager",
        "quay.io/prometheus/prometheus": "prometheus",
        "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner": "nfs-provisioner-standin",
        "registry.k8s.io/sig-storage/local-volume-provisioner": "local-provisioner",
        "quay.io/thanos/thanos": "thanos",
    }
)
NAMED = re.compile(r"""(?:\bimage: |--prometheus-config-reloader=)["']?([^\s"']+)""")


def images(rendered: str) -> dict[str, str]:
    """Return the images that rendered manifests ask for, each with its recipe.

    An image that cannot be made is an error: its pod would wait for it until a test gives up.
    """
    wanted = {each: REPOSITORIES.get(repository(each)) for each in NAMED.findall(rendered)}
    unknown = sorted(name for name, recipe in wanted.items() if not recipe)
    if unknown:
        raise ClusterError(
            f"no image here for {', '.join(unknown)}: "
            f"switch off what asks for it, as {VALUES.name} does"
        )
    return {name: recipe for name, recipe in wanted.items() if recipe}


def repository(name: str) -> str:
    """Return an image name without tag and digest."""
    path, _, last = name.partition("@")[0].rpartition("/")
    return f"{path}/{last.partition(':')[0]}"

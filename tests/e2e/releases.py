"""The releases that the scenarios and the survival matrix use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.cluster.cluster import Cluster
from tests.e2e import samples
from tests.e2e.install import Release, Values, for_stack, lab_values, merged, profile, relocated
from tests.e2e.silences import MAINTENANCE
from tests.tools.stage import DEPENDENCY

CLASS = "durable-e2e"
# With another name the stack's own name is put behind it, and of the StatefulSets of further shards
# no pod can be made: their names have 55 characters, and the label of their revision has 11 more.
NAME = "kube-prometheus-stack"
RULER_PORT = 10902
RULER_IMAGE = "docker.io/library/busybox:1.37.0"
# In the place of Thanos Ruler, whose image is not to be had: it writes where the ruler writes, and
# answers the probes.
RULER = (
    "mkdir -p /thanos/data/- && touch /thanos/data/-/ready /thanos/data/-/healthy && "
    f"trap 'exit 0' TERM && {{ httpd -f -p {RULER_PORT} -h /thanos/data & wait; }}"
)


def observed() -> Values:
    """Return what the tests need of kube-prometheus-stack, to see what happens to the data."""
    # Two releases on one cluster: each operator sees to its own.
    operator = {"namespaces": {"releaseNamespace": True, "additional": []}}
    spec = {"enableRemoteWriteReceiver": True, "additionalScrapeConfigs": samples.scrape_config()}
    needed = {
        "prometheusOperator": operator,
        "prometheus": {"prometheusSpec": spec},
        "alertmanager": {"alertmanagerSpec": {"additionalArgs": [MAINTENANCE]}},
    }
    return merged(for_stack(lab_values()), for_stack(needed))


def on_disks(release: Release, name: str, *layers: Values) -> Release:
    """Return the release with a profile whose volumes are fresh folders of the one node."""
    wanted = profile(name)

    def folder(node: str, path: str) -> Path:
        return release.folder(f"{release.name[:6]}-{node[:11]}-{Path(path).name}")

    moved = relocated(wanted, release.cluster.node_name, folder)
    return replace(release, values=merged(wanted, moved, observed(), *layers))


def scenario_a(cluster: Cluster) -> Release:
    """One disk, one node: values/local.yaml by Helm 4 and the plugin."""
    return on_disks(Release(cluster, NAME, "monitoring", 4, {}), "local")


def scenario_d(cluster: Cluster) -> Release:
    """The whole stack on hostPath, with the release name of that installation, by Helm 3."""
    release = Release(cluster, "kube-prometheus-stack-1681228346", "prometheus", 3, {})
    container = {"name": "thanos-ruler", "image": RULER_IMAGE, "command": ["sh", "-c", RULER]}
    spec = {"image": None, "containers": [container]}
    return on_disks(release, "hostpath", for_stack({"thanosRuler": {"thanosRulerSpec": spec}}))


def reached(cluster: Cluster, namespace: str, url: str) -> Release:
    """Scenario C's class, NodePorts, control plane and remote write; Prometheus runs twice.

    The class's driver is the cluster's, the control plane is where it runs, the store is at `url`.
    """
    names = ("csi", "nodeport", "control-plane", "remote-write")
    wanted = merged(*map(profile, names))
    (made,) = wanted["storageClasses"]
    # Volumes that obey fsGroup, as those of a driver do.
    local = {"annotations": {"defaultVolumeType": "local"}, "parameters": {}}
    classes = [{**made, "provisioner": cluster.add_provisioner(), **local}]
    (remote,) = wanted[DEPENDENCY]["prometheus"]["prometheusSpec"]["remoteWrite"]
    spec = {"replicas": 2, "remoteWrite": [{**remote, "url": url}]}
    where = {"enabled": True, "endpoints": [cluster.node_address]}
    parts = ("kubeProxy", "kubeEtcd", "kubeControllerManager", "kubeScheduler")
    here = {"prometheus": {"prometheusSpec": spec}, **dict.fromkeys(parts, where)}
    values = merged(wanted, observed(), {"storageClasses": classes}, for_stack(here))
    return Release(cluster, "reach", namespace, 4, values)


def long_term(cluster: Cluster) -> Release:
    """values/influxdb.yaml over values/local.yaml: Prometheus with a long-term store, no more."""
    name = "long-term"
    # When both go, Prometheus waits for the store that is gone: a minute, if nothing else is said.
    deadline = {"name": "storage.remote.flush-deadline", "value": "2s"}
    hurried = {"prometheusSpec": {"additionalArgs": [deadline]}}
    off = {"enabled": False}
    release = on_disks(
        Release(cluster, name, name, 4, {}),
        "local",
        profile("influxdb"),
        for_stack({"alertmanager": off, "grafana": off, "prometheus": hurried}),
        {"persistence": {"alertmanager": off, "grafana": off}},
    )
    # Classes are the whole cluster's, and another release may have its own of that profile.
    volume = {"node": cluster.node_name, "local": str(release.folder("influxdb"))}
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    store = {"size": "1Gi", "storageClassName": name, "volumes": [volume], "resources": small}
    moved = {
        "storageClasses": [{"name": name}],
        "persistence": {"prometheus": {"storageClassName": name}},
        "influxdb": store,
    }
    return replace(release, values=merged(release.values, moved))


def provisioned(cluster: Cluster) -> Release:
    """A class that provisions: the default class of a cluster that is not ours."""
    persistence = {name: {"size": "1Gi"} for name in ("prometheus", "alertmanager", "grafana")}
    return Release(
        cluster, NAME, "durable-e2e", 4, merged({"persistence": persistence}, observed())
    )

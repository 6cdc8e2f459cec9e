"""Scenario E: the chart's provisioner on disks of the node, as in values/local-provisioner.yaml.

The provisioner's program is the real one where $DURABLE_LOCAL_PROVISIONER names it, else a stand-in
(tests/cluster/recipes.py). All around it is the chart's: DaemonSet, account, rights, settings and
classes.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster, Endpoint, Object
from tests.cluster.errors import ClusterError
from tests.e2e.claims import IMAGE
from tests.e2e.install import Release, Values, merged, profile
from tests.e2e.releases import observed

NAME = "disks"
DISKS = "durable-prometheus-stack/disks"
BY = "pv.kubernetes.io/provisioned-by"
HOSTNAME = "kubernetes.io/hostname"
PORT = 8080
TIMEOUT = 60
EVERYBODY = ("authentication.k8s.io", "authorization.k8s.io")
# File system and claim. Prometheus sets 128M aside for the first chunks that it maps.
SIZES = {
    "prometheus": ("512M", "300Mi"),
    "alertmanager": ("64M", "40Mi"),
    "grafana": ("64M", "40Mi"),
}
REPLICAS = {"prometheus": 3}


@dataclass(frozen=True)
class Discovery:
    """A release with a provisioner, and the folder that holds its classes' directories."""

    release: Release
    root: Path

    @property
    def cluster(self) -> Cluster:
        """The cluster."""
        return self.release.cluster

    @property
    def account(self) -> str:
        """The name of the provisioner's account, and of all that it has in its namespace."""
        return f"{self.release.name}-local-provisioner"

    def pod(self) -> Object:
        """Return the provisioner's pod."""
        selector = "app.kubernetes.io/component=local-provisioner"
        selector += f",app.kubernetes.io/instance={self.release.name}"
        (found,) = self.cluster.objects("pods", self.release.namespace, selector)
        return found

    def log(self) -> str:
        """Return what the provisioner wrote."""
        return self.cluster.logs(self.pod()["metadata"]["name"], self.release.namespace)

    def wait_until_ready(self, *, ready: bool = True) -> None:
        """Wait until the provisioner says that its last look was without an error, or with one."""

        def said() -> bool:
            name = self.pod()["metadata"]["name"]
            endpoint = Endpoint(name, self.release.namespace, PORT)
            try:
                status = self.cluster.http(endpoint, "/ready").status
            except (ClusterError, KeyError):  # no address of it yet, or no answer
                return False
            return ready == (200 == status)

        what = "finds no fault" if ready else "has found a fault"
        self.cluster.wait(f"the provisioner {what}", said, TIMEOUT, self.release.namespace)

    def volumes(self, storage_class: str) -> list[Object]:
        """Return the volumes of a class, by their paths."""
        found = self.cluster.objects("persistentvolumes")
        mine = [each for each in found if storage_class == each["spec"].get("storageClassName")]
        return sorted(mine, key=path)

    def wait_for_volumes(self, storage_class: str, phase: str, number: int = 1) -> list[Object]:
        """Wait until so many volumes of a class are in a phase, and return these."""

        def there() -> list[Object] | None:
            every = self.volumes(storage_class)
            found = [each for each in every if phase == each["status"].get("phase")]
            return found if number == len(found) else None

        what = f"{number} volumes of {storage_class} are {phase}"
        return self.cluster.wait(what, there, TIMEOUT, self.release.namespace)


def path(volume: Object) -> str:
    """Return where a discovered volume's disk is mounted, or the device's link."""
    return str(volume["spec"]["local"]["path"])


def hashed(entry: str, node: str, storage_class: str) -> str:
    """Return the name of a volume: FNV-1a, 32 bits, of what tells it from all others."""
    value = 0x811C9DC5
    for byte in f"{entry}{node}{storage_class}".encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return f"local-pv-{value:x}"


def on_disks(cluster: Cluster) -> Discovery:
    """Return the whole stack on discovered disks: three for Prometheus, one for each other."""
    wanted = profile("local-provisioner")
    root = folder(cluster)
    classes = relocated(cluster, wanted, root)
    for consumer, (size, _) in SIZES.items():
        for number in range(REPLICAS.get(consumer, 1)):
            cluster.disk(f"{root.name}/{consumer}/disk{number + 1}", size)
    layer: Values = {
        "localProvisioner": {"classes": classes},
        "persistence": {name: {"size": claim} for name, (_, claim) in SIZES.items()},
    }
    spec = {"prometheus": {"prometheusSpec": {"replicas": REPLICAS["prometheus"]}}}
    values = merged(wanted, observed(), layer, {"kube-prometheus-stack": spec})
    return Discovery(Release(cluster, NAME, "durable-e2e-discovery", 4, values), root)


def alone(cluster: Cluster, name: str, *classes: Mapping[str, Any]) -> Discovery:
    """Return a provisioner without a stack, for classes with the directories `root`/name."""
    root = folder(cluster)
    for each in classes:
        cluster.disk(f"{root.name}/{each['name']}")
    entries = [{**each, "hostDir": str(root / each["name"])} for each in classes]
    off = {"enabled": False}
    values: Values = {
        "localProvisioner": {"enabled": True, "classes": entries},
        "persistence": dict.fromkeys(("prometheus", "alertmanager", "thanosRuler", "grafana"), off),
        "kube-prometheus-stack": off,
    }
    return Discovery(Release(cluster, name, f"durable-e2e-{name}", 3, values), root)


def folder(cluster: Cluster) -> Path:
    """Make the folder that holds the classes' directories."""
    return cluster.disk(f"discovery-{uuid.uuid4().hex[:6]}")


def relocated(cluster: Cluster, wanted: Values, root: Path) -> list[Values]:
    """Return a profile's classes with directories that are there, below the root."""
    found = []
    for each in wanted["localProvisioner"]["classes"]:
        made = cluster.disk(f"{root.name}/{Path(each['hostDir']).name}")
        found.append({**each, "hostDir": str(made)})
    return found


@contextmanager
def labelled(cluster: Cluster) -> Iterator[None]:
    """Tell the provisioner's pods that the node has disks."""
    node = cluster.node_name
    cluster.kubectl("label", "node", node, f"{DISKS}=local", "--overwrite")
    try:
        yield
    finally:
        cluster.kubectl("label", "node", node, f"{DISKS}-")


@contextmanager
def installed(found: Discovery) -> Iterator[Discovery]:
    """Install a provisioner that has no stack, and remove it with its volumes."""
    try:
        found.release.install()
        found.cluster.wait("the provisioner has a pod", lambda: bool(found.pod()["status"]))
        found.wait_until_ready()
        yield found
    finally:
        found.release.purge()
        remove_volumes(found)


def remove_volumes(found: Discovery) -> None:
    """Remove the volumes of the classes, which are not the release's, once it is gone."""
    classes = {each["name"] for each in found.release.values["localProvisioner"]["classes"]}
    for each in found.cluster.objects("persistentvolumes"):
        if each["spec"].get("storageClassName") in classes:
            found.cluster.delete("persistentvolume", each["metadata"]["name"])


def rights(found: Discovery) -> set[tuple[str, str, str]]:
    """Return (verb, group, resource) of all that the account may do, as the API server says.

    But for what everybody may: to ask who one is, and what one may.
    """
    space = found.release.namespace
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": space},
    }
    account = f"--as=system:serviceaccount:{space}:{found.account}"
    told = found.cluster.kubectl(
        # Without a look at the resource definitions, which the account may not have.
        *("create", account, "--validate=false", "--filename=-", "--output=json"),
        stdin=yaml.safe_dump(review),
    )
    status = json.loads(told)["status"]
    assert not status["incomplete"]
    every = {
        each
        for rule in status["resourceRules"]
        for each in itertools.product(rule["verbs"], rule["apiGroups"], rule["resources"])
    }
    return {each for each in every if each[1] not in EVERYBODY}


def worker(
    found: Discovery, storage_class: str, script: str, *, mode: str = "Filesystem"
) -> Object:
    """Run a script in a pod on a claim of a class: at /data, or the device /dev/disk."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "volumeMode": mode,
        "resources": {"requests": {"storage": "1Mi"}},
    }
    place = {"name": storage_class, "namespace": found.release.namespace}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": place, "spec": spec}
    mounts: Values = {"volumeMounts": [{"name": "disk", "mountPath": "/data"}]}
    if mode == "Block":
        mounts = {"volumeDevices": [{"name": "disk", "devicePath": "/dev/disk"}]}
    command = ["sh", "-euc", f"{script}\ntouch /done\nsleep 3600"]
    probe = {"exec": {"command": ["test", "-e", "/done"]}, "periodSeconds": 1}
    container = {"name": "main", "image": IMAGE, "command": command, "readinessProbe": probe}
    volume = {"name": "disk", "persistentVolumeClaim": {"claimName": storage_class}}
    pod = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{**container, **mounts}],
        "volumes": [volume],
    }
    found.cluster.load_images({IMAGE: "busybox"})
    running = {"apiVersion": "v1", "kind": "Pod", "metadata": place, "spec": pod}
    found.cluster.apply(yaml.safe_dump_all([claim, running]))
    return found.cluster.wait_for_pod(storage_class, found.release.namespace)


def dismiss(found: Discovery, storage_class: str) -> None:
    """Delete the pod and the claim of a worker."""
    for kind in ("pod", "persistentvolumeclaim"):
        found.cluster.delete(kind, storage_class, found.release.namespace)

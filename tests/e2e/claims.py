"""Claims of others, and what scenarios say about claims and volumes."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from tests.cluster.cluster import Cluster, Object
from tests.cluster.errors import ClusterError

IMAGE = "docker.io/library/busybox:1.37.0"
SCHEDULED = "PodScheduled"
REFUSED = "didn't find available persistent volumes to bind"
TIMEOUT = 180


@dataclass(frozen=True)
class Rival:
    """A claim of somebody else, and a pod that wants it."""

    cluster: Cluster
    name: str
    namespace: str

    @property
    def bound(self) -> bool:
        """Whether the claim has got a volume."""
        found = self.cluster.get("persistentvolumeclaim", self.name, self.namespace)
        if not found:
            raise ClusterError(f"the claim {self.name} is not there")
        return bool(found["spec"].get("volumeName")) or "Pending" != found["status"]["phase"]

    def wait_until_refused(self) -> None:
        """Wait until the scheduler has looked for a volume and found none to take."""

        def refused() -> bool:
            pod = self.cluster.get("pod", self.name, self.namespace) or {"status": {}}
            conditions = pod["status"].get("conditions", [])
            return any(REFUSED in each.get("message", "") for each in conditions)

        self.cluster.wait("the scheduler finds no volume", refused, TIMEOUT, self.namespace)


@contextmanager
def rival(cluster: Cluster, name: str, storage_class: str) -> Iterator[Rival]:
    """Let somebody else ask for any volume of a class, with a pod that waits for it."""
    cluster.load_images({IMAGE: "busybox"})
    # Its own for each, so that nobody has to wait until it is gone.
    own = f"durable-e2e-{uuid.uuid4().hex[:8]}"
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": own},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": "1Mi"}},
        },
    }
    container = {"name": "main", "image": IMAGE, "command": ["sleep", "3600"]}
    mount = {"name": "data", "mountPath": "/data"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": own},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "containers": [{**container, "volumeMounts": [mount]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": name}}],
        },
    }
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": own}}
    try:
        cluster.apply(yaml.safe_dump_all([namespace, claim, pod]))
        yield Rival(cluster, name, own)
    finally:
        cluster.kubectl("delete", "namespace", own, "--ignore-not-found", "--wait=false")


def free(cluster: Cluster, volume: Object) -> None:
    """Make a released volume available again, still reserved for the claim of the same name.

    The test of the uid keeps the patch from a volume that somebody else has got meanwhile.
    """
    path = "/spec/claimRef/uid"
    uid = volume["spec"]["claimRef"]["uid"]
    patch = [{"op": "test", "path": path, "value": uid}, {"op": "remove", "path": path}]
    name = volume["metadata"]["name"]
    cluster.kubectl(
        "patch", "persistentvolume", name, "--type=json", f"--patch={json.dumps(patch)}"
    )
    wait_for_phase(cluster, name, "Available")


def wait_for_phase(cluster: Cluster, name: str, phase: str) -> Object:
    """Wait until a volume is in a phase, and return it."""

    def found() -> Object | None:
        volume = cluster.get("persistentvolume", name)
        return volume if volume and phase == volume["status"].get("phase") else None

    return cluster.wait(f"volume {name} is {phase}", found, TIMEOUT)

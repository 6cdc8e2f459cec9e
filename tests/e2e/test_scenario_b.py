"""Scenario B: plain manifests and NFS, without a release of the stack.

The kernel of the test machine mounts no NFS. So pods run on local volumes, the API server is shown
all that the NFS files render, and the provisioner works on a folder in the place of the export.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster import lab
from tests.cluster.cluster import Cluster, Object
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e import plain_road
from tests.e2e.claims import wait_for_phase
from tests.e2e.install import Release, Values, for_stack, lab_values, merged, profile
from tests.e2e.samples import KNOWN, Prometheus, lost
from tests.e2e.trap_fixtures import CONSUMERS, OFF, OFF_BY_CREATE, SERVER_IMAGE
from tests.plain import manifests, monitoring

pytestmark = pytest.mark.e2e

PODS = ("prometheus-k8s-0", "prometheus-k8s-1")
CLAIMS = tuple(f"prometheus-k8s-db-{pod}" for pod in PODS)
POD_TIMEOUT = 120
SHARE = "/mnt/data/prometheus_data/k8s-volume"
NFS_CLASS = "prometheus-data-db"
OWNER, GROUP = 1000, 2000  # of the export, as anonuid and anongid say it


@pytest.fixture(scope="module")
def release(ready_cluster: Cluster) -> Iterator[Release]:
    """An operator that sees to its own namespace, where the manifests go."""
    settings: Values = dict.fromkeys(("grafana", "alertmanager", "prometheus"), OFF)
    settings["defaultRules"] = OFF_BY_CREATE
    settings["prometheusOperator"] = {"namespaces": {"releaseNamespace": True, "additional": []}}
    off = {"persistence": dict.fromkeys(CONSUMERS, OFF)}
    values = merged(for_stack(lab_values()), for_stack(settings), off)
    found = Release(ready_cluster, "plain", f"e2e-plain-{uuid.uuid4().hex[:6]}", 4, values)
    try:
        found.install()
        yield found
    finally:
        found.purge()


@pytest.fixture(scope="module")
def disks(release: Release) -> list[Path]:
    """A folder of the node for each Prometheus pod."""
    try:
        return [release.folder(pod) for pod in PODS]
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))


def plan_on(disks: list[Path], release: Release) -> Values:
    """Return values that give the two pods a volume each."""
    node = release.cluster.node_name
    prometheus = {
        "size": "2Gi",
        "storageClassName": release.namespace,
        "volumes": [{"node": node, "local": str(folder)} for folder in disks],
    }
    off = dict.fromkeys(("alertmanager", "grafana"), OFF)
    classes = [{"name": release.namespace}]
    return {"storageClasses": classes, "persistence": {"prometheus": prometheus, **off}}


def test_plain_manifests_are_durable(release: Release, disks: list[Path]) -> None:
    """Two replicas of manifests without storage: claims Bound, data there after the pods went."""
    cluster, space = release.cluster, release.namespace
    cluster.load_images({SERVER_IMAGE: "prometheus"})
    server = monitoring(
        *("Prometheus", "k8s", space),
        replicas=2,
        image=SERVER_IMAGE,
        enableRemoteWriteReceiver=True,
        serviceMonitorSelector={},
    )
    text = plain_road.finished(plan_on(disks, release), yaml.safe_dump(server), space)
    try:
        cluster.apply(text)
        servers = [Prometheus(cluster, pod, space) for pod in PODS]
        first = {pod: cluster.wait_for_pod(pod, space, POD_TIMEOUT) for pod in PODS}
        bound = {name: claimed(cluster, name, space) for name in CLAIMS}
        assert list(map(str, disks)) == [each["spec"]["local"]["path"] for each in bound.values()]
        written = [each.write(salt) for salt, each in enumerate(servers)]
        before = [each.read(KNOWN) for each in servers]
        assert written == [next(iter(each.values())) for each in before]
        cluster.kubectl("delete", "pod", *PODS, f"--namespace={space}")
        for pod in PODS:
            again = cluster.wait_for_pod(pod, space, POD_TIMEOUT)
            assert first[pod]["metadata"]["uid"] != again["metadata"]["uid"]
        after = [each.read(KNOWN) for each in servers]
        assert [[], []] == [lost(*pair) for pair in zip(before, after, strict=True)]
        assert all((folder / "prometheus-db" / "wal").is_dir() for folder in disks)
        cluster.apply(text)
        again_bound = {name: claimed(cluster, name, space) for name in CLAIMS}
        assert uids(bound) == uids(again_bound)
    finally:
        # Before the operator, which would leave the pods.
        cluster.delete("prometheus.monitoring.coreos.com", "k8s", space)
        cluster.delete("storageclass", space)


def claimed(cluster: Cluster, name: str, namespace: str) -> Object:
    """Return the volume that a claim is bound to, which must be reserved for it."""

    def found() -> Object | None:
        claim = cluster.get("persistentvolumeclaim", name, namespace)
        bound = claim and "Bound" == claim["status"].get("phase")
        return cluster.get("persistentvolume", claim["spec"]["volumeName"]) if bound else None  # type: ignore[index]

    volume = cluster.wait(f"claim {name} is Bound", found, POD_TIMEOUT, namespace)
    reference = volume["spec"]["claimRef"]
    assert (namespace, name) == (reference["namespace"], reference["name"])
    return volume


def uids(volumes: dict[str, Object]) -> list[str]:
    """Return the identities of volumes."""
    return [each["metadata"]["uid"] for each in volumes.values()]


@pytest.mark.parametrize("major", [3, 4])
@pytest.mark.parametrize("name", ["nfs", "nfs-static", "nfs-provisioner"])
def test_api_takes_manifests_on_nfs(release: Release, name: str, major: int) -> None:
    """The stack of plain manifests on NFS, all of it, is what the API server would keep."""
    space = release.namespace
    text = plain_road.finished(profile(name), manifests(space), space, major)
    told = release.cluster.apply(text, "--dry-run=server")
    assert "prometheus.monitoring.coreos.com/k8s serverside-applied (server dry run)" in told
    assert "grafana" in told


@dataclass(frozen=True)
class Nfs:
    """The chart's NFS provisioner at work."""

    cluster: Cluster
    namespace: str
    export: Path
    account: str

    def folder(self, claim: str) -> Path:
        """Return the folder of a claim in the export."""
        return self.export / self.namespace / claim

    def ask(self, *claims: str) -> None:
        """Make claims as the operator does."""
        asked = [plain_road.claim(name, self.namespace, NFS_CLASS, "100Gi") for name in claims]
        self.cluster.apply(yaml.safe_dump_all(asked))


@pytest.fixture(scope="module")
def nfs(cluster: Cluster) -> Iterator[Nfs]:
    """values/nfs-provisioner.yaml, in a namespace that admits `restricted` pods only."""
    space = f"e2e-nfs-{uuid.uuid4().hex[:6]}"
    try:
        export = cluster.disk(f"{space}-export")
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    os.chown(export, OWNER, GROUP)
    export.chmod(0o2770)
    text = plain_road.finished(profile("nfs-provisioner"), manifests(space), space)
    applied = [
        plain_road.on_disk(each, export, cluster.node_name)
        if each["kind"] == "PersistentVolume"
        else each
        for each in plain_road.ours(text)
    ]
    level = {"pod-security.kubernetes.io/enforce": "restricted"}
    namespace = {"apiVersion": "v1", "kind": "Namespace"}
    namespace["metadata"] = {"name": space, "labels": level}  # type: ignore[assignment]
    cluster.load_images(lab.images(yaml.safe_dump_all(of_kind("Deployment", applied))))
    try:
        cluster.apply(yaml.safe_dump_all([namespace, *applied]))
        (account,) = of_kind("ServiceAccount", applied)
        yield Nfs(cluster, space, export, account["metadata"]["name"])
    finally:
        plain_road.remove(cluster, space, applied)


def of_kind(kind: str, objects: list[Object]) -> list[Object]:
    """Return the objects of a kind."""
    return [each for each in objects if each["kind"] == kind]


def test_provisioner_makes_volumes(nfs: Nfs) -> None:
    """With its own rights and no more: each claim is Bound to a directory of the export."""
    nfs.ask(*CLAIMS)
    for name in CLAIMS:
        spec = claimed(nfs.cluster, name, nfs.namespace)["spec"]
        path = f"{SHARE}/{nfs.namespace}/{name}"
        assert {"server": "k8s-node2", "path": path} == spec["nfs"]
        assert ("100Gi", "Retain") == (
            spec["capacity"]["storage"],
            spec["persistentVolumeReclaimPolicy"],
        )
        assert ["nfsvers=4.1", "hard", "noatime"] == spec["mountOptions"]
        made = nfs.folder(name).stat()
        assert (OWNER, GROUP) == (made.st_uid, made.st_gid)
    (pod,) = nfs.cluster.objects("pods", nfs.namespace)
    assert "forbidden" not in nfs.cluster.logs(pod["metadata"]["name"], nfs.namespace)


def test_deleted_claim_finds_its_data_again(nfs: Nfs) -> None:
    """A claim goes: volume and directory stay, and a claim of the same name gets the directory."""
    name = "alertmanager-main-db-alertmanager-main-0"
    nfs.ask(name)
    first = claimed(nfs.cluster, name, nfs.namespace)
    (nfs.folder(name) / "silences").write_text("kept")
    nfs.cluster.delete("persistentvolumeclaim", name, nfs.namespace)
    wait_for_phase(nfs.cluster, first["metadata"]["name"], "Released")
    nfs.ask(name)
    second = claimed(nfs.cluster, name, nfs.namespace)
    assert first["metadata"]["uid"] != second["metadata"]["uid"]
    assert first["spec"]["nfs"] == second["spec"]["nfs"]
    assert "kept" == (nfs.folder(name) / "silences").read_text()
    assert nfs.cluster.get("persistentvolume", first["metadata"]["name"])


STORAGE = "storage.k8s.io"
WANTED = (
    *((verb, "", "persistentvolumes") for verb in ("get", "list", "watch", "create")),
    *((verb, "", "persistentvolumeclaims") for verb in ("list", "watch")),
    *((verb, STORAGE, "storageclasses") for verb in ("list", "watch")),
    *((verb, "", "events") for verb in ("create", "patch")),
)
UNWANTED = (
    *((verb, "", "persistentvolumes") for verb in ("update", "patch", "delete")),
    *((verb, "", "persistentvolumeclaims") for verb in ("create", "update", "patch", "delete")),
    *((verb, STORAGE, "storageclasses") for verb in ("create", "update", "delete")),
    *((verb, "", "secrets") for verb in ("get", "list", "watch")),
    *((verb, "", "nodes") for verb in ("get", "list", "patch")),
    *((verb, "", "endpoints") for verb in ("get", "create", "update")),
    ("create", "coordination.k8s.io", "leases"),
    *((verb, "", "pods") for verb in ("get", "create", "delete")),
    ("get", "", "configmaps"),
)


def test_provisioner_has_least_rights(nfs: Nfs) -> None:
    """What it needs the API server grants it; nothing of what the old way had beside that."""
    user = f"system:serviceaccount:{nfs.namespace}:{nfs.account}"
    has = plain_road.allowed(nfs.cluster, user, *WANTED)
    lacks = plain_road.allowed(nfs.cluster, user, *UNWANTED)
    assert [] == [right for right, given in has.items() if not given]
    assert [] == [right for right, given in lacks.items() if given]

"""The cluster itself: that it is a real one, and that it leaves nothing behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import programs
from tests.cluster.cluster import FOREIGN, Cluster, Endpoint, Object, http, restarts
from tests.cluster.commands import CommandError, answer
from tests.cluster.errors import CannotBeDoneHereError, TimedOutError
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.snapshot import Snapshot, expect_nothing_left

pytestmark = pytest.mark.cluster

BUSYBOX = "docker.io/library/busybox:1.37.0"
GRAFANA = "docker.io/grafana/grafana:0-standin"
PORT = 8080
GRAFANA_PORT = 3000


@pytest.fixture(scope="module")
def own(before: Snapshot) -> Iterator[Cluster]:
    """A cluster of this module's own, which its last tests take down."""
    assert before
    machine = Machine(Layout.default())
    machine.up(owned=True)
    try:
        ours = Cluster.local(machine.layout)
        ours.load_images({BUSYBOX: "busybox", GRAFANA: "grafana-standin"})
        yield ours
    finally:
        machine.down()


def pod(name: str, image: str, *argv: str, **spec: Any) -> Object:
    """Return a pod of one container."""
    container = {"name": "main", "image": image, "command": list(argv) or None}
    extra: Object = spec.pop("container", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {
            "containers": [{**container, **extra}],
            "terminationGracePeriodSeconds": 0,
            **spec,
        },
    }


def apply(ours: Cluster, *objects: Object) -> None:
    """Apply objects."""
    ours.apply(yaml.safe_dump_all(objects))


def local_volume(name: str, path: Path, node: str) -> tuple[Object, Object]:
    """Return a local volume on a folder of the node, and a claim for it."""
    needs = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    common: Object = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **common,
            "capacity": {"storage": "32Mi"},
            "local": {"path": str(path)},
            "claimRef": {"namespace": "default", "name": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [needs]}]}},
        },
    }
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**common, "resources": {"requests": {"storage": "32Mi"}}},
    }
    return volume, claim


def on_claim(name: str, path: str) -> tuple[list[object], Object]:
    """Return a pod's volumes, and the container's part that mounts them."""
    volumes: list[object] = [{"name": "data", "persistentVolumeClaim": {"claimName": name}}]
    return volumes, {"volumeMounts": [{"name": "data", "mountPath": path}]}


def test_pod_runs(own: Cluster) -> None:
    """A pod of our busybox image becomes Ready, its log and a command in it can be read."""
    apply(own, pod("hello", BUSYBOX, "sh", "-c", "echo good morning; exec sleep 3600"))
    found = own.wait_for_pod("hello", "default")
    assert own.node_name == found["spec"]["nodeName"]
    assert "good morning\n" == own.logs("hello", "default")
    assert "sleep\n" == own.exec("hello", "default", "cat", "/proc/1/comm")


def test_service_is_reached(own: Cluster) -> None:
    """A service leads to its pod by name and address, from another pod and from the machine."""
    serve = f"mkdir /tmp/www && echo served > /tmp/www/index.html && httpd -f -p {PORT} -h /tmp/www"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": PORT}]},
    }
    apply(own, pod("web", BUSYBOX, "sh", "-c", serve), service)
    own.wait_for_pod("web", "default")
    found = own.get("service", "web", "default")
    assert found
    url = f"http://{found['spec']['clusterIP']}/"
    for where in (url, "http://web.default.svc.cluster.local/"):
        assert "served\n" == fetched_by_pod(own, where)
    assert b"served\n" == http(url, None, {}).body
    assert b"served\n" == own.http(Endpoint("web", "default", PORT), "/").body


def fetched_by_pod(ours: Cluster, url: str) -> str:
    """Return what a pod gets from a URL, once it answers."""
    ask = ("wget", "-q", "-O", "-", url)
    return ours.wait(f"{url} answers", lambda: ours.exec("hello", "default", *ask))


def test_pod_reaches_api_server(own: Cluster) -> None:
    """A pod reaches the API server at the address that its environment names."""
    ask = (
        r"printf 'GET / HTTP/1.0\r\n\r\n' | "
        "nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT"
    )
    told = own.exec("hello", "default", "sh", "-c", ask)
    assert "Client sent an HTTP request to an HTTPS server" in told


@pytest.mark.parametrize("size", ["", "64M"], ids=["folder", "file system"])
def test_volume_holds_data(own: Cluster, size: str) -> None:
    """A claim binds to a local volume on a disk, and the machine sees what the pod wrote there."""
    name = f"disk{size.lower()}"
    disk = own.disk(name, size)
    volumes, mounted = on_claim(name, "/data")
    script = "date > /data/when && exec sleep 3600"
    writer = pod(name, BUSYBOX, "sh", "-c", script, volumes=volumes, container=mounted)
    apply(own, *local_volume(name, disk, own.node_name), writer)
    own.wait_for_pod(name, "default")
    own.wait("the file is written", (disk / "when").exists)
    assert own.exec(name, "default", "cat", "/data/when") == (disk / "when").read_text()
    assert bool(size) == os.path.ismount(disk)


def test_grafana_standin_keeps_rows(own: Cluster) -> None:
    """The stand-in runs as uid 472, makes its files, and keeps its rows when it is killed."""
    disk = own.disk("grafana")
    volumes, mounted = on_claim("grafana", "/var/lib/grafana")
    context = {"fsGroup": 472, "runAsUser": 472, "runAsNonRoot": True}
    apply(
        own,
        *local_volume("grafana", disk, own.node_name),
        pod("grafana", GRAFANA, volumes=volumes, container=mounted, securityContext=context),
    )
    own.wait_for_pod("grafana", "default")
    endpoint = Endpoint("grafana", "default", GRAFANA_PORT)
    own.wait("it answers", lambda: 200 == own.http(endpoint, "/api/health").status)
    row = b'{"text": "first"}'
    assert 200 == own.http(endpoint, "/api/annotations", body=row).status
    assert (472, True) == ((disk / "grafana.db").stat().st_uid, (disk / "plugins").is_dir())
    own.kill_container("grafana", "default", "main")
    own.wait("it was started again", lambda: 1 == restarted(own, "grafana"))
    own.wait("it answers", lambda: 200 == own.http(endpoint, "/api/health").status)
    assert [{"id": 1, "text": "first"}] == own.http(endpoint, "/api/annotations").json()


def test_grafana_standin_needs_a_writable_folder(own: Cluster) -> None:
    """Where it may not write, the stand-in ends and its log says where and as whom."""
    volumes = [{"name": "data", "hostPath": {"path": str(own.disk("root-only"))}}]
    _, mounted = on_claim("", "/var/lib/grafana")
    apply(own, pod("refused", GRAFANA, volumes=volumes, container=mounted))
    own.wait("it ended", lambda: restarted(own, "refused"), namespace="default")
    told = own.logs("refused", "default", previous=True)
    assert "GF_PATHS_DATA=/var/lib/grafana is not writable by uid 472, gid 0" in told
    own.delete("pod", "refused", "default")


def restarted(ours: Cluster, name: str) -> int:
    """Return how often the kubelet started the pod's container again."""
    found = ours.get("pod", name, "default")
    return restarts(found) if found else 0


def test_class_provisions_a_volume(own: Cluster) -> None:
    """A claim of a class with a provisioner gets its own volume, which the pod's group owns."""
    storage = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "made", "annotations": {"defaultVolumeType": "local"}},
        "provisioner": own.add_provisioner(),
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
    }
    _, claim = local_volume("made", Path("/"), own.node_name)
    claim["spec"]["storageClassName"] = "made"
    volumes, mounted = on_claim("made", "/data")
    context = {"runAsUser": 1000, "fsGroup": 2000}
    script = "echo kept > /data/file && exec sleep 3600"
    writer = pod(
        *("made", BUSYBOX, "sh", "-c", script),
        volumes=volumes,
        container=mounted,
        securityContext=context,
    )
    apply(own, storage, claim, writer)
    own.wait_for_pod("made", "default")
    found = own.get("persistentvolumeclaim", "made", "default")
    assert found
    volume = own.get("persistentvolume", found["spec"]["volumeName"])
    assert volume
    folder = Path(volume["spec"]["local"]["path"])
    own.wait("the file is written", (folder / "file").exists)
    assert (1000, 2000) == ((folder / "file").stat().st_uid, folder.stat().st_gid)
    own.delete("pod", "made", "default")
    own.delete("persistentvolumeclaim", "made", "default")
    own.wait("the folder is removed", lambda: not folder.exists())


def test_fake_node_takes_pods(own: Cluster) -> None:
    """The scheduler puts a pod on a fake node by its label, where it runs for appearance only."""
    own.add_fake_nodes(["fake-1", "fake-2"], {"zone": "nowhere"})
    apply(own, pod("elsewhere", BUSYBOX, "sleep", "1", nodeSelector={"zone": "nowhere"}))
    found = own.wait_for_pod("elsewhere", "default")
    assert found["spec"]["nodeName"] in {"fake-1", "fake-2"}
    own.kubectl("delete", "node", "fake-1", "fake-2")


def test_failed_wait_explains_itself(own: Cluster) -> None:
    """A condition that never holds fails with the pods, their events and their logs."""
    apply(own, pod("unlucky", BUSYBOX, "sh", "-c", "echo no such luck; exit 3"))
    backed_off = "restarting failed container main in pod unlucky"
    own.wait("it ended twice", lambda: backed_off in own.describe("default"))
    with pytest.raises(TimedOutError) as raised:
        own.wait("pigs fly", lambda: False, timeout=0, namespace="default")
    told = str(raised.value)
    for expected in ("pigs fly", "BackOff", backed_off, "no such luck"):
        assert expected in told
    own.delete("pod", "unlucky", "default")


def test_unknown_field_is_refused(own: Cluster) -> None:
    """The API server names a field that its kind does not have."""
    with pytest.raises(CommandError, match=r"\.spec\.misspelt"):
        apply(own, pod("misspelt", BUSYBOX, misspelt=True))


def test_node_restart_kills_and_revives_pods(own: Cluster) -> None:
    """After a restart the boot id is new, pods run again, and their volumes hold the data."""
    node_before = own.get("node", own.node_name)
    own.restart_node()
    node_after = own.get("node", own.node_name)
    assert node_before
    assert node_after
    boots = [each["status"]["nodeInfo"]["bootID"] for each in (node_before, node_after)]
    assert boots[0] != boots[1]
    for name, times in (("hello", 1), ("grafana", 2)):
        own.wait_for_pod(name, "default")
        assert times == restarted(own, name)
    endpoint = Endpoint("grafana", "default", GRAFANA_PORT)
    own.wait("it answers", lambda: 200 == own.http(endpoint, "/api/health").status)
    assert [{"id": 1, "text": "first"}] == own.http(endpoint, "/api/annotations").json()


def test_same_tests_run_on_any_cluster(own: Cluster) -> None:
    """With a kubeconfig alone everything but the node's own matters works, over kubectl."""
    foreign = Cluster.foreign(own.kubeconfig)
    assert own.node_name == foreign.node_name
    assert b"served\n" == foreign.http(Endpoint("web", "default", PORT), "/").body
    foreign.load_images({BUSYBOX: "busybox"})
    # Our own is read without kubectl; what it says is the same, but for the order of the fields.
    for kind in ("services", "sc", "persistentvolumeclaim", "deployments.apps"):
        assert foreign.objects(kind) == own.objects(kind)
    assert foreign.objects("services", "default", "!provider") == own.objects(
        "services", "default", "!provider"
    )
    assert foreign.get("service", "web", "default") == own.get("service", "web", "default")
    assert foreign.get("pv", "none") is own.get("pv", "none") is None
    for refused in (foreign.restart_node, lambda: foreign.disk("x")):
        with pytest.raises(CannotBeDoneHereError, match=FOREIGN):
            refused()


def test_scenarios_do_not_touch_a_cluster_of_others(own: Cluster, tmp_path: Path) -> None:
    """Whoever runs the scenarios beside a cluster is told whose it is, and it stays."""
    words = ("-k", "test_wrong_field_is_refused", f"--override-ini=cache_dir={tmp_path}")
    done = answer(sys.executable, "-m", "tests.e2e", *words, cwd=programs.REPOSITORY)
    assert pytest.ExitCode.INTERNAL_ERROR == done.returncode
    assert f"belongs to the running process {os.getpid()}" in done.stderr
    assert own.machine
    assert own.machine.running


def test_take_down_leaves_nothing(own: Cluster, before: Snapshot) -> None:
    """After the take-down the machine is as it was: processes, mounts, network, control groups."""
    assert own.machine
    during = {each.partition(":")[0] for each in before.changes(Snapshot.take())}
    own.machine.down()
    expect_nothing_left(before)
    # And the comparison sees a cluster when there is one.
    assert during >= {"processes", "mounts", "interfaces", "routes", "control_groups"}
    assert not own.machine.layout.root.exists()
    own.machine.down()

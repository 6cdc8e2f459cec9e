"""Every object that the values files render is taken by the API server, with strict validation."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from tests.cluster.cluster import Cluster, Object
from tests.cluster.commands import CommandError, answer
from tests.e2e.install import HELM_TIMEOUT, chart, for_stack
from tests.tools.documents import is_hook, key, load
from tests.tools.helm import KUBERNETES, MAJORS, ROOT, Command, binary, environment, post_renderer
from tests.values_files import FILES, SETS

pytestmark = [pytest.mark.e2e, pytest.mark.off_node]

OFF = {"enabled": False}
CSI = {
    "driver": "ebs.csi.aws.com",
    "volumeHandle": "vol-0123",
    "fsType": "ext4",
    "volumeAttributes": {"partition": "1"},
}
NFS = {"server": "nfs.example.com", "path": "/exports/rules"}
ADD = {"op": "add", "path": "/spec/minReadySeconds", "value": 30}
# Each option that reaches an object, in one release.
EVERYTHING: Object = {
    "gitops": {"argocd": True},
    "storageClasses": [
        {
            "name": "all-options",
            "provisioner": "ebs.csi.aws.com",
            "parameters": {"type": "gp3"},
            "volumeBindingMode": "WaitForFirstConsumer",
            "reclaimPolicy": "Retain",
            "allowVolumeExpansion": True,
            "mountOptions": ["noatime"],
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        {"name": "none"},
    ],
    "localProvisioner": {
        "enabled": True,
        "classes": [
            {
                "name": "discovered",
                "hostDir": "/data/local",
                "reclaimPolicy": "Delete",
                "namePattern": "a*,b?",
                "mountOptions": ["noatime"],
            },
        ],
        "nodeSelector": {"durable-prometheus-stack/disks": "local"},
        "tolerations": [
            {"key": "storage", "operator": "Equal", "value": "local", "effect": "NoSchedule"},
            {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3600000},
        ],
        "seLinuxOptions": {"type": "spc_t"},
        "podMonitor": {"enabled": True},
    },
    "persistence": {
        "accept": ["volumes/posix"],
        "patches": [{"target": {"kind": "Prometheus"}, "patch": [ADD]}],
        "prometheus": {
            "size": "50Gi",
            "storageClassName": "all-options",
            "accessModes": ["ReadWriteOncePod"],
            "fixOwnership": True,
            "nodes": ["n1", "n2"],
            "retentionSize": "40GB",
            "volumes": [
                {"csi": CSI, "node": "n1", "mountOptions": ["noatime"], "size": "60Gi", "shard": 0},
                {"local": "/mnt/disks/1", "node": "n2", "mountOptions": ["ro"], "shard": 1},
            ],
        },
        "alertmanager": {
            "storageClassName": "none",
            "fixOwnership": True,
            "volumes": [{"hostPath": "/srv/alertmanager", "node": "n1"}],
        },
        "thanosRuler": {
            "storageClassName": "none",
            "fixOwnership": True,
            "volumes": [{"nfs": {**NFS, "readOnly": False}, "mountOptions": ["nfsvers=4.1"]}],
        },
        "grafana": {
            "storageClassName": "none",
            "fixOwnership": True,
            "volumes": [{"nfs": {**NFS, "path": "/exports/grafana"}}],
        },
    },
    **for_stack(
        {
            "prometheus": {"prometheusSpec": {"shards": 2}},
            "thanosRuler": {
                "enabled": True,
                "thanosRulerSpec": {
                    "queryEndpoints": ["http://prometheus-operated:9090"],
                    "alertmanagersUrl": ["http://alertmanager-operated:9093"],
                },
            },
        }
    ),
}
GRAFANA_SET = for_stack({"grafana": {"useStatefulSet": True, "persistence": {"enabled": True}}})


@pytest.fixture(scope="module")
def space(cluster: Cluster, crds: None) -> Iterator[str]:
    """A namespace for objects that are never made."""
    assert crds is None
    name = f"e2e-api-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def render(major: int, space: str, *files: Path) -> list[Object]:
    """Return the objects that Helm would apply, hooks included."""
    argv: Command = [binary(major), "template", "kps", chart(), f"--namespace={space}"]
    argv += [f"--kube-version={KUBERNETES}", "--no-hooks=false", *post_renderer(major)]
    argv += [f"--values={path}" for path in files]
    done = answer(*argv, env=environment(major), timeout=HELM_TIMEOUT)
    assert not done.returncode, f"{major} {[f.name for f in files]}: {done.stderr}"
    return load(done.stdout)


def refusals(cluster: Cluster, objects: list[Object]) -> list[str]:
    """Return what the API server says against objects, which it does not keep.

    But for the accounts: a pod is refused where its account is not there.
    """
    accounts = [each for each in objects if each["kind"] == "ServiceAccount"]
    if accounts:
        cluster.apply(yaml.safe_dump_all(accounts))
    text = yaml.safe_dump_all(objects)
    try:
        cluster.apply(text, "--dry-run=server")
    except CommandError as error:
        return [line for line in error.stderr.splitlines() if "Warning" not in line]
    return []


def unique(streams: list[list[Object]]) -> list[list[Object]]:
    """Return the different objects, each once, in lists that hold no name twice."""
    lists: list[dict[tuple[str, ...], Object]] = []
    seen: set[str] = set()
    for item in itertools.chain(*streams):
        text = json.dumps(item, sort_keys=True)
        if text in seen:
            continue
        seen.add(text)
        free = next((each for each in lists if key(item) not in each), None)
        if free is None:
            lists.append(free := {})
        free[key(item)] = item
    return [list(each.values()) for each in lists]


def test_values_files(cluster: Cluster, space: str) -> None:
    """Each values file alone and each profile over each backend render what the API takes."""
    # What is layered is the same by both majors, as other tests hold.
    wanted = [*((4, each) for each in SETS), *((3, (each,)) for each in FILES)]
    with ThreadPoolExecutor(2) as pool:
        streams = list(pool.map(lambda each: render(each[0], space, *each[1]), wanted))
    batches = unique(streams)
    assert len(max(streams, key=len)) <= len(batches[0])
    assert [] == [said for batch in batches for said in refusals(cluster, batch)]


@pytest.mark.parametrize("extra", [{}, GRAFANA_SET], ids=["Deployment", "StatefulSet"])
def test_all_options(cluster: Cluster, space: str, tmp_path: Path, extra: Object) -> None:
    """So does a release with every option on, for both of Grafana's workloads."""
    files = [tmp_path / "everything.json", tmp_path / "extra.json"]
    for path, values in zip(files, (EVERYTHING, extra), strict=True):
        path.write_text(json.dumps(values))
    streams = [render(major, space, *files) for major in MAJORS]
    for objects in streams:
        kinds = {each["kind"] for each in objects if not is_hook(each)}
        assert {"Prometheus", "Alertmanager", "ThanosRuler", "PersistentVolume"} <= kinds
        assert {"DaemonSet", "NetworkPolicy", "PodMonitor", "ClusterRole"} <= kinds
    assert [] == [said for batch in unique(streams) for said in refusals(cluster, batch)]


def test_wrong_field_is_refused(cluster: Cluster, space: str) -> None:
    """A field that the CRD does not have is named: the other tests of this file can fail."""
    path = ROOT / "values" / "csi.yaml"
    [server] = [each for each in render(4, space, path) if each["kind"] == "Prometheus"]
    server["spec"]["storage"]["volumeClaimTemplat"] = {}
    assert any("volumeClaimTemplat" in said for said in refusals(cluster, [server]))

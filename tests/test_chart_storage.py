"""The PersistentVolumes and StorageClasses of the chart, with Helm 3 and Helm 4."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.rendering import ALONE, EACH_MAJOR, Settings, at, rendered, static
from tests.tools.stage import CHART

LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
CSI = {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1", "fsType": "xfs"}
CLASS = {"name": "c"}
META = yaml.safe_load((CHART / "Chart.yaml").read_text())
OWN = "durable-prometheus-stack"
LABELS = {
    "helm.sh/chart": f"{OWN}-{META['version']}",
    "app.kubernetes.io/name": OWN,
    "app.kubernetes.io/instance": "kps",
    "app.kubernetes.io/version": META["appVersion"],
    "app.kubernetes.io/component": "storage",
    "app.kubernetes.io/part-of": OWN,
    "app.kubernetes.io/managed-by": "Helm",
}


@dataclass(frozen=True)
class Expected:
    """One field of a rendered object; None where it must be absent."""

    settings: Settings
    path: str
    value: Any


NODE = "spec.nodeAffinity.required.nodeSelectorTerms.0.matchExpressions"
ON_N1 = [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]
NFS = {"server": "nfs.example.com", "path": "/exports/prometheus"}
WHOLE_CSI = {
    **CSI,
    "readOnly": False,
    "volumeAttributes": {"tier": "1e3"},
    **{
        f"{each}SecretRef": {"name": "s", "namespace": "n"}
        for each in (
            "controllerExpand",
            "controllerPublish",
            "nodeExpand",
            "nodePublish",
            "nodeStage",
        )
    },
}
KEEP = "helm.sh/resource-policy"
ARGO = "argocd.argoproj.io/sync-options"
VOLUMES = {
    "local": Expected(static(LOCAL), "spec.local", {"path": "/mnt/disks/vol1"}),
    "local-node": Expected(static(LOCAL), NODE, ON_N1),
    "hostPath": Expected(
        static({"node": "n1", "hostPath": "/srv/p"}),
        "spec.hostPath",
        {"path": "/srv/p", "type": "Directory"},
    ),
    "hostPath-node": Expected(static({"node": "n1", "hostPath": "/srv/p"}), NODE, ON_N1),
    "nfs": Expected(static({"nfs": NFS}), "spec.nfs", NFS),
    "nfs-root": Expected(static({"nfs": {**NFS, "path": "/"}}), "spec.nfs.path", "/"),
    "nfs-read-only": Expected(
        static({"nfs": {**NFS, "readOnly": True}}), "spec.nfs", {**NFS, "readOnly": True}
    ),
    "nfs-no-node": Expected(static({"nfs": NFS}), "spec.nodeAffinity", None),
    "csi": Expected(static({"csi": CSI}), "spec.csi", CSI),
    "csi-whole": Expected(static({"csi": WHOLE_CSI}), "spec.csi", WHOLE_CSI),
    "csi-no-node": Expected(static({"csi": CSI}), "spec.nodeAffinity", None),
    "csi-node": Expected(static({"csi": CSI, "node": "n1"}), NODE, ON_N1),
    "version": Expected(static(LOCAL), "apiVersion", "v1"),
    "class": Expected(static(LOCAL), "spec.storageClassName", "c"),
    "mode": Expected(static(LOCAL), "spec.volumeMode", "Filesystem"),
    "access": Expected(static(LOCAL), "spec.accessModes", ["ReadWriteOnce"]),
    "access-given": Expected(
        static(LOCAL) | {"persistence.prometheus.accessModes": ["ReadWriteOncePod"]},
        "spec.accessModes",
        ["ReadWriteOncePod"],
    ),
    "reclaim": Expected(static(LOCAL), "spec.persistentVolumeReclaimPolicy", "Retain"),
    "not-reserved-here": Expected(static(LOCAL), "spec.claimRef", None),
    "size-of-consumer": Expected(static(LOCAL), "spec.capacity.storage", "50Gi"),
    "size-of-volume": Expected(static({**LOCAL, "size": "1Ti"}), "spec.capacity.storage", "1Ti"),
    "options": Expected(
        static({**LOCAL, "mountOptions": ["noatime"]}), "spec.mountOptions", ["noatime"]
    ),
    "options-none": Expected(static(LOCAL), "spec.mountOptions", None),
    "shard": Expected(static({**LOCAL, "shard": 1}), "spec.local", {"path": "/mnt/disks/vol1"}),
    "keep": Expected(static(LOCAL), "metadata.annotations", {KEEP: "keep"}),
    "keep-argocd": Expected(
        static(LOCAL) | {"gitops.argocd": True},
        "metadata.annotations",
        {KEEP: "keep", ARGO: "Prune=false,Delete=false"},
    ),
}


@EACH_MAJOR
@pytest.mark.parametrize("row", VOLUMES.values(), ids=VOLUMES)
def teststatic(major: int, row: Expected) -> None:
    """A volume's entry and its consumer's values make one PersistentVolume."""
    (volume,) = rendered(major, {**ALONE, **row.settings})["PersistentVolume"]
    assert at(volume, row.path) == row.value


@EACH_MAJOR
@pytest.mark.parametrize("consumer", ["prometheus", "alertmanager", "thanosRuler", "grafana"])
def test_volume_labels(major: int, consumer: str) -> None:
    """Labels say whose volume it is and its place in the list, beside the usual ones."""
    settings = static(LOCAL, {**LOCAL, "node": "n2"}, consumer=consumer)
    volumes = rendered(major, {**ALONE, **settings})["PersistentVolume"]
    for place in (0, 1):
        labels = {f"{OWN}/consumer": consumer, f"{OWN}/volume": str(place), **LABELS}
        assert volumes[place]["metadata"]["labels"] == labels


@EACH_MAJOR
@pytest.mark.parametrize("consumer", ["prometheus", "alertmanager", "thanosRuler", "grafana"])
def test_no_volume_where_the_consumer_is_off(major: int, consumer: str) -> None:
    """A consumer that is switched off renders no volume."""
    settings = static(LOCAL, consumer=consumer) | {f"persistence.{consumer}.enabled": False}
    assert "PersistentVolume" not in rendered(major, {**ALONE, **settings})


def _names(settings: Settings, major: int = 4, **where: str) -> list[str]:
    volumes = rendered(major, {**ALONE, **settings}, **where)["PersistentVolume"]
    return [volume["metadata"]["name"] for volume in volumes]


@EACH_MAJOR
def test_volume_name(major: int) -> None:
    """The name is release, consumer and a hash of the canonical JSON of source and node."""
    entry = {"node": "n1", "local": "/d\N{LATIN SMALL LETTER E WITH ACUTE}<&"}
    identity = {"node": "n1", "source": {"local": entry["local"]}}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    settings = static(entry, consumer="thanosRuler")
    assert [f"kps-thanos-ruler-{mark}"] == _names(settings, major)


OTHERS: dict[str, Any] = {
    "size": {**LOCAL, "size": "9Gi"},
    "options": {**LOCAL, "mountOptions": ["noatime"]},
    "shard": {**LOCAL, "shard": 1},
}
ANEW: dict[str, Any] = {
    "node": {**LOCAL, "node": "n2"},
    "path": {**LOCAL, "local": "/mnt/disks/vol2"},
    "kind": {"node": "n1", "hostPath": LOCAL["local"]},
}


@pytest.mark.parametrize("entry", OTHERS.values(), ids=OTHERS)
def test_volume_name_stays(entry: Any) -> None:
    """An edit of what can be edited in place keeps the name."""
    assert _names(static(LOCAL)) == _names(static(entry))


@pytest.mark.parametrize("entry", ANEW.values(), ids=ANEW)
def test_volume_name_changes(entry: Any) -> None:
    """An edit of what is immutable makes a new volume."""
    assert _names(static(LOCAL)) != _names(static(entry))


def test_volume_name_has_no_index() -> None:
    """An entry put before the others renames none of them."""
    assert _names(static(LOCAL)) == _names(static(ANEW["node"], LOCAL))[1:]


@pytest.mark.parametrize("release", ["r" * 53, "r" * 40 + ".r" * 6, "r" * 41 + "-" + "r" * 5])
def test_volume_name_fits(release: str) -> None:
    """A long release name is cut, consumer and hash never, and no dot or dash is left over."""
    (name,) = _names(static(LOCAL, consumer="alertmanager"), release=release)
    (short,) = _names(static(LOCAL, consumer="alertmanager"), release="r")
    assert len(name) <= 63
    assert name.endswith(short.removeprefix("r"))
    assert re.fullmatch(r"[a-z0-9]+([-.][a-z0-9]+)*", name)


# ---- StorageClasses ----

WHOLE_CLASS = {
    "name": "c",
    "provisioner": "ebs.csi.aws.com",
    "volumeBindingMode": "Immediate",
    "reclaimPolicy": "Delete",
    "allowVolumeExpansion": True,
    "parameters": {"type": "gp3"},
    "mountOptions": ["noatime"],
}
CLASSES = {
    "provisioner": ("kubernetes.io/no-provisioner", "ebs.csi.aws.com"),
    "volumeBindingMode": ("WaitForFirstConsumer", "Immediate"),
    "reclaimPolicy": ("Retain", "Delete"),
    "allowVolumeExpansion": (False, True),
    "parameters": (None, {"type": "gp3"}),
    "mountOptions": (None, ["noatime"]),
    "metadata.name": ("c", "c"),
    "metadata.labels": (LABELS, LABELS),
    "apiVersion": ("storage.k8s.io/v1", "storage.k8s.io/v1"),
}


@EACH_MAJOR
@pytest.mark.parametrize(("path", "values"), CLASSES.items(), ids=CLASSES)
def test_class(major: int, path: str, values: tuple[Any, Any]) -> None:
    """A class has safe defaults, and each key of an entry reaches the object."""
    for entry, expected in zip((CLASS, WHOLE_CLASS), values, strict=True):
        (found,) = rendered(major, {**ALONE, "storageClasses": [entry]})["StorageClass"]
        assert at(found, path) == expected


@EACH_MAJOR
def test_class_is_kept(major: int) -> None:
    """A class stays after uninstall, whatever the entry's own annotations say."""
    given = {"a/b": "true", KEEP: "delete", ARGO: "Prune=true"}
    settings = {"storageClasses": [{**CLASS, "annotations": given}], "gitops.argocd": True}
    (found,) = rendered(major, {**ALONE, **settings})["StorageClass"]
    expected = {"a/b": "true", KEEP: "keep", ARGO: "Prune=false,Delete=false"}
    assert expected == found["metadata"]["annotations"]

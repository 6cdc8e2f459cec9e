"""What the chart refuses and takes in the values of its components."""

from __future__ import annotations

from typing import Any

from tests.guarding import Guard, classes, volume_guard
from tests.rendering import ALONE, Settings, static

LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
NFS = {"server": "nfs.example.com", "path": "/exports/p"}
PATHS = ("mnt/disks", "./mnt", "/mnt/../etc", "/mnt/./a", "/mnt//a", "/mnt/", "")
PROVISIONER = "nfsProvisioner"
LOCAL_CLASSES = "localProvisioner.classes"
DISKS = {"name": "disks", "hostDir": "/data/local"}
DEVICES = {"name": "raw", "hostDir": "/data/raw", "volumeMode": "Block"}
FORMATTED = {"name": "formatted", "hostDir": "/data/devices", "fsType": "ext4"}
HOST_DIRS = ("data/local", "/data/../local", "/data//local", "/data/local/", "/", "")
SYSTEM = ("/var", "/etc", "/dev", "/proc/1", "/sys", "/var/lib/kubelet/pods", "/run/secrets/x")
INFLUXDB: dict[str, tuple[Settings, str]] = {
    "no-size": ({"enabled": True, "size": ""}, "influxdb.size needs a quantity"),
    "zero-size": ({"size": "0Gi"}, 'influxdb.size "0Gi" needs to be more than nothing'),
    "default-class": ({"volumes": [LOCAL]}, "influxdb.volumes needs a class of its own"),
    "no-node": (
        {"storageClassName": "c", "volumes": [{"local": "/d"}]},
        "influxdb.volumes[0] needs a node, as a local volume",
    ),
    "shards": (
        {"enabled": True, "retention": "6d", "shardDuration": "1w"},
        'influxdb.shardDuration "1w" needs to be at most influxdb.retention "6d"',
    ),
    "too-long": (
        {"enabled": True, "retention": "15251w"},
        'influxdb.retention "15251w" needs to be at most 15250w',
    ),
    "shards-too-long": (
        {"enabled": True, "retention": "INF", "shardDuration": "30501w"},
        'influxdb.shardDuration "30501w" needs to be at most 15250w',
    ),
    "latest": (
        {"enabled": True, "image": "influxdb:latest"},
        'influxdb.image "influxdb:latest" needs a tag that stays',
    ),
    **{
        f"line-{tag}": (
            {"enabled": True, "image": f"r.example.com:5000/influxdb:{tag}"},
            f'influxdb.image "r.example.com:5000/influxdb:{tag}" needs InfluxDB 1.x, as later',
        )
        for tag in ("2", "2.7", "2.7.12-alpine", "3-core", "v2.7", "2@sha256:0")
    },
}


def _nfs(says: str, **given: Any) -> Guard:
    """Return a guard of the NFS provisioner, which is right but for what is given."""
    wanted = {"enabled": True, **NFS, **given}
    return Guard({f"{PROVISIONER}.{key}": value for key, value in wanted.items()}, says)


def _found(*classes: Any, index: int = 0, says: str = "") -> Guard:
    return Guard({LOCAL_CLASSES: list(classes)}, f"{LOCAL_CLASSES}[{index}]{says}")


def _on(entry: Any, **consumer: Any) -> Settings:
    """Return the settings that put Prometheus on a discovered class."""
    wanted = {"storageClassName": entry["name"], **consumer}
    block = {f"persistence.prometheus.{key}": value for key, value in wanted.items()}
    return {LOCAL_CLASSES: [entry], **block}


REFUSED: dict[str, Guard] = {
    "provisioner-without-classes": Guard(
        {"localProvisioner.enabled": True}, "localProvisioner.enabled needs classes"
    ),
    "discovered-twice": _found(DISKS, DEVICES, DISKS, index=2, says='.name "disks" needs to be'),
    "discovered-and-made": Guard(
        {LOCAL_CLASSES: [DISKS]} | classes("Retain", "disks"),
        f'{LOCAL_CLASSES}[0].name "disks" needs to be different from the other classes',
    ),
    **{
        f"host-dir-{path}": _found(
            DISKS | {"hostDir": path}, says=f'.hostDir "{path}" needs an absolute path below /'
        )
        for path in HOST_DIRS
    },
    **{
        f"host-dir-{path}": _found(
            DISKS | {"hostDir": path}, says=f'.hostDir "{path}" needs a directory that holds'
        )
        for path in SYSTEM
    },
    "host-dir-dev": _found(
        DISKS | {"hostDir": "/dev/mapper"}, says='.hostDir "/dev/mapper" needs a class for raw'
    ),
    **{
        f"host-dir-{title}": _found(
            DISKS,
            DEVICES | {"hostDir": path},
            index=1,
            says=f'.hostDir "{path}" needs a place of its own, and the class "disks" has /data/l',
        )
        for title, path in {
            "same": "/data/local",
            "inside": "/data/local/a/b",
            "around": "/data",
        }.items()
    },
    "block-with-file-system": _found(
        DEVICES | {"fsType": "ext4"}, says=".fsType needs volumeMode: Filesystem"
    ),
    "block-with-mount-options": _found(
        DEVICES | {"mountOptions": ["noatime"]}, says=".mountOptions needs volumeMode: Filesystem"
    ),
    **{
        f"cleaner-{entry['name']}": _found(
            entry | {"blockCleanerCommand": ["/scripts/shred.sh"]},
            says=".blockCleanerCommand needs raw devices and reclaimPolicy: Delete",
        )
        for entry in (DISKS | {"reclaimPolicy": "Delete"}, DEVICES, FORMATTED)
    },
    **{
        f"consumer-on-devices-{consumer}": Guard(
            {
                LOCAL_CLASSES: [DEVICES],
                f"persistence.{consumer}.enabled": True,
                f"persistence.{consumer}.storageClassName": "raw",
            },
            f'persistence.{consumer}.storageClassName "raw" needs a class of file systems, as a raw'
            " device is never mounted",
        )
        for consumer in ("prometheus", "alertmanager", "thanosRuler", "grafana")
    },
    "discovered-modes": Guard(
        _on(DISKS, accessModes=["ReadWriteOncePod"]),
        "persistence.prometheus.accessModes needs to be what discovered volumes have",
    ),
    "discovered-deletes": Guard(
        _on(DISKS | {"reclaimPolicy": "Delete"}, volumes=[LOCAL]),
        "persistence.prometheus.volumes needs a class that retains",
    ),
    **{
        f"static-below-{kind}": volume_guard(
            {"node": "n1", kind: path}, f'.{kind} "{path}" needs a place outside /data/local'
        ).beside({LOCAL_CLASSES: [DISKS]})
        for kind, path in {"local": "/data/local", "hostPath": "/data/local/disk1/a"}.items()
    },
    "nfs-no-server": _nfs('nfsProvisioner.server "" needs to name the server', server=""),
    "nfs-null-server": _nfs('nfsProvisioner.server "" needs to name the server', server=None),
    "nfs-null-path": _nfs('nfsProvisioner.path "" needs to be an absolute path', path=None),
    **{
        f"nfs-export-{path}": _nfs(
            f'nfsProvisioner.path "{path}" needs to be an absolute path', path=path
        )
        for path in PATHS
    },
    **{
        f"latest-{block}": Guard(
            {f"{block}.image": "r.example.com/it:latest"},
            f'{block}.image "r.example.com/it:latest" needs a tag that stays',
        )
        for block in ("persistence", "influxdb", "localProvisioner", "nfsProvisioner")
    },
    "nfs-class-twice": Guard(
        _nfs("", storageClassName="a").settings | classes("Retain", "a"),
        'nfsProvisioner.storageClassName "a" needs to be in no entry of storageClasses',
    ),
    **{
        f"influxdb-{name}": Guard({f"influxdb.{k}": v for k, v in settings.items()}, says)
        for name, (settings, says) in INFLUXDB.items()
    },
    "influxdb-dot": Guard(
        {**ALONE, "influxdb.enabled": True}, "needs letters, digits and '-' only", release="k.p.s"
    ),
    "influxdb-argocd": Guard(
        {"influxdb.enabled": True, "gitops.argocd": True},
        "influxdb with gitops.argocd needs a Secret that is there, as each render of Argo CD would"
        " draw new passwords: set influxdb.existingSecret",
    ),
}
ALLOWED: dict[str, Guard] = {
    "nfs-whole-export": _nfs("", path="/"),
    "nfs-by-digest": _nfs("", image="r.example.com:5000/latest@sha256:0"),
    "disks-side-by-side": Guard(
        {LOCAL_CLASSES: [DISKS, DISKS | {"name": "more", "hostDir": "/data/local-2"}]}, ""
    ),
    "links-of-lvm": Guard(
        {LOCAL_CLASSES: [DEVICES | {"hostDir": "/dev/mapper", "namePattern": "vg-*"}]}, ""
    ),
    "devices-that-are-formatted": Guard(_on(FORMATTED), ""),
    "devices-for-others": Guard({LOCAL_CLASSES: [DEVICES]}, ""),
    "cleaner": Guard(
        {
            LOCAL_CLASSES: [
                each
                | {"reclaimPolicy": "Delete", "blockCleanerCommand": ["/scripts/shred.sh", "2"]}
                for each in (DEVICES, FORMATTED)
            ]
        },
        "",
    ),
    "static-beside-disks": Guard(
        static({"node": "n1", "local": "/data/local-2/a"}) | {LOCAL_CLASSES: [DISKS]}, ""
    ),
    "influxdb-for-ever": Guard({"influxdb.enabled": True, "influxdb.retention": "INF"}, ""),
    **{
        f"influxdb-line-{tag}": Guard(
            {"influxdb.enabled": True, "influxdb.image": f"r.example.com:2/influxdb{tag}"}, ""
        )
        for tag in (":1.8", ":1.12.4-alpine", "@sha256:2")
    },
    "influxdb-switched-off": Guard({"influxdb.image": "influxdb:2.7"}, ""),
    "influxdb-longest": Guard({"influxdb.enabled": True, "influxdb.retention": "15250w"}, ""),
    "influxdb-one-shard": Guard(
        {"influxdb.enabled": True, "influxdb.retention": "7d", "influxdb.shardDuration": "1w"}, ""
    ),
    "influxdb-argocd": Guard(
        {"influxdb.enabled": True, "gitops.argocd": True, "influxdb.existingSecret": "s"}, ""
    ),
}

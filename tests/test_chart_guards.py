"""What the chart refuses in a sentence of its own, with Helm 3 and Helm 4."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.rendering import ALONE, EACH_MAJOR, Settings, refused, render, static
from tests.tools.stage import CHART

LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
HOST_PATH = {"node": "n1", "hostPath": "/srv/p"}
NFS = {"server": "nfs.example.com", "path": "/exports/p"}
STACK = "kube-prometheus-stack"
PATHS = ("mnt/disks", "./mnt", "/mnt/../etc", "/mnt/./a", "/mnt//a", "/mnt/", "/", "")
SUB_PATHS = ("/abs", "..", "../up", "a/../..", "a//b", "a/", ".", "./a")


@dataclass(frozen=True)
class Guard:
    """What is set, and the words that the refusal has in it."""

    settings: Settings
    says: str
    release: str = "kps"

    def beside(self, settings: Settings) -> Guard:
        """Return the guard with more settings."""
        return replace(self, settings=self.settings | settings)


def _misplaced(path: str, *right: str) -> Guard:
    says = f"{STACK}.{path} needs another place, as nothing reads it there: set {' '.join(right)}"
    return Guard({f"{STACK}.{path}": {"x": "y"}}, says)


def _upstream(path: str, own: str, right: str) -> Guard:
    return _misplaced(path, f"persistence.{own}, or upstream's own {STACK}.{right}")


PROMETHEUS = ("prometheus", "prometheus.prometheusSpec.storageSpec")
ALERTMANAGER = ("alertmanager", "alertmanager.alertmanagerSpec.storage")
THANOS_RULER = ("thanosRuler", "thanosRuler.thanosRulerSpec.storage")
GRAFANA = ("grafana", "grafana.persistence")
MISPLACED: dict[str, tuple[str, str]] = {
    "alertmanager.alertmanagerSpec.storageSpec": ALERTMANAGER,
    "alertmanager.alertmanagerSpec.Storage": ALERTMANAGER,
    "alertmanager.alertmanagerSpec.persistence": ALERTMANAGER,
    "alertmanager.alertmanagerSpec.volumeClaimTemplate": ALERTMANAGER,
    "alertmanager.persistence": ALERTMANAGER,
    "alertmanager.storage": ALERTMANAGER,
    "alertmanager.storageSpec": ALERTMANAGER,
    "grafana.persistance": GRAFANA,
    "grafana.persistant": GRAFANA,
    "grafana.Persistence": GRAFANA,
    "grafana.storage": GRAFANA,
    "grafana.storageSpec": GRAFANA,
    "grafana.pvc": GRAFANA,
    "prometheus.persistentVolume": PROMETHEUS,
    "prometheus.storage": PROMETHEUS,
    "prometheus.storageSpec": PROMETHEUS,
    "prometheus.prometheusSpec.persistence": PROMETHEUS,
    "prometheus.prometheusSpec.storage": PROMETHEUS,
    "prometheus.prometheusSpec.storageClassName": PROMETHEUS,
    "prometheus.prometheusSpec.storagespec": PROMETHEUS,
    "thanosRuler.storage": THANOS_RULER,
    "thanosRuler.storageSpec": THANOS_RULER,
    "thanosRuler.thanosRulerSpec.persistentVolumeClaimRetentionPolicy": THANOS_RULER,
    "thanosRuler.thanosRulerSpec.storageSpec": THANOS_RULER,
}
READ = (
    "alertmanager.alertmanagerSpec.persistentVolumeClaimRetentionPolicy",
    "alertmanager.alertmanagerSpec.storage",
    "grafana.persistence",
    "prometheus.prometheusSpec.persistentVolumeClaimRetentionPolicy",
    "prometheus.prometheusSpec.storageSpec",
    "thanosRuler.thanosRulerSpec.storage",
)


def _volume(entry: Any, says: str, consumer: str = "prometheus") -> Guard:
    return Guard(static(entry, consumer=consumer), f"persistence.{consumer}.volumes[0]{says}")


def _path(field: str, entry: Any, path: str) -> Guard:
    return _volume(entry, f'.{field} "{path}" needs an absolute path below /')


def _class(reclaim: str, *names: str) -> Settings:
    return {"storageClasses": [{"name": name, "reclaimPolicy": reclaim} for name in names]}


def _nfs(says: str, **given: Any) -> Guard:
    """Return a guard of the NFS provisioner, which is right but for what is given."""
    wanted = {"enabled": True, **NFS, **given}
    return Guard({f"{PROVISIONER}.{key}": value for key, value in wanted.items()}, says)


PROVISIONER = "nfsProvisioner"
LOCAL_CLASSES = "localProvisioner.classes"
DISKS = {"name": "disks", "hostDir": "/data/local"}
DEVICES = {"name": "raw", "hostDir": "/data/raw", "volumeMode": "Block"}
FORMATTED = {"name": "formatted", "hostDir": "/data/devices", "fsType": "ext4"}
HOST_DIRS = ("data/local", "/data/../local", "/data//local", "/data/local/", "/", "")
SYSTEM = ("/var", "/etc", "/dev", "/proc/1", "/sys", "/var/lib/kubelet/pods", "/run/secrets/x")


def _found(*classes: Any, index: int = 0, says: str = "") -> Guard:
    return Guard({LOCAL_CLASSES: list(classes)}, f"{LOCAL_CLASSES}[{index}]{says}")


def _on(entry: Any, **consumer: Any) -> Settings:
    """Return the settings that put Prometheus on a discovered class."""
    wanted = {"storageClassName": entry["name"], **consumer}
    block = {f"persistence.prometheus.{key}": value for key, value in wanted.items()}
    return {LOCAL_CLASSES: [entry], **block}


GRAFANA_SUB_PATH = "persistence.grafana.subPath"
GUARDS: dict[str, Guard] = {
    "release-with-dot": Guard({}, 'release name "k.p.s" needs letters', release="k.p.s"),
    **{
        f"own-key-{key}": _misplaced(key, f"{key} at the top level")
        for key in ("persistence", "gitops", "localProvisioner", "nfsProvisioner", "storageClasses")
    },
    **{path: _upstream(path, *right) for path, right in MISPLACED.items()},
    "class-twice": Guard(
        _class("Retain", "a", "b", "a"), 'storageClasses[2].name "a" needs to be different'
    ),
    "provisioner-without-classes": Guard(
        {"localProvisioner.enabled": True}, "localProvisioner.enabled needs classes"
    ),
    "discovered-twice": _found(DISKS, DEVICES, DISKS, index=2, says='.name "disks" needs to be'),
    "discovered-and-made": Guard(
        {LOCAL_CLASSES: [DISKS]} | _class("Retain", "disks"),
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
        f"static-below-{kind}": _volume(
            {"node": "n1", kind: path}, f'.{kind} "{path}" needs a place outside /data/local'
        ).beside({LOCAL_CLASSES: [DISKS]})
        for kind, path in {"local": "/data/local", "hostPath": "/data/local/disk1/a"}.items()
    },
    **{
        f"no-size-{name}": Guard(
            {f"persistence.{name}.enabled": True, f"persistence.{name}.size": size},
            f"persistence.{name}.size needs a quantity",
        )
        for name, size in {"prometheus": "", "alertmanager": None, "thanosRuler": ""}.items()
    },
    **{
        f"zero-size-{size}": Guard(
            {"persistence.grafana.size": size},
            f'persistence.grafana.size "{size}" needs to be more than nothing',
        )
        for size in ("0", "0Gi", "0.0G", ".0", "00e3")
    },
    **{
        f"sub-path-{path}": Guard(
            {GRAFANA_SUB_PATH: path}, f'{GRAFANA_SUB_PATH} "{path}" needs to be a relative path'
        )
        for path in SUB_PATHS
    },
    "volumes-default-class": Guard(
        static(LOCAL) | {"persistence.prometheus.storageClassName": ""},
        "persistence.prometheus.volumes needs a class of its own",
    ),
    "volumes-class-deletes": Guard(
        static(LOCAL) | _class("Delete", "c"),
        "persistence.prometheus.volumes needs a class that retains: set reclaimPolicy: Retain"
        ' in the entry "c"',
    ),
    "no-source": _volume({"node": "n1"}, " needs exactly one source and has 0"),
    "two-sources": _volume(LOCAL | HOST_PATH, " needs exactly one source and has 2"),
    "all-sources": _volume(
        LOCAL | HOST_PATH | {"nfs": NFS, "csi": {"driver": "d", "volumeHandle": "h"}},
        " needs exactly one source and has 4",
        "grafana",
    ),
    "local-no-node": _volume({"local": "/d"}, " needs a node, as a local volume"),
    "hostPath-no-node": _volume(
        {"hostPath": "/d"}, " needs a node, as a hostPath volume", "alertmanager"
    ),
    "nfs-node": _volume({"node": "n1", "nfs": NFS}, " needs no node, as every node"),
    "hostPath-options": _volume(
        HOST_PATH | {"mountOptions": ["noatime"]},
        " needs local in place of hostPath for mountOptions, as the kubelet mounts nothing for"
        " hostPath: set local: /srv/p",
    ),
    **{f"local-{path}": _path("local", LOCAL | {"local": path}, path) for path in PATHS},
    "hostPath-path": _path("hostPath", HOST_PATH | {"hostPath": "/a/../b"}, "/a/../b"),
    "nfs-path": _path("nfs.path", {"nfs": NFS | {"path": "exports"}}, "exports"),
    "nfs-no-server": _nfs('nfsProvisioner.server "" needs to name the server', server=""),
    "nfs-null-server": _nfs('nfsProvisioner.server "" needs to name the server', server=None),
    "nfs-null-path": _nfs('nfsProvisioner.path "" needs to be an absolute path', path=None),
    **{
        f"nfs-export-{path}": _nfs(
            f'nfsProvisioner.path "{path}" needs to be an absolute path', path=path
        )
        for path in PATHS
        if path != "/"
    },
    "nfs-latest": _nfs(
        'nfsProvisioner.image "r.example.com/nfs:latest" needs a tag that stays',
        image="r.example.com/nfs:latest",
    ),
    "nfs-class-twice": Guard(
        _nfs("", storageClassName="a").settings | _class("Retain", "a"),
        'nfsProvisioner.storageClassName "a" needs to be in no entry of storageClasses',
    ),
    "off-is-judged": Guard(
        static({"local": "/d"}) | {"persistence.prometheus.enabled": False},
        "persistence.prometheus.volumes[0] needs a node",
    ),
    "volume-zero-size": _volume(
        LOCAL | {"size": "0Ti"}, '.size "0Ti" needs to be more than nothing'
    ),
    "volume-twice": Guard(
        static(LOCAL, LOCAL | {"node": "n2"}, LOCAL | {"size": "9Gi"}),
        "persistence.prometheus.volumes[2] needs a directory of its own and repeats"
        " persistence.prometheus.volumes[0], and both would be PersistentVolume kps-prometheus-",
    ),
}


@EACH_MAJOR
@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
def test_guard(major: int, guard: Guard) -> None:
    """The values are refused with a sentence that names the place and what to set."""
    said = refused(major, guard.settings, release=guard.release)
    assert "durable-prometheus-stack/templates/guards.yaml" in said
    assert guard.says in said


def _formats() -> list[str]:
    guards = (CHART / "templates" / "guards.yaml").read_text()
    formats = re.findall(r'fail \(printf "((?:[^"\\]|\\.)*)"', guards)
    assert len(re.findall(r"\bfail\b", guards)) == len(formats), "a fail that this test cannot read"
    return formats


def test_each_guard_has_a_failing_row() -> None:
    """No guard is without a row here: each `fail` is reached by one at least."""
    said = [refused(4, guard.settings, release=guard.release) for guard in GUARDS.values()]
    for text in _formats():
        parts = re.split(r"%[sqd]", text.replace('\\"', '"'))
        pattern = re.compile(".*".join(re.escape(part) for part in parts))
        assert any(pattern.search(each) for each in said), text


@pytest.mark.parametrize("text", _formats())
def test_each_guard_says_what_to_set(text: str) -> None:
    """A refusal has the form `X needs Y: set Z`."""
    assert re.fullmatch(r".+ needs .+: set .+", text)


@EACH_MAJOR
@pytest.mark.parametrize("path", READ)
def test_what_upstream_reads_is_no_error(major: int, path: str) -> None:
    """Storage keys in their right places stay allowed, beside our own block too."""
    assert render(major, {f"{STACK}.{path}": {"x": "y"}})


ALLOWED: dict[str, Guard] = {
    "dot-without-stack": Guard(ALONE, "", release="k.p.s"),
    "off-without-size": Guard(
        {"persistence.grafana.enabled": False, "persistence.grafana.size": ""}, ""
    ),
    "same-directory-on-other-node": Guard(static(LOCAL, LOCAL | {"node": "n2"}), ""),
    "dots-in-names": Guard(static(LOCAL | {"local": "/mnt/..data/a..b/.c"}), ""),
    "root-sub-path": Guard({GRAFANA_SUB_PATH: ""}, ""),
    "deep-sub-path": Guard({GRAFANA_SUB_PATH: "..a/..b/.c"}, ""),
    "small-size": Guard({"persistence.grafana.size": "0.05Gi"}, ""),
    "nfs-off-is-empty": Guard({"nfsProvisioner.enabled": False}, ""),
    "nfs-off-shares-a-name": Guard(
        {"nfsProvisioner.storageClassName": "a", **_class("Retain", "a")}, ""
    ),
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
    "grafana-persistence-twice": Guard({f"{STACK}.grafana.persistence.enabled": True}, ""),
}


@EACH_MAJOR
@pytest.mark.parametrize("near", ALLOWED.values(), ids=ALLOWED)
def test_near_miss_is_no_error(major: int, near: Guard) -> None:
    """What looks like a mistake and is none renders."""
    assert render(major, near.settings, release=near.release)

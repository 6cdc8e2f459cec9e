"""What the chart refuses in a sentence of its own, with Helm 3 and Helm 4."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests import component_guards
from tests.guarding import Guard, classes, volume_guard
from tests.rendering import ALONE, EACH_MAJOR, refused, render, static
from tests.tools.stage import CHART

LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
HOST_PATH = {"node": "n1", "hostPath": "/srv/p"}
NFS = {"server": "nfs.example.com", "path": "/exports/p"}
STACK = "kube-prometheus-stack"
PATHS = ("mnt/disks", "./mnt", "/mnt/../etc", "/mnt/./a", "/mnt//a", "/mnt/", "/", "")
SUB_PATHS = ("/abs", "..", "../up", "a/../..", "a//b", "a/", ".", "./a")


def _misplaced(path: str, *right: str) -> Guard:
    says = f"{STACK}.{path} needs another place, as nothing reads it there: set {' '.join(right)}"
    return Guard({f"{STACK}.{path}": {"x": "y"}}, says)


def _upstream(path: str, own: str, right: str) -> Guard:
    return _misplaced(path, f"persistence.{own}, or upstream's own {STACK}.{right}")


PROMETHEUS = ("prometheus", "prometheus.prometheusSpec.storageSpec")
ALERTMANAGER = ("alertmanager", "alertmanager.alertmanagerSpec.storage")
THANOS_RULER = ("thanosRuler", "thanosRuler.thanosRulerSpec.storage")
GRAFANA = ("grafana", "grafana.persistence")
CLAIM = ("grafana", "grafana.persistence.storageClassName, accessModes or existingClaim")
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
    "grafana.persistence.storageClass": CLAIM,
    "grafana.persistence.accessMode": CLAIM,
    "grafana.persistence.existingclaim": CLAIM,
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
# Upstream's blocks where nothing reads them, and their place.
TOO_FAR_UP = {
    "prometheusSpec": f"{STACK}.prometheus.prometheusSpec",
    "alertmanagerSpec": f"{STACK}.alertmanager.alertmanagerSpec",
    "thanosRulerSpec": f"{STACK}.thanosRuler.thanosRulerSpec",
    "storageSpec": "persistence.prometheus, or what else shall last",
    "persistentVolume": "persistence.prometheus, or what else shall last",
}
READ = (
    "alertmanager.alertmanagerSpec.persistentVolumeClaimRetentionPolicy",
    "alertmanager.alertmanagerSpec.storage",
    "grafana.persistence",
    *(f"grafana.persistence.{key}" for key in ("storageClassName", "accessModes", "existingClaim")),
    *(f"grafana.persistence.{key}" for key in ("size", "inMemory", "volumeName")),
    "prometheus.prometheusSpec.persistentVolumeClaimRetentionPolicy",
    "prometheus.prometheusSpec.storageSpec",
    "thanosRuler.thanosRulerSpec.storage",
)


def _path(field: str, entry: Any, path: str) -> Guard:
    return volume_guard(entry, f'.{field} "{path}" needs an absolute path below /')


GRAFANA_SUB_PATH = "persistence.grafana.subPath"
OWN_BLOCKS = (
    *("persistence", "gitops", "influxdb", "localProvisioner", "nfsProvisioner"),
    "storageClasses",
)
GUARDS: dict[str, Guard] = {
    "release-with-dot": Guard({}, 'release name "k.p.s" needs letters', release="k.p.s"),
    **{f"own-key-{key}": _misplaced(key, f"{key} at the top level") for key in OWN_BLOCKS},
    **{path: _upstream(path, *right) for path, right in MISPLACED.items()},
    **{path: _misplaced(path, right) for path, right in TOO_FAR_UP.items()},
    "class-twice": Guard(
        classes("Retain", "a", "b", "a"), 'storageClasses[2].name "a" needs to be different'
    ),
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
        static(LOCAL) | classes("Delete", "c"),
        "persistence.prometheus.volumes needs a class that retains: set reclaimPolicy: Retain"
        ' in the entry "c"',
    ),
    "no-source": volume_guard({"node": "n1"}, " needs exactly one source and has 0"),
    "two-sources": volume_guard(LOCAL | HOST_PATH, " needs exactly one source and has 2"),
    "all-sources": volume_guard(
        LOCAL | HOST_PATH | {"nfs": NFS, "csi": {"driver": "d", "volumeHandle": "h"}},
        " needs exactly one source and has 4",
        "grafana",
    ),
    "local-no-node": volume_guard({"local": "/d"}, " needs a node, as a local volume"),
    "hostPath-no-node": volume_guard(
        {"hostPath": "/d"}, " needs a node, as a hostPath volume", "alertmanager"
    ),
    "nfs-node": volume_guard({"node": "n1", "nfs": NFS}, " needs no node, as every node"),
    "hostPath-options": volume_guard(
        HOST_PATH | {"mountOptions": ["noatime"]},
        " needs local in place of hostPath for mountOptions, as the kubelet mounts nothing for"
        " hostPath: set local: /srv/p",
    ),
    **{f"local-{path}": _path("local", LOCAL | {"local": path}, path) for path in PATHS},
    "hostPath-path": _path("hostPath", HOST_PATH | {"hostPath": "/a/../b"}, "/a/../b"),
    "nfs-path": _path("nfs.path", {"nfs": NFS | {"path": "exports"}}, "exports"),
    "off-is-judged": Guard(
        static({"local": "/d"}) | {"persistence.prometheus.enabled": False},
        "persistence.prometheus.volumes[0] needs a node",
    ),
    "volume-zero-size": volume_guard(
        LOCAL | {"size": "0Ti"}, '.size "0Ti" needs to be more than nothing'
    ),
    **component_guards.REFUSED,
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
        {"nfsProvisioner.storageClassName": "a", **classes("Retain", "a")}, ""
    ),
    **component_guards.ALLOWED,
    "grafana-persistence-twice": Guard({f"{STACK}.grafana.persistence.enabled": True}, ""),
}


@EACH_MAJOR
@pytest.mark.parametrize("near", ALLOWED.values(), ids=ALLOWED)
def test_near_miss_is_no_error(major: int, near: Guard) -> None:
    """What looks like a mistake and is none renders."""
    assert render(major, near.settings, release=near.release)

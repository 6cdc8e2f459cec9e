"""The plan: what is said of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from durable import plan as plans
from durable.errors import PlanError
from durable.plan import parse_plan

LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
NFS = {"server": "nfs.example.com", "path": "/exports"}
CSI = {"driver": "d.example.com", "volumeHandle": "h"}
OPERATION = {"op": "remove", "path": "/spec/x"}
PATCH = {"target": {"kind": "Prometheus"}, "patch": [OPERATION]}
VOLUME_KEYS = "known are local, hostPath, nfs, csi, node, size, shard, mountOptions"
KNOWN = "known are enabled, storageClassName, accessModes, volumes, nodes, fixOwnership, size, "


def _values(**persistence: Any) -> dict[str, Any]:
    return {"persistence": persistence, "kube-prometheus-stack": {"enabled": True}}


def _document(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": plans.API_VERSION, "kind": plans.KIND, "metadata": {}, "spec": spec}


def _prometheus(**keys: Any) -> dict[str, Any]:
    return _values(prometheus=keys)


def _volume(**keys: Any) -> dict[str, Any]:
    return _prometheus(volumes=[LOCAL, keys])


def _patch(**keys: Any) -> dict[str, Any]:
    return _values(patches=[PATCH, keys])


STORE = {
    "url": "http://kps-influxdb.monitoring.svc:8086",
    "database": "prometheus",
    "namespace": "monitoring",
    "secret": "kps-influxdb",
}


def _store(**keys: Any) -> dict[str, Any]:
    return _document(persistence={}, influxdb=STORE | keys)


SERVER = "spec.influxdb.url must be http://HOST:PORT, without path, user and password"
GIVE = "give its rendered output as the stream, with the plan in it"
STORE_KEYS = "known are url, database, namespace, secret, remoteWrite, remoteRead"
PATH = "it must be an absolute path below / without '.', '..', '//' or a final '/'"
INSIDE = "it must be a path inside the volume, relative, without '.', '..', '//' or a final '/'"
QUANTITY = "it must be a Kubernetes quantity such as 50Gi"
RETENTION = 'it must be auto, "" or a Prometheus size such as 40GB (not a Kubernetes quantity)'
VOLUME = "persistence.prometheus.volumes[1]"
ONE_SOURCE = f"{VOLUME} must have exactly one of local, hostPath, nfs, csi"
LABEL = "is on one node, name it as its label kubernetes.io/hostname does"
MODES = "must be a list of ReadWriteOnce, ReadWriteOncePod, ReadWriteMany, ReadOnlyMany"
GROUP = "must be a group id, a whole number from 0 to 2147483647"
OPERATIONS = "must be one of add, remove, replace, test, move, copy"

# Message, and the plan that is answered by it.
WRONG: tuple[tuple[str, Any], ...] = (
    ("the plan must be a mapping", None),
    ("the plan must be a mapping", ["persistence"]),
    (
        "neither a PersistencePlan document nor a values file with a 'persistence' block",
        {"prometheus": {}},
    ),
    (
        "apiVersion and kind must be durable-prometheus-stack/v1 and PersistencePlan",
        _document(persistence={}) | {"apiVersion": "durable-prometheus-stack/v2"},
    ),
    (
        "apiVersion and kind must be durable-prometheus-stack/v1 and PersistencePlan",
        _document(persistence={}) | {"kind": "Plan"},
    ),
    ("spec must be a mapping", _document() | {"spec": None}),
    ("spec.persistence must be a mapping", _document()),
    ("spec.persistense is unknown: did you mean 'persistence'?", _document(persistense={})),
    (
        "spec.x is unknown: known are release, namespace, chart, gitops, influxdb, persistence",
        _document(x=2),
    ),
    ("spec.release must be a string", _document(persistence={}, release=1)),
    ("spec.namespace must be a string", _document(persistence={}, namespace=["a"])),
    (
        "spec.persistence.prometheus.size is 0: it must be more than nothing",
        _document(persistence={"prometheus": {"size": 0}}),
    ),
    ("persistence must be a mapping", {"persistence": None}),
    ("spec.influxdb must be a mapping", _document(persistence={}, influxdb="kps-influxdb")),
    ("spec.influxdb.url must be a string that is not empty", _store(url=None)),
    (SERVER, _store(url="http://writer:secret@kps-influxdb:8086")),
    (SERVER, _store(url="http://kps-influxdb:8086/api")),
    (SERVER, _store(url="kps-influxdb:8086")),
    (
        "spec.influxdb.database is 'a&rp=b': it must be letters, digits, '_' and '-'",
        _store(database="a&rp=b"),
    ),
    ("spec.influxdb.secret must be a string that is not empty", _store(secret="")),
    ("spec.influxdb.namespace must be a string", _store(namespace=1)),
    ("spec.influxdb.secrets is unknown: did you mean 'secret'?", _store(secrets="a")),
    (f"spec.influxdb.password is unknown: {STORE_KEYS}", _store(password="a")),  # noqa: S106  of nobody
    ("spec.influxdb.remoteWrite must be a mapping", _store(remoteWrite=[])),
    (
        "spec.influxdb.remoteWrite.url is unknown: known are queueConfig, writeRelabelConfigs",
        _store(remoteWrite={"url": "http://a"}),
    ),
    (
        "spec.influxdb.remoteWrite.queueConfig must be a mapping",
        _store(remoteWrite={"queueConfig": 5}),
    ),
    (
        "spec.influxdb.remoteWrite.writeRelabelConfigs must be a list",
        _store(remoteWrite={"writeRelabelConfigs": {}}),
    ),
    (
        "spec.influxdb.remoteWrite.writeRelabelConfigs[0] must be a mapping",
        _store(remoteWrite={"writeRelabelConfigs": ["drop"]}),
    ),
    (
        "spec.influxdb.remoteRead.recent is unknown: did you mean 'readRecent'?",
        _store(remoteRead={"recent": True}),
    ),
    (
        "spec.influxdb.remoteRead.readRecent must be true or false",
        _store(remoteRead={"readRecent": "yes"}),
    ),
    (
        f"influxdb.enabled needs the chart, which renders the store: {GIVE}",
        _values() | {"influxdb": {"enabled": True}},
    ),
    ("gitops must be a mapping", _values() | {"gitops": True}),
    ("gitops.argo is unknown: did you mean 'argocd'?", _values() | {"gitops": {"argo": True}}),
    ("gitops.argocd must be true or false", _values() | {"gitops": {"argocd": "yes"}}),
    ("persistence.grafanna is unknown: did you mean 'grafana'?", _values(grafanna={})),
    ("persistence.image must be a string that is not empty", _values(image="")),
    ("persistence.image must be a string that is not empty", _values(image=1.37)),
    ("persistence.accept must be a list", _values(accept="volumes/posix")),
    ("persistence.accept[0] must be a string that is not empty", _values(accept=[""])),
    ("persistence.alertmanager must be a mapping", _values(alertmanager="5Gi")),
    ("persistence.prometheus.sise is unknown: did you mean 'size'?", _prometheus(sise="1Gi")),
    (
        f"persistence.prometheus.x is unknown: {KNOWN}fsGroup, retentionSize",
        _prometheus(x=1),
    ),
    (
        f"persistence.prometheus.subPath is unknown: {KNOWN}fsGroup, retentionSize",
        _prometheus(subPath="a"),
    ),
    (
        f"persistence.alertmanager.retentionSize is unknown: {KNOWN}fsGroup",
        _values(alertmanager={"retentionSize": "auto"}),
    ),
    ("persistence.prometheus.enabled must be true or false", _prometheus(enabled="no")),
    (f"persistence.prometheus.size is '': {QUANTITY}", _prometheus(size="")),
    (f"persistence.prometheus.size is 'x': {QUANTITY}", _prometheus(enabled=False, size="x")),
    (f"persistence.prometheus.size is '50 Gi': {QUANTITY}", _prometheus(size="50 Gi")),
    (f"persistence.prometheus.size is '50GB': {QUANTITY}", _prometheus(size="50GB")),
    (f"persistence.prometheus.size is 1.5: {QUANTITY}", _prometheus(size=1.5)),
    (f"persistence.prometheus.size is True: {QUANTITY}", _prometheus(size=True)),
    (
        "persistence.prometheus.size is '0Gi': it must be more than nothing",
        _prometheus(size="0Gi"),
    ),
    (
        "persistence.prometheus.size is '-5Gi': it must be more than nothing",
        _prometheus(size="-5Gi"),
    ),
    ("persistence.prometheus.size is -5: it must be more than nothing", _prometheus(size=-5)),
    (
        "persistence.prometheus.size is 50, which is less than 1Mi: did you mean 50Gi?",
        _prometheus(size=50),
    ),
    (
        "persistence.prometheus.size is '1023Ki', which is less than 1Mi",
        _prometheus(size="1023Ki"),
    ),
    (
        "persistence.prometheus.storageClassName must be a string",
        _prometheus(storageClassName=["a"]),
    ),
    (f"persistence.prometheus.accessModes {MODES}", _prometheus(accessModes=[])),
    (f"persistence.prometheus.accessModes {MODES}", _prometheus(accessModes=["RWO"])),
    (
        "persistence.prometheus.accessModes must be a list",
        _prometheus(accessModes="ReadWriteOnce"),
    ),
    ("persistence.prometheus.nodes must be a list", _prometheus(nodes="n1")),
    (
        "persistence.prometheus.nodes[1] must be a string that is not empty",
        _prometheus(nodes=["n1", 2]),
    ),
    (f"persistence.prometheus.fsGroup {GROUP}", _prometheus(fsGroup="2000")),
    (f"persistence.prometheus.fsGroup {GROUP}", _prometheus(fsGroup=True)),
    (f"persistence.prometheus.fsGroup {GROUP}", _prometheus(fsGroup=-1)),
    (f"persistence.prometheus.fsGroup {GROUP}", _prometheus(fsGroup=2**31)),
    ("persistence.prometheus.fixOwnership must be true or false", _prometheus(fixOwnership=1)),
    (
        f"persistence.prometheus.retentionSize is '40Gi': {RETENTION}",
        _prometheus(retentionSize="40Gi"),
    ),
    ("persistence.prometheus.retentionSize must be a string", _prometheus(retentionSize=40)),
    (f"persistence.grafana.subPath is '/a': {INSIDE}", _values(grafana={"subPath": "/a"})),
    (f"persistence.grafana.subPath is 'a/../b': {INSIDE}", _values(grafana={"subPath": "a/../b"})),
    (f"persistence.grafana.subPath is 'a/': {INSIDE}", _values(grafana={"subPath": "a/"})),
    ("persistence.grafana.subPath must be a string", _values(grafana={"subPath": 1})),
    ("persistence.prometheus.volumes must be a list", _prometheus(volumes={})),
    (f"{VOLUME} must be a mapping", _prometheus(volumes=[LOCAL, "/mnt"])),
    (ONE_SOURCE, _volume(node="n1")),
    (ONE_SOURCE, _volume(node="n1", local="/a", hostPath="/a")),
    (f"{VOLUME}.path is unknown: {VOLUME_KEYS}", _volume(path="/a")),
    (f"{VOLUME}.local is 'mnt/a': {PATH}", _volume(node="n1", local="mnt/a")),
    (f"{VOLUME}.local is '/mnt/./a': {PATH}", _volume(node="n1", local="/mnt/./a")),
    (f"{VOLUME}.local is '/': {PATH}", _volume(node="n1", local="/")),
    (f"{VOLUME}.hostPath is '/a/../b': {PATH}", _volume(node="n1", hostPath="/a/../b")),
    (f"{VOLUME}.hostPath must be a string", _volume(node="n1", hostPath={"path": "/a"})),
    (f"{VOLUME}.node is missing: a local volume {LABEL}", _volume(local="/a")),
    (f"{VOLUME}.node is missing: a hostPath volume {LABEL}", _volume(hostPath="/a", node=None)),
    (
        f"{VOLUME}.node is one too many: every node reaches an nfs volume",
        _volume(node="n1", nfs=NFS),
    ),
    (f"{VOLUME}.nfs must be a mapping", _volume(nfs="nfs.example.com:/exports")),
    (
        f"{VOLUME}.nfs.server must be a string that is not empty",
        _volume(nfs={"path": "/a", "server": ""}),
    ),
    (f"{VOLUME}.nfs.path must be a string that is not empty", _volume(nfs={"server": "s"})),
    (f"{VOLUME}.csi.driver must be a string that is not empty", _volume(csi={"volumeHandle": "h"})),
    (
        f"{VOLUME}.csi.volumeHandle must be a string that is not empty",
        _volume(csi={"driver": "d", "volumeHandle": 1}),
    ),
    (f"{VOLUME}.node must be a string", _volume(csi=CSI, node=1)),
    (f"{VOLUME}.size is '0': it must be more than nothing", _volume(**LOCAL, size="0")),
    (f"{VOLUME}.mountOptions must be a list", _volume(**LOCAL, mountOptions="noatime")),
    (f"{VOLUME}.shard must be a whole number from 0", _volume(**LOCAL, shard=-1)),
    (f"{VOLUME}.shard must be a whole number from 0", _volume(**LOCAL, shard="1")),
    (
        "persistence.grafana.volumes[0].shard is unknown: only Prometheus has shards",
        _values(grafana={"volumes": [LOCAL | {"shard": 0}]}),
    ),
    ("persistence.patches must be a list", _values(patches=PATCH)),
    ("persistence.patches[1].target must be a mapping", _patch(patch=[OPERATION])),
    ("persistence.patches[1].target.kind is missing", _patch(target={"name": "a"}, patch=[])),
    (
        "persistence.patches[1].target.names is unknown: did you mean 'name'?",
        _patch(target={"kind": "A", "names": "a"}),
    ),
    (
        "persistence.patches[1].target.name must be a string",
        _patch(target={"kind": "A", "name": 1}),
    ),
    ("persistence.patches[1].patch must be a list of operations", _patch(target={"kind": "A"})),
    (
        f"persistence.patches[1].patch[0].op {OPERATIONS}",
        _patch(target={"kind": "A"}, patch=[{"op": "ad", "path": "/a"}]),
    ),
    (
        "persistence.patches[1].patch[0].value is missing",
        _patch(target={"kind": "A"}, patch=[{"op": "add", "path": "/a"}]),
    ),
    (
        "persistence.patches[1].operations is unknown: known are target, patch",
        _patch(target={"kind": "A"}, operations=[OPERATION]),
    ),
)


@pytest.mark.parametrize(("message", "value"), WRONG)
def test_what_is_wrong_is_named(message: str, value: Any) -> None:
    """A wrong plan is refused with its file, the path of what is wrong, and what it must be."""
    with pytest.raises(PlanError) as caught:
        parse_plan(value, "plan.yaml")
    assert f"plan.yaml: {message}" == str(caught.value)

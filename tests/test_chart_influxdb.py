"""The long-term store as the chart renders it, value by value, with Helm 3 and Helm 4."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from tests.finished import STAND_IN, finished
from tests.rendering import ALONE, EACH_MAJOR, Settings, at, leaves, refused, render, rendered
from tests.running import run
from tests.tools.stage import CHART
from tests.values_files import FILES

ON: Settings = {**ALONE, "influxdb.enabled": True}
LOCAL = {"node": "n1", "local": "/mnt/disks/vol1"}
NAME = "kps-influxdb"
USERS = ("admin", "writer", "reader")
POD = "spec.template.spec"
SETUP = f"{POD}.initContainers.0"
SERVER = f"{POD}.containers.0"
PLAN = "spec.influxdb"
NODES = (
    f"{POD}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    ".nodeSelectorTerms.0.matchExpressions.0.values"
)
KINDS = {
    *("ConfigMap", "NetworkPolicy", "PersistentVolumeClaim", "Secret"),
    *("Service", "ServiceMonitor", "StatefulSet"),
}


@dataclass(frozen=True)
class Value:
    """One value: what is given, where it arrives, and whether it may be null."""

    path: str
    given: Any
    kind: str
    place: str
    expected: Any = None
    needed: bool = False
    also: Settings = field(default_factory=dict)


CLASS = {"influxdb.storageClassName": "c"}
RELABEL = [{"sourceLabels": ["__name__"], "regex": "go_.*", "action": "drop"}]
TOLERATION = [{"key": "a", "operator": "Exists"}]
PEER = {"podSelector": {"matchLabels": {"app": "telegraf"}}}
CLAIM = "PersistentVolumeClaim"
ROWS = (
    Value("image", "example.com/influxdb@sha256:0", "StatefulSet", f"{SERVER}.image", needed=True),
    Value("image", "example.com/influxdb:1.12", "StatefulSet", f"{SETUP}.image", needed=True),
    Value("database", "metrics", "PersistencePlan", f"{PLAN}.database", needed=True),
    Value("size", "123Gi", CLAIM, "spec.resources.requests.storage", needed=True),
    Value("storageClassName", "fast", CLAIM, "spec.storageClassName"),
    Value("accessModes", ["ReadWriteOncePod"], CLAIM, "spec.accessModes", needed=True),
    Value("volumes", [LOCAL], "PersistentVolume", "spec.local.path", LOCAL["local"], also=CLASS),
    Value("volumes", [LOCAL], "StatefulSet", NODES, ["n1"], also=CLASS),
    Value("nodes", ["n1", "n2"], "StatefulSet", NODES),
    Value(
        "fixOwnership",
        given=True,
        kind="StatefulSet",
        place=f"{SETUP}.name",
        expected="fix-ownership",
        needed=True,
    ),
    Value("tolerations", TOLERATION, "StatefulSet", f"{POD}.tolerations"),
    Value("existingSecret", "mine", "PersistencePlan", f"{PLAN}.secret"),
    Value(
        "remoteWrite.queueConfig",
        {"maxShards": 9},
        "PersistencePlan",
        f"{PLAN}.remoteWrite.queueConfig",
    ),
    Value(
        "remoteWrite.writeRelabelConfigs",
        RELABEL,
        "PersistencePlan",
        f"{PLAN}.remoteWrite.writeRelabelConfigs",
    ),
    Value(
        "remoteRead.readRecent",
        given=True,
        kind="PersistencePlan",
        place=f"{PLAN}.remoteRead.readRecent",
    ),
    Value("resources.limits.memory", "9Gi", "StatefulSet", f"{SERVER}.resources.limits.memory"),
    Value("resources.requests.memory", "9Gi", "StatefulSet", f"{SETUP}.resources.requests.memory"),
    Value("resources.requests.cpu", "9m", "StatefulSet", f"{SERVER}.resources.requests.cpu"),
    Value("networkPolicy.from", [PEER], "NetworkPolicy", "spec.ingress.0.from.1", PEER),
)
# Values that have tests of their own.
ELSEWHERE = (
    *("enabled", "retention", "shardDuration", "networkPolicy.enabled"),
    "serviceMonitor.enabled",
)
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.path} {row.kind}")


def _one(major: int, kind: str, settings: Settings | None = None, **where: Any) -> Any:
    (found,) = rendered(major, {**ON, **(settings or {})}, **where)[kind]
    return found


def _mine(major: int, settings: Settings | None = None, **where: Any) -> dict[str, list[Any]]:
    found = rendered(major, {**ON, **(settings or {})}, **where)
    del found["PersistencePlan"]
    return found


def test_every_value_has_a_row() -> None:
    """A key of values.yaml that no row sets is a key that may do nothing."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())["influxdb"]
    assert {*(row.path for row in ROWS), *ELSEWHERE} == set(leaves(values))


@EACH_MAJOR
@EACH_ROW
def test_given_arrives(major: int, row: Value) -> None:
    """A value that is given is in the object that it is for."""
    found = _one(major, row.kind, {**row.also, f"influxdb.{row.path}": row.given})
    assert (row.given if row.expected is None else row.expected) == at(found, row.place)


@EACH_MAJOR
@EACH_ROW
def test_null_empties_or_is_refused(major: int, row: Value) -> None:
    """Null empties what may be empty, and is refused by name where something is needed."""
    settings = {**ON, **row.also, f"influxdb.{row.path}": None}
    if row.needed:
        assert row.path.rpartition(".")[2] in refused(major, settings)
    else:
        assert set(rendered(major, settings)) >= KINDS


@EACH_MAJOR
@pytest.mark.parametrize(
    "block", ["remoteWrite", "remoteRead", "resources", "networkPolicy", "serviceMonitor"]
)
def test_null_for_a_whole_block(major: int, block: str) -> None:
    """A block can be null; what it switches on by default stays on."""
    assert set(_mine(major, {f"influxdb.{block}": None})) == KINDS


@EACH_MAJOR
@pytest.mark.parametrize("settings", [{}, {"influxdb": None}], ids=["default", "null"])
def test_off_is_nothing(major: int, settings: Settings) -> None:
    """Without it nothing of it is rendered, and the plan says nothing of it."""
    found = rendered(major, {**ALONE, **settings})
    assert {"PersistencePlan"} == set(found)
    assert "influxdb" not in found["PersistencePlan"][0]["spec"]


@EACH_MAJOR
@pytest.mark.parametrize(
    ("switch", "kind"), [("networkPolicy", "NetworkPolicy"), ("serviceMonitor", "ServiceMonitor")]
)
def test_switches(major: int, switch: str, kind: str) -> None:
    """Each switch takes away its own object and no other."""
    assert KINDS == set(_mine(major))
    assert KINDS - {kind} == set(_mine(major, {f"influxdb.{switch}.enabled": False}))


@EACH_MAJOR
@pytest.mark.parametrize(
    ("retention", "hours"), [("180d", "4320"), ("26w", "4368"), ("36h", "36"), ("INF", "0")]
)
def test_retention(major: int, retention: str, hours: str) -> None:
    """The setup gets the retention as it is written, and in hours to compare it."""
    given = {"influxdb.retention": retention, "influxdb.shardDuration": "1d"}
    env = at(_one(major, "StatefulSet", given), f"{SETUP}.env")
    told = {each["name"]: each.get("value") for each in env}
    assert (retention, hours, "1d") == tuple(
        told[name] for name in ("RETENTION", "RETENTION_HOURS", "SHARD_DURATION")
    )


@EACH_MAJOR
def test_pod_may_do_little(major: int) -> None:
    """It fits the Pod Security level `restricted`: no root, no capability, no token, no writes."""
    found = _one(major, "StatefulSet")
    pod = at(found, POD)
    context = pod["securityContext"]
    assert (1500, 1500, 1500) == tuple(context[k] for k in ("runAsUser", "runAsGroup", "fsGroup"))
    assert context["runAsNonRoot"] is True
    assert {"type": "RuntimeDefault"} == context["seccompProfile"]
    assert pod["automountServiceAccountToken"] is False
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"limits", "requests"} == set(container["resources"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert {"path": "/ping", "port": "http"} == at(found, f"{SERVER}.{probe}.httpGet")


@EACH_MAJOR
def test_a_pod_that_never_got_ready_is_replaced(major: int) -> None:
    """With OrderedReady it is waited for, for ever (kubernetes/kubernetes issue 67250)."""
    spec = _one(major, "StatefulSet")["spec"]
    assert (1, "Parallel") == (spec["replicas"], spec["podManagementPolicy"])


@EACH_MAJOR
def test_limits_are_lifted(major: int) -> None:
    """A write above the limits would be answered with 400, which Prometheus does not repeat."""
    told = {each["name"]: each["value"] for each in at(_one(major, "StatefulSet"), f"{SERVER}.env")}
    assert ("tsi1", "0", "0") == tuple(
        told[f"INFLUXDB_DATA_{name}"]
        for name in ("INDEX_VERSION", "MAX_SERIES_PER_DATABASE", "MAX_VALUES_PER_TAG")
    )
    for name in ("HTTP_AUTH_ENABLED", "HTTP_PROM_READ_AUTH_ENABLED", "REPORTING_DISABLED"):
        assert "true" == told[f"INFLUXDB_{name}"]


@EACH_MAJOR
def test_names_are_one(major: int) -> None:
    """The longest release name too: all refer to the same names, short enough for the labels."""
    release = "r" * 42 + "-" + "s" * 10
    plan = _one(major, "PersistencePlan", release=release)
    settings = {**CLASS, "influxdb.volumes": [LOCAL]}
    found = _mine(major, settings, release=release)
    name = f"{'r' * 42}-influxdb"
    names = {each["metadata"]["name"] for kind in KINDS for each in found[kind]}
    assert {name, f"{name}-headless"} == names
    assert len(name) <= 52, "a label holds it with 11 characters more"
    assert name == at(plan, f"{PLAN}.secret")
    assert f"http://{name}.monitoring.svc:8086" == at(plan, f"{PLAN}.url")
    assert name == at(found["PersistentVolume"][0], "spec.claimRef.name")
    assert name == at(found["StatefulSet"][0], f"{POD}.volumes.0.persistentVolumeClaim.claimName")
    assert f"{name}-headless" == at(found["StatefulSet"][0], "spec.serviceName")


@EACH_MAJOR
def test_it_is_beside_the_stack(major: int) -> None:
    """All of it is in the stack's namespace, as Prometheus' Secret has to be."""
    where = {"kube-prometheus-stack.namespaceOverride": "metrics"}
    settings = {**where, **CLASS, "influxdb.volumes": [LOCAL]}
    found = _mine(major, settings)
    (volume,) = found.pop("PersistentVolume")
    assert {"metrics"} == {
        each["metadata"]["namespace"] for many in found.values() for each in many
    }
    assert "metrics" == at(volume, "spec.claimRef.namespace")
    plan = _one(major, "PersistencePlan", where)["spec"]["influxdb"]
    assert ("metrics", f"http://{NAME}.metrics.svc:8086") == (plan["namespace"], plan["url"])


@EACH_MAJOR
def test_what_holds_data_is_kept(major: int) -> None:
    """Claim, volume and Secret stay after an uninstall; Argo CD does not prune them either."""
    settings = {**CLASS, "influxdb.volumes": [LOCAL]}
    found = _mine(major, settings)
    for kind in (CLAIM, "PersistentVolume", "Secret"):
        assert {"helm.sh/resource-policy": "keep"} == found[kind][0]["metadata"]["annotations"]
    argocd = {**settings, "gitops.argocd": True, "influxdb.existingSecret": "mine"}
    for kind in (CLAIM, "PersistentVolume"):
        told = _one(major, kind, argocd)["metadata"]["annotations"]
        assert "Prune=false,Delete=false" == told["argocd.argoproj.io/sync-options"]
    assert "Retain" == at(found["PersistentVolume"][0], "spec.persistentVolumeReclaimPolicy")


def _references(found: Any) -> set[tuple[str, str]]:
    return {
        (each["valueFrom"]["secretKeyRef"]["name"], each["valueFrom"]["secretKeyRef"]["key"])
        for each in at(found, f"{SETUP}.env")
        if "valueFrom" in each
    }


@EACH_MAJOR
def test_secret_is_drawn(major: int) -> None:
    """Three users, three long passwords of their own, of the draw that the pod is told of."""
    found = _mine(major)
    data = found["Secret"][0]["data"]
    keys = {f"{user}-{what}" for user in USERS for what in ("username", "password")}
    assert keys == set(data)
    assert USERS == tuple(base64.b64decode(data[f"{user}-username"]).decode() for user in USERS)
    passwords = {f"{user}-password": data[f"{user}-password"] for user in USERS}
    assert 3 == len(set(passwords.values()))
    assert {40} == {len(base64.b64decode(each)) for each in passwords.values()}
    assert "immutable" not in found["Secret"][0]
    (server,) = found["StatefulSet"]
    assert {(NAME, key) for key in keys} == _references(server)
    text = json.dumps(passwords, sort_keys=True, separators=(",", ":"))
    told = at(server, "spec.template.metadata.annotations")["checksum/secret"]
    assert hashlib.sha256(text.encode()).hexdigest() == told


@EACH_MAJOR
def test_secret_is_given(major: int) -> None:
    """With a Secret of the user's own none is made, and it is asked for the same keys."""
    found = _mine(major, {"influxdb.existingSecret": "mine"})
    assert KINDS - {"Secret"} == set(found)
    (server,) = found["StatefulSet"]
    assert {"mine"} == {name for name, _ in _references(server)}
    assert 6 == len(_references(server))
    assert "checksum/secret" not in at(server, "spec.template.metadata.annotations")


@EACH_MAJOR
def test_setup_is_the_script(major: int) -> None:
    """What runs in the pod is the script of chart/files, and a new one starts the pod anew."""
    script = (CHART / "files" / "influxdb" / "setup.sh").read_text()
    found = _mine(major)
    assert script == found["ConfigMap"][0]["data"]["setup.sh"]
    told = at(found["StatefulSet"][0], "spec.template.metadata.annotations")["checksum/setup"]
    assert hashlib.sha256(script.encode()).hexdigest() == told


def test_no_password_leaves_the_secret() -> None:
    """No other object, no report, no edit and no record holds a password, plain or encoded."""
    raw = render(4, {"influxdb.enabled": True})
    secret = next(
        each
        for each in yaml.safe_load_all(raw)
        if each and each["kind"] == "Secret" and each["metadata"]["name"] == NAME
    )
    encoded = [secret["data"][f"{user}-password"] for user in USERS]
    words = [*encoded, *(base64.b64decode(each).decode() for each in encoded)]
    assert all(word in raw for word in encoded)
    done = run(raw.encode())
    assert 0 == done.code, done.said
    others = [
        json.dumps(each)
        for each in yaml.safe_load_all(done.text)
        if each and not (each["kind"] == "Secret" and each["metadata"]["name"] == NAME)
    ]
    said = [run(raw.encode(), *words) for words in (("explain",), ("explain", "--format", "json"))]
    told = [*others, done.said, *(each.text + each.said for each in said)]
    assert any("remoteWrite" in each for each in told)
    assert [] == [word for word in words for text in told if word in text]


def test_prometheus_is_told() -> None:
    """Prometheus' entries name the Service and the Secret of the stream."""
    (path,) = (each for each in FILES if "influxdb" == each.stem)
    documents = finished(4, STAND_IN, path).documents
    by_kind = {each["kind"]: each for each in documents}
    spec = by_kind["Prometheus"]["spec"]
    ((write,), (read,)) = (spec["remoteWrite"], spec["remoteRead"])
    secrets = {each["metadata"]["name"]: each for each in documents if "Secret" == each["kind"]}
    services = {each["metadata"]["name"] for each in documents if "Service" == each["kind"]}
    for entry, action, user in ((write, "write", "writer"), (read, "read", "reader")):
        expected = f"http://{NAME}.monitoring.svc:8086/api/v1/prom/{action}?db=prometheus"
        assert expected == entry["url"]
        for key, reference in entry["basicAuth"].items():
            assert {"name": NAME, "key": f"{user}-{key}"} == reference
            assert reference["key"] in secrets[NAME]["data"]
    assert NAME in services


def test_store_is_of_the_profile() -> None:
    """The profile's size is the claim's, and its retention reaches the database."""
    (path,) = (each for each in FILES if "influxdb" == each.stem)
    documents = finished(4, STAND_IN, path).documents
    claims = [each for each in documents if CLAIM == each["kind"]]
    sizes = {
        each["metadata"]["name"]: at(each, "spec.resources.requests.storage") for each in claims
    }
    assert "200Gi" == sizes[NAME]
    server = next(
        each
        for each in documents
        if "StatefulSet" == each["kind"] and NAME == each["metadata"]["name"]
    )
    told = {each["name"]: each.get("value") for each in at(server, f"{SETUP}.env")}
    assert ("180d", "7d") == (told["RETENTION"], told["SHARD_DURATION"])

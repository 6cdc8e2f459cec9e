"""The schema of the values, with Helm 3 and Helm 4."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from tests.rendering import ALONE, EACH_MAJOR, Settings, at, refused, rendered, static
from tests.tools.stage import CHART

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
STACK = "kube-prometheus-stack"
OPEN = {STACK, "global"}
"""Blocks that are not ours: what is in them is upstream's to judge."""


# ---- The schema by itself ----


def _resolved(schema: Any) -> Any:
    name = schema.get("$ref", "").removeprefix("#/definitions/")
    return SCHEMA["definitions"][name] if name else schema


def _subschemas(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    schema = _resolved(schema)
    yield path, schema
    for name, below in schema.get("properties", {}).items():
        if name not in OPEN:
            yield from _subschemas(below, f"{path}.{name}".lstrip("."))
    if "items" in schema:
        yield from _subschemas(schema["items"], f"{path}[]")


OBJECTS = {path: each for path, each in _subschemas(SCHEMA) if "properties" in each}


def test_schema_is_one() -> None:
    """The file is a JSON Schema of draft 7, the newest that both Helm majors read."""
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_schema_says_nothing_twice() -> None:
    """Of two keys of one name JSON's readers take the last, and the first holds nowhere."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in pairs]
        assert len(keys) == len(set(keys)), sorted(keys)
        return dict(pairs)

    json.loads((CHART / "values.schema.json").read_text(), object_pairs_hook=once)


@pytest.mark.parametrize("path", OBJECTS)
def test_schema_is_closed(path: str) -> None:
    """No object of ours takes a key that it does not know, and each key has a schema."""
    assert OBJECTS[path]["additionalProperties"] is False
    assert {} not in [each for name, each in OBJECTS[path]["properties"].items() if name != "value"]


@pytest.mark.parametrize("path", [path for path in OBJECTS if "[]" not in path])
def test_schema_has_the_keys_of_values(path: str) -> None:
    """values.yaml, the reference, shows each key that the schema allows, and no other."""
    keys = set(at(VALUES, path) if path else VALUES)
    assert keys == set(OBJECTS[path]["properties"]) - {"global"}


def test_every_definition_is_used() -> None:
    """A definition that nothing refers to is a rule that holds nowhere."""
    text = json.dumps(SCHEMA)
    for name in SCHEMA["definitions"]:
        assert f'"#/definitions/{name}"' in text


# ---- What Helm says of wrong values ----

LOCAL = {"node": "n1", "local": "/d"}
NFS = {"server": "s", "path": "/p"}
CSI = {"driver": "d", "volumeHandle": "h"}
DISKS = {"name": "disks", "hostDir": "/data/local"}


def _patch(target: Any, operation: Any) -> Settings:
    return {"persistence.patches": [{"target": target, "patch": [operation]}]}


REMOVE = {"op": "remove", "path": "/x"}
MISSPELT: dict[str, Settings] = {
    "persistance": {"persistance.prometheus.size": "1Gi"},
    "storageclasses": {"storageclasses": []},
    "kube-prometheus-stak": {"kube-prometheus-stak.enabled": True},
    "localprovisioner": {"localprovisioner.enabled": True},
    "Prometheus": {"persistence.Prometheus.size": "1Gi"},
    "thanosruler": {"persistence.thanosruler.size": "1Gi"},
    "acept": {"persistence.acept": []},
    "siz": {"persistence.prometheus.siz": "1Gi"},
    "storageClass": {"persistence.alertmanager.storageClass": "c"},
    "fsgroup": {"persistence.thanosRuler.fsgroup": 1},
    "subpath": {"persistence.grafana.subpath": "x"},
    "retentionSize": {"persistence.alertmanager.retentionSize": "auto"},
    "subPath": {"persistence.prometheus.subPath": "x"},
    "hostpath": static({"node": "n1", "hostpath": "/d"}),
    "nodes": static({"nodes": ["n1"], "local": "/d"}),
    "shard": static({**LOCAL, "shard": 1}, consumer="alertmanager"),
    "readonly": static({"nfs": {**NFS, "readonly": True}}, consumer="grafana"),
    "handle": static({"csi": {**CSI, "handle": "h"}}),
    "nameSpace": static(
        {"csi": {**CSI, "nodeStageSecretRef": {"name": "s", "namespace": "n", "nameSpace": "n"}}}
    ),
    "names": _patch({"kind": "K", "names": "n"}, REMOVE),
    "Value": _patch({"kind": "K"}, {"op": "add", "path": "/x", "Value": 1}),
    "targets": {
        "persistence.patches": [{"target": {"kind": "K"}, "targets": [], "patch": [REMOVE]}]
    },
    "argoCD": {"gitops.argoCD": True},
    "className": {"localProvisioner.className": "c"},
    "nodeselector": {"localProvisioner.nodeselector": {}},
    # Its terms are alternatives to the disk's node: they widen where the volume may be used.
    "selector": {"localProvisioner.classes": [{**DISKS, "selector": []}]},
    "mountDir": {"localProvisioner.classes": [{**DISKS, "mountDir": "/d"}]},
    "operators": {"localProvisioner.tolerations": [{"operators": "Exists"}]},
    "claims": {"localProvisioner.resources.claims": []},
    "interval": {"localProvisioner.podMonitor.interval": "30s"},
    "egress": {"localProvisioner.networkPolicy.egress": []},
    "sise": {"influxdb.sise": "1Gi"},
    "queue": {"influxdb.remoteWrite.queue": {}},
    "writeRelabelConfigs": {"influxdb.remoteRead.writeRelabelConfigs": []},
    "ingress": {"influxdb.networkPolicy.ingress": []},
    "labels": {"influxdb.serviceMonitor.labels": {}},
    "password": {"influxdb.password": "x"},
    "bindingMode": {"storageClasses": [{"name": "c", "bindingMode": "Immediate"}]},
}


@EACH_MAJOR
@pytest.mark.parametrize(("key", "settings"), MISSPELT.items(), ids=MISSPELT)
def test_misspelt_key_is_named(major: int, key: str, settings: Settings) -> None:
    """A key that nothing knows is refused by its name, at whatever depth."""
    assert f"additional properties '{key}' not allowed" in refused(major, settings)


@EACH_MAJOR
@pytest.mark.parametrize("key", SCHEMA["dependencies"])
def test_key_outside_the_stack_is_sent_there(major: int, key: str) -> None:
    """Upstream's keys at the top level are refused with the place where they belong."""
    said = refused(major, {key: {}})
    assert f"properties '{STACK}.{key}' required, if '{key}' exists" in said
    assert f"additional properties '{key}' not allowed" in said


SIZE = "persistence.prometheus.size"
WRONG: dict[str, tuple[Settings, str]] = {
    **{
        f"size {size}": ({SIZE: size}, "/persistence/prometheus/size")
        for size in ("-5Gi", "5gi", "5 Gi", "Gi", "5GiB", "five", "+5Gi", "5Gi\n", "1e", 5, 0.5)
    },
    "volume size": (static({**LOCAL, "size": ""}), "/persistence/prometheus/volumes/0/size"),
    **{
        f"retention {size}": (
            {"persistence.prometheus.retentionSize": size},
            "/persistence/prometheus/retentionSize",
        )
        for size in ("40Gi", "40", "80%", "Auto", 40)
    },
    "enabled": ({"persistence.grafana.enabled": "yes"}, "/persistence/grafana/enabled"),
    "auto for others": ({"persistence.grafana.enabled": "auto"}, "/persistence/grafana/enabled"),
    "thanos": ({"persistence.thanosRuler.enabled": "yes"}, "/persistence/thanosRuler/enabled"),
    "mode": ({"persistence.grafana.accessModes": ["RWO"]}, "/persistence/grafana/accessModes/0"),
    "no mode": ({"persistence.grafana.accessModes": []}, "/persistence/grafana/accessModes"),
    "node": (static({**LOCAL, "node": "a b"}), "/persistence/prometheus/volumes/0/node"),
    "long node": (static({**LOCAL, "node": "n" * 64}), "/persistence/prometheus/volumes/0/node"),
    "map for list": (
        {"persistence.prometheus.volumes": {"0": LOCAL}},
        "/persistence/prometheus/volumes",
    ),
    "class": (
        {"persistence.alertmanager.storageClassName": "My_Class"},
        "/persistence/alertmanager/storageClassName",
    ),
    "group": ({"persistence.alertmanager.fsGroup": -1}, "/persistence/alertmanager/fsGroup"),
    "group text": ({"persistence.grafana.fsGroup": "472"}, "/persistence/grafana/fsGroup"),
    "image": ({"persistence.image": "busybox"}, "/persistence/image"),
    "image with port": ({"persistence.image": "r:5000/busybox"}, "/persistence/image"),
    "accept": ({"persistence.accept": ["all"]}, "/persistence/accept/0"),
    "patch target": (_patch({"name": "n"}, REMOVE), "missing property 'kind'"),
    "patch op": (_patch({"kind": "K"}, {"op": "set", "path": "/x"}), "/patches/0/patch/0/op"),
    "patch path": (_patch({"kind": "K"}, {"op": "add", "path": "x"}), "/patches/0/patch/0/path"),
    "nfs path": (static({"nfs": {"server": "s"}}), "missing property 'path'"),
    "csi handle": (static({"csi": {"driver": "d"}}), "missing property 'volumeHandle'"),
    "shard": (static({**LOCAL, "shard": -1}), "/persistence/prometheus/volumes/0/shard"),
    "class name": ({"storageClasses": [{"provisioner": "p"}]}, "missing property 'name'"),
    "class recycle": (
        {"storageClasses": [{"name": "c", "reclaimPolicy": "Recycle"}]},
        "/storageClasses/0/reclaimPolicy",
    ),
    "class parameter": (
        {"storageClasses": [{"name": "c", "parameters": {"iops": 3000}}]},
        "/storageClasses/0/parameters/iops",
    ),
    **{
        f"discovered {key}": (
            {"localProvisioner.classes": [{**DISKS, key: value}]},
            f"/localProvisioner/classes/0/{key}",
        )
        for key, value in {
            "name": "My_Class",
            "volumeMode": "Raw",
            "fsType": "ext4 ",
            "reclaimPolicy": "Recycle",
            "namePattern": "",
            "mountOptions": "noatime",
            "blockCleanerCommand": [],
        }.items()
    },
    "discovered path in a pattern": (
        {"localProvisioner.classes": [{**DISKS, "namePattern": "a/*"}]},
        "/localProvisioner/classes/0/namePattern",
    ),
    "discovered without directory": (
        {"localProvisioner.classes": [{"name": "disks"}]},
        "missing property 'hostDir'",
    ),
    "provisioner image": (
        {"localProvisioner.image": "example.com/local-volume-provisioner"},
        "/localProvisioner/image",
    ),
    "provisioner switch": ({"localProvisioner.enabled": "yes"}, "/localProvisioner/enabled"),
    "node label": (
        {"localProvisioner.nodeSelector": {"a": True}},
        "/localProvisioner/nodeSelector/a",
    ),
    "toleration": (
        {"localProvisioner.tolerations": [{"effect": "Never"}]},
        "/localProvisioner/tolerations/0/effect",
    ),
    "memory": (
        {"localProvisioner.resources.limits.memory": "256 MB"},
        "/localProvisioner/resources/limits/memory",
    ),
    "argocd": ({"gitops.argocd": "true"}, "/gitops/argocd"),
    **{
        f"retention {text}": ({"influxdb.retention": text}, "/influxdb/retention")
        for text in ("180", "0d", "180D", "6mo", "1y", "1d12h", "inf", "", "999999h", 180)
    },
    **{
        f"shards {text}": ({"influxdb.shardDuration": text}, "/influxdb/shardDuration")
        for text in ("INF", "7", "0w", "")
    },
    **{
        f"database {text}": ({"influxdb.database": text}, "/influxdb/database")
        for text in ("", "a b", 'a"b', "1a", "a.b", "a&rp=b")
    },
    "influxdb image": ({"influxdb.image": "influxdb"}, "/influxdb/image"),
    "influxdb toleration": (
        {"influxdb.tolerations": [{"key": "a", "operator": "In"}]},
        "/influxdb/tolerations/0/operator",
    ),
    "influxdb memory": (
        {"influxdb.resources.limits.memory": "4 Gi"},
        "/influxdb/resources/limits/memory",
    ),
    "influxdb secret": ({"influxdb.existingSecret": "My_Secret"}, "/influxdb/existingSecret"),
    "influxdb class": ({"influxdb.storageClassName": "a b"}, "/influxdb/storageClassName"),
    "two volumes of one pod": (
        {"influxdb.volumes": [LOCAL, {**LOCAL, "node": "n2"}]},
        "/influxdb/volumes",
    ),
    "no plan": ({"persistence": None}, "missing property 'persistence'"),
    "no consumer": ({"persistence.grafana": None}, "missing property 'grafana'"),
}


@EACH_MAJOR
@pytest.mark.parametrize(("settings", "says"), WRONG.values(), ids=WRONG)
def test_wrong_value_is_named(major: int, settings: Settings, says: str) -> None:
    """A value of a wrong type or form is refused with the path of its key."""
    said = refused(major, settings)
    assert "values don't meet the specifications of the schema" in said
    assert says in said


SIZES = ("1", "50Gi", "0.5Ti", "1.5G", ".5Ti", "5.Gi", "100k", "1e12", "1E9", "10E+9", "3Ei")


@EACH_MAJOR
@pytest.mark.parametrize("size", SIZES)
def test_quantity_is_taken(major: int, size: str) -> None:
    """What Kubernetes takes for a size is taken."""
    volume = rendered(major, ALONE | static({**LOCAL, "size": size}) | {SIZE: size})
    assert volume["PersistentVolume"][0]["spec"]["capacity"] == {"storage": size}

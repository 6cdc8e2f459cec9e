"""What the profiles of values/ make of kube-prometheus-stack: reach, metrics, remote stores.

Each runs on the stand-in, and on the real chart where there is one (KPS_CHART, or chart/charts).
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.finished import PASSWORD, finished, flavours
from tests.helm import template
from tests.rendering import at
from tests.tools import table
from tests.tools.demo import objects
from tests.tools.documents import Document
from tests.tools.helm import RELEASE
from tests.tools.stage import DEPENDENCY, stage

VALUES = Path(__file__).resolve().parents[1] / "values"
PROFILES = ("control-plane", "nodeport", "remote-write", "thanos")
FULL = f"{RELEASE}-{DEPENDENCY}"
SYSTEM = "kube-system"
Leaf = tuple[tuple[str | int, ...], Any]

EACH_CHART = pytest.mark.parametrize("flavour", flavours())
EACH_PROFILE = pytest.mark.parametrize("name", PROFILES)


@cache
def found(flavour: str, *names: str) -> dict[tuple[str, str, str], Document]:
    """Return the objects that a cluster gets, by kind, namespace and name."""
    files = (VALUES / f"{name}.yaml" for name in names)
    documents = objects(finished(4, flavour, *files).documents)
    return {(kind, space, name): each for (_, kind, space, name), each in documents.items()}


def one(flavour: str, profile: str, kind: str, suffix: str, space: str = "monitoring") -> Document:
    """Return one object of the stack."""
    return found(flavour, profile)[kind, space, f"{FULL}{suffix}"]


NODE_PORTS = (
    (f"{FULL}-alertmanager", "http-web", 30903),
    (f"{FULL}-prometheus", "http-web", 30090),
    (f"{RELEASE}-grafana", "http-web", 30030),
)


@EACH_CHART
@pytest.mark.parametrize(("name", "port", "number"), NODE_PORTS)
def test_node_ports(flavour: str, name: str, port: str, number: int) -> None:
    """Each of the three servers answers on its port of each node."""
    service = found(flavour, "nodeport")["Service", "monitoring", name]

    assert "NodePort" == service["spec"]["type"]
    assert {port: number} == {
        each["name"]: each["nodePort"] for each in service["spec"]["ports"] if "nodePort" in each
    }


@EACH_CHART
def test_nothing_else_is_reached(flavour: str) -> None:
    """No Service but the three has a port of the nodes."""
    outside = {
        name
        for (kind, _, name), each in found(flavour, "nodeport").items()
        if kind == "Service" and "NodePort" == each["spec"].get("type")
    }

    assert {name for name, _, _ in NODE_PORTS} == outside


@EACH_CHART
def test_a_caller_stays_with_one_prometheus(flavour: str) -> None:
    """Two replicas have samples of two moments: a page must not change from one to the other."""
    spec = one(flavour, "nodeport", "Service", "-prometheus")["spec"]

    assert "ClientIP" == spec["sessionAffinity"]


# Part, port, scheme, and whether the certificate cannot be checked.
PARTS = (
    ("kube-controller-manager", 10257, "https", True),
    ("kube-etcd", 2381, "http", None),
    ("kube-proxy", 10249, "http", None),
    ("kube-scheduler", 10259, "https", True),
)


@EACH_CHART
@pytest.mark.parametrize(("part", "port", "scheme", "unchecked"), PARTS)
def test_control_plane_is_scraped(
    flavour: str, part: str, port: int, scheme: str, unchecked: bool | None
) -> None:
    """Each part has a Service at its port, and a monitor that finds the Service."""
    service = one(flavour, "control-plane", "Service", f"-{part}", SYSTEM)
    monitor = one(flavour, "control-plane", "ServiceMonitor", f"-{part}")["spec"]
    (endpoint,) = monitor["endpoints"]

    assert [(port, port)] == [(e["port"], e["targetPort"]) for e in service["spec"]["ports"]]
    assert endpoint["port"] == service["spec"]["ports"][0]["name"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert [SYSTEM] == monitor["namespaceSelector"]["matchNames"]
    assert scheme == endpoint.get("scheme", "http")
    assert unchecked == at(endpoint, "tlsConfig.insecureSkipVerify")


@EACH_CHART
def test_no_token_is_sent_in_clear(flavour: str) -> None:
    """Prometheus shows its token to the two parts that ask for one, and those speak TLS."""
    for part, _, scheme, _ in PARTS:
        monitor = one(flavour, "control-plane", "ServiceMonitor", f"-{part}")["spec"]
        (endpoint,) = monitor["endpoints"]
        assert ("https" == scheme) == ("bearerTokenFile" in endpoint), part


@EACH_CHART
def test_thanos_takes_one_secret(flavour: str) -> None:
    """Sidecar and ruler upload with the Secret that is named, under one name of the cluster."""
    server = one(flavour, "thanos", "Prometheus", "-prometheus")["spec"]
    ruler = one(flavour, "thanos", "ThanosRuler", "-thanos-ruler")["spec"]

    assert {"name": "thanos-objstore", "key": "objstore.yml"} == server["thanos"][
        "objectStorageConfig"
    ]
    assert server["thanos"]["objectStorageConfig"] == ruler["objectStorageConfig"]
    assert server["externalLabels"] == ruler["labels"] == {"cluster": "my-cluster"}
    # The operator adds it, and with another name both would have to be told to Thanos Query.
    assert "replicaExternalLabelName" not in server
    assert "disableCompaction" not in server


@EACH_CHART
def test_thanos_ruler_has_rules_of_its_own(flavour: str) -> None:
    """A rule is not evaluated twice: Prometheus and the ruler select by different labels."""
    server = one(flavour, "thanos", "Prometheus", "-prometheus")["spec"]
    ruler = one(flavour, "thanos", "ThanosRuler", "-thanos-ruler")["spec"]

    ours, others = (spec["ruleSelector"]["matchLabels"] for spec in (server, ruler))

    assert set() == ours.keys() & others.keys()


@EACH_CHART
def test_thanos_query_finds_the_sidecars(flavour: str) -> None:
    """The Service has no address of its own, so its name gives each pod; it serves gRPC."""
    spec = one(flavour, "thanos", "Service", "-thanos-discovery")["spec"]

    assert "None" == spec["clusterIP"]
    assert {"grpc": 10901, "http": 10902} == {each["name"]: each["port"] for each in spec["ports"]}


@EACH_CHART
def test_remote_write_names_its_secret(flavour: str) -> None:
    """User and password come from a Secret, and replicas differ by the label that Mimir reads."""
    spec = one(flavour, "remote-write", "Prometheus", "-prometheus")["spec"]
    (remote,) = spec["remoteWrite"]

    assert {"username": "remote-write", "password": "remote-write"} == {
        field: reference["name"] for field, reference in remote["basicAuth"].items()
    }
    assert "__replica__" == spec["replicaExternalLabelName"]
    assert "cluster" in spec["externalLabels"]
    assert remote["queueConfig"]["capacity"] >= 3 * remote["queueConfig"]["maxSamplesPerSend"]


@EACH_CHART
def test_profiles_go_together(flavour: str) -> None:
    """All four over one backend give what each gives, and no rule fires."""
    together = found(flavour, "local", *PROFILES)
    kinds = [key for name in PROFILES for key in found(flavour, "local", name)]
    files = (VALUES / f"{name}.yaml" for name in ("local", *PROFILES))

    assert set(kinds) == set(together)
    assert "" == finished(4, flavour, *files).findings


SECRET = "a-key-that-nobody-may-read"  # noqa: S105  of no store
STORE = {"secret": {"type": "S3", "config": {"bucket": "b", "secret_key": SECRET}}}


@EACH_CHART
def test_a_secret_stays_in_the_secrets(flavour: str, tmp_path: Path) -> None:
    """Keys that somebody writes into the values are in no plan, no record and no report."""
    layer = tmp_path / "layer.json"
    thanos = {"objectStorageConfig": {"existingSecret": None, **STORE}}
    values = {DEPENDENCY: {"prometheus": {"prometheusSpec": {"thanos": thanos}}}}
    layer.write_text(json.dumps(values))
    told = finished(4, flavour, VALUES / "thanos.yaml", layer)
    holding = [each for each in told.documents if SECRET in json.dumps(each)]

    assert [] == holding
    assert SECRET not in told.findings
    assert any("object-storage-configs.yaml" in (each.get("data") or {}) for each in told.documents)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[Leaf]:
    """Yield path and value of all that a values file says."""
    if isinstance(value, dict | list):
        inner = value.items() if isinstance(value, dict) else enumerate(value)
        for name, part in inner:
            yield from leaves(part, (*path, name))
    else:
        yield path, value


def changed(values: Any, path: tuple[str | int, ...], leaf: Any) -> Any:
    """Return the values with another value at one place."""
    others = {"http": "https", True: False, False: True}
    other = others.get(leaf) if isinstance(leaf, bool) or leaf == "http" else None
    result = copy.deepcopy(values)
    inner = result
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = leaf + 1 if type(leaf) is int else f"{leaf}x" if other is None else other
    return result


@EACH_CHART
@EACH_PROFILE
def test_every_value_is_read(flavour: str, name: str, tmp_path: Path) -> None:
    """Whatever a profile says changes what is rendered: no key of it is dead or misspelt."""
    values = yaml.safe_load((VALUES / f"{name}.yaml").read_text())
    chart = stage(flavour)

    def render(number: int, layer: Any) -> str:
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(layer))
        return template(4, chart, "--values", path, "--set", PASSWORD)

    said = list(leaves(values))
    layers = [values, values, *(changed(values, path, leaf) for path, leaf in said)]
    with ThreadPoolExecutor(2) as pool:
        first, again, *others = pool.map(render, range(len(layers)), layers)

    assert first == again
    assert [] == [path for (path, _), text in zip(said, others, strict=True) if text == first]


LAYER = re.compile(r"^#   (?=storageClasses|persistence|  )(.*)$", re.MULTILINE)


@EACH_CHART
def test_a_class_that_is_there_serves(flavour: str, tmp_path: Path) -> None:
    """The layer that csi.yaml shows makes no class, and all claims are of the class it names."""
    layer = tmp_path / "layer.yaml"
    layer.write_text("\n".join(LAYER.findall((VALUES / "csi.yaml").read_text())))
    told = finished(4, flavour, VALUES / "csi.yaml", layer)
    rows = table.rows(told.documents)

    assert [] == [each for each in told.documents if each["kind"] == "StorageClass"]
    assert {"prometheus", "alertmanager", "grafana"} == {row.consumer for row in rows}
    assert {"gp3"} == {row.storage_class for row in rows}
    assert "200Gi" == next(row.size for row in rows if row.consumer == "prometheus")
    assert "" == told.findings

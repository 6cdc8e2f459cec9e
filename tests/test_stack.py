"""The stack: what is found in a stream, and the names that follow from it."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from durable import stack as stacks
from durable import stream
from durable.errors import DocumentError
from durable.pipeline import PlanFile, build_stack
from durable.plan import Volume
from durable.stack import Consumer, Stack, guarded
from tests.tools.stage import CHART

EVERYTHING = "persistence: {prometheus: {}, alertmanager: {}, thanosRuler: {}, grafana: {}}"
GROUP = "monitoring.coreos.com/v1"
DATA = {"name": "storage", "mountPath": "/var/lib/grafana"}
OPERATOR = "quay.io/prometheus-operator/prometheus-operator"


def _stack(*documents: dict[str, Any], plan: str = EVERYTHING, hooks: bool = False) -> Stack:
    text = yaml.safe_dump_all(documents)
    return build_stack(stream.read(text.encode()), PlanFile("plan.yaml", plan), hooks=hooks)


def _object(kind: str, spec: dict[str, Any], name: str = "a", **metadata: Any) -> dict[str, Any]:
    version = "apps/v1" if kind in ("Deployment", "StatefulSet") else GROUP
    metadata = {"name": name, **metadata}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _grafana(kind: str, **pod: Any) -> dict[str, Any]:
    containers = [{"name": "sidecar"}, {"name": "grafana", "volumeMounts": [DATA]}]
    return _object(kind, {"template": {"spec": {"containers": containers, **pod}}})


def _consumer(document: dict[str, Any], plan: str = EVERYTHING) -> Consumer:
    (found,) = _stack(document, plan=plan).consumers
    return found


@pytest.mark.parametrize(
    ("document", "claims"),
    [
        (_object("Prometheus", {}), ["prometheus-a-db-prometheus-a-0"]),
        (_object("Prometheus", {"replicas": 0}), []),
        (
            _object("Prometheus", {"replicas": 2, "shards": 2}),
            [
                "prometheus-a-db-prometheus-a-0",
                "prometheus-a-db-prometheus-a-1",
                "prometheus-a-db-prometheus-a-shard-1-0",
                "prometheus-a-db-prometheus-a-shard-1-1",
            ],
        ),
        (_object("Prometheus", {"shards": 0}), ["prometheus-a-db-prometheus-a-0"]),
        (
            _object("PrometheusAgent", {"shards": 2}),
            ["prom-agent-a-db-prom-agent-a-0", "prom-agent-a-db-prom-agent-a-shard-1-0"],
        ),
        # Only Prometheus has shards.
        (
            _object("Alertmanager", {"replicas": None, "shards": 2}),
            ["alertmanager-a-db-alertmanager-a-0"],
        ),
        (_object("ThanosRuler", {}), ["thanos-ruler-a-data-thanos-ruler-a-0"]),
        (
            _object(
                "ThanosRuler", {"storage": {"volumeClaimTemplate": {"metadata": {"name": "m"}}}}
            ),
            ["m-thanos-ruler-a-0"],
        ),
        (_grafana("Deployment"), ["a"]),
        (
            _grafana(
                "Deployment",
                volumes=[{"name": "storage", "persistentVolumeClaim": {"claimName": "mine"}}],
            ),
            ["mine"],
        ),
        (_grafana("StatefulSet"), ["storage-a-0"]),
    ],
)
def test_claims(document: dict[str, Any], claims: list[str]) -> None:
    """Each pod's claim has the name that the StatefulSet controller will give it."""
    assert claims == _consumer(document).claims()


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"replicas": 10_001}, "spec.replicas is 10001, it must be at most 10000"),
        ({"shards": 10_001}, "spec.shards is 10001, it must be at most 10000"),
        ({"shards": 101, "replicas": 100}, "101 shards of 100 are over 10000 pods"),
        ({"replicas": "2"}, "spec.replicas is a string, it must be a whole number"),
    ],
)
def test_too_many_pods(spec: dict[str, Any], says: str) -> None:
    """A slip of the finger in a number is named, before it is counted out."""
    with pytest.raises(DocumentError) as caught:
        _consumer(_object("Prometheus", spec)).claims()
    assert says in str(caught.value)


def test_most_pods() -> None:
    """Ten thousand pods are not too many; a negative number of replicas is one, as it is live."""
    most = _consumer(_object("Prometheus", {"shards": 100, "replicas": 100}))
    assert 10_000 == len(set(most.claims()))
    assert 1 == _consumer(_object("Prometheus", {"replicas": -1})).replicas


@pytest.mark.parametrize(
    ("spec", "shards", "places"),
    [
        ({}, [None, None], [(0, 0), (0, 1)]),
        ({"replicas": 2, "shards": 2}, [None] * 5, [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0)]),
        ({"replicas": 0, "shards": 2}, [None] * 2, [(0, 0), (1, 0)]),
        ({"shards": 2}, [1, None, 1], [(1, 0), (0, 0), (1, 1)]),
    ],
)
def test_claim_of_each_volume(
    spec: dict[str, Any], shards: list[int | None], places: list[tuple[int, int]]
) -> None:
    """A volume is for the next pod of its shard: the one it says, else by the order of the list."""
    found = _consumer(_object("Prometheus", spec))
    volumes = tuple(Volume("local", "/a", "n", shard=shard) for shard in shards)
    assert [found.claim(*place) for place in places] == found.claim_of_volumes(volumes)


@pytest.mark.parametrize(
    ("document", "volume", "mount", "sub_path", "ids"),
    [
        (
            _object("Prometheus", {}),
            "prometheus-a-db",
            "/prometheus",
            "prometheus-db",
            (1000, 2000),
        ),
        (
            _object("Prometheus", {"storage": {"disableMountSubPath": True}}),
            "prometheus-a-db",
            "/prometheus",
            "",
            (1000, 2000),
        ),
        (
            _object("Alertmanager", {"securityContext": {"runAsUser": 5, "runAsGroup": 6}}),
            "alertmanager-a-db",
            "/alertmanager",
            "alertmanager-db",
            (5, 6),
        ),
        (
            _object("ThanosRuler", {"securityContext": {"runAsGroup": 6, "fsGroup": 7}}),
            "thanos-ruler-a-data",
            "/thanos/data",
            "",
            (1000, 7),
        ),
        (_grafana("Deployment"), "storage", "/var/lib/grafana", "grafana-db", (472, 472)),
    ],
)
def test_where_the_data_lies(
    document: dict[str, Any], volume: str, mount: str, sub_path: str, ids: tuple[int, int]
) -> None:
    """Volume, mount, sub-directory and owner are those of the server, by its kind and document."""
    found = _consumer(document)
    assert (volume, mount) == (found.volume_name, found.mount)
    assert (sub_path, ids) == (found.sub_path, found.ids)


@pytest.mark.parametrize(
    "plan", ["persistence: {grafana: {enabled: false}}", "persistence: {prometheus: {}}"]
)
def test_sub_path_of_a_grafana_that_is_left_alone(plan: str) -> None:
    """Where the plan does not rule, the sub-directory is the one that the document has."""
    pod = {"containers": [{"name": "grafana", "volumeMounts": [DATA | {"subPath": "own"}]}]}
    document = _object("Deployment", {"template": {"spec": pod}})
    assert "own" == _consumer(document, plan).sub_path


@pytest.mark.parametrize(
    ("image", "version"),
    [
        (f"{OPERATOR}:v0.93.1", (0, 93)),
        ("registry.example.com/a/prometheus-operator:0.68.0-r1", (0, 68)),
        (f"{OPERATOR}:v0.93.1@sha256:abc", (0, 93)),
        (f"{OPERATOR}@sha256:abc", None),
        (f"{OPERATOR}:latest", None),
        ("quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1", None),
    ],
)
def test_operator_version(image: str, version: tuple[int, int] | None) -> None:
    """The operator's version is that of its image's tag, wherever the Deployment stands."""
    container = {"name": "o", "image": image}
    operator = _object("Deployment", {"template": {"spec": {"containers": [container]}}})
    prometheus = _object("Prometheus", {})
    assert version == _stack(prometheus, operator).operator
    assert version == _stack({"kind": "List", "items": [operator, prometheus]}).operator
    late = {"kind": "List", "items": [_object("Secret", {"x": "y" * 200_000}), operator]}
    assert version == _stack(late).operator, "in a list it may stand anywhere"
    assert _stack(prometheus, operator).has_field((0, 93), unknown=True) == (version != (0, 68))


def test_managed_and_guarded() -> None:
    """Steps edit what the plan enables; rules judge all but what it gives up."""
    documents = [_object(kind, {}) for kind in ("Prometheus", "Alertmanager", "ThanosRuler")]
    plan = "persistence: {prometheus: {}, alertmanager: {enabled: false}}"
    found = _stack(*documents, plan=plan)
    assert ["prometheus"] == [each.name for each in found.managed()]
    assert ["prometheus", "thanosRuler"] == [each.name for each in guarded(found)]


def test_hooks_on_demand() -> None:
    """A hook is no consumer unless hooks are wanted."""
    hook = _object("Prometheus", {}, annotations={"helm.sh/hook": "pre-install"})
    assert () == _stack(hook).consumers
    assert 1 == len(_stack(hook, hooks=True).consumers)


def test_find_by_namespace() -> None:
    """An object is found by kind, name and namespace; without a namespace it fits all."""
    documents = [
        _object("PersistentVolumeClaim", {}, "a", namespace="one"),
        _object("PersistentVolumeClaim", {}, "b"),
    ]
    found = _stack(*documents)
    wanted = [("a", "one"), ("a", ""), ("a", "two"), ("b", "two"), ("c", "")]
    places = [found.find("PersistentVolumeClaim", *each) for each in wanted]
    assert ["a", "a", None, "b", None] == [each and each.name for each in places]


def test_only_what_is_asked_is_read() -> None:
    """A document that holds no data and names no class is not even parsed."""
    documents = [
        _object("Service", {}),
        _object("ConfigMap", {}),
        _object("Deployment", {}),
        {"kind": "List", "items": [_object("Service", {})]},
        _object("StorageClass", {}),
        _object("HorizontalPodAutoscaler", {}),
        {"kind": "List", "items": None, "note": {"kind": "Prometheus"}},
    ]
    assert {"StorageClass", "HorizontalPodAutoscaler"} == set(_stack(*documents).objects)


@pytest.mark.parametrize("items", [{"kind": "Prometheus"}, ["kind: Prometheus"]])
def test_lists_hold_objects(items: Any) -> None:
    """A List of something else than objects is named."""
    says = r"document 1 \(List, line 1\): items must be a list of objects"
    with pytest.raises(DocumentError, match=says):
        _stack({"kind": "List", "items": items, "note": {"kind": "Prometheus"}})


@pytest.mark.parametrize("kind", ["List", "PrometheusList", "DeploymentList"])
def test_lists_of_every_name(kind: str) -> None:
    """The API's name of a list, or a list in a list, hides no consumer."""
    listed = {"kind": kind, "items": [_object("Prometheus", {}), _grafana("Deployment")]}
    expected = [("prometheus", "a"), ("grafana", "a")]
    for document in (listed, {"kind": "List", "items": [{"kind": "List", "items": [listed]}]}):
        found = _stack(document)
        assert expected == [(each.name, each.object.name) for each in found.consumers]
        edited = next(each for each in found.consumers).object
        edited.apply([{"op": "add", "path": "/spec/replicas", "value": 2}])
        assert edited.get("spec", "replicas") == 2


def test_labels_are_the_charts() -> None:
    """The labels by which the chart's volumes are known are spelt as the chart spells them."""
    text = (CHART / "templates" / "storage" / "persistentvolumes.yaml").read_text()
    assert f"{stacks.CONSUMER_LABEL}: " in text
    assert f"{stacks.VOLUME_LABEL}: " in text

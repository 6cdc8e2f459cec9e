"""The plan: both its forms, its defaults, and what a key without a value means."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml

from durable import plan as plans
from durable.document import Document
from durable.plan import ConsumerPlan, Patch, Plan, Store, Volume, parse_plan
from durable.quantity import parse_quantity
from tests.tools.stage import CHART

CONSUMERS = ("prometheus", "alertmanager", "thanosRuler", "grafana")
EACH_CONSUMER = pytest.mark.parametrize("consumer", CONSUMERS)
PERSISTENCE = {
    "image": "registry.example.com/busybox:1",
    "prometheus": {
        "enabled": True,
        "size": "200Gi",
        "storageClassName": "local",
        "accessModes": ["ReadWriteOncePod"],
        "volumes": [
            {"node": "n1", "local": "/mnt/a", "size": "250Gi", "mountOptions": ["noatime"]},
            {"csi": {"driver": "d", "volumeHandle": "h"}, "shard": 1},
        ],
        "nodes": ["n1", "n2"],
        "fsGroup": 1,
        "fixOwnership": True,
        "retentionSize": "100GB",
    },
    "grafana": {"subPath": "a/b"},
    "accept": ["volumes/posix"],
    "patches": [
        {
            "target": {"kind": "Service", "name": "a", "namespace": "b"},
            "patch": [{"op": "remove", "path": "/spec"}],
        }
    ],
}


def _read(value: Any) -> Plan:
    return parse_plan(value, "plan.yaml")


def _consumer(name: str, keys: dict[str, Any]) -> ConsumerPlan:
    found: ConsumerPlan = _read({"persistence": {name: keys}}).consumers[name]
    return found


STORE = {"url": "https://a.b-c.svc", "database": "d_1", "secret": "s"}


def test_store_is_read() -> None:
    """The long-term store arrives, and what is left out is empty."""
    document = {"apiVersion": plans.API_VERSION, "kind": plans.KIND, "metadata": {}}
    write = {"queueConfig": {"maxShards": 1}, "writeRelabelConfigs": [{"action": "drop"}]}
    further = {"namespace": "n", "remoteWrite": write, "remoteRead": {"readRecent": True}}
    plan = _read({**document, "spec": {"persistence": {}, "influxdb": {**STORE, **further}}})
    assert Store("https://a.b-c.svc", "d_1", "n", "s", write, {"readRecent": True}) == plan.store
    empty = dict.fromkeys(further)
    plan = _read({**document, "spec": {"persistence": {}, "influxdb": {**STORE, **empty}}})
    assert Store("https://a.b-c.svc", "d_1", "", "s", {}, {}) == plan.store


@pytest.mark.parametrize("off", [{}, None, {"enabled": False, "size": "1Gi"}])
def test_values_file_without_a_store(off: Any) -> None:
    """A values file whose store is off is a plan; where it is on only the chart can name it."""
    assert _read({"persistence": PERSISTENCE, "influxdb": off}).store is None


def test_values_file() -> None:
    """A values file is a plan without a release; what else it holds is Helm's business."""
    value = {"persistence": PERSISTENCE, "gitops": {"argocd": True}, "storageClasses": 5}
    plan = _read(value)
    assert ("", "", True) == (plan.release, plan.namespace, plan.argocd)
    assert {"persistence": PERSISTENCE, "gitops": {"argocd": True}} == plan.raw


def test_plan_document() -> None:
    """The plan document of the chart says the release too."""
    spec = {
        "release": "stack",
        "namespace": "monitoring",
        "chart": "durable-prometheus-stack-0.1.0",
        "gitops": {"argocd": False},
        "persistence": PERSISTENCE,
    }
    value = {"apiVersion": plans.API_VERSION, "kind": plans.KIND, "metadata": {}, "spec": spec}
    plan = _read(value)
    assert ("stack", "monitoring", False) == (plan.release, plan.namespace, plan.argocd)
    assert spec == plan.raw


def test_everything_said_is_read() -> None:
    """Each key of the plan arrives, in both forms alike."""
    plan = _read({"persistence": PERSISTENCE})
    assert "registry.example.com/busybox:1" == plan.image
    assert ("volumes/posix",) == plan.accept
    operations = [{"op": "remove", "path": "/spec"}]
    assert (Patch("Service", "a", "b", operations),) == plan.patches
    assert ["prometheus", "grafana"] == list(plan.consumers)
    assert "a/b" == plan.consumers["grafana"].sub_path
    expected = ConsumerPlan(
        name="prometheus",
        enabled=True,
        expected=True,
        size="200Gi",
        storage_class="local",
        access_modes=("ReadWriteOncePod",),
        volumes=(
            Volume("local", "/mnt/a", "n1", "250Gi"),
            Volume("csi", {"driver": "d", "volumeHandle": "h"}, shard=1),
        ),
        nodes=("n1", "n2"),
        fs_group=1,
        fix_ownership=True,
        retention_size="100GB",
        sub_path="",
    )
    assert expected == plan.consumers["prometheus"]


@EACH_CONSUMER
def test_defaults_are_the_charts(consumer: str) -> None:
    """A plan file means by a key that is left out what the chart's values.yaml says."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())["persistence"]
    assert values[consumer] == plans.DEFAULTS[consumer]
    assert values["image"] == plans.DEFAULT_IMAGE
    assert {*CONSUMERS, *plans.GENERAL} == set(values)
    assert _consumer(consumer, values[consumer]) == _consumer(consumer, {})


@EACH_CONSUMER
def test_null_is_the_default(consumer: str) -> None:
    """A key without a value means the same as no key, as for Helm."""
    nothing = dict.fromkeys(plans.DEFAULTS[consumer])
    assert _consumer(consumer, {}) == _consumer(consumer, nothing)


def test_null_everywhere() -> None:
    """A consumer that is null is not planned, and empty general keys are the defaults."""
    persistence: dict[str, Any] = dict.fromkeys((*CONSUMERS, *plans.GENERAL))
    plan = _read({"persistence": persistence, "gitops": None})
    bare = _read({"persistence": {}})
    assert {} == plan.consumers
    said = (plan.image, plan.accept, plan.patches, plan.argocd)
    assert (bare.image, bare.accept, bare.patches, bare.argocd) == said
    assert not _read({"persistence": {}, "gitops": {"argocd": None}}).argocd


def test_null_in_a_volume() -> None:
    """A source without a value is not there."""
    volume = {"local": "/a", "node": "n1", "hostPath": None, "size": None, "shard": None}
    assert (Volume("local", "/a", "n1"),) == _consumer("grafana", {"volumes": [volume]}).volumes


def test_auto_is_not_expected() -> None:
    """A consumer that is `auto` is made durable where it is, and not missed where it is not."""
    ruler = _consumer("thanosRuler", {})
    assert (True, False) == (ruler.enabled, ruler.expected)
    assert _consumer("thanosRuler", {"enabled": True}).expected


def test_empty_size_of_what_is_off() -> None:
    """Only a consumer that is switched off may have an empty size: its claim is never made."""
    off = _consumer("prometheus", {"enabled": False, "size": ""})
    assert (False, "") == (off.enabled, off.size)


@pytest.mark.parametrize(("size", "text"), [(5368709120, "5368709120"), ("1Ei", "1Ei")])
def test_size_is_text(size: Any, text: str) -> None:
    """A size that YAML reads as a number is written as the quantity that it is."""
    plan = _consumer("prometheus", {"size": size})
    assert text == plan.size
    assert parse_quantity(text)


@pytest.mark.parametrize(
    ("nodes", "volumes", "pinned"),
    [
        ([], [], ()),
        (["b", "a"], [], ("b", "a")),
        (["b"], ["a"], ("b",)),
        ([], ["b", "a", "b"], ("b", "a")),
        ([], ["b", ""], ()),
    ],
)
def test_pinned_nodes(nodes: list[str], volumes: list[str], pinned: tuple[str, ...]) -> None:
    """Pods stay on the nodes that are said, else on the volumes' if every volume has one."""
    csi = {"csi": {"driver": "d", "volumeHandle": "h"}}
    entries = [csi | ({"node": node} if node else {}) for node in volumes]
    assert pinned == _consumer("prometheus", {"nodes": nodes, "volumes": entries}).pinned_nodes


def test_limits_are_within() -> None:
    """The smallest and the largest of what may be said may be said."""
    modes = list(plans.ACCESS_MODES)
    least = _consumer("prometheus", {"fsGroup": 0, "size": "1Mi", "accessModes": modes})
    assert (0, "1Mi", tuple(modes)) == (least.fs_group, least.size, least.access_modes)
    assert 2**31 - 1 == _consumer("prometheus", {"fsGroup": 2**31 - 1}).fs_group


def test_reading_changes_nothing() -> None:
    """What was read stays as it was, and so do the defaults."""
    value, defaults = {"persistence": copy.deepcopy(PERSISTENCE)}, copy.deepcopy(plans.DEFAULTS)
    _read(value)
    assert {"persistence": PERSISTENCE} == value
    assert defaults == plans.DEFAULTS


def test_as_yaml() -> None:
    """Numbers and words mean in a plan file what they mean to Helm."""
    text = "persistence: {prometheus: {enabled: yes, fsGroup: 0x7d0, size: 50Gi, nodes: ['1']}}"
    plan = _read(Document(text).value).consumers["prometheus"]
    assert (True, 2000, ("1",)) == (plan.enabled, plan.fs_group, plan.nodes)

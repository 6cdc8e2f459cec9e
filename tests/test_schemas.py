"""What the post-renderer injects is known to the operator that is to read it, old and new.

Helm 4 applies server-side: one unknown field, and nothing is installed. With Helm 3 the field is
dropped without a word. So the table of durable.consumers is held against the operator's schemas.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from durable import consumers, pipeline, stream
from durable import plan as plans
from durable.pipeline import PlanFile
from tests import crds
from tests.crds import RELEASES, AbsentError, Release, faults, field, schema

NEWEST = RELEASES[-1]
KINDS = tuple(consumers.CUSTOM_RESOURCES)
POLICY = ("spec", "persistentVolumeClaimRetentionPolicy")
CHANGE_POLICY = ("spec", "securityContext", "fsGroupChangePolicy")
RETENTION_SIZE = ("spec", "retentionSize")
EACH_RELEASE = pytest.mark.parametrize("release", RELEASES, ids=str)
EACH_KIND = pytest.mark.parametrize("kind", KINDS)
VOLUME = {"node": "n1", "local": "/mnt/a"}
ALL_ON: dict[str, Any] = {
    "size": "20Gi",
    "storageClassName": "local",
    "accessModes": ["ReadWriteOncePod"],
    "nodes": ["n1", "n2"],
    "fsGroup": 2000,
    "fixOwnership": True,
    "volumes": [VOLUME],
}


@pytest.fixture(scope="module", autouse=True)
def _releases() -> None:
    """Skip, with the reason, where the operator's releases cannot be had."""
    try:
        for release in RELEASES:
            crds.folder(release)
    except AbsentError as error:
        pytest.skip(str(error))


def _custom_resource(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    version = "v1alpha1" if kind == "PrometheusAgent" else "v1"
    metadata = {"name": "a", "namespace": "monitoring"}
    # A ruler without something to ask is refused by its own schema.
    own = {"queryEndpoints": ["http://a:9090"]} if kind == "ThanosRuler" else {}
    return {
        "apiVersion": f"{consumers.GROUP}{version}",
        "kind": kind,
        "metadata": metadata,
        "spec": own | spec,
    }


def _operator(release: Release) -> dict[str, Any]:
    image = f"quay.io/prometheus-operator/prometheus-operator:v{release}"
    containers = [{"name": "operator", "image": image}]
    spec = {"template": {"spec": {"containers": containers}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "o"}, "spec": spec}


def _rendered(release: Release, document: dict[str, Any], keys: dict[str, Any]) -> dict[str, Any]:
    """Return the document as it comes out for this release of the operator."""
    name = consumers.CUSTOM_RESOURCES[document["kind"]].consumer
    plan = {"persistence": {name: keys}, "gitops": {"argocd": True}}
    text = yaml.safe_dump_all([document, _operator(release)], sort_keys=False)
    documents = stream.read(text.encode())
    pipeline.run(documents, PlanFile("plan.yaml", yaml.safe_dump(plan)))
    edited: dict[str, Any] = documents.chunks[0].document.value
    return edited


def _has(release: Release, kind: str, *path: str) -> bool:
    published = schema(release, kind)
    return published is not None and field(published, *path) is not None


@EACH_RELEASE
@EACH_KIND
def test_injected_fields_are_known(release: Release, kind: str) -> None:
    """With every option on, each injected field is in the schema of that very release."""
    if schema(release, kind) is None:
        assert kind == "PrometheusAgent"
        assert release.version < (0, 64, 0)
        return
    document = _rendered(release, _custom_resource(kind, {}), ALL_ON)
    assert [] == faults(release, document)
    # Nothing of it is missing, either.
    assert {"storage", "securityContext", "affinity", "initContainers"} <= document["spec"].keys()


STORE = {
    "url": "http://kps-influxdb.monitoring.svc:8086",
    "database": "prometheus",
    "namespace": "monitoring",
    "secret": "kps-influxdb",
    "remoteWrite": {
        "queueConfig": {"maxShards": 10, "maxSamplesPerSend": 5000},
        "writeRelabelConfigs": [{"sourceLabels": ["__name__"], "regex": "go_.*", "action": "drop"}],
    },
    "remoteRead": {"readRecent": True},
}
REMOTE = {"Prometheus": {"remoteWrite", "remoteRead"}, "PrometheusAgent": {"remoteWrite"}}


@EACH_RELEASE
@EACH_KIND
def test_remote_fields_are_known(release: Release, kind: str) -> None:
    """What sends to the long-term store is in the schema of every release that has the kind."""
    if schema(release, kind) is None:
        return
    plan = {"apiVersion": plans.API_VERSION, "kind": plans.KIND, "metadata": {"name": "plan"}}
    plan["spec"] = {"persistence": {}, "influxdb": STORE}
    before = _custom_resource(kind, {"remoteWrite": [{"url": "http://other"}]})
    documents = [before, _operator(release), plan]
    text = stream.read(yaml.safe_dump_all(documents, sort_keys=False).encode())
    pipeline.run(text, None)
    document: dict[str, Any] = text.chunks[0].document.value
    if kind in REMOTE:
        assert [] == faults(release, document)
        assert REMOTE[kind] == {"remoteWrite", "remoteRead"} & document["spec"].keys()
        assert 2 == len(document["spec"]["remoteWrite"])
    else:
        assert before == document


@EACH_RELEASE
@EACH_KIND
def test_versions_of_the_table(release: Release, kind: str) -> None:
    """A field that came later is injected exactly where the release's schema has it."""
    if schema(release, kind) is None:
        return
    facts, known = consumers.CUSTOM_RESOURCES[kind], release.version[:2]
    assert _has(release, kind, *POLICY) == (known >= facts.claim_retention_since)
    assert _has(release, kind, *CHANGE_POLICY) == (known >= consumers.CHANGE_POLICY_SINCE)
    assert _has(release, kind, *RETENTION_SIZE) == facts.retention_size
    spec = _rendered(release, _custom_resource(kind, {}), ALL_ON)["spec"]
    assert _has(release, kind, *POLICY) == (POLICY[1] in spec)
    assert _has(release, kind, *CHANGE_POLICY) == (CHANGE_POLICY[2] in spec[CHANGE_POLICY[1]])
    assert facts.retention_size == (RETENTION_SIZE[1] in spec)


def test_both_sides_of_each_version() -> None:
    """For each version of the table a release before it and one from it on is among those asked."""
    asked = {release.version[:2] for release in RELEASES}
    told = {facts.claim_retention_since for facts in consumers.CUSTOM_RESOURCES.values()}
    for major, minor in (told | {consumers.CHANGE_POLICY_SINCE}) - {consumers.NEVER}:
        assert (major, minor) in asked
        assert (major, minor - 1) in asked


@EACH_KIND
def test_shards_and_storage_of_the_table(kind: str) -> None:
    """The newest release has shards where the table says so, and the storage fields everywhere."""
    facts = consumers.CUSTOM_RESOURCES[kind]
    assert facts.sharded == _has(NEWEST, kind, "spec", "shards")
    for name in ("emptyDir", "ephemeral", "volumeClaimTemplate", "disableMountSubPath"):
        assert _has(NEWEST, kind, "spec", "storage", name)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"storageSpec": {}}, "'storageSpec' was unexpected"),
        ({"storage": {"volumeClaimTemplates": []}}, "'volumeClaimTemplates' was unexpected"),
        ({"initContainers": [{"name": "a", "imagePull": "Always"}]}, "'imagePull' was unexpected"),
        ({"retentionSize": "40Gi"}, "does not match"),
        ({"securityContext": {"fsGroup": "2000"}}, "is not of type 'integer'"),
    ],
)
def test_schemas_are_strict(spec: dict[str, Any], says: str) -> None:
    """The comparison is worth something: a wrong or unknown field is found, however deep."""
    (fault,) = faults(NEWEST, _custom_resource("Prometheus", spec))
    assert says in fault


SIZES = st.sampled_from(["1Gi", "50G", "1.5Ti", "8Ei", "5368709120"])
NAMES = st.lists(st.sampled_from(["n1", "n2", "n3"]), max_size=3, unique=True)
MODES = st.lists(st.sampled_from(["ReadWriteOnce", "ReadWriteMany"]), min_size=1, unique=True)
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "size": SIZES,
        "storageClassName": st.sampled_from(["", "local", "a.b"]),
        "accessModes": MODES,
        "nodes": NAMES,
        "fsGroup": st.integers(0, 2**31 - 1),
        "fixOwnership": st.booleans(),
        "volumes": st.lists(st.just(VOLUME), max_size=2),
    },
)
CLAIM = {"spec": {"selector": {}, "resources": {"requests": {"storage": "1Gi"}}}}
TERM = {"matchExpressions": [{"key": "a", "operator": "Exists"}]}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
FOUND = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 3),
        "storage": st.sampled_from(
            [
                {},
                {"emptyDir": {"medium": "Memory"}},
                {"ephemeral": {"volumeClaimTemplate": CLAIM}},
                {"volumeClaimTemplate": CLAIM, "disableMountSubPath": True},
                {"volumeClaimTemplate": {"metadata": {"name": "data"}} | CLAIM, "emptyDir": {}},
            ]
        ),
        "affinity": st.sampled_from(
            [{"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [TERM]}}}, {"podAffinity": {}}]
        ),
        "securityContext": st.sampled_from([{}, {"runAsUser": 0}, {"fsGroup": 1}]),
        "initContainers": st.just([{"name": "fix-ownership", "image": "a"}, {"name": "b"}]),
    },
)


@given(st.sampled_from(KINDS), FOUND, KEYS)
def test_any_plan_fits_the_schema(kind: str, spec: dict[str, Any], keys: dict[str, Any]) -> None:
    """Whatever the plan says and the chart rendered, the newest operator knows every field."""
    document = _rendered(NEWEST, _custom_resource(kind, spec), keys)
    assert [] == faults(NEWEST, document)

"""What the operator does with a custom resource that the rules refuse, with fake nodes."""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.cluster import Object
from tests.e2e.traps import Place, claim_of, prometheus, reserved, template, volume

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("operator", "fake_nodes")]

RETENTION = "persistentVolumeClaimRetentionPolicy"
GONE_TIMEOUT = 120


def settled(place: Place, *names: str, **spec: Any) -> dict[str, Object]:
    """Apply a Prometheus of each name, with a volume reserved for it, and wait for its pod."""
    made = {name: prometheus(name, template(place.now), **spec) for name in names}
    volumes = [
        volume(f"{place.name}-{name}", place.now, claimRef=reserved(place, claim_of(name)))
        for name in names
    ]
    place.apply(*volumes, *made.values())
    for name in names:
        place.wait(f"pod of {name} runs", functools.partial(runs, place, name))
    return made


def runs(place: Place, name: str) -> bool:
    """Whether the pod of a Prometheus runs."""
    return place.phase("pod", f"prometheus-{name}-0") == "Running"


def renewed(place: Place, statefulset: str, old: str) -> bool:
    """Whether a StatefulSet is there that is not the old one."""
    return uid(place, "statefulset", statefulset) not in ("", old)


def uid(place: Place, kind: str, name: str) -> str:
    """Return what tells an object from a later one of its name, empty where there is none."""
    found = place.get(kind, name)
    return str(found["metadata"]["uid"]) if found else ""


def test_deleted_with_a_size_edit(place: Place) -> None:
    """Under whenDeleted: Delete an edit of the size loses the claim; under Retain it stays."""
    made = settled(place, "kept", "lost")
    policies = {"kept": "Retain", "lost": "Delete"}
    for name, policy in policies.items():
        made[name]["spec"][RETENTION] = {"whenDeleted": policy, "whenScaled": "Retain"}
    place.apply(*made.values())
    before = {name: uid(place, "pvc", claim_of(name)) for name in made}
    sets = {name: uid(place, "statefulset", f"prometheus-{name}") for name in made}
    owned(place)
    for name in made:
        made[name]["spec"]["storage"] = template(place.now, "2Gi")
    place.refused("claims/never-deleted", made["lost"])
    place.passes("claims/never-deleted", made["kept"])
    place.apply(*made.values())
    for name, old in sets.items():
        place.wait(
            f"the StatefulSet of {name} is made anew",
            functools.partial(renewed, place, f"prometheus-{name}", old),
        )
    lost = f"{place.name}-lost"
    place.wait("the volume is released", lambda: place.phase("pv", lost) == "Released")
    place.wait("there is another claim", lambda: uid(place, "pvc", claim_of("lost")))
    assert before["lost"] != uid(place, "pvc", claim_of("lost"))
    assert "Pending" == place.phase("pvc", claim_of("lost"))
    assert before["kept"] == uid(place, "pvc", claim_of("kept"))
    seen = "claim deleted, new one Pending, volume Released; with Retain the claim stayed Bound"
    place.saw("claims/never-deleted", "whenDeleted: Delete, then size 1Gi to 2Gi", seen)


def owned(place: Place) -> None:
    """Wait until the StatefulSet owns the claim that goes with it."""

    def owner() -> bool:
        found = place.get("pvc", claim_of("lost"))
        return bool(found and found["metadata"].get("ownerReferences"))

    place.wait("the claim belongs to the StatefulSet", owner)


@dataclass(frozen=True)
class Edit:
    """An edit of a running Prometheus that makes its pod or its claim invalid."""

    rule: str
    trap: str
    spec: Object
    told: str


MOUNT = {"name": "nosuch", "mountPath": "/x"}
EMPTY: Object = {"emptyDir": {}}
EDITS = {
    "size": Edit(
        "claims/sized",
        "template without a size",
        {"storage": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}},
        "resources[storage]: Required value",
    ),
    "volume": Edit(
        "pods/mounts", "mount without its volume", {"volumeMounts": [MOUNT]}, 'Not found: "nosuch"'
    ),
    "path": Edit(
        "pods/mounts",
        "mountPath twice",
        {
            "volumes": [{"name": "v", **EMPTY}],
            "volumeMounts": [{"name": "v", "mountPath": "/prometheus"}],
        },
        "must be unique",
    ),
    "name": Edit(
        "pods/mounts",
        "volume name twice",
        {"volumes": [{"name": "v", **EMPTY}, {"name": "v", **EMPTY}]},
        "Duplicate value",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_invalid_edit_ends_what_runs(place: Place, name: str) -> None:
    """The operator deletes the running StatefulSet and cannot make the edited one."""
    edit = EDITS[name]
    good = settled(place, "db")["db"]
    place.passes(edit.rule, good)
    bad = copy.deepcopy(good)
    bad["spec"].update(edit.spec)
    place.refused(edit.rule, bad)
    place.apply(bad)
    said = place.wait("the operator says why", lambda: complaint(place, edit.told), GONE_TIMEOUT)
    place.wait("its pod is gone", lambda: not place.get("pod", "prometheus-db-0"), GONE_TIMEOUT)
    assert place.get("statefulset", "prometheus-db") is None
    assert "Bound" == place.phase("pvc", claim_of("db"))
    place.saw(edit.rule, edit.trap, f"running StatefulSet and pod deleted, not re-created: {said}")


def test_empty_storage_ends_what_runs(place: Place) -> None:
    """So does storage: {}, as a patch leaves it; by server-side apply it is null, and refused."""
    good = settled(place, "db")["db"]
    bad = copy.deepcopy(good)
    bad["spec"]["storage"] = {}
    place.refused("claims/sized", bad)
    assert "spec.storage in body must be of type object" in place.refusal(bad)
    patch = '{"spec": {"storage": {"volumeClaimTemplate": null}}}'
    place.patch("prometheus", "db", patch)
    place.wait(
        "the operator says why",
        lambda: complaint(place, "resources[storage]: Required value"),
        GONE_TIMEOUT,
    )
    place.wait("its pod is gone", lambda: not place.get("pod", "prometheus-db-0"), GONE_TIMEOUT)
    seen = "by patch (Helm 3): StatefulSet and pod deleted; by server-side apply: API refuses null"
    place.saw("claims/sized", "storage: {}", seen)


def complaint(place: Place, text: str) -> str:
    """Return what the Prometheus' conditions say from a text on, empty where none holds it."""
    found = place.get("prometheus", "db") or {}
    conditions = found.get("status", {}).get("conditions", [])
    said = next((c["message"] for c in conditions if text in c.get("message", "")), "")
    return said[said.rfind("spec.", 0, said.find(text)) :] if said else ""


@pytest.mark.parametrize("rival", ["emptyDir", "ephemeral"])
def test_other_source_wins(place: Place, rival: str) -> None:
    """An emptyDir or ephemeral volume beside a claim template takes its place silently."""
    sources: Object = {
        "emptyDir": {},
        "ephemeral": {"volumeClaimTemplate": template(place.now)["volumeClaimTemplate"]},
    }
    both = prometheus("db", {**template(place.now), rival: sources[rival]}, replicas=0)
    place.refused("claims/one-source", both)
    place.apply(both)
    made = place.wait("its StatefulSet is there", lambda: place.get("statefulset", "prometheus-db"))
    assert not made["spec"].get("volumeClaimTemplates")
    [data] = [v for v in made["spec"]["template"]["spec"]["volumes"] if v["name"].endswith("-db")]
    assert rival in data
    seen = f"StatefulSet has {rival} and no claim template; no condition says so"
    place.saw("claims/one-source", f"{rival} beside a template", seen)


def test_no_storage_is_an_empty_dir(place: Place) -> None:
    """Without storage, or with the chart's name for it, the data is on emptyDir."""
    misspelt = prometheus("db", None, replicas=0, storageSpec=template(place.now))
    place.refused("claims/durable", misspelt)
    assert "storageSpec" in place.refusal(misspelt)
    place.refused("claims/durable", prometheus("db", None))
    # As Helm 3 applies it: what the API does not know is left out.
    place.apply(prometheus("db", None, replicas=0))
    made = place.wait("its StatefulSet is there", lambda: place.get("statefulset", "prometheus-db"))
    [data] = [v for v in made["spec"]["template"]["spec"]["volumes"] if v["name"].endswith("-db")]
    assert "emptyDir" in data
    place.saw("claims/durable", "no storage, or spec.storageSpec", "pod's data volume is emptyDir")


def test_agent_in_a_daemon_set_has_no_storage(place: Place) -> None:
    """The CRD refuses storage for an agent in DaemonSet mode."""
    agent = prometheus("db", template(place.now), mode="DaemonSet")
    del agent["spec"]["serviceMonitorSelector"]
    agent["kind"] = "PrometheusAgent"
    agent["apiVersion"] = "monitoring.coreos.com/v1alpha1"
    place.refused("agent/stateful", agent)
    said = place.refusal(agent, dry_run=True)
    assert "storage cannot be set when mode is DaemonSet" in said
    place.saw("agent/stateful", "mode: DaemonSet with storage", said.partition("spec: ")[2])


UNITS = {
    "size": (prometheus("db", None, retentionSize="20Gi"), "retentionSize: 20Gi"),
    "time": (prometheus("db", None, retention="30 days"), "retention: 30 days"),
}


@pytest.mark.parametrize("name", UNITS)
def test_units_are_refused(place: Place, name: str) -> None:
    """The CRD refuses Kubernetes' units and words, so no later change is carried out."""
    wrong, trap = UNITS[name]
    place.refused("retention/unit", wrong)
    said = place.refusal(wrong, dry_run=True)
    assert "should match" in said
    place.saw("retention/unit", trap, said.rpartition("spec.")[2])

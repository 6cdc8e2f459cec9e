"""Pods that cannot run where their volumes are; the nodes are fake, the scheduler is real."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.cluster import Object
from tests.e2e.traps import (
    FAKE_NODES,
    HOSTNAME,
    Place,
    claim,
    claim_of,
    claim_spec,
    on_claim,
    on_fake_nodes,
    plan_of,
    pod,
    prometheus,
    reserved,
    storage_class,
    template,
    volume,
)

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("operator", "fake_nodes")]

FIRST, SECOND = FAKE_NODES
PODS: Object = {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
APART: Object = {"labelSelector": PODS, "topologyKey": HOSTNAME}


@dataclass(frozen=True)
class Wish:
    """Where the pods may run, against volumes that are all on the first node."""

    trap: str
    told: str
    pods: int
    spec: dict[str, Any] = field(default_factory=dict)


WISHES = {
    "selector": Wish(
        "nodeSelector for another node than the volume's",
        "didn't match PersistentVolume's node affinity",
        1,
        {"nodeSelector": {HOSTNAME: SECOND}},
    ),
    "apart": Wish(
        "two replicas, hard anti-affinity, both volumes on one node",
        "didn't match pod anti-affinity rules",
        2,
        {
            "affinity": {
                "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [APART]}
            }
        },
    ),
    "spread": Wish(
        "two replicas, required spread, both volumes on one node",
        "didn't match pod topology spread constraints",
        2,
        {
            "topologySpreadConstraints": [
                {**APART, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
            ]
        },
    ),
}


@pytest.mark.parametrize("name", WISHES)
def test_pod_cannot_reach_its_volume(place: Place, name: str) -> None:
    """The last pod stays Pending, though each claim is bound to the volume reserved for it."""
    wish = WISHES[name]
    claims = [claim_of("db", ordinal) for ordinal in range(wish.pods)]
    volumes = [
        volume(f"{place.name}-{n}", place.late, node=FIRST, claimRef=reserved(place, each))
        for n, each in enumerate(claims)
    ]
    server = prometheus("db", template(place.late), replicas=wish.pods, **wish.spec)
    anywhere = prometheus("db", template(place.late), replicas=wish.pods)
    # Which nodes there are is known from the plan alone.
    plan = plan_of(place.late, nodes=[*FAKE_NODES])
    place.refused("volumes/reachable", server, *volumes, plan=plan)
    place.passes("volumes/reachable", anywhere, *volumes, plan=plan)
    place.apply(*volumes, server)
    for each in claims:
        place.bound(each)
    pending = place.wait("a pod cannot be scheduled", lambda: unschedulable(place, wish.told))
    place.saw("volumes/reachable", wish.trap, f"pod Pending: {pending}")


def unschedulable(place: Place, text: str) -> str:
    """Return what the scheduler says of a pod that waits, where that holds a text."""
    for found in place.cluster.objects("pods", place.name):
        for condition in found["status"].get("conditions", []):
            said = str(condition.get("message", ""))
            if condition.get("reason") == "Unschedulable" and text in said:
                return said.partition(". ")[0]
    return ""


@pytest.mark.parametrize("mode", ["Immediate", "WaitForFirstConsumer"])
def test_claim_is_bound_before_its_pod_is_placed(place: Place, mode: str) -> None:
    """Immediate binds a claim to a volume where its pod may not run; late binding waits for it."""
    name = place.now if mode == "Immediate" else place.late
    volumes = [
        volume(f"{place.name}-{node}", name, node=node, size=size)
        for node, size in zip(FAKE_NODES, ("1Gi", "2Gi"), strict=True)
    ]
    made = storage_class(name, place.name, mode)
    expect = place.refused if mode == "Immediate" else place.passes
    expect("classes/late-binding", *volumes, made)
    where = on_fake_nodes(SECOND)
    place.apply(*volumes)
    place.apply(claim("data", claim_spec(name)))
    if mode == "Immediate":
        assert f"{place.name}-{FIRST}" == place.bound("data")
    mount = {"name": "data", "mountPath": "/data"}
    place.apply(pod("db", "true", [on_claim("data")], [mount], **where))
    if mode != "Immediate":
        assert f"{place.name}-{SECOND}" == place.bound("data")
        return
    told = "didn't match PersistentVolume's node affinity"
    pending = place.wait("the pod cannot be scheduled", lambda: unschedulable(place, told))
    seen = f"bound on {FIRST}, pod for {SECOND} Pending: {pending}; late binding took {SECOND}'s"
    place.saw("classes/late-binding", "Immediate class, volumes of two nodes", seen)

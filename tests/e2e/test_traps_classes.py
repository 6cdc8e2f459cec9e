"""Classes that make volumes: what they do with a selector, and with the data of a deleted claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, Object
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e.traps import Place, claim, claim_spec, on_claim, pod, prometheus, storage_class

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("busybox")]

MOUNT = {"name": "data", "mountPath": "/data"}


@pytest.fixture
def provisioner(cluster: Cluster) -> str:
    """Return the name of a provisioner that runs."""
    try:
        return cluster.add_provisioner()
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))


def making(place: Place, provisioner: str, policy: str) -> Object:
    """Return a class that makes a directory of the node for each claim."""
    name = f"{place.name}-{policy.lower()}"
    made = storage_class(
        *(name, place.name, "WaitForFirstConsumer"), provisioner=provisioner, reclaimPolicy=policy
    )
    made["metadata"]["annotations"] = {"defaultVolumeType": "local"}
    return made


def test_selector_on_a_class_that_makes_volumes(place: Place, provisioner: str) -> None:
    """A claim with a selector, be it empty, gets no volume from a provisioner."""
    made = making(place, provisioner, "Retain")
    spec = claim_spec(made["metadata"]["name"])
    asks = {**spec, "selector": {}}
    server = prometheus("db", {"volumeClaimTemplate": {"spec": asks}})
    place.refused("claims/selector", server, made)
    place.passes("claims/selector", prometheus("db", {"volumeClaimTemplate": {"spec": spec}}), made)
    writer = pod("db", "true", [on_claim("data")], [MOUNT])
    place.apply(made, claim("data", asks), writer)
    said = place.told("PersistentVolumeClaim", "data", "Spec.Selector is not supported")
    assert "Pending" == place.phase("pvc", "data")
    place.saw("claims/selector", "selector: {} on a provisioning class", f"Pending: {said}")


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_class_that_deletes(place: Place, provisioner: str, policy: str) -> None:
    """A volume made by a class of Delete goes with its claim, files and all; Retain keeps both."""
    made = making(place, provisioner, policy)
    expect = place.refused if policy == "Delete" else place.passes
    expect("classes/retained", made)
    script = "echo history > /data/block"
    writer = pod("db", script, [on_claim("data")], [MOUNT])
    place.apply(made, claim("data", claim_spec(made["metadata"]["name"])), writer)
    volume = place.bound("data")
    place.wait("the file is written", lambda: place.phase("pod", "db") == "Succeeded")
    found = place.get("pv", volume)
    assert found
    folder = Path(found["spec"]["local"]["path"])
    place.cluster.delete("pod", "db", place.name)
    place.cluster.delete("pvc", "data", place.name)
    if policy == "Retain":
        place.wait("the volume is released", lambda: place.phase("pv", volume) == "Released")
        assert "history\n" == (folder / "block").read_text()
        place.cluster.delete("pv", volume)
        return
    place.wait("the volume is gone", lambda: not place.get("pv", volume))
    place.wait("the directory is gone", lambda: not folder.exists())
    seen = "volume and directory gone; with Retain: Released, file there"
    place.saw("classes/retained", "class of Delete, claim deleted", seen)

"""Scenario A: one disk, one node. values/local.yaml, installed by Helm 4 with the plugin."""

from __future__ import annotations

import re

import pytest

from tests.e2e import held
from tests.e2e.claims import rival
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

# Consumer -> where its data lies below the volume, a file that it makes, the file's owner. The
# group is that of fsGroup, which the kubelet gives to a local volume.
DATA = {
    "prometheus": ("prometheus-db", "wal", 1000, 2000),
    "alertmanager": ("alertmanager-db", "silences", 1000, 2000),
    "grafana": ("grafana-db", "grafana.db", 472, 472),
}
WRITTEN = 120


@pytest.mark.parametrize("consumer", DATA)
def test_claim_is_bound_to_its_volume(scenario_a: Stack, consumer: str) -> None:
    """Each claim is bound to the volume that the values give it, on its node, by reservation."""
    found = held.check_binding(scenario_a, consumer)
    name = found.volume["metadata"]["name"]
    assert re.fullmatch(rf"{scenario_a.release.name}-{consumer}-[0-9a-f]{{8}}", name)
    assert "local-storage" == found.claim["spec"]["storageClassName"]


@pytest.mark.parametrize("consumer", DATA)
def test_data_is_on_the_disk(scenario_a: Stack, consumer: str) -> None:
    """Each consumer's data is in its own directory of its own disk, owned by its user and group."""
    folder, file, user, group = DATA[consumer]
    found = held.held(scenario_a, consumer)
    written = found.folder / folder / file
    scenario_a.cluster.wait(f"{written} is there", written.exists, WRITTEN, scenario_a.namespace)
    assert {folder} == {each.name for each in found.folder.iterdir()}
    assert (user, group) == (written.stat().st_uid, written.stat().st_gid)
    assert not [each for each in found.files if each.stat().st_mode & 0o002]


def test_spare_volumes_wait_for_their_pods(scenario_a: Stack) -> None:
    """A volume without a pod is reserved for the next ordinal of its own StatefulSet."""
    pod = scenario_a.prometheus().pod
    first, spare = held.volumes(scenario_a, "prometheus")
    assert ("Bound", "Available") == (first["status"]["phase"], spare["status"]["phase"])
    claim = first["spec"]["claimRef"]["name"]
    assert claim.endswith(f"-{pod}")
    assert f"{claim.removesuffix('-0')}-1" == spare["spec"]["claimRef"]["name"]


def test_rival_gets_no_volume(scenario_a: Stack) -> None:
    """A claim of the same class finds no volume, though some are not bound."""
    with rival(scenario_a.cluster, "rival", "local-storage") as other:
        other.wait_until_refused()
        assert not other.bound


def test_plan_is_recorded(scenario_a: Stack) -> None:
    """The plan's own document is not in the cluster; its record is, with each edit in a line."""
    name = f"{scenario_a.release.name}-persistence-plan"
    record = scenario_a.cluster.get("configmap", name, scenario_a.namespace)
    assert record
    volume = held.volumes(scenario_a, "prometheus")[0]["metadata"]["name"]
    assert f"PersistentVolume {volume}: add /spec/claimRef" in record["data"]["edits"]

"""Scenario D: hostPath for the whole stack. values/hostpath.yaml, installed by Helm 3.

The release name has a time stamp, as in that installation: the names of the custom resources are
cut. The folders are root's before, as mkdir leaves them. Thanos Ruler is a stand-in: its image
cannot be had here, its claim, volume and owner are real.
"""

from __future__ import annotations

import json

import pytest

from tests.cluster.cluster import Object
from tests.e2e import held
from tests.e2e.claims import rival
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

# Consumer -> where its data lies below the volume, a file that it makes, its owner.
DATA = {
    "prometheus": ("prometheus-db", "wal", 1000, 2000),
    "alertmanager": ("alertmanager-db", "silences", 1000, 2000),
    "thanosRuler": ("", "-/ready", 1000, 2000),
    "grafana": ("grafana-db", "grafana.db", 472, 472),
}
TIMEOUT = 120
UNDONE_TIMEOUT = 120
ROOT = 0


@pytest.mark.parametrize("consumer", DATA)
def test_claim_is_bound_to_its_volume(scenario_d: Stack, consumer: str) -> None:
    """Each claim is bound to the hostPath volume that the values give it, by reservation."""
    found = held.check_binding(scenario_d, consumer)
    assert len(found.volume["metadata"]["name"]) <= 63
    assert "monitoring-hostpath" == found.claim["spec"]["storageClassName"]


def test_names_are_cut_and_found(scenario_d: Stack) -> None:
    """The stack cuts the long release name, and the volumes are reserved under the real names."""
    name = scenario_d.resource("prometheuses")["metadata"]["name"]
    assert not name.startswith(scenario_d.release.name)
    (first, *_) = held.volumes(scenario_d, "prometheus")
    expected = f"prometheus-{name}-db-prometheus-{name}-0"
    assert expected == first["spec"]["claimRef"]["name"]


@pytest.mark.parametrize("consumer", DATA)
def test_ownership_is_fixed(scenario_d: Stack, consumer: str) -> None:
    """The init container gives root's directory to the server, and nothing is for everybody."""
    folder, file, user, group = DATA[consumer]
    found = held.held(scenario_d, consumer)
    written = found.folder / folder / file
    scenario_d.cluster.wait(f"{written} is there", written.exists, TIMEOUT, scenario_d.namespace)
    data = found.folder / folder
    assert (user, group) == (data.stat().st_uid, data.stat().st_gid)
    assert (user, group) == (written.stat().st_uid, written.stat().st_gid)
    writable = [each for each in found.folder.rglob("*") if each.lstat().st_mode & 0o002]
    assert [] == [each for each in [found.folder, *writable] if each.stat().st_mode & 0o002]
    if folder:
        # fixOwnership reaches its own directory only: the volume itself is as it was made.
        assert ROOT == found.folder.stat().st_uid
        assert {folder} == {each.name for each in found.folder.iterdir()}


@pytest.mark.parametrize("consumer", DATA)
def test_init_container_is_small(scenario_d: Stack, consumer: str) -> None:
    """What fixes the ownership ended well, and may do nothing but that."""
    pod = held.held(scenario_d, consumer).pod
    (status,) = named(pod["status"]["initContainerStatuses"], "fix-ownership")
    assert 0 == status["state"]["terminated"]["exitCode"]
    (container,) = named(pod["spec"]["initContainers"], "fix-ownership")
    allowed = {"add": ["CHOWN", "DAC_OVERRIDE"], "drop": ["ALL"]}
    assert allowed == container["securityContext"]["capabilities"]


def named(containers: list[Object], name: str) -> list[Object]:
    """Return the containers of a name."""
    return [each for each in containers if name == each["name"]]


def test_hand_edited_statefulset_is_undone(scenario_d: Stack) -> None:
    """A volume put into the StatefulSet by hand is removed by the operator, and no data is lost."""
    server = scenario_d.prometheus()
    scenario_d.wait_for_scrapes([server], 0)
    before = server.read()
    name = server.pod.rpartition("-")[0]
    uid = claims_of(scenario_d)
    added = {"name": "by-hand", "hostPath": {"path": "/by-hand"}}
    patch = [{"op": "add", "path": "/spec/template/spec/volumes/-", "value": added}]
    scenario_d.cluster.kubectl(
        *("patch", "statefulset", name, "--type=json", f"--patch={json.dumps(patch)}"),
        f"--namespace={scenario_d.namespace}",
    )

    def undone() -> bool:
        found = scenario_d.cluster.get("statefulset", name, scenario_d.namespace)
        pod = scenario_d.cluster.get("pod", server.pod, scenario_d.namespace)
        return bool(found and pod) and "by-hand" not in f"{found}{pod}"

    scenario_d.cluster.wait("the edit is undone", undone, UNDONE_TIMEOUT, scenario_d.namespace)
    scenario_d.wait_until_serving()
    after = server.read()
    assert all(series.items() <= after[labels].items() for labels, series in before.items())
    assert uid == claims_of(scenario_d)


def claims_of(stack: Stack) -> dict[str, tuple[str, str, str]]:
    """Return the claims and volumes by their uids."""
    return stack.identities()


def test_rival_gets_no_volume(scenario_d: Stack) -> None:
    """A claim made by hand cannot grab a volume of the stack, bound or not."""
    with rival(scenario_d.cluster, "rival", "monitoring-hostpath") as other:
        other.wait_until_refused()
        assert not other.bound

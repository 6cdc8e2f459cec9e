"""Scenario E: disks that are discovered. values/local-provisioner.yaml with three Prometheus pods.

The disks are ext4 file systems on loop devices of the one node. The DaemonSet, its account and its
settings are the chart's; the program in it is a stand-in for the local static provisioner, unless
$DURABLE_LOCAL_PROVISIONER names the real one.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e import discovery
from tests.e2e.claims import wait_for_phase
from tests.e2e.discovery import BY, HOSTNAME, REPLICAS, Discovery, path
from tests.e2e.install import for_stack
from tests.e2e.matrix import Matrix, check, survive
from tests.e2e.samples import Prometheus
from tests.e2e.stack import Stack, installed
from tests.tools.helm import ROOT

pytestmark = pytest.mark.e2e

GONE_TIMEOUT = 120
PODS = REPLICAS["prometheus"]
CLASS = "local-prometheus"


@pytest.fixture(scope="module")
def disks(ready_cluster: Cluster) -> Discovery:
    """Where the disks are."""
    try:
        return discovery.on_disks(ready_cluster)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def scenario_e(disks: Discovery) -> Iterator[Stack]:
    """Scenario E, installed."""
    with discovery.labelled(disks.cluster):
        try:
            yield from installed(disks.release)
        finally:
            discovery.remove_volumes(disks)


def test_disks_are_volumes(scenario_e: Stack, disks: Discovery) -> None:
    """Each disk is one volume of its directory's class, on its node, with the disk's size."""
    node = scenario_e.cluster.node_name
    for consumer in ("prometheus", "alertmanager", "grafana"):
        folder = disks.root / consumer
        found = disks.volumes(f"local-{consumer}")
        assert sorted(map(str, folder.iterdir())) == [path(each) for each in found]
        for each in found:
            name = discovery.hashed(Path(path(each)).name, node, f"local-{consumer}")
            assert name == each["metadata"]["name"]
            assert f"local-volume-provisioner-{node}" == each["metadata"]["annotations"][BY]
            assert node == each["metadata"]["labels"][HOSTNAME]
            assert "Retain" == each["spec"]["persistentVolumeReclaimPolicy"]
            assert node in str(each["spec"]["nodeAffinity"])
            assert each["spec"]["capacity"]["storage"].endswith("Mi")


def test_each_pod_has_a_disk(scenario_e: Stack, disks: Discovery) -> None:
    """Each claim is bound to a disk of its own, and there is the data of its pod."""
    volumes = {each["metadata"]["name"]: each for each in disks.volumes(CLASS)}
    names = [each.pod for each in scenario_e.prometheuses()]
    claims = scenario_e.claims()
    used = [claims[claim]["spec"]["volumeName"] for claim in map(claim_of, names)]
    assert PODS == len(names)
    assert sorted(volumes) == sorted(used)
    for name in used:
        assert "Bound" == volumes[name]["status"]["phase"]
        assert (Path(path(volumes[name])) / "prometheus-db" / "wal").is_dir()


def claim_of(pod: str) -> str:
    """Return the name of a Prometheus pod's claim."""
    return f"{pod.rpartition('-')[0]}-db-{pod}"


def test_provisioner_is_nobody(scenario_e: Stack, disks: Discovery) -> None:
    """The pod that found them runs without a privilege, and nothing is wrong where it looked."""
    assert scenario_e.namespace == disks.release.namespace
    (container,) = disks.pod()["spec"]["containers"]
    context = container["securityContext"]
    assert (65534, True, False) == (
        context["runAsUser"],
        context["runAsNonRoot"],
        context["privileged"],
    )
    assert {"drop": ["ALL"]} == context["capabilities"]
    disks.wait_until_ready()


MAY = {
    *(itertools.product(("get", "list", "watch", "create"), [""], ["persistentvolumes"])),
    *(itertools.product(("get", "list", "watch"), ["storage.k8s.io"], ["storageclasses"])),
    *(itertools.product(("create", "patch"), [""], ["events"])),
    ("get", "", "nodes"),
}


def test_rights(scenario_e: Stack, disks: Discovery) -> None:
    """The API server lets the account do what its program calls, and nothing else."""
    assert scenario_e
    assert MAY == discovery.rights(disks)
    assert "forbidden" not in disks.log()


OLD_ROLES = ("system:persistent-volume-provisioner", "system:node")
TABLE = re.compile(r"^\| resource \| old way \| ours \|$(.*?)^$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| ([a-z/]+) \| ([a-z ]+) \| ([a-z ]+) \|$", re.MULTILINE)


def test_readme_compares_rights(scenario_e: Stack) -> None:
    """The README's table has what the two roles of the old way give here, and what ours has."""
    roles = [scenario_e.cluster.get("clusterrole", name) for name in OLD_ROLES]
    rules = [rule for role in roles if role for rule in role["rules"]]
    (table,) = TABLE.findall((ROOT / "README.md").read_text("utf-8"))
    rows = ROW.findall(table)
    assert {resource for _, _, resource in MAY} < {resource for resource, _, _ in rows}
    for resource, old, ours in rows:
        had = {verb for rule in rules if resource in rule["resources"] for verb in rule["verbs"]}
        has = {verb for verb, _, of in MAY if of == resource}
        assert (had, has) == (set(old.split()), set(ours.split()) - {"none"}), resource


def test_replicas_3_2_3(scenario_e: Stack, matrix: Matrix) -> None:
    """Scaled from three pods to two and back, each has its claim, its disk and all its samples."""
    event = "replicas 3, 2, 3, discovered"
    with matrix.row(event) as measured:
        extra = scenario_e.prometheus(ordinal=PODS - 1)
        outcome = survive(scenario_e, event, functools.partial(down_and_up, extra))
        measured(outcome)
        assert PODS == len(outcome.before.samples)
        check(outcome)


def scaled(stack: Stack, replicas: int) -> None:
    """Upgrade the release to another number of Prometheus pods."""
    stack.release.upgrade(for_stack({"prometheus": {"prometheusSpec": {"replicas": replicas}}}))


def down_and_up(extra: Prometheus, stack: Stack) -> None:
    """Take the last pod away, see that its claim and disk stay, and bring it back."""
    was = stack.identities()[claim_of(extra.pod)]
    scaled(stack, PODS - 1)
    wait_until_gone(stack, extra)
    assert was == stack.identities()[claim_of(extra.pod)]
    assert "Bound" == stack.claims()[claim_of(extra.pod)]["status"]["phase"]
    scaled(stack, PODS)


def wait_until_gone(stack: Stack, extra: Prometheus) -> None:
    """Wait until a pod is gone."""
    stack.cluster.wait(
        f"{extra.pod} is gone",
        lambda: not stack.cluster.get("pod", extra.pod, stack.namespace),
        GONE_TIMEOUT,
        stack.namespace,
    )


def test_plain_directory_is_no_volume(scenario_e: Stack, disks: Discovery) -> None:
    """A directory that is no mount point makes the provisioner unready, and no volume."""
    before = disks.volumes(CLASS)
    plain = disks.root / "prometheus" / "plain"
    plain.mkdir()
    try:
        disks.wait_until_ready(ready=False)
        names = {each["metadata"]["name"] for each in disks.volumes(CLASS)}
        assert {each["metadata"]["name"] for each in before} == names
    finally:
        plain.rmdir()
    disks.wait_until_ready()
    assert scenario_e.prometheuses()


def test_released_disk_is_used_again(scenario_e: Stack) -> None:
    """A disk whose claim was deleted is offered to nobody, until its volume's object is deleted.

    Then it is found anew, with all that is on it: who wants it empty empties it before.
    """
    cluster, extra = scenario_e.cluster, scenario_e.prometheus(ordinal=PODS - 1)
    scaled(scenario_e, PODS - 1)
    wait_until_gone(scenario_e, extra)
    claim = scenario_e.claims()[claim_of(extra.pod)]
    name = claim["spec"]["volumeName"]
    cluster.delete("persistentvolumeclaim", claim["metadata"]["name"], scenario_e.namespace)
    released = wait_for_phase(cluster, name, "Released")

    cluster.delete("persistentvolume", name)
    again = wait_for_phase(cluster, name, "Available")
    assert released["metadata"]["uid"] != again["metadata"]["uid"]
    assert path(released) == path(again)
    assert (Path(path(again)) / "prometheus-db" / "wal").is_dir()

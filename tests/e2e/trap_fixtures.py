"""Fixtures of the tests of the traps; tests/e2e/conftest.py takes them over."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.cluster import FOREIGN, Cluster, Object
from tests.cluster.poll import wait_until
from tests.e2e.install import Release, for_stack, lab_values, merged
from tests.e2e.trap_report import TrapReport
from tests.e2e.traps import BUSYBOX, FAKE_NODES, OWNER, TAINT, Place, storage_class

OPERATOR_SPACE = "e2e-trap-operator"
OPERATOR_IMAGE = "prometheus-operator/prometheus-operator"
# Flags of an operator that sees to some objects only.
NARROWED = ("--namespaces=", "--deny-namespaces=", "--prometheus-instance-selector=")
ONLY_OURS = (
    "--prometheus-instance-selector",
    "--alertmanager-instance-selector",
    "--thanos-ruler-instance-selector",
)
SERVER_IMAGE = "quay.io/prometheus/prometheus:v3.14.0"
GONE_TIMEOUT = 180
CONSUMERS = ("prometheus", "alertmanager", "thanosRuler", "grafana")
OFF: Object = {"enabled": False}
OFF_BY_CREATE: Object = {"create": False}


@pytest.fixture
def place(cluster: Cluster, crds: None, request: pytest.FixtureRequest) -> Iterator[Place]:
    """A namespace of the test's own with two classes; all that is labelled so goes with it."""
    assert crds is None
    found = Place(cluster, f"e2e-trap-{uuid.uuid4().hex[:8]}", TrapReport(request.node))
    classes = {found.late: "WaitForFirstConsumer", found.now: "Immediate"}
    cluster.apply(
        yaml.safe_dump_all(
            [
                namespace(found.name),
                *(storage_class(name, found.name, mode) for name, mode in classes.items()),
            ]
        )
    )
    found.wait("pods have an account", lambda: found.get("serviceaccount", "default"))
    yield found
    remove(cluster, found.name)


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    """Have the operator's resource definitions on the cluster."""
    cluster.install_crds()


@pytest.fixture(scope="session")
def busybox(cluster: Cluster) -> None:
    """Have the shell's image on the node."""
    cluster.load_images({BUSYBOX: "busybox"})


@pytest.fixture(scope="session")
def server_image(cluster: Cluster) -> str:
    """Have the Prometheus image on the node; return its name."""
    cluster.load_images({SERVER_IMAGE: "prometheus"})
    return SERVER_IMAGE


@pytest.fixture(scope="session")
def fake_nodes(cluster: Cluster) -> Iterator[None]:
    """Two nodes where pods run for appearance only, and only those that ask for them."""
    if os.environ.get(FOREIGN):
        pytest.skip(f"{FOREIGN} is set: no fake nodes on a cluster that is not ours")
    cluster.add_fake_nodes(FAKE_NODES, taint=TAINT)
    yield
    if not cluster.ends_with_run:
        wait_until_gone(cluster)
        cluster.kubectl("delete", "node", *FAKE_NODES, "--ignore-not-found")


@pytest.fixture(scope="session")
def operator(cluster: Cluster, crds: None) -> Iterator[None]:
    """An operator: one that sees to everything if it runs already, else the staged chart's own.

    The operators of the scenarios may run beside it, each for its own namespace, so ours sees to
    what is labelled as a trap's.
    """
    assert crds is None
    if operators(cluster, everywhere=True):
        yield
        return
    settings: Object = {"defaultRules": OFF_BY_CREATE}
    settings["grafana"] = settings["alertmanager"] = settings["prometheus"] = OFF
    settings["prometheusOperator"] = {"extraArgs": [f"{flag}={OWNER}" for flag in ONLY_OURS]}
    ours = {"persistence": dict.fromkeys(CONSUMERS, OFF)}
    values = merged(for_stack(lab_values()), for_stack(settings), ours)
    release = Release(cluster, "traps", OPERATOR_SPACE, 4, values)
    release.install()
    cluster.wait(
        "the operator runs",
        lambda: operators(cluster, OPERATOR_SPACE),
        namespace=OPERATOR_SPACE,
    )
    yield
    if not cluster.ends_with_run:
        # It may have put finalizers on what the namespaces hold.
        wait_until_gone(cluster)
        release.purge()


def wait_until_gone(cluster: Cluster) -> None:
    """Wait until the namespaces of the traps are gone, which nobody waited for so far."""
    wait_until(
        "the namespaces of the traps are gone",
        lambda: not cluster.objects("namespaces", selector=OWNER),
        GONE_TIMEOUT,
        explain=cluster.describe,
    )


def operators(
    cluster: Cluster, namespace: str | None = None, *, everywhere: bool = False
) -> list[Object]:
    """Return the operators that are ready, with `everywhere` those that see to every object."""
    found = []
    for each in cluster.objects("deployments", namespace):
        container = each["spec"]["template"]["spec"]["containers"][0]
        narrow = any(flag.startswith(NARROWED) for flag in container.get("args", []))
        ready = OPERATOR_IMAGE in container["image"] and each["status"].get("availableReplicas")
        if ready and not (everywhere and narrow):
            found.append(each)
    return found


def namespace(name: str) -> Object:
    """Return a namespace of a trap."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {OWNER: name}},
    }


def remove(cluster: Cluster, owner: str) -> None:
    """Remove all that is a test's, without waiting for it."""
    where = f"--selector={OWNER}={owner}"
    # First who would make anew what the namespace loses.
    cluster.kubectl("delete", "prometheuses", "--all", f"--namespace={owner}", "--wait=false")
    kinds = "namespaces,persistentvolumes,storageclasses"
    cluster.kubectl("delete", kinds, where, "--wait=false", "--ignore-not-found")

"""The survival matrix: what happens to pods, processes, nodes and values of a running stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.cluster.cluster import Object, restarts
from tests.cluster.errors import CannotBeDoneHereError, ClusterError
from tests.e2e import samples
from tests.e2e.install import Values, for_stack
from tests.e2e.matrix import Matrix, check, survive
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

EVENT_TIMEOUT = 240
LONGER = "30d"


@dataclass(frozen=True)
class Event:
    """Something that happens to a stack, and what must have been done to it before."""

    name: str
    act: Callable[[Stack], None]
    prepare: Callable[[Stack], None] | None = None
    alone: bool = False
    """Whether it happens to whatever runs on the node."""


def delete_pods(stack: Stack) -> None:
    """Delete the pods of all three at once, and wait until they are gone."""
    pods = (stack.prometheus().pod, stack.alertmanager().pod, stack.grafana().pod)
    stack.cluster.kubectl("delete", "pod", *pods, f"--namespace={stack.namespace}")


def kill_servers(stack: Stack) -> None:
    """Send SIGKILL to Prometheus and to Alertmanager, and wait until they were started again."""
    for pod, container in (
        (stack.prometheus().pod, "prometheus"),
        (stack.alertmanager().pod, "alertmanager"),
    ):
        before = restarts_of(stack, pod)
        stack.cluster.kill_container(pod, stack.namespace, container)
        stack.cluster.wait(
            f"{container} was started again",
            lambda pod=pod, before=before: restarts_of(stack, pod) > before,  # type: ignore[misc]
            EVENT_TIMEOUT,
            stack.namespace,
        )


def restarts_of(stack: Stack, pod: str) -> int:
    """Return how often containers of a pod were started again."""
    found = stack.cluster.get("pod", pod, stack.namespace)
    return restarts(found) if found else 0


def restart_node(stack: Stack) -> None:
    """Kill everything on the node at once, and start it again."""
    stack.cluster.restart_node()


def drain(stack: Stack) -> None:
    """Drain the node that holds the data, and let pods onto it again."""
    node = node_of(stack)
    stack.cluster.kubectl(
        *("drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force"),
        timeout=EVENT_TIMEOUT,
    )
    stack.cluster.kubectl("uncordon", node)


def node_of(stack: Stack) -> str:
    """Return the node on which Prometheus runs."""
    pod = stack.cluster.get("pod", stack.prometheus().pod, stack.namespace)
    assert pod
    return str(pod["spec"]["nodeName"])


def upgrade(stack: Stack) -> None:
    """Upgrade with the values of the release, as they are."""
    stack.release.upgrade()


def grow(stack: Stack) -> None:
    """Ask for more space: the operator makes the StatefulSets anew, and all claims stay."""
    before = statefulset(stack)["metadata"]["uid"]
    sizes = {"prometheus": {"size": "3Gi"}, "alertmanager": {"size": "2Gi"}}
    stack.release.upgrade({"persistence": sizes})
    stack.cluster.wait(
        "the StatefulSet is a new one",
        lambda: statefulset(stack)["metadata"]["uid"] != before,
        EVENT_TIMEOUT,
        stack.namespace,
    )


def statefulset(stack: Stack) -> Object:
    """Return Prometheus' StatefulSet, or an empty one while it is made anew."""
    name = stack.prometheus().pod.rpartition("-")[0]
    found = stack.cluster.get("statefulset", name, stack.namespace)
    return found or {"metadata": {"uid": None}}


RETENTION: Values = {
    **for_stack({"prometheus": {"prometheusSpec": {"retention": LONGER}}}),
    "persistence": {"prometheus": {"retentionSize": "1700MB"}},
}


def keep_longer(stack: Stack) -> None:
    """Upgrade with a longer retention, by time and by size."""
    stack.release.upgrade(RETENTION)
    wait_for_retention(stack, longer=True)


def have_kept_longer(stack: Stack) -> None:
    """Have a longer retention, which the row before may have left behind."""
    if stack.release.layers[-1:] != [RETENTION]:
        keep_longer(stack)


def roll_back(stack: Stack) -> None:
    """Roll back to the revision before: Helm applies what it stored, without the post-renderer."""
    stack.release.rollback()
    wait_for_retention(stack, longer=False)


def wait_for_retention(stack: Stack, *, longer: bool) -> None:
    """Wait until Prometheus has, or no longer has, the longer retention."""

    def arrived() -> bool:
        touch(stack)
        try:
            return longer == stack.prometheus().retention().startswith(LONGER)
        except (ClusterError, KeyError):  # no pod, no address of it yet, or no answer
            return False

    stack.cluster.wait("the retention has arrived", arrived, EVENT_TIMEOUT, stack.namespace)


def touch(stack: Stack) -> None:
    """Have the kubelet bring the configuration into the pod now: else it does once a minute."""
    where = ("pod", stack.prometheus().pod, f"--namespace={stack.namespace}")
    stack.cluster.kubectl("annotate", *where, "--overwrite", f"durable-e2e/touched={samples.now()}")


EVENTS = (
    # First, while what needs no node is beside them.
    Event("node drained", drain, alone=True),
    Event("node restarted", restart_node, alone=True),
    Event("pods deleted", delete_pods),
    Event("SIGKILL of Prometheus and Alertmanager", kill_servers),
    Event("helm upgrade, unchanged", upgrade),
    Event("helm upgrade, bigger size", grow),
    Event("helm upgrade, more retention", keep_longer),
    Event("helm rollback", roll_back, prepare=have_kept_longer),
)
EACH_EVENT = [
    pytest.param(event, id=event.name, marks=[pytest.mark.alone] if event.alone else [])
    for event in EVENTS
]


@pytest.mark.parametrize("event", EACH_EVENT)
def test_survives(event: Event, survivor: Stack, matrix: Matrix) -> None:
    """Through the event every sample, silence and row lasts, and each claim stays the same."""
    with matrix.row(event.name) as measured:
        if event.prepare:
            event.prepare(survivor)
            survivor.wait_until_serving()
        try:
            outcome = survive(survivor, event.name, event.act)
        except CannotBeDoneHereError as error:
            pytest.skip(str(error))
        measured(outcome)
        check(outcome)

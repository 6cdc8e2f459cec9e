"""The survival matrix: the release goes and comes back, with and without a rival for its volume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.claims import Rival, free, rival, wait_for_phase
from tests.e2e.matrix import Matrix, check, survive
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e


def test_uninstall_and_reinstall(survivor: Stack, matrix: Matrix) -> None:
    """After uninstall and install under the same name everything is found again."""
    event = "uninstall, reinstall"
    with matrix.row(event) as measured:
        outcome = survive(survivor, event, reinstall)
        measured(outcome)
        check(outcome)


def reinstall(stack: Stack) -> None:
    """Uninstall the release and install it with the same values."""
    stack.release.uninstall()
    stack.release.install()


def test_rival_claim(survivor: Stack, matrix: Matrix) -> None:
    """While our claim is not there, a claim of the same class cannot take its volume."""
    event = "rival claim while ours is gone"
    with matrix.row(event, "one claim is deleted on purpose, its volume stays") as measured:
        if not survivor.release.values["persistence"]["prometheus"].get("volumes"):
            pytest.skip("the volumes are provisioned: there is none to take")
        name = prometheus_claim(survivor)
        outcome = survive(survivor, event, reinstall_beside_rival)
        measured(outcome)
        check(outcome, claims=False)
        (before, after) = (outcome.before.claims[name], outcome.after.claims[name])
        assert before[1:] == after[1:], "our claim has another volume"
        assert before[0] != after[0], "our claim was never gone"
        assert [name] == outcome.changed_claims


def prometheus_claim(stack: Stack) -> str:
    """Return the claim of the first Prometheus pod."""
    pod = stack.cluster.get("pod", stack.prometheus().pod, stack.namespace)
    assert pod
    volumes = pod["spec"]["volumes"]
    (name,) = [
        each["persistentVolumeClaim"]["claimName"]
        for each in volumes
        if "persistentVolumeClaim" in each
    ]
    return str(name)


def reinstall_beside_rival(stack: Stack) -> None:
    """Uninstall, delete our claim, free its volume, and install while a rival wants any volume."""
    name = prometheus_claim(stack)
    volume = stack.identities()[name][1]
    stack.release.uninstall()
    stack.cluster.delete("persistentvolumeclaim", name, stack.namespace)
    released = wait_for_phase(stack.cluster, volume, "Released")
    with waiting_rival(stack, released["spec"]["storageClassName"]) as other:
        free(stack.cluster, released)
        other.wait_until_refused()
        assert not other.bound
        stack.release.install()
        wait_for_phase(stack.cluster, volume, "Bound")
        stack.wait_until_serving()
        assert not other.bound


@contextmanager
def waiting_rival(stack: Stack, storage_class: str) -> Iterator[Rival]:
    """Let a rival wait for a volume of the class before there is one to take."""
    with rival(stack.cluster, "rival", storage_class) as other:
        other.wait_until_refused()
        yield other

"""The survival matrix: fewer and more pods. What scaling down leaves, scaling up finds again."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from tests.e2e.install import Values, for_stack
from tests.e2e.matrix import Matrix, check, survive
from tests.e2e.samples import Prometheus
from tests.e2e.stack import Stack

pytestmark = pytest.mark.e2e

GONE_TIMEOUT = 180


def spec(**fields: Any) -> Values:
    """Return values for the Prometheus object."""
    return for_stack({"prometheus": {"prometheusSpec": fields}})


def down_and_up(extra: Prometheus, down: Values, up: Values, stack: Stack) -> None:
    """Take the extra pod away, wait until it is gone, and bring it back."""
    stack.release.upgrade(down)
    stack.cluster.wait(
        f"{extra.pod} is gone",
        lambda: not stack.cluster.get("pod", extra.pod, stack.namespace),
        GONE_TIMEOUT,
        stack.namespace,
    )
    stack.release.upgrade(up)


def test_replicas(survivor: Stack, matrix: Matrix) -> None:
    """Scaled from two replicas to one and back, the second finds the history that it had."""
    event = "replicas 2, 1, 2"
    with matrix.row(event) as measured:
        one, two = spec(replicas=1), spec(replicas=2)
        survivor.release.upgrade(two)
        extra = survivor.prometheus(ordinal=1)
        try:
            survivor.wait_for_scrapes([extra], 0)
            outcome = survive(survivor, event, functools.partial(down_and_up, extra, one, two))
        finally:
            survivor.release.upgrade(one)
        measured(outcome)
        assert 2 == len(outcome.before.samples)
        check(outcome)


def test_shards(survivor: Stack, matrix: Matrix) -> None:
    """Scaled from one shard to two, to one and back, the second shard finds its history.

    Volumes that say their shard are added to a list that did not: all others stay as they are.
    """
    event = "shards 1, 2, 1, 2"
    with matrix.row(event) as measured:
        before = survivor.identities()
        one, two = spec(shards=1), spec(shards=2)
        survivor.release.upgrade(with_second_shard(survivor) | two)
        extra = survivor.prometheus(shard=1)
        try:
            survivor.wait_for_scrapes([extra], 0)
            outcome = survive(survivor, event, functools.partial(down_and_up, extra, one, two))
        finally:
            survivor.release.upgrade(one)
        measured(outcome)
        assert 2 == len(outcome.before.samples)
        assert before.items() <= outcome.before.claims.items()
        check(outcome)


def with_second_shard(stack: Stack) -> Values:
    """Return the static volumes with their shards, and one for the second; else nothing."""
    volumes = stack.release.current["persistence"]["prometheus"].get("volumes", [])
    if not volumes:
        return {}
    first = [{"shard": 0, **each} for each in volumes]
    second = {**volumes[0], "shard": 1, "local": str(stack.release.folder("shard-1"))}
    return {"persistence": {"prometheus": {"volumes": [*first, second]}}}

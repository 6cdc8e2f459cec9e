"""Fixtures of the scenarios, and the survival matrix at the end of the run."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.cluster import programs
from tests.cluster.cluster import Cluster
from tests.cluster.errors import CannotBeDoneHereError
from tests.cluster.fixtures import cluster
from tests.e2e import releases
from tests.e2e.lanes import Lanes, in_order
from tests.e2e.matrix import Matrix, tell_matrix
from tests.e2e.stack import Stack, installed
from tests.e2e.trap_fixtures import busybox, crds, fake_nodes, operator, place, server_image
from tests.e2e.trap_report import tell_traps
from tests.e2e.turns import Turns

__all__ = ["busybox", "cluster", "crds", "fake_nodes", "operator", "place", "server_image"]

TURNS = pytest.StashKey[Turns]()


@pytest.fixture(scope="session")
def ready_cluster(cluster: Cluster, crds: None) -> Cluster:
    """The cluster, with the operator's resource definitions."""
    assert crds is None
    return cluster


@pytest.fixture(scope="session")
def scenario_a(ready_cluster: Cluster) -> Iterator[Stack]:
    """Scenario A, installed; the survival matrix happens to it as well."""
    try:
        release = releases.scenario_a(ready_cluster)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    yield from installed(release, to_the_end=True)


@pytest.fixture(scope="module")
def scenario_d(ready_cluster: Cluster) -> Iterator[Stack]:
    """Scenario D, installed."""
    try:
        release = releases.scenario_d(ready_cluster)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    yield from installed(release)


@pytest.fixture(scope="session")
def provisioned(ready_cluster: Cluster) -> Iterator[Stack]:
    """The stack on the default class of a cluster that is not ours."""
    yield from installed(releases.provisioned(ready_cluster), to_the_end=True)


@pytest.fixture
def survivor(request: pytest.FixtureRequest, cluster: Cluster) -> Stack:
    """The stack that the events happen to: of scenario A, elsewhere one on provisioned volumes."""
    found: Stack = request.getfixturevalue("scenario_a" if cluster.machine else "provisioned")
    found.wait_until_serving()
    return found


@pytest.fixture
def matrix(request: pytest.FixtureRequest) -> Matrix:
    """The survival matrix's rows of this test."""
    return Matrix(request.node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Lanes:
    """Spread the tests over processes by lanes."""
    return Lanes(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the order in which they are spread."""
    in_order(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, bool | None, bool | None]:
    """Run a test in a turn of its own, or in that of its file."""
    turns = item.config.stash.setdefault(TURNS, Turns(programs.cache()))
    turns.before(item)
    try:
        return (yield)
    finally:
        turns.after(item, nextitem)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the run found of survival and of traps."""
    tell_matrix(terminalreporter)
    tell_traps(terminalreporter)

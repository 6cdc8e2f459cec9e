"""Fixtures of the scenarios, and the survival matrix at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.errors import CannotBeDoneHereError
from tests.cluster.fixtures import cluster
from tests.e2e import releases
from tests.e2e.matrix import Matrix
from tests.e2e.reports import tell
from tests.e2e.stack import Stack, installed
from tests.e2e.trap_fixtures import busybox, crds, fake_nodes, operator, place, server_image

__all__ = ["busybox", "cluster", "crds", "fake_nodes", "operator", "place", "server_image"]

MATRIX = pytest.StashKey[Matrix]()


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
def stack(request: pytest.FixtureRequest, cluster: Cluster) -> Stack:
    """The stack that the events happen to: of scenario A, elsewhere one on provisioned volumes."""
    found: Stack = request.getfixturevalue("scenario_a" if cluster.machine else "provisioned")
    found.wait_until_serving()
    return found


@pytest.fixture(scope="session")
def matrix(request: pytest.FixtureRequest) -> Matrix:
    """The survival matrix of this run."""
    return request.config.stash.setdefault(MATRIX, Matrix())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the survival matrix, and keep it in a file."""
    matrix = terminalreporter.config.stash.get(MATRIX, None)
    if not matrix or not matrix.rows:
        return
    tell(terminalreporter, "survival matrix", matrix.table())

"""The cluster as a pytest fixture; a folder of tests takes it over in its conftest.py.

Environment: E2E_KUBECONFIG uses that cluster and makes none. DURABLE_CLUSTER_KEEP=1 uses the
cluster of `make cluster-up`, or brings one up, and leaves it there: for work on the tests.
DURABLE_CLUSTER_SHARED=1 uses the cluster of a run that has several processes (tests.e2e).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster.cluster import FOREIGN, SHARED_BY_RUN, Cluster
from tests.cluster.errors import MissingRequirementError
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.signals import end_on_sigterm

KEEP = "DURABLE_CLUSTER_KEEP"
SHARED = pytest.StashKey[Cluster]()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """One cluster for all tests of a run, however many folders of tests ask for it."""
    stash = request.config.stash
    if SHARED not in stash:
        try:
            stash[SHARED] = obtain(request.config)
        except MissingRequirementError as error:
            if os.environ.get(SHARED_BY_RUN):
                # Of one process among several nobody would hear why it ended.
                raise
            pytest.exit(f"no cluster: {error}", returncode=pytest.ExitCode.USAGE_ERROR)
    return stash[SHARED]


def obtain(config: pytest.Config) -> Cluster:
    """Return somebody else's cluster, one that is kept, or one that is taken down at the end."""
    foreign = os.environ.get(FOREIGN)
    if foreign:
        return Cluster.foreign(Path(foreign))
    machine = Machine(Layout.default())
    if os.environ.get(SHARED_BY_RUN):
        return Cluster.local(machine.layout)
    keep = bool(os.environ.get(KEEP))
    if keep and machine.running:
        return Cluster.local(machine.layout)
    end_on_sigterm()
    if not keep:
        # Not the fixture's own end: another folder's fixture may still use the cluster then.
        config.add_cleanup(machine.down_own)
    machine.up(owned=not keep)
    return Cluster.local(machine.layout)

"""The cluster's fixtures, for its own tests."""

from __future__ import annotations

import os

import pytest

from tests.cluster.cluster import FOREIGN
from tests.cluster.fixtures import cluster
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.snapshot import Snapshot

__all__ = ["cluster"]


@pytest.fixture(scope="module")
def before() -> Snapshot:
    """The machine before the cluster of this module."""
    layout = Layout.default()
    if os.environ.get(FOREIGN):
        pytest.skip(f"{FOREIGN} is set: the cluster is not ours to examine")
    if Machine(layout).running:
        pytest.skip("a cluster is up already: this module needs its own")
    Machine(layout).down()
    return Snapshot.take()

"""The cluster's fixtures, for its own tests."""

from __future__ import annotations

from tests.cluster.fixtures import cluster

__all__ = ["cluster"]

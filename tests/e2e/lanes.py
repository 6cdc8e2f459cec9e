"""Which files of scenarios go one after the other in one process, and in which order they start.

What stands in one lane shares a release that outlives a file, an operator, or a label of the node.
Each further file is a lane of its own. The long ones start first, so that all processes end at
about the same time; beside the tests that take the node for themselves run those that need none.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

HARNESS = ("tests/cluster/test_harness.py", "tests/cluster/test_interrupted.py")
"""What needs a machine without a cluster: the first part of a run."""
LANES = (
    (
        *("test_scenario_a", "test_survival_running"),
        *("test_survival_reinstall", "test_survival_scale"),
    ),
    # In one lane, as the API server also refuses NodePorts that are taken, of objects on trial too,
    # and what an object on trial has in common with one that is there.
    ("test_api_objects", "test_fail_closed", "test_reach", "test_scenario_b"),
    ("cluster/test_influxdb",),
    (
        *("test_traps_classes", "test_traps_helm", "test_traps_nodes", "test_traps_operator"),
        *("test_traps_ownership", "test_traps_rules", "test_traps_volumes"),
    ),
    ("test_scenario_e", "test_discovery", "test_readme_disks"),
)

ONCE = ("scenario_a", "survivor", "operator")
"""Fixtures of a whole run that make what has one name on the cluster."""


def place(path: str) -> tuple[int, int]:
    """Return the lane of a file and its place in it; files of no lane come last.

    What needs a machine without a cluster comes first.
    """
    if path in HARNESS:
        return -1, HARNESS.index(path)
    *_, folder, name = PurePath(path).with_suffix("").parts
    name = name if folder == "e2e" else f"{folder}/{name}"
    found = ((lane, names.index(name)) for lane, names in enumerate(LANES) if name in names)
    return next(found, (len(LANES), 0))


class Lanes(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process a lane at a time, in their order."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        """Keep the order of the collection, where xdist takes the lanes of many tests first."""
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return lane_of(nodeid.partition("::")[0])


def in_order(items: list[pytest.Item]) -> None:
    """Sort tests by lane; within a file they stay as they stand there.

    Tests in two lanes that use a fixture of `ONCE` are an error: both would make it.
    """
    items.sort(key=lambda item: place(path_of(item)))
    for name in ONCE:
        lanes = {lane_of(path_of(item)) for item in items if name in fixtures(item)}
        if len(lanes) > 1:
            raise pytest.UsageError(f"{name} is used in more than one lane: {sorted(lanes)}")


def path_of(item: pytest.Item) -> str:
    """Return the file of a test."""
    return item.nodeid.partition("::")[0]


def lane_of(path: str) -> str:
    """Return the name of a file's lane."""
    lane, _ = place(path)
    return f"lane {lane}" if lane < len(LANES) else path


def fixtures(item: pytest.Item) -> list[str]:
    """Return the names of what a test asks for, itself or through another fixture."""
    return getattr(item, "fixturenames", [])

"""The control groups that hold the pods: one folder of ours in each hierarchy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.host import CGROUPS, unified_cgroups
from tests.cluster.poll import wait_until

NAME = "durable-cluster"
REMOVE_TIMEOUT = 20


def folders() -> list[Path]:
    """Return our folder in each hierarchy; one that several names lead to is there once."""
    if unified_cgroups():
        return [CGROUPS / NAME]
    mounted = {path.resolve() for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()}
    return sorted(path / NAME for path in mounted)


def make() -> None:
    """Make the folders; the kubelet wants its root to be there."""
    for folder in folders():
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # Of cgroup v1: a group without processors and memory nodes takes no process.
            if (folder / "cgroup.clone_children").exists() and (folder / setting).exists():
                (folder / setting).write_text((folder.parent / setting).read_text())


def remove() -> None:
    """Remove the folders and all below; a group is busy for a moment after its last process."""
    wait_until(
        "the control groups are gone", lambda: not any(map(still_there, folders())), REMOVE_TIMEOUT
    )


def still_there(folder: Path) -> bool:
    """Try to remove a folder from the leaves up; tell whether some of it is left."""
    for path in leaves_first(folder):
        try:
            path.rmdir()
        except OSError:
            return True
    return False


def leaves_first(folder: Path) -> Iterator[Path]:
    """Yield the folder and those below it, deepest first."""
    for parent, _, _ in os.walk(folder, topdown=False):
        yield Path(parent)

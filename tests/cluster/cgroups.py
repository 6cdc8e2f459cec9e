"""The control groups that hold the pods: one folder of ours in each hierarchy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.host import CGROUPS, unified_cgroups
from tests.cluster.poll import wait_until

NAME = "durable-cluster"
REMOVE_TIMEOUT = 60


def folders(name: str) -> list[Path]:
    """Return a group's folder in each hierarchy; one that several names lead to is there once."""
    if unified_cgroups():
        return [CGROUPS / name]
    mounted = {path.resolve() for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists()}
    return sorted(path / name for path in mounted)


def make(name: str) -> None:
    """Make a group's folders; the kubelet wants its root to be there."""
    for folder in folders(name):
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            # Of cgroup v1: a group without processors and memory nodes takes no process.
            if (folder / "cgroup.clone_children").exists() and (folder / setting).exists():
                (folder / setting).write_text((folder.parent / setting).read_text())


def remove(name: str) -> None:
    """Remove a group's folders and all below; it is busy for a moment after its last process."""
    wait_until(
        f"the control group {name} is gone",
        lambda: not any(map(still_there, folders(name))),
        REMOVE_TIMEOUT,
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

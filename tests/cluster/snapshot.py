"""What a cluster could leave on the machine, to compare before and after."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from tests.cluster import network, node
from tests.cluster.commands import run
from tests.cluster.host import CGROUPS, unified_cgroups
from tests.cluster.layout import Layout
from tests.cluster.namespaces import MARK
from tests.cluster.poll import wait_until

# The mount point, its source and its file system; the numbers before them change by themselves.
MOUNT_FIELDS = slice(3, 5)
SETTLE_TIMEOUT = 30
FORWARDING = "/proc/sys/net/ipv4/ip_forward"


@dataclass(frozen=True)
class Snapshot:
    """Everything outside files of our own that starting a cluster touches."""

    processes: frozenset[str]
    mounts: frozenset[str]
    interfaces: frozenset[str]
    routes: frozenset[str]
    firewall: frozenset[str]
    control_groups: frozenset[str]
    loop_devices: frozenset[str]
    kernel: frozenset[str]
    folders: frozenset[str]

    @staticmethod
    def take() -> Snapshot:
        """Look at the machine."""
        return Snapshot(
            processes=frozenset(processes()),
            mounts=frozenset(mounts()),
            interfaces=frozenset(each["ifname"] for each in network.ip("link", "show")),
            routes=frozenset(run("ip", "route", "show").splitlines()),
            firewall=frozenset(firewall()),
            control_groups=frozenset(control_groups()),
            loop_devices=frozenset(run("losetup", "--list", "--noheadings").splitlines()),
            kernel=frozenset(kernel()),
            folders=frozenset(each for each in node.FOLDERS if Path(each).exists()),
        )

    def changes(self, after: Snapshot) -> list[str]:
        """Return what is more or less afterwards."""
        return [
            f"{part.name}: {sign} {each}"
            for part in fields(self)
            for sign, one, other in (
                ("+", getattr(after, part.name), getattr(self, part.name)),
                ("-", getattr(self, part.name), getattr(after, part.name)),
            )
            for each in sorted(one - other)
        ]


def processes() -> list[str]:
    """Return the processes of our cluster: its programs by their environment, its pods by group."""
    layout = Layout.default()
    mark, group = f"{MARK}={layout.logs}\0".encode(), f"/{layout.group}/".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # A dead one that nobody collects has no environment any more.
            if mark in (folder / "environ").read_bytes() + b"\0" or (
                group in (folder / "cgroup").read_bytes() and alive(folder)
            ):
                found.append(f"{folder.name} {(folder / 'comm').read_text().strip()}")
        except OSError:  # ended meanwhile, or of somebody else who keeps it to himself
            continue
    return found


def alive(folder: Path) -> bool:
    """Whether a process is more than an entry in the table."""
    return "\nState:\tZ" not in (folder / "status").read_text()


def control_groups() -> list[str]:
    """Return the outermost groups of each hierarchy: inside them others come and go."""
    depth = "*/" if unified_cgroups() else "*/*/"
    return [str(path) for path in CGROUPS.glob(depth)]


def mounts() -> list[str]:
    """Return what is mounted where."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [" ".join((*line.split()[MOUNT_FIELDS], line.rpartition(" - ")[2])) for line in lines]


def firewall() -> list[str]:
    """Return iptables' rules, without counters and comments."""
    if not shutil.which("iptables-save"):
        return []
    return [line for line in run("iptables-save").splitlines() if line.startswith(("-", "*"))]


def kernel() -> list[str]:
    """Return the kernel's settings that a kubelet wants to change."""
    paths = [path for path in (*node.KERNEL, FORWARDING) if os.access(path, os.R_OK)]
    return [f"{path}={Path(path).read_text().strip()}" for path in paths]


def expect_nothing_left(before: Snapshot) -> None:
    """Expect the machine as it was, at once or when the kernel has freed what a dead one had."""
    wait_until(
        "nothing is left",
        lambda: not before.changes(Snapshot.take()),
        SETTLE_TIMEOUT,
        explain=lambda: "\n".join(before.changes(Snapshot.take())),
    )

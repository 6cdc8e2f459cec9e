"""The namespaces that a cluster runs in: processes, network and mounts.

All processes of the cluster are in a process namespace whose process 1 is `pause`. When that one
dies, the kernel kills every other and then frees the network namespace (bridge, veths, iptables
chains) and the mount namespace (pods' overlays, tmpfs, secrets). So taking down is one kill, and no
crash can leave half of it behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import programs
from tests.cluster.commands import TIMEOUT, run
from tests.cluster.errors import ClusterError
from tests.cluster.poll import wait_until

START_TIMEOUT = 60
STOP_TIMEOUT = 60
# In the environment of each program of a cluster: where its logs are.
MARK = "DURABLE_CLUSTER_LOGS"
UNSHARE = (
    *("unshare", "--pid", "--mount", "--propagation", "slave"),
    *("--fork", "--kill-child", "--mount-proc"),
)
# Those that this process started and must collect: until then they stay in the process table.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Process:
    """A process that is told apart from a later one with the same id by its start time."""

    pid: int
    started: int

    @staticmethod
    def of(pid: int) -> Process:
        """Return the process that has this id now."""
        return Process(pid, start_time(pid))

    @property
    def alive(self) -> bool:
        """Whether it runs; one that is dead and not yet collected does not."""
        return bool(self.started) and start_time(self.pid) == self.started

    def enter(self, *argv: str | Path) -> list[str]:
        """Return the command line that runs a program in this process' namespaces."""
        return [
            *("nsenter", f"--target={self.pid}", "--net", "--pid", "--mount", "--"),
            *map(str, argv),
        ]

    def run(self, *argv: str | Path, stdin: str | None = None, timeout: float = TIMEOUT) -> str:
        """Run a program in this process' namespaces and return its output."""
        return run(*self.enter(*argv), stdin=stdin, timeout=timeout)

    def kill(self) -> None:
        """Kill it; of process 1 of a namespace nothing else in there is left afterwards."""
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
        wait_until(f"process {self.pid} ends", lambda: not self.alive, STOP_TIMEOUT)


def start_time(pid: int) -> int:
    """Return when a process started, in the kernel's ticks, or 0 when there is no such process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 0 if fields[0] in "ZX" else int(fields[19])


def spawn(argv: Sequence[str], log: Path) -> Process:
    """Start a program in a session of its own, so that no Ctrl-C reaches it; it writes to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            # To be told from the processes of others, wherever it is.
            env={**os.environ, MARK: str(log.parent)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _children.append(child)
    return Process.of(child.pid)


def all_collected() -> bool:
    """Collect the children that are dead; tell whether none is left."""
    _children[:] = [child for child in _children if child.poll() is None]
    return not _children


def start(log: Path, *, dies_with_us: bool) -> Process:
    """Make the namespaces of a cluster; return their process 1.

    `dies_with_us` ties it to the calling process, even to one that is killed.
    """
    tie = ("setpriv", "--pdeathsig", "KILL") if dies_with_us else ()
    return _process_one([*tie, *UNSHARE, "--net", str(programs.program("pause"))], log)


def start_within(outer: Process, log: Path) -> Process:
    """Make process and mount namespaces inside those of `outer`: a node, which may die alone."""
    return _process_one(outer.enter(*UNSHARE, programs.program("pause")), log)


def _process_one(argv: list[str], log: Path) -> Process:
    parent = spawn(argv, log)

    def ready() -> Process | None:
        if not parent.alive:
            raise ClusterError(f"{' '.join(argv)} ended:\n{log.read_text()}")
        return next((Process.of(pid) for pid in descendants(parent.pid) if is_pause(pid)), None)

    return wait_until("the namespaces are made", ready, START_TIMEOUT, interval=0.01)


def descendants(pid: int) -> Iterator[int]:
    """Yield the process' children, and theirs."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in map(int, children):
        yield child
        yield from descendants(child)


def is_pause(pid: int) -> bool:
    """Whether `pause` runs already: then the namespaces and their /proc are complete."""
    try:
        return Path(f"/proc/{pid}/exe").readlink().name == "pause"
    except (FileNotFoundError, ProcessLookupError):
        return False

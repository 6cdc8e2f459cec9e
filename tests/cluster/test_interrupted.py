"""A run of tests that is interrupted while it brings its cluster up leaves nothing behind."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster import programs, state
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.namespaces import Process, descendants
from tests.cluster.network import links
from tests.cluster.poll import wait_until
from tests.cluster.snapshot import Snapshot, expect_nothing_left, processes

pytestmark = pytest.mark.cluster

END_TIMEOUT = 120


# One that brings the cluster up for itself, and the one that does it for several processes.
FIXTURE = ("pytest", "-p", "tests.cluster.fixtures", "--override-ini=addopts=")
SCENARIOS = ("tests.e2e", "-k", "test_wrong_field_is_refused")


@pytest.mark.parametrize(
    ("how", "number"),
    [
        *((FIXTURE, each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)),
        *((SCENARIOS, each) for each in (signal.SIGTERM, signal.SIGKILL)),
    ],
    ids=lambda value: value.name if isinstance(value, signal.Signals) else value[0],
)
def test_interrupted_run_leaves_nothing(
    before: Snapshot, tmp_path: Path, how: tuple[str, ...], number: signal.Signals
) -> None:
    """Ctrl-C, SIGTERM or SIGKILL in the middle of bringing up ends every process of the cluster.

    So does a second Ctrl-C, in the middle of the take-down. What no process can undo after SIGKILL
    (one mount, empty folders) the next start removes.
    """
    machine = Machine(Layout.default())
    with started_run(tmp_path, *how) as run:
        wait_until("the API server starts", lambda: api_server_started(machine, run), END_TIMEOUT)
        run.send_signal(number)
        if number == signal.SIGINT:
            wait_until("it is taken down", lambda: machine.layout.link not in links(), END_TIMEOUT)
            run.send_signal(number)
        output, _ = run.communicate(timeout=END_TIMEOUT)
    assert run.returncode, output
    if number == signal.SIGKILL:
        wait_until("its processes are gone", lambda: not processes(), END_TIMEOUT)
        machine.down()
    expect_nothing_left(before)
    assert not machine.layout.root.exists()


def test_killed_run_takes_its_tests_along(before: Snapshot, tmp_path: Path) -> None:
    """With the run its cluster dies, so what tests on it must not wait for it, or use the next."""
    with started_run(tmp_path, "tests.e2e", "-k", "test_scenario_a") as run:
        wait_until("its tests run", lambda: in_use(run), END_TIMEOUT)
        inside = [Process.of(pid) for pid in descendants(run.pid)]
        run.kill()
        run.communicate(timeout=END_TIMEOUT)
    wait_until("all has ended", lambda: not any(each.alive for each in inside), END_TIMEOUT)
    Machine(Layout.default()).down()
    expect_nothing_left(before)


def in_use(run: subprocess.Popen[str]) -> bool:
    """Whether tests of a run use its node."""
    assert run.poll() is None, run.communicate()[0]
    with (programs.cache() / "node.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def started_run(folder: Path, *how: str) -> Iterator[subprocess.Popen[str]]:
    """Run what makes a cluster, as pytest on a test that asks for it; it ends with the block."""
    test = folder / "test_cluster.py"
    test.write_text("def test_nodes(cluster):\n    assert cluster.kubectl('get', 'nodes')\n")
    where = (f"--rootdir={folder}", str(test)) if how == FIXTURE else ()
    # A shell's background job ignores Ctrl-C, and so does all that it starts.
    signals = ("env", "--default-signal=INT")
    argv = (*signals, sys.executable, "-m", *how, f"--override-ini=cache_dir={folder}", *where)
    run = subprocess.Popen(
        argv,
        cwd=programs.REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with run:
        try:
            yield run
        finally:
            run.kill()


def api_server_started(machine: Machine, run: subprocess.Popen[str]) -> bool:
    """Whether the API server of a cluster that a run makes was started."""
    assert run.poll() is None, run.communicate()[0]
    found = state.read(machine.layout.state)
    return bool(found and "kube-apiserver" in found.components)

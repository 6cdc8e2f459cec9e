"""`python -m tests.e2e [OPTIONS OF PYTEST]`: the cluster's own tests, then all that runs on it.

The first need the machine for themselves. The others share a cluster that this process brings up
and takes down, and run in a few processes by lanes (`lanes`): most of their time they wait.
E2E_KUBECONFIG and DURABLE_CLUSTER_KEEP say which cluster, as in tests/cluster/fixtures.py. On such
a one, which stays, one process runs them: it removes what it made, also when it is interrupted.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import FOREIGN, SHARED_BY_RUN
from tests.cluster.errors import ClusterError, MissingRequirementError
from tests.cluster.fixtures import KEEP
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.signals import end_on_sigterm, hold_back
from tests.e2e.lanes import HARNESS

MARKED = ("-m", "cluster or e2e")
WHERE = ("tests/cluster", "tests/e2e")
PROCESSES = 3
"""How many lanes at a time: with more, two processors are what everybody waits for."""
OK, FAILED = pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED
NO_TESTS, BROKEN = pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.INTERNAL_ERROR
FIRST_ONLY = {"-x", "--exitfirst"}


def main(options: Sequence[str]) -> int:
    """Run both parts; return an exit code of pytest."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    end_on_sigterm()
    paths = [each for each in options if Path(each.partition("::")[0]).exists()]
    if paths:
        print(f"{paths[0]}: say -k NAME, or run pytest with -m e2e on the file", file=sys.stderr)
        return pytest.ExitCode.USAGE_ERROR
    try:
        code = worst(parts(options))
    except MissingRequirementError as error:
        print(f"no cluster: {error}", file=sys.stderr)
        return pytest.ExitCode.USAGE_ERROR
    except ClusterError as error:
        print(error, file=sys.stderr)
        return BROKEN
    except KeyboardInterrupt:
        return pytest.ExitCode.INTERRUPTED
    if code == NO_TESTS:
        print(f"no test is meant by {' '.join(options)}", file=sys.stderr)
    return code


def parts(options: Sequence[str]) -> Iterator[int]:
    """Run the parts, and yield the exit code of each."""
    alone = run_pytest(*HARNESS, *options, "--numprocesses=0")
    yield alone
    if alone not in (OK, FAILED, NO_TESTS) or (alone == FAILED and FIRST_ONLY & {*options}):
        return
    words = (*WHERE, *(f"--ignore={path}" for path in HARNESS), *options)
    if options and run_pytest(*words, "--collect-only", quiet=True) == NO_TESTS:
        yield NO_TESTS
    elif os.environ.get(FOREIGN) or os.environ.get(KEEP):
        yield run_pytest(*words, "--numprocesses=0")
    else:
        with shared_cluster() as env:
            # A process in the place of a dead one would find what that one left.
            many = (f"--numprocesses={PROCESSES}", "--max-worker-restart=0")
            yield run_pytest(*words, *many, env=env)


def worst(codes: Iterator[int]) -> int:
    """Return the exit code of a whole run: failed tests are the least of what goes wrong."""
    found = {*codes}
    others = found - {OK, FAILED, NO_TESTS}
    if others:
        return min(others)
    return next(code for code in (FAILED, OK, NO_TESTS) if code in found)


def run_pytest(*words: str, env: Mapping[str, str] | None = None, quiet: bool = False) -> int:
    """Run pytest, and return its exit code; who is interrupted has it end, and waits for that.

    In a group of its own: a Ctrl-C of the terminal reaches it once, from here. On a cluster that
    dies with this process it dies too.
    """
    tie = ("setpriv", "--pdeathsig", "TERM") if env else ()
    argv = (*tie, sys.executable, "-m", "pytest", *MARKED, "-rfEs", *words)
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(
        argv, env=env, stdin=nowhere, stdout=nowhere if quiet else None, process_group=0
    ) as run:
        try:
            code = run.wait()
        except KeyboardInterrupt:
            with hold_back():
                run.send_signal(signal.SIGINT)
                run.wait()
            raise
    # By a signal: whatever it had to say is not said.
    return code if code >= 0 else BROKEN


@contextmanager
def shared_cluster() -> Iterator[dict[str, str]]:
    """Bring a cluster up, and give the environment in which processes of tests find it."""
    machine = Machine(Layout.default())
    try:
        machine.up(owned=True)
        yield {**os.environ, SHARED_BY_RUN: "1"}
    finally:
        machine.down_own()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m tests.e2e [ARGS OF PYTEST]`: the cluster's own tests, then all that runs on it.

The first need the machine for themselves. The others share a cluster that this process brings up
and takes down, and run in a few processes by lanes (`lanes`): most of their time they wait.
E2E_KUBECONFIG and DURABLE_CLUSTER_KEEP say which cluster, as in tests/cluster/fixtures.py.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.cluster.cluster import FOREIGN
from tests.cluster.errors import ClusterError, MissingRequirementError
from tests.cluster.fixtures import KEEP, SHARED_BY_RUN
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.signals import end_on_sigterm

HARNESS = ("tests/cluster/test_harness.py", "tests/cluster/test_interrupted.py")
MARKED = ("-m", "cluster or e2e")
PROCESSES = 3
"""How many lanes at a time: with more, two processors are what everybody waits for."""
NO_TESTS = pytest.ExitCode.NO_TESTS_COLLECTED


def main() -> int:
    """Run both parts; the exit code is pytest's, that of the first part that fails."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    end_on_sigterm()
    try:
        alone = tests(*HARNESS, env=os.environ)
        if alone not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, NO_TESTS):
            return alone
        with shared_cluster() as env:
            words = [f"--numprocesses={PROCESSES}", *(f"--ignore={path}" for path in HARNESS)]
            shared = tests("tests/cluster", "tests/e2e", *words, env=env)
    except MissingRequirementError as error:
        print(f"no cluster: {error}", file=sys.stderr)
        return pytest.ExitCode.USAGE_ERROR
    except ClusterError as error:
        print(error, file=sys.stderr)
        return pytest.ExitCode.INTERNAL_ERROR
    except KeyboardInterrupt:
        return pytest.ExitCode.INTERRUPTED
    failed = [code for code in (alone, shared) if code not in (pytest.ExitCode.OK, NO_TESTS)]
    return max(failed) if failed else min(alone, shared)


def tests(*words: str, env: Mapping[str, str]) -> int:
    """Run pytest, and return its exit code; who is interrupted waits for its end."""
    argv = (sys.executable, "-m", "pytest", *MARKED, *words, *sys.argv[1:])
    with subprocess.Popen(argv, env=dict(env)) as run:
        try:
            return run.wait()
        except KeyboardInterrupt:
            run.send_signal(signal.SIGINT)
            run.wait()
            raise


@contextmanager
def shared_cluster() -> Iterator[dict[str, str]]:
    """Have a cluster, and give the environment in which processes of tests find it."""
    if os.environ.get(FOREIGN):
        yield {**os.environ}
        return
    machine, keep = Machine(Layout.default()), bool(os.environ.get(KEEP))
    try:
        if not (keep and machine.running):
            machine.up(owned=not keep)
        yield {**os.environ, SHARED_BY_RUN: "1"}
    finally:
        if not keep:
            machine.down()


if __name__ == "__main__":
    sys.exit(main())

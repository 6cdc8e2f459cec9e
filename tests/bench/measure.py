"""Run whole processes, and tell their time and memory.

A child's peak starts from that of the process that starts it, so this module and those that import
it stay small: nothing big is imported or held before the last run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage, struct_rusage
from statistics import median
from typing import IO

# ru_maxrss is in KiB on Linux and in bytes on macOS.
UNIT = 1 if sys.platform == "darwin" else 1024
MEBIBYTE = 1024 * 1024
NOTHING = Path(os.devnull)


@dataclass(frozen=True)
class Program:
    """A command line, where it runs, and what it reads."""

    name: str
    command: tuple[str | Path, ...]
    folder: Path
    stdin: Path = NOTHING


@dataclass(frozen=True)
class Sample:
    """One run: seconds, processor seconds, and MiB of its largest process at its largest."""

    wall: float
    cpu: float
    peak: float


class FailedError(Exception):
    """A program that is measured ended with an error."""


def run(program: Program, output: Path = NOTHING) -> Sample:
    """Run a program once, its stdout going to a file."""
    said = program.folder / "stderr"
    with program.stdin.open("rb") as stdin, output.open("wb") as stdout, said.open("wb") as stderr:
        start = time.perf_counter()
        code, usage = used(program, stdin, stdout, stderr)
        wall = time.perf_counter() - start
    if code:
        raise FailedError(f"{program.name} exited with {code}: {said.read_text('utf-8')}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * UNIT / MEBIBYTE)


def used(
    program: Program, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
) -> tuple[int, struct_rusage]:
    """Wait for a program; return its exit code and what it used, its own children included."""
    process = subprocess.Popen(
        program.command, cwd=program.folder, stdin=stdin, stdout=stdout, stderr=stderr
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage


def interleaved(programs: Sequence[Program], rounds: int) -> list[list[Sample]]:
    """Run A B C, A B C, ... so that a disturbance meets all; return the samples by program."""
    for program in programs:  # a first round fills the machine's caches
        run(program)
    samples = [[run(program) for program in programs] for _ in range(rounds)]
    return [list(column) for column in zip(*samples, strict=True)]


def floor() -> float:
    """Return the least peak that can be told, in MiB: what this process itself has held."""
    return getrusage(RUSAGE_SELF).ru_maxrss * UNIT / MEBIBYTE


def middle(samples: list[Sample]) -> Sample:
    """Return the median times, and the largest peak."""
    return Sample(
        median(sample.wall for sample in samples),
        median(sample.cpu for sample in samples),
        max(sample.peak for sample in samples),
    )


def ratio(samples: list[Sample], reference: list[Sample]) -> float:
    """Return the median of the wall times' ratio, pair by pair."""
    pairs = zip(samples, reference, strict=True)
    return median(sample.wall / other.wall for sample, other in pairs)

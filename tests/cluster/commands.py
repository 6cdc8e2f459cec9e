"""Run a program and say what it said when it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

TIMEOUT = 120


class CommandError(ClusterError):
    """A program ended with an error; `stderr` is what it said."""

    def __init__(self, argv: Sequence[str], code: int, stderr: str) -> None:
        """Keep the parts: tests look at what an API server or kubectl answered."""
        super().__init__(f"{' '.join(argv)}: exit {code}\n{stderr.strip()}")
        self.code = code
        self.stderr = stderr


def answer(
    *argv: str | Path,
    stdin: str | None = None,
    timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, whatever its exit code; one that does not end is a failure."""
    words = [str(word) for word in argv]
    try:
        return subprocess.run(
            words,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=env,
            cwd=cwd,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(words, -1, f"no answer in {timeout:g} s") from error
    except FileNotFoundError as error:
        raise CommandError(words, 127, str(error)) from error


def run(*argv: str | Path, **settings: Any) -> str:
    """Return the program's standard output, or raise `CommandError`; settings as of `answer`."""
    done = answer(*argv, **settings)
    if done.returncode:
        raise CommandError(done.args, done.returncode, done.stderr or done.stdout)
    return done.stdout

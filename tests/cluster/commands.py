"""Run a program and say what it said when it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.errors import ClusterError

TIMEOUT = 120


class CommandError(ClusterError):
    """A program ended with an error; `stderr` is what it said."""

    def __init__(self, argv: Sequence[str], code: int, stderr: str) -> None:
        """Keep the parts: tests look at what an API server or kubectl answered."""
        super().__init__(f"{' '.join(argv)}: exit {code}\n{stderr.strip()}")
        self.code = code
        self.stderr = stderr


def run(
    *argv: str | Path,
    stdin: str | None = None,
    timeout: float = TIMEOUT,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> str:
    """Return the program's standard output, or raise `CommandError`."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
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
    if done.returncode:
        raise CommandError(words, done.returncode, done.stderr or done.stdout)
    return done.stdout

"""The tables that a run ends with: printed, and kept in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.cluster import programs

FOLDER = programs.REPOSITORY / ".tools" / "cluster"
AGAIN = "tried again, what failed before:"


def told(reporter: pytest.TerminalReporter, name: str) -> list[dict[str, Any]]:
    """Return what the tests of this run, in whichever process, left under a name for its end."""
    found: list[Any] = [
        value
        for reports in reporter.stats.values()
        for each in reports
        # Each phase of a test repeats what was left before it.
        if isinstance(each, pytest.TestReport) and "call" == each.when
        for key, value in each.user_properties
        if key == name
    ]
    return found


def tell(reporter: pytest.TerminalReporter, title: str, lines: Sequence[str]) -> None:
    """Print a table, and keep it; that of a run of what failed before goes below the first one."""
    again = bool(reporter.config.getoption("lf"))
    reporter.section(title)
    for line in lines:
        reporter.write_line(line)
    FOLDER.mkdir(parents=True, exist_ok=True)
    text = "\n".join((*([AGAIN] if again else []), *lines, ""))
    path = FOLDER / f"{title.replace(' ', '-')}.txt"
    with path.open("a" if again else "w") as file:
        file.write(text)
    reporter.write_line(f"kept in {path.relative_to(programs.REPOSITORY)}")

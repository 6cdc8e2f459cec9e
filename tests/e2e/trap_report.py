"""The table of the rules: which trap each refuses, and what was seen of it on this cluster."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pytest

from tests.cluster.commands import run
from tests.e2e.reports import tell, told
from tests.tools.helm import ROOT

DOOR = ROOT / "postrender" / "durable.sh"
CONFIRMED = "confirmed"
NOT_LOST = "nothing lost"
ABSENT = "cannot be had here"
NOT_RUN = "not run"
NO_RULE = "-"
PROPERTY = "trap"
WIDTHS = (24, 46, 78)

# Rules whose trap needs what this cluster does not have.
OUT_OF_REACH = {
    "claims/not-smaller": "what retentionSize cuts shows after the first block, two hours later",
    "consumers/present": "a wish for an object that is not rendered: there is nothing to apply",
    "grafana/chown": "needs an NFS server that squashes root, or a Grafana chart of old",
    "grafana/claim-used": "a decision of the Grafana chart while it renders; nothing to apply",
    "grafana/data-seen": "the traps of no rule show it: a sub-path toggled starts empty",
    "grafana/one-writer": "needs Grafana itself: the stand-in has no second writer",
    "grafana/password": "needs Grafana itself, which reads the password once, into its database",
    "grafana/runs": "objects without a workload: a decision of the chart while it renders",
    "helm/version": "needs Helm 4.2.0 to 4.2.3; 3.22.0 and 4.3.1 are here",
    "remote/credentials": "the operator waits for a Secret that it does not find",
    "remote/protocol": "no traps of rules need a store; seen by hand: 204, and nothing is written",
    "remote/sent": "a wish for an object that is not rendered: there is nothing to apply",
    "retention/fits": "the first block is written after two hours, so no disk fills in a test",
    "retention/shared-disk": "needs operator 0.94 (retentionPercentage); 0.93.1 is here",
    "volumes/rendered": "volumes that nobody makes: the claims wait, as in volumes/enough",
    "volumes/posix": "needs NFS, EFS or SMB: this kernel has no such client",
}


@dataclass(frozen=True)
class Row:
    """One trap, and what was seen of it."""

    rule: str
    trap: str
    seen: str
    verdict: str


@dataclass(frozen=True)
class TrapReport:
    """What one test saw of traps."""

    item: pytest.Item

    def add(self, row: Row) -> None:
        """Let a row go with the test's report: another process may be the one that prints it."""
        self.item.user_properties.append((PROPERTY, asdict(row)))


def tell_traps(reporter: pytest.TerminalReporter) -> None:
    """Print the table, and write it to a file; without a row there is nothing to tell."""
    rows = [Row(**each) for each in told(reporter, PROPERTY)]
    if rows:
        # Of some of the tests only, the rules that they leave out are not worth a word.
        again = bool(reporter.config.getoption("lf"))
        tell(reporter, "traps", table(rows, [] if again else rules()))


def rules() -> list[str]:
    """Return the ids of all rules, as the tool lists them."""
    told = run(DOOR, "rules", "--format", "json")
    return [each["id"] for each in json.loads(told)]


def table(rows: list[Row], every: list[str]) -> list[str]:
    """Return the lines of the rows by rule, then of every rule without one and why."""
    seen = {row.rule for row in rows}
    without = [
        Row(rule, "", OUT_OF_REACH.get(rule, ""), ABSENT if rule in OUT_OF_REACH else NOT_RUN)
        for rule in sorted(every)
        if rule not in seen
    ]
    head = Row("rule", "trap", "seen", "verdict")
    found = sorted(rows, key=lambda row: (row.rule == NO_RULE, row.rule))
    return [line for row in (head, *found, *without) for line in lines(row)]


def lines(row: Row) -> Iterator[str]:
    """Yield the lines of a row, long cells cut into several."""
    cells = [wrapped(*pair) for pair in zip((row.rule, row.trap, row.seen), WIDTHS, strict=True)]
    for index in range(max(map(len, cells))):
        parts = [cell[index] if index < len(cell) else "" for cell in cells]
        padded = [part.ljust(width) for part, width in zip(parts, WIDTHS, strict=True)]
        yield "  ".join([*padded, row.verdict if not index else ""]).rstrip()


def wrapped(text: str, width: int) -> list[str]:
    """Return a text as lines of at most a width, cut at blanks where there are any."""
    return textwrap.wrap(" ".join(text.split()), width) or [""]

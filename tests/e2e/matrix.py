"""Before, event, after: what of the data is still there, as a row of figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace

import pytest

from tests.e2e import samples
from tests.e2e.reports import tell, told
from tests.e2e.samples import Prometheus, Samples
from tests.e2e.stack import Stack, answers

COLUMNS = (
    *("event", "result", "pods", "samples before", "lost", "gap (scrapes)"),
    *("silences", "rows", "claims", "seconds"),
)
PROPERTY = "survival"
UNTIL_READ = 240
# The scrapes just before the event belong to its gap.
LEAD = 5000
SHOWN = 5


@dataclass(frozen=True)
class Row:
    """One line of the matrix; what was not measured is empty."""

    event: str
    result: str
    figures: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Observed:
    """What is there at one moment."""

    moment: int
    samples: Mapping[str, Samples]
    silences: Mapping[str, str]
    rows: tuple[str, ...]
    claims: Mapping[str, tuple[str, str, str]]


@dataclass(frozen=True)
class Outcome:
    """What an event did: what was there before and afterwards, and how long it took."""

    before: Observed
    after: Observed
    gap: float
    seconds: float
    new_claims: int = 0

    @property
    def lost_samples(self) -> list[str]:
        """Samples that are missing or changed, each as a sentence."""
        return [
            f"{pod}: {each}"
            for pod, series in self.before.samples.items()
            for each in samples.lost(series, self.after.samples[pod])
        ]

    @property
    def lost_silences(self) -> list[str]:
        """Comments of silences that are gone."""
        gone = self.before.silences.keys() - self.after.silences.keys()
        return sorted(self.before.silences[each] for each in gone)

    @property
    def lost_rows(self) -> list[str]:
        """Rows that are gone."""
        return [each for each in self.before.rows if each not in self.after.rows]

    @property
    def changed_claims(self) -> list[str]:
        """Claims that are another object now, or have another volume."""
        after = self.after.claims
        return [name for name, was in self.before.claims.items() if after.get(name) != was]

    def figures(self) -> tuple[str, ...]:
        """Return the columns between the result and the end."""
        total = sum(samples.count(each) for each in self.before.samples.values())
        kept = [len(self.before.claims) - len(self.changed_claims), len(self.before.claims)]
        return (
            str(len(self.before.samples)),
            str(total),
            str(len(self.lost_samples)),
            f"{self.gap:.1f}",
            shown(self.before.silences, self.lost_silences),
            shown(self.before.rows, self.lost_rows),
            f"{kept[0]} of {kept[1]} the same",
            f"{self.seconds:.0f}",
        )


def shown(before: Mapping[str, str] | tuple[str, ...], gone: list[str]) -> str:
    """Return how many of something are still there."""
    return f"{len(before) - len(gone)} of {len(before)}"


def observe(stack: Stack, servers: list[Prometheus]) -> Observed:
    """Read everything that must last."""
    return Observed(
        samples.now(),
        {each.pod: each.read() for each in servers},
        stack.alertmanager().read(),
        tuple(stack.grafana().read()),
        stack.identities(),
    )


def feed(stack: Stack, event: str) -> None:
    """Write what is known: samples into each Prometheus, a silence and a row."""
    for number, each in enumerate(stack.prometheuses()):
        written = each.write(number)
        found = each.read(samples.KNOWN)
        (series,) = found.values()
        missing = {at: value for at, value in written.items() if series.get(at) != value}
        assert {} == missing, f"{each.pod} did not take what was written"
    alertmanager = stack.alertmanager()
    alertmanager.add(event)
    stack.grafana().add(event)
    wait_until_written(stack)


def wait_until_written(stack: Stack) -> None:
    """Wait until Alertmanager has the silences on its disk: until then a crash loses them.

    The second run of its maintenance began after the silence was added.
    """
    alertmanager = stack.alertmanager()
    start = alertmanager.maintained()
    stack.cluster.wait(
        "the silences are written",
        lambda: alertmanager.maintained() >= start + 2,
        namespace=stack.namespace,
    )


def survive(stack: Stack, event: str, act: Callable[[Stack], None]) -> Outcome:
    """Feed, observe, let it happen, wait until all is served again, observe."""
    feed(stack, event)
    servers = stack.prometheuses()
    stack.wait_for_scrapes(servers, samples.now() - LEAD)
    before = observe(stack, servers)
    started = time.monotonic()
    act(stack)
    stack.wait_for_scrapes(servers, samples.now())
    seconds = time.monotonic() - started
    stack.wait_until_serving()
    stack.cluster.wait(
        "silences and rows are read", lambda: answers(lambda: observe(stack, [])), UNTIL_READ
    )
    after = observe(stack, servers)
    scrapes = servers[0].scrapes()
    return Outcome(before, after, samples.gap(scrapes, before.moment - LEAD), seconds)


def check(outcome: Outcome, *, claims: bool = True) -> None:
    """Fail with what is lost; with `claims`, also when a claim is not the same object."""
    assert [] == outcome.lost_samples[:SHOWN]
    assert [] == outcome.lost_silences
    assert [] == outcome.lost_rows
    if claims:
        assert [] == outcome.changed_claims


@dataclass(frozen=True)
class Matrix:
    """The rows of one test."""

    item: pytest.Item

    @contextmanager
    def row(self, event: str, note: str = "") -> Iterator[Callable[[Outcome], None]]:
        """Open a row; it is written however the test ends, with its figures where there are any.

        A note says what of them is meant to be so.
        It goes with the test's report: another process may be the one that prints it.
        """
        found: list[Outcome] = []
        row = Row(event, "held", note=note)
        try:
            yield found.append
        except pytest.skip.Exception as skipped:
            row = replace(row, result="not run", note=str(skipped))
            raise
        except BaseException as error:
            first = (str(error) or type(error).__name__).splitlines()[0]
            row = replace(row, result="FAILED", note=first)
            raise
        finally:
            row = replace(row, figures=found[0].figures() if found else ())
            self.item.user_properties.append((PROPERTY, asdict(row)))


def tell_matrix(reporter: pytest.TerminalReporter) -> None:
    """Print the survival matrix, and keep it in a file; without a row there is nothing to tell."""
    rows = [Row(**each) for each in told(reporter, PROPERTY)]
    if rows:
        tell(reporter, "survival matrix", table(rows))


def table(rows: list[Row]) -> list[str]:
    """Return the lines of the matrix."""
    width = len(COLUMNS) - 2
    cells = [COLUMNS, *((row.event, row.result, *(row.figures or ("",) * width)) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return [*lines, *(f"{row.event}: {row.note}" for row in rows if row.note)]

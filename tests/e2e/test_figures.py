"""The figures of the survival matrix, without a cluster: a loss must be seen as one."""

from __future__ import annotations

import struct

import pytest

from tests.e2e import samples
from tests.e2e.matrix import PROPERTY, Matrix, Observed, Outcome, Row, check, table

SERIES = {"up": {1000: "1", 2000: "1"}, "known": {1000: "0.5"}}
CLAIM = {"data": ("claim-uid", "volume", "volume-uid")}
BEFORE = Observed(0, {"pod-0": SERIES}, {"id": "silence"}, ("row",), CLAIM)


def after(**changes: object) -> Outcome:
    """Return what was there before, and afterwards the same but for the changes."""
    fields = {"samples": {"pod-0": SERIES}, "silences": {"id": "silence"}, "rows": ("row",)}
    return Outcome(BEFORE, Observed(0, **{**fields, "claims": CLAIM, **changes}), 1.0, 2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": {"pod-0": {"up": {1000: "1"}, "known": {1000: "0.5"}}}},
        {"samples": {"pod-0": {"up": {1000: "1", 2000: "1"}}}},
        {"samples": {"pod-0": {**SERIES, "known": {1000: "0.6"}}}},
        {"silences": {}},
        {"rows": ()},
        {"claims": {}},
        {"claims": {"data": ("another", "volume", "volume-uid")}},
        {"claims": {"data": ("claim-uid", "volume", "another")}},
    ],
    ids=[
        *("sample", "series", "value", "silence", "row"),
        *("claim", "claim's uid", "volume's uid"),
    ],
)
def test_loss_is_seen(changes: dict[str, object]) -> None:
    """A sample, silence, row, claim or volume that is missing or another fails the check."""
    with pytest.raises(AssertionError):
        check(after(**changes))


def test_no_loss_is_none() -> None:
    """What is the same, or more than before, passes."""
    more = {"pod-0": {**SERIES, "up": {**SERIES["up"], 3000: "0"}, "new": {3000: "1"}}}
    check(after(samples=more, rows=("row", "another"), silences={"id": "silence", "new": "x"}))


def test_gap_is_counted_in_scrapes() -> None:
    """The gap is the longest time between two scrapes since a moment, in scrape intervals."""
    times = [0, 50_000, 51_000, 52_000, 60_500, 61_500]
    assert samples.gap(times, 50_000) == 8.5 / samples.INTERVAL


def test_failed_row_stays_in_the_table(request: pytest.FixtureRequest) -> None:
    """A row that fails or is skipped is in the matrix with its reason."""
    matrix, left = Matrix(request.node), request.node.user_properties
    with pytest.raises(AssertionError):
        fail("the reason", matrix)
    with pytest.raises(pytest.skip.Exception), matrix.row("cannot"):
        pytest.skip("not here")
    with matrix.row("holds") as measured:
        measured(after())
    rows = [Row(**row) for name, row in left if name == PROPERTY]
    # They are of no run.
    left.clear()
    _, breaks, cannot, holds, *notes = table(rows)
    assert ["FAILED", "not run", "held"] == [breaks[8:14], cannot[8:15], holds[8:12]]
    assert "0 of 1" in breaks
    assert ["breaks: the reason", "cannot: not here"] == notes


def fail(reason: str, matrix: Matrix) -> None:
    """Fail within a row that was measured."""
    with matrix.row("breaks") as measured:
        measured(after(rows=()))
        raise AssertionError(reason)


def test_snappy_block_holds_the_content() -> None:
    """A block of literals, read as the format says, gives back what went in."""
    content = bytes(range(256)) * 300
    block = samples.snappy(content)
    size, at = number(block, 0)
    read = b""
    while at < len(block):
        assert block[at] == 61 << 2
        (length,) = struct.unpack_from("<H", block, at + 1)
        read += block[at + 3 : at + 4 + length]
        at += 4 + length
    assert (len(content), content) == (size, read)


def number(block: bytes, at: int) -> tuple[int, int]:
    """Return the number that stands at a place in seven bits a byte, and the place behind it."""
    value, shift = 0, 0
    while True:
        value |= (block[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if block[at - 1] < 0x80:
            return value, at

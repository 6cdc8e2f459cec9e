"""What must hold for any stream, however broken it is.

By hand, with PYTHONPATH=postrender:
          python -m tests.judging 50000     so many bent streams, from seed 0
          python -m tests.judging 1 417     the one of seed 417, shown if it fails
"""

from __future__ import annotations

import collections
import sys
import time
import traceback

import yaml

from durable import pipeline
from durable.errors import DurableError
from tests.checking import read
from tests.mutations import KIND, may_change, split, stream
from tests.tools.documents import Loader


def verdict(text: str) -> str:
    """Run a stream; return how it ended, or raise where it ended as it never may."""
    try:
        data = text.encode()
        given = read(data)
        result = pipeline.run(given, None)
    except DurableError as error:
        _require(bool(str(error).strip()), "an error without a word")
        return "cannot run"
    out = b"".join(given.pieces())
    for finding in result.findings:
        _require(len(finding.text().split("\n")) == 3, "a message of other than three lines")
        _require(len(finding.line().splitlines()) == 1, "a message for Helm of several lines")
        _require(finding.fix.endswith("."), f"a fix without an end: {finding.fix}")
    _nothing_lost(text.replace("\r\n", "\n"), out.decode().replace("\r\n", "\n"))
    return "refused" if result.refused else "done"


def _require(held: bool, otherwise: str) -> None:
    if not held:
        raise AssertionError(otherwise)


def _nothing_lost(before: str, after: str) -> None:
    """Each document is there: those that nobody touches to the byte and in their order."""
    at = 0
    for part in split(before):
        kinds = KIND.findall(part)
        if not kinds or may_change(part):
            continue
        found = after.find(part.rstrip("\n"), at)
        _require(found >= 0, f"lost or changed: {part[:200]!r}")
        at = found + len(part.rstrip("\n"))
    _require(len(split(after)) >= len(split(before)), "fewer documents than before")
    try:
        list(yaml.parse(before, Loader))
    except yaml.YAMLError:
        return
    list(yaml.parse(after, Loader))


def main(count: int, first: int = 0) -> int:
    """Try so many streams; print how they ended, and each failure with its seed."""
    ends: collections.Counter[str] = collections.Counter()
    slowest = (0.0, 0)
    started = time.monotonic()
    for seed in range(first, first + count):
        text, before = stream(seed), time.monotonic()
        try:
            ends[verdict(text)] += 1
        except Exception:  # noqa: BLE001  whatever it is, it is what is looked for
            ends["FAILED"] += 1
            print(f"seed {seed}\n{traceback.format_exc(limit=-4)}")
            if count == 1:
                print(text)
        slowest = max(slowest, (time.monotonic() - before, seed))
    print(f"{count} streams in {time.monotonic() - started:.0f} s: {dict(ends)}")
    print(f"the slowest took {slowest[0]:.1f} s, seed {slowest[1]}")
    return 1 if ends["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:] or ["2000"])))

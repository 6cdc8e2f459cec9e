"""What the post-renderer does to each recorded stream: objects edited, bytes changed.

python -m tests.tools.corpus_table
"""

from __future__ import annotations

import difflib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.tools import corpus

DURABLE = corpus.ROOT / "postrender" / "durable.sh"
PLAN = corpus.ROOT / "tests" / "bench" / "plan.yaml"
SEPARATOR = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
# What the post-renderer adds to a stream that has no plan document.
ADDED = (b"durable-prometheus-stack/record: persistence-plan", b"durable-prometheus-stack/consumer")


@dataclass(frozen=True)
class Row:
    """One recorded stream, before and after."""

    name: str
    before: list[bytes]
    after: list[bytes]
    patches: list[dict[str, Any]]

    @property
    def kept(self) -> list[bytes]:
        """The documents of the result that are not ours."""
        return [each for each in self.after if not any(mark in each for mark in ADDED)]

    @property
    def changed(self) -> list[tuple[bytes, bytes]]:
        """The documents that an edit touched, before and after."""
        pairs = zip(self.before, self.kept, strict=True)
        return [(old, new) for old, new in pairs if old != new]

    @property
    def bytes_changed(self) -> int:
        """Characters taken away from or put into documents of the stream, line by line."""
        lines = (
            line
            for old, new in self.changed
            for line in difflib.ndiff(old.decode().splitlines(), new.decode().splitlines())
            if line[0] in "+-"
        )
        return sum(len(line) - 1 for line in lines)


def durable(*arguments: str, stdin: bytes) -> bytes:
    """Run the post-renderer; fail with what it says."""
    answer = subprocess.run([DURABLE, *arguments], input=stdin, capture_output=True, check=False)
    if answer.returncode:
        raise RuntimeError(answer.stderr.decode())
    return answer.stdout


def split(stream: bytes) -> list[bytes]:
    """Cut a stream at its separators, which stay with the document that follows."""
    starts = [found.start() for found in SEPARATOR.finditer(stream)]
    bounds = sorted({0, *starts, len(stream)})
    return [stream[a:b] for a, b in pairwise(bounds)]


def row(name: str, plan: Path = PLAN) -> Row:
    """Put one recorded stream through the post-renderer."""
    stream = corpus.stream(name)
    result = durable("render", "--plan", str(plan), stdin=stream)
    told = durable("explain", "--format", "json", "--plan", str(plan), stdin=stream)
    return Row(name, split(stream), split(result), json.loads(told))


def main() -> int:
    """Print the table."""
    if not corpus.names():
        sys.stderr.write(corpus.ABSENT + "\n")
        return 1
    form = "{:34} {:>9} {:>7} {:>6} {:>8} {:>6}\n"
    head = ("stream", "documents", "edited", "edits", "changed", "added")
    sys.stdout.write(form.format(*head))
    for name in corpus.names():
        told = row(name)
        edits = sum(len(each["patch"]) for each in told.patches)
        added = len(told.after) - len(told.kept)
        size = f"{told.bytes_changed} B"
        cells = (name, len(told.before), len(told.changed), edits, size, added)
        sys.stdout.write(form.format(*map(str, cells)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

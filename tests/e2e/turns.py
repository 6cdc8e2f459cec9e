"""Who may use the node: many files of tests at once, or one test that does something to the node.

Several processes run the scenarios on one cluster. A file holds its turn from its first test to its
last, as what it installed runs in between. A test that kills the node's containers waits until
nobody else has a turn, and nobody gets one before it. The kernel takes back what a dead one holds.
"""

from __future__ import annotations

import fcntl
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import pytest

from tests.cluster.programs import lock

ALONE = "alone"
"""The mark of a test that does something to the node."""
OFF_NODE = "off_node"
"""The mark of tests that ask the API server only, or nobody: they need no turn."""


@dataclass
class Turns:
    """The turns of one process."""

    folder: Path
    alone: bool = False
    _room: TextIO | None = None

    @property
    def held(self) -> bool:
        """Whether this process has a turn."""
        return bool(self._room)

    def before(self, item: pytest.Item) -> None:
        """Have the turn that a test needs; a unit test needs none."""
        if not item.get_closest_marker("e2e") or item.get_closest_marker(OFF_NODE):
            return
        alone = bool(item.get_closest_marker(ALONE))
        if self.held and alone != self.alone:
            self.leave()
        if not self.held:
            self.take(alone=alone)

    def after(self, item: pytest.Item, following: pytest.Item | None) -> None:
        """Give the turn back where another file follows, or a test that needs another turn."""
        same = following and following.path == item.path
        if not same or self.alone != bool(following and following.get_closest_marker(ALONE)):
            self.leave()

    def take(self, *, alone: bool = False) -> None:
        """Wait for a turn; who holds one has to leave first, or two would wait for each other."""
        if self._room:
            raise AssertionError("a process has one turn at a time")
        self.folder.mkdir(parents=True, exist_ok=True)
        room = (self.folder / "node.lock").open("w")
        # Who waits to be alone waits in the door: nobody slips in before.
        with lock(self.folder / "door.lock"):
            fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        self._room, self.alone = room, alone

    def leave(self) -> None:
        """Give the turn back; without one there is nothing to do."""
        if self._room:
            self._room.close()
            self._room = None

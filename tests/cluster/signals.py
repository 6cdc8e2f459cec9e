"""What a request to end does to a process that has a cluster."""

from __future__ import annotations

import signal
from types import FrameType


def end_on_sigterm() -> None:
    """Let SIGTERM end the process as Ctrl-C does, so that a cluster is taken down on the way."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)

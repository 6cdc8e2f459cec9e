"""What a request to end does to a process that has a cluster."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

REQUESTS = {signal.SIGINT, signal.SIGTERM}


def end_on_sigterm() -> None:
    """Let SIGTERM end the process as Ctrl-C does, so that a cluster is taken down on the way."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


@contextmanager
def hold_back() -> Iterator[None]:
    """Let a request to end wait until a block is through: a second Ctrl-C is not for its middle."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, REQUESTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""Wait for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests.cluster.errors import TimedOutError

T = TypeVar("T")

INTERVAL = 0.1


def wait_until(
    description: str,
    predicate: Callable[[], T | None],
    timeout: float,
    *,
    interval: float = INTERVAL,
    explain: Callable[[], str] = str,
) -> T:
    """Return the predicate's first truthy value; after the deadline fail with what `explain` says.

    The predicate runs at least once, and once more after the deadline has passed.
    """
    deadline = time.monotonic() + timeout
    while True:
        last = time.monotonic() >= deadline
        value = predicate()
        if value:
            return value
        if last:
            raise TimedOutError(
                f"after {timeout:g} s still waiting for: {description}\n{explain()}"
            )
        time.sleep(interval)

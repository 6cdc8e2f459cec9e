"""Regular expressions that are compiled when they are first asked, not when a module is imported.

Compiling takes a quarter of a millisecond each, and most runs ask few of all the patterns.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Deferred:
    """Stands in for a compiled pattern: compiled at the first use of any of its attributes."""

    __slots__ = ("made", "make")

    def __init__(self, compile_: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        self.make: Callable[[], Any] = lambda: compile_(*arguments, **named)
        self.made: Any = None

    def __getattr__(self, name: str) -> Any:
        """Ask the pattern, which is made now if it was not asked before."""
        if self.made is None:
            self.made = self.make()
        return getattr(self.made, name)


if TYPE_CHECKING:
    pattern = re.compile
else:

    def pattern(*arguments: object) -> Deferred:
        """Like re.compile, later."""
        return Deferred(re.compile, *arguments)

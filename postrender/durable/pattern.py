"""Regular expressions that are compiled when they are first asked, not when a module is imported.

Compiling takes a quarter of a millisecond each; most runs ask few of the patterns that modules define.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Deferred:
    """Stands in for a compiled pattern: compiled at the first use of any of its attributes."""

    __slots__ = ("arguments", "compile", "made")

    def __init__(self, compile_: Callable[..., Any], *arguments: Any, **named: Any) -> None:
        self.compile = compile_
        self.arguments = (arguments, named)
        self.made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self.made is None:
            arguments, named = self.arguments
            self.made = self.compile(*arguments, **named)
        return getattr(self.made, name)


if TYPE_CHECKING:
    pattern = re.compile
else:

    def pattern(*arguments, **named):
        """Like re.compile, later."""
        return Deferred(re.compile, *arguments, **named)

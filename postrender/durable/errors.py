"""What can go wrong, as types.

DurableError              anything that ends the run with exit code 2
├── StreamError           stdin is not a stream of Kubernetes documents
├── DocumentError         one document cannot be read or edited
├── PlanError             the plan is missing, doubled, for another release, or wrong at a path
└── UsageError            the command line is wrong
"""

from __future__ import annotations


class DurableError(Exception):
    """The run cannot go on; the text says where and what to do."""


class StreamError(DurableError):
    """The stream as a whole cannot be read."""


class DocumentError(DurableError):
    """A document cannot be read or edited; ``line`` counts from 1 in its text, 0 is no line."""

    def __init__(self, says: str, line: int = 0) -> None:
        super().__init__(f"line {line}: {says}" if line else says)
        self.says = says
        self.line = line


class PlanError(DurableError):
    """The plan is missing or wrong; the text starts with the path of what is wrong."""


class UsageError(DurableError):
    """The arguments do not fit the command."""

"""The registry of rules: who they are, and how they are asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from durable.findings import Finding
    from durable.stack import Stack


def find(stack: Stack) -> list[Finding]:
    """Ask every rule over the whole stack."""
    return []

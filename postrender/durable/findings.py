"""What a rule found, and how it reads."""

from __future__ import annotations

from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSE = "refuse"
WARN = "warn"


@record
class Finding:
    """A rule's finding on one object: where, what is wrong, and something to paste that mends it."""

    severity: str
    rule: str
    object: str
    field: str
    says: str
    fix: str
    source: str = ""
    accepted: bool = False
    reference: tuple[str, ...] = ()  # apiVersion, kind, namespace, name of the object

    def order(self) -> tuple[str, ...]:
        """Refusals first, then by object."""
        return (self.severity != REFUSE and "1" or "0", self.object, self.field, self.rule, self.says)

    def text(self) -> str:
        """Three lines: object, field and what is wrong; rule and template; the fix."""
        mark = "refused" if self.severity == REFUSE else "accepted" if self.accepted else "warning"
        place = f"{self.object}: {self.field} " if self.field else f"{self.object}: "
        source = f", from {self.source}" if self.source else ""
        return f"{mark}  {place}{self.says}\n  rule {self.rule}{source}\n  fix  {self.fix}"

    def line(self) -> str:
        """All of it in one line, for Helm 4, which shows no more."""
        return f"{self.object}: {self.field} {self.says} [{self.rule}]; fix: {' '.join(self.fix.split())}"

    def data(self) -> dict[str, Any]:
        """The finding for --format json."""
        return {k: v for k, v in vars(self).items() if k != "reference"}

"""What a rule found, and how it reads."""

from __future__ import annotations

from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REFUSE = "refuse"
WARN = "warn"
LIMIT = 600


@record
class Finding:
    """A rule's finding on one object: where, what is wrong, and what to paste to mend it."""

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
        first = "0" if self.severity == REFUSE else "1"
        return (first, self.object, self.field, self.rule, self.says)

    def what(self) -> str:
        """The field, if one is meant, and what is wrong with it."""
        return f"{self.field} {self.says}" if self.field else self.says

    def text(self) -> str:
        """Three lines: object, field and what is wrong; rule and template; the fix."""
        mark = "warning"
        if self.severity == REFUSE:
            mark = "refused"
        elif self.accepted:
            mark = "accepted"
        source = f", from {self.source}" if self.source else ""
        lines = (
            f"{mark}  {one_line(f'{self.object}: {self.what()}')}",
            f"rule {one_line(self.rule + source)}",
            f"fix  {one_line(self.fix)}",
        )
        return "\n  ".join(lines)

    def line(self) -> str:
        """All of it in one line, for Helm 4, which shows no more, and for the record."""
        mark = "accepted: " if self.accepted else ""
        said = one_line(f"{mark}{self.object}: {self.what()}")
        return f"{said} [{self.rule}]; fix: {one_line(self.fix)}"

    def data(self) -> dict[str, Any]:
        """The finding for --format json."""
        return {k: v for k, v in vars(self).items() if k != "reference"}


def one_line(text: str) -> str:
    """The text on one line of sane length, with nothing in it that a terminal would act on."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= LIMIT else f"{line[: LIMIT - 3]}..."

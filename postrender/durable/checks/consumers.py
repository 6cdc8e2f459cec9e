"""Rules about the consumers that the plan names."""

from __future__ import annotations

from durable.checks.registry import Fault, rule
from durable.findings import WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Stack


@rule(WARN, "Set persistence: {<consumer>: {enabled: false}} if the stack has no such consumer.")
def present(stack: Stack) -> Iterator[Fault]:
    """A wish that fits nothing is lost without a word: a consumer switched off or elsewhere.

    prometheus-community/helm-charts#4582 and its like. It only warns, since the plan's defaults
    name Grafana also where another one serves; volumes that then belong to nobody are refused
    (volumes/reserved).
    """
    for name, plan in stack.plan.consumers.items():
        if plan.enabled and plan.expected and not any(c.name == name for c in stack.consumers):
            says = "is in the plan, but the stream has no such object"
            fix = f"persistence: {{{name}: {{enabled: false}}}} if the stack has none."
            yield Fault(f"plan {stack.plan.release}".rstrip(), f"persistence.{name}", says, fix)

"""The registry of rules: a rule is one function under @rule, its id comes from where it stands."""

from __future__ import annotations

from durable.errors import PlanError
from durable.findings import REFUSE, WARN, Finding
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from durable.objects import Object
    from durable.stack import Stack


@record
class Fault:
    """What a rule yields: the object, its field, what is wrong with it, and what to paste (else the rule's fix)."""

    object: Object | str
    field: str
    says: str
    fix: str = ""


@record
class Rule:
    """A rule: id, severity, what it protects from (its docstring) and the general fix."""

    id: str
    severity: str
    protects: str
    fix: str
    ask: Callable[[Stack], Iterator[Fault]]


RULES: dict[str, Rule] = {}


def rule(severity: str, fix: str) -> Callable[[Callable[[Stack], Iterator[Fault]]], Callable[[Stack], Iterator[Fault]]]:
    """Register a function as a rule: ``checks.claims.never_deleted`` is ``claims/never-deleted``."""

    def register(function: Callable[[Stack], Iterator[Fault]]) -> Callable[[Stack], Iterator[Fault]]:
        topic = function.__module__.rpartition(".")[2]
        name = f"{topic}/{function.__name__}".replace("_", "-")
        RULES[name] = Rule(name, severity, function.__doc__ or "", fix, function)
        return function

    return register


def find(stack: Stack) -> list[Finding]:
    """Ask every rule over the whole stack; all findings, refusals first.

    Raises PlanError for an accepted id that no rule has.
    """
    for wanted in stack.plan.accept:
        if wanted not in RULES:
            raise PlanError(f"persistence.accept: no rule is called {wanted!r}; durable.sh rules lists them")
    found = [_finding(stack, rule, fault) for rule in RULES.values() for fault in rule.ask(stack)]
    return sorted(set(found), key=Finding.order)


def _finding(stack: Stack, rule: Rule, fault: Fault) -> Finding:
    accepted = rule.severity == REFUSE and rule.id in stack.plan.accept
    return Finding(
        severity=WARN if accepted else rule.severity,
        rule=rule.id,
        object=str(fault.object),
        field=fault.field,
        says=fault.says,
        fix=fault.fix or rule.fix,
        source="" if isinstance(fault.object, str) else fault.object.source,
        accepted=accepted,
        reference=() if isinstance(fault.object, str) else _reference(fault.object),
    )


def _reference(item: Object) -> tuple[str, ...]:
    return str(item.get("apiVersion") or ""), item.kind, item.namespace, item.name

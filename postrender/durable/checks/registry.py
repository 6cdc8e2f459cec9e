"""The registry of rules: a rule is one function under @rule, its id comes from where it stands."""

from __future__ import annotations

from durable.errors import PlanError
from durable.findings import WARN, Finding
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from durable.objects import Object
    from durable.stack import Stack

    Ask = Callable[[Stack], Iterator["Fault"]]

SHOWN = 80


@record
class Fault:
    """What a rule yields: object, field, what is wrong, and what to paste (else the rule's fix)."""

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
    ask: Ask


RULES: dict[str, Rule] = {}


def rule(severity: str, fix: str) -> Callable[[Ask], Ask]:
    """Register a function as a rule: checks.claims.never_deleted is claims/never-deleted."""

    def register(function: Ask) -> Ask:
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
            raise PlanError(_unknown(wanted))
    found = [_finding(stack, rule, fault) for rule in RULES.values() for fault in rule.ask(stack)]
    return sorted(set(found), key=Finding.order)


def shown(value: Any) -> str:
    """A value as a message shows it: as it would be written, and not without end."""
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _unknown(wanted: str) -> str:
    from difflib import get_close_matches  # only a wrong plan pays for it

    near = get_close_matches(wanted, RULES, 1)
    hint = f"did you mean {near[0]!r}?" if near else "durable.sh rules lists them"
    return f"persistence.accept: no rule is called {shown(wanted)}: {hint}"


def _finding(stack: Stack, rule: Rule, fault: Fault) -> Finding:
    accepted = rule.id in stack.plan.accept
    return Finding(
        severity=WARN if accepted else rule.severity,
        rule=rule.id,
        object=str(fault.object),
        field=fault.field,
        says=fault.says,
        fix=_pasteable(fault.fix or rule.fix),
        source="" if isinstance(fault.object, str) else fault.object.source,
        accepted=accepted,
        reference=() if isinstance(fault.object, str) else _reference(fault.object),
    )


def _pasteable(fix: str) -> str:
    """Keep the full stop off a block that is to be pasted."""
    return f"{fix[:-1]} in your values." if fix.endswith(("}.", "].")) else fix


def _reference(item: Object) -> tuple[str, ...]:
    return str(item.get("apiVersion") or ""), item.kind, item.namespace, item.name

"""Findings, edits and rules as text or JSON, for the commands that print them."""

from __future__ import annotations

import json
import textwrap

from durable.checks.registry import RULES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from durable.edits import Edit
    from durable.findings import Finding


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def findings_text(findings: Sequence[Finding], form: str) -> str:
    """All findings; as text, nothing where there is none."""
    if form == "json":
        return _json([f.data() for f in findings])
    return "".join(f.text() + "\n" for f in findings)


def edits_text(edits: Sequence[Edit], form: str) -> str:
    """Each edit, object by object, as RFC 6902 operations in the order in which they were made."""
    patches: dict[Any, list[Any]] = {}
    for edit in edits:
        patches.setdefault(edit.object, []).append(edit.operation)
    if form == "json":
        return _json([_patch(target, operations) for target, operations in patches.items()])
    blocks = (
        f"{target}\n" + "".join(f"  {json.dumps(o, ensure_ascii=False)}\n" for o in operations)
        for target, operations in patches.items()
    )
    return "".join(blocks)


def _patch(target: Any, operations: list[Any]) -> dict[str, Any]:
    names = {"kind": target.kind, "namespace": target.namespace, "name": target.name}
    return {
        "target": {k: v for k, v in names.items() if v},
        "source": target.source,
        "patch": operations,
    }


def rules_text(form: str) -> str:
    """Every rule: id, severity, what it protects from, the fix."""
    if form == "json":
        return _json([{k: v for k, v in vars(r).items() if k != "ask"} for r in RULES.values()])
    blocks = []
    for rule in RULES.values():
        protects = textwrap.fill(
            " ".join(rule.protects.split()), 100, initial_indent="  ", subsequent_indent="  "
        )
        blocks.append(f"{rule.id} ({rule.severity})\n{protects}\n  fix  {rule.fix}\n")
    return "\n".join(blocks)

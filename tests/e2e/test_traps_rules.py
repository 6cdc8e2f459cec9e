"""The table of the traps leaves no rule out; this needs no cluster."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.trap_report import OUT_OF_REACH, rules

HERE = Path(__file__).parent


def test_each_rule_has_a_trap_or_a_reason() -> None:
    """Each rule is seen by a test of this folder, or listed with the reason why none can."""
    texts = [path.read_text() for path in HERE.glob("test_traps_*.py") if path != Path(__file__)]
    seen = {rule for rule in rules() if any(f'"{rule}"' in text for text in texts)}
    assert set() == seen & set(OUT_OF_REACH)
    assert sorted(rules()) == sorted(seen | set(OUT_OF_REACH))

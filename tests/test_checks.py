"""Each rule on its cases: tests/cases/checks/<topic>/<rule>/{good,bad}[-<what>].yaml.

A case is a whole stream, the plan first. The rule finds something in a bad one and nothing in a
good one. Nothing else refuses, but for what a bad case lists as `# expect: <ids>` in its first
line.
"""

from __future__ import annotations

import copy
import difflib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from durable import pipeline
from durable.checks import registry
from durable.errors import PlanError
from durable.findings import REFUSE, WARN
from durable.pipeline import PlanFile
from tests.checking import (
    CASES,
    FORMS,
    ONCE,
    PLAN,
    Case,
    cases,
    documents,
    findings,
    name,
    places,
    read,
    refusing,
)
from tests.running import assert_failed, run
from tests.tools.documents import load

RULES = registry.RULES
ALL = cases()
BAD = [case for case in ALL if case.bad]
REFUSED = [case for case in BAD if RULES[case.rule].severity == REFUSE]
# An issue or a pull request, a file of a project, or what was tried on a cluster.
TOLD = re.compile(
    r"[\w.-]+/[\w.-]+#\d+|[\w-]+#\d+|pkg/[\w/]+\.go|[Ss]een (?:on|in|with|when|where|as) "
)
NEAR = 8
"""So many lines may differ, with those that move, between a bad case and the nearest good one."""
VALUES = re.compile(r"(persistence|kube-prometheus-stack): ")
COMPLETE = re.compile(r"persistence: [^.]*\}( in your values|, or false if .*)\.")

EACH = pytest.mark.parametrize("case", ALL, ids=name)
EACH_BAD = pytest.mark.parametrize("case", BAD, ids=name)
EACH_RULE = pytest.mark.parametrize("rule", sorted(RULES))


@EACH
def test_case(case: Case) -> None:
    """The rule finds something in a bad case only, and nothing else refuses."""
    found = findings(case.text)
    assert case.bad == (case.rule in {each.rule for each in found}), found
    if case.bad:
        assert case.expected == refusing(found) - {case.rule}
    else:
        assert set() == refusing(found)


@EACH_BAD
def test_message(case: Case) -> None:
    """A finding is three lines: object, field and what is wrong; rule and template; the fix."""
    mark = {REFUSE: "refused", WARN: "warning"}[RULES[case.rule].severity]
    for each in findings(case.text):
        if each.rule != case.rule:
            continue
        says, source, fix = each.text().split("\n")
        assert says.startswith(f"{mark}  {each.object}: {each.field}")
        assert f"  rule {case.rule}" == source.split(",")[0]
        assert fix.startswith("  fix  ")
        assert fix.endswith(".")
        assert RULES[case.rule].severity == each.severity
        assert 1 == len(each.line().splitlines())
        assert each.says == each.says.strip().rstrip(".")
        assert len(each.says) < 200, "short enough to be read"


@EACH_BAD
def test_near(case: Case) -> None:
    """A bad case differs from a good one in few lines, so that it is these lines that count."""
    good = [each for each in ALL if each.rule == case.rule and not each.bad]
    assert any(_distance(case, each) <= NEAR or _one_more(case, each) for each in good)


def _one_more(one: Case, other: Case) -> bool:
    """Say whether all that differs is a document that one of the two has more."""
    parts, others = (case.text.split("\n---\n") for case in (one, other))
    return 1 == len({part.strip() for part in parts} ^ {part.strip() for part in others})


def _distance(one: Case, other: Case) -> int:
    bad, good = (
        [line for line in case.text.split("\n") if not line.startswith("#")]
        for case in (one, other)
    )
    compared = difflib.unified_diff(bad, good, n=0, lineterm="")
    return sum(line[:1] in "+-" and line[:3] not in ("+++", "---") for line in compared)


@EACH_RULE
def test_rule_is_complete(rule: str) -> None:
    """A rule says what it prevents, whence that is known, and what to do; its cases are there."""
    told = RULES[rule]
    first, _, rest = told.protects.partition("\n")
    assert first.endswith("."), "the loss in one line"
    assert TOLD.search(f"{first} {rest}"), "a source: an issue, a file, or what was seen"
    assert told.fix.endswith(".")
    assert told.severity in (REFUSE, WARN)
    stems = {case.path.stem for case in ALL if case.rule == rule}
    assert {"good", "bad"} <= stems


def test_cases_are_of_rules() -> None:
    """No case is left over from a rule that is gone, and every topic is asked."""
    assert set(RULES) == {case.rule for case in ALL}
    topics = {topic.__name__.rpartition(".")[2] for topic in pipeline.CHECKS}
    assert topics == {rule.split("/")[0] for rule in RULES}
    for path in (each for each in CASES.rglob("*") if each.is_file()):
        assert re.fullmatch(r"(good|bad)(-[a-z0-9-]+)?\.yaml", path.name), path


@EACH
def test_forms(case: Case) -> None:
    """The same is found where, whichever form the stream comes in."""
    expected = places(findings(case.text))
    for form, write in FORMS.items():
        assert expected == places(findings(write(case.text))), form


@EACH
def test_plain_manifests(case: Case) -> None:
    """The same is found with the plan in a file, but for what only its document tells."""
    plan, *rest = documents(case.text)
    told = pipeline.run(read(yaml.safe_dump_all(rest)), PlanFile("plan", yaml.safe_dump(plan)))
    asked = {each for each in places(findings(case.text)) if each[1] != "helm/version"}
    assert asked == places(told.findings)


@EACH
def test_rules_change_nothing(case: Case) -> None:
    """What the rules read is afterwards what it was: values, texts and the stream's bytes."""
    given = read(case.text)
    stack = pipeline.build_stack(given, None)
    for step in pipeline.STEPS:
        for edit in step(stack):
            edit.object.apply([edit.operation])
    values = [each.document for found in stack.objects.values() for each in found]
    before = copy.deepcopy([each.value for each in values]), b"".join(given.pieces())
    registry.find(stack)
    assert before == ([each.value for each in values], b"".join(given.pieces()))


@EACH
def test_second_run(case: Case) -> None:
    """What has gone through once goes through again unchanged, and the same is found."""
    once = read(case.text)
    first = pipeline.run(once, None)
    if first.refused:
        return
    again = read(b"".join(once.pieces()))
    second = pipeline.run(again, None)
    assert b"".join(once.pieces()) == b"".join(again.pieces())
    # Only the plan document says which Helm rendered, and it has become the record.
    asked = {each for each in places(first.findings) if each[1] not in {"helm/version", *ONCE}}
    assert asked == places(second.findings)


@EACH_BAD
def test_fix_mends(case: Case) -> None:
    """Where the fix is a piece of the plan and no more, the rule is silent once it is pasted."""
    for each in findings(case.text):
        if each.rule == case.rule and COMPLETE.fullmatch(each.fix):
            plan, *rest = documents(case.text)
            _merge(plan["spec"], values_of(_filled(each.fix)))
            assert each not in findings(yaml.safe_dump_all([plan, *rest])), each.fix


def _filled(fix: str) -> str:
    """Return the fix with the blanks filled in as a person would."""
    numbers = itertools.count()
    return re.sub("/PATH", lambda _: f"/mnt/new-{next(numbers)}", fix).replace("NODE", "node-7")


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


def values_of(fix: str) -> Any:
    """Return the values that a fix starts with: as much of it as has its brackets closed."""
    depth = 0
    for index, character in enumerate(fix):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "}" and not depth:
            return yaml.safe_load(fix[: index + 1])
    raise AssertionError(fix)


@EACH_BAD
def test_fix_is_values(case: Case) -> None:
    """A fix that looks like values is YAML, under the key that it starts with."""
    for each in findings(case.text):
        if VALUES.match(each.fix):
            (block,) = values_of(each.fix).values()
            assert block, each.fix


@pytest.mark.parametrize("case", REFUSED, ids=name)
def test_accepted(case: Case) -> None:
    """A refusal that the plan takes on is a warning, and stands in the record."""
    plan, *rest = documents(case.text)
    accepted = sorted({case.rule, *case.expected, *plan["spec"]["persistence"].get("accept", [])})
    plan["spec"]["persistence"]["accept"] = accepted
    given = read(yaml.safe_dump_all([plan, *rest]))
    result = pipeline.run(given, None)
    mine = [each for each in result.findings if each.rule == case.rule]
    assert not result.refused
    assert {(WARN, True)} == {(each.severity, each.accepted) for each in mine}
    assert all(each.text().startswith("accepted  ") for each in mine)
    recorded = [each for each in load(b"".join(given.pieces())) if each["kind"] == "ConfigMap"]
    warnings = recorded[0]["data"]["warnings"].splitlines()
    assert {each.line() for each in mine} <= set(warnings)


def _accepting(rule: str) -> str:
    text = (CASES / "classes" / "retained" / "bad.yaml").read_text()
    return re.sub(r"(  persistence:\n)", rf"\1    accept: ['{rule}']\n", text)


def test_warning_is_accepted() -> None:
    """To accept a rule that only warns changes how it is shown, and nothing else."""
    accepted, other = (findings(_accepting(r)) for r in ("classes/retained", "volumes/posix"))
    assert places(other) == places(accepted)
    assert {(WARN, "classes/retained")} == {each[:2] for each in places(accepted)}
    assert {"accepted"} == {each.text().split()[0] for each in accepted}
    assert {"warning"} == {each.text().split()[0] for each in other}


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ("volumes/posx", "did you mean 'volumes/posix'?"),
        ("everything", "durable.sh rules lists them"),
        ("{{ x }}", "durable.sh rules lists them"),
    ],
)
def test_unknown_rule_is_an_error(rule: str, hint: str) -> None:
    """An id that no rule has stops the run, and the message helps to find the right one."""
    with pytest.raises(PlanError) as caught:
        findings(_accepting(rule))
    assert f"persistence.accept: no rule is called {rule!r}: {hint}" == str(caught.value)


def test_unknown_rule_as_a_program() -> None:
    """Exit code 2 and no stream; an accepted refusal is exit code 0."""
    assert_failed(run(_accepting("volumes/posx").encode()), "did you mean 'volumes/posix'?")
    text = (CASES / "volumes" / "posix" / "bad.yaml").read_text()
    rendered, checked = (run(text.encode(), command) for command in ("render", "check"))
    assert (1, b"") == (rendered.code, rendered.out)
    assert (1, rendered.said) == (checked.code, checked.text)
    plan, *rest = documents(text)
    plan["spec"]["persistence"]["accept"] = ["volumes/posix"]
    accepted = run(yaml.safe_dump_all([plan, *rest]).encode(), "check")
    assert 0 == accepted.code
    assert accepted.text.startswith("accepted  PersistentVolume by-hand: ")


def test_all_at_once() -> None:
    """Every rule that finds something is heard, refusals first, then by object."""
    texts = [(CASES / rule / "bad.yaml").read_text() for rule in ("claims/sized", "agent/stateful")]
    both = "---\n".join((texts[0], texts[1].partition("---\n")[2]))
    found = findings(both)
    assert {"claims/sized", "agent/stateful"} == refusing(found)
    assert sorted(found, key=lambda each: each.order()) == list(found)


def test_readme_has_no_list() -> None:
    """The rules are listed by `durable.sh rules`, so README need not follow them."""
    readme = Path(__file__).resolve().parents[1] / "README.md"
    told = readme.read_text() if readme.exists() else ""
    assert len([rule for rule in RULES if rule in told]) < len(RULES) // 2


def test_plan_document_is_first() -> None:
    """Each case starts with its plan, which says what is wanted of the rest."""
    for case in ALL:
        assert PLAN == documents(case.text)[0]["kind"], case.path

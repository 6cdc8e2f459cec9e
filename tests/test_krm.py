"""Findings as the results of a KRM function, over the cases of all rules.

What a result may hold is in kustomize's cmd/config/docs/api-conventions/functions-spec.md.
"""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from durable import krm, pipeline
from durable.findings import REFUSE, Finding
from tests.checking import ONCE, PLAN, Case, cases, documents, name, read, refusing, resource_list
from tests.running import run
from tests.tools.documents import Loader

TEXT = {"type": "string", "minLength": 1}


def _only(required: list[str], **properties: Any) -> dict[str, Any]:
    """Return the schema of an object with these members and no others."""
    said = {"type": "object", "additionalProperties": False, "required": required}
    return {**said, "properties": properties}


RESULT = _only(
    ["message", "severity", "tags"],
    message=TEXT,
    severity={"enum": ["error", "warning", "info"]},
    resourceRef=_only(
        ["apiVersion", "kind", "name"], apiVersion=TEXT, kind=TEXT, namespace=TEXT, name=TEXT
    ),
    field=_only(["path"], path=TEXT),
    file=_only(["path"], path=TEXT),
    tags=_only(["rule"], rule=TEXT),
)


def as_yaml(text: str) -> str:
    """Return the case as a list in YAML."""
    return resource_list(text)


def as_json(text: str) -> str:
    """Return the case as a list in JSON."""
    return json.dumps(_load(resource_list(text)), indent=2) + "\n"


FORMS = {"yaml": as_yaml, "json": as_json}
EACH_CASE = pytest.mark.parametrize("case", cases(), ids=name)
EACH_FORM = pytest.mark.parametrize("form", FORMS)
FEW = [case for case in cases() if case.path.stem in ("good", "bad")]


def _load(text: str | bytes) -> Any:
    return yaml.load(text, Loader)  # noqa: S506  a subclass of the safe loader


def _answered(text: str) -> tuple[bytes, tuple[Finding, ...]]:
    given = read(text)
    result = pipeline.run(given, None)
    told = krm.answered(given, result.findings, refused=result.refused)
    return b"".join(told.pieces()), result.findings


@EACH_CASE
def test_results_are_the_findings(case: Case) -> None:
    """Each finding is one result, in the findings' order, with its place, rule and fix."""
    text = as_yaml(case.text)
    out, found = _answered(text)
    results = _load(out).get("results") or []
    assert len(found) == len(results)
    for finding, result in zip(found, results, strict=True):
        jsonschema.validate(result, RESULT)
        assert ("error" if finding.severity == REFUSE else "warning") == result["severity"]
        assert finding.rule == result["tags"]["rule"]
        assert finding.source == result.get("file", {}).get("path", "")
        assert result["message"].endswith(f"; fix: {finding.fix}")
        assert finding.says in result["message"]
        if finding.reference:
            there = result["resourceRef"]
            assert finding.object.split() == [there["kind"], _place(there)]
            assert finding.field == result.get("field", {}).get("path", "")


def _place(reference: dict[str, str]) -> str:
    return "/".join(reference[key] for key in ("namespace", "name") if key in reference)


@EACH_CASE
def test_refused_list_is_as_it_came(case: Case) -> None:
    """On a refusal the list goes out as it came in, to the byte, with the results behind it."""
    text = as_yaml(case.text)
    out, found = _answered(text)
    if refusing(found):
        assert out.decode().startswith(text)
        assert {**_load(text), "results": _load(out)["results"]} == _load(out)
    else:
        kinds = [item["kind"] for item in _load(out)["items"]]
        before = [item["kind"] for item in _load(text)["items"]]
        added = [kind for kind in kinds if kind in ("ConfigMap", "PersistentVolumeClaim")]
        assert sorted(before) == sorted(set(kinds) - set(added)) or len(kinds) > len(before)
        assert _load(text)["functionConfig"] == _load(out)["functionConfig"]


@EACH_FORM
@EACH_CASE
def test_second_run_changes_nothing(case: Case, form: str) -> None:
    """What goes out comes out again to the byte, with the same results."""
    out, found = _answered(FORMS[form](case.text))
    again, told = _answered(out.decode())
    before = [each.rule for each in found]
    assert [rule for rule in before if rule not in ONCE] == [each.rule for each in told]
    if not ONCE & set(before):
        assert out == again


@EACH_CASE
def test_json_stays_json(case: Case) -> None:
    """A list in JSON goes out as JSON, and means what the one in YAML does."""
    out, _ = _answered(as_json(case.text))
    assert json.loads(out) == _load(_answered(as_yaml(case.text))[0])


@pytest.mark.parametrize("case", FEW, ids=name)
@EACH_FORM
def test_as_a_program(case: Case, form: str) -> None:
    """Exit code 1 with the results on a refusal, else 0; stdout is the list in both."""
    text = FORMS[form](case.text)
    out, found = _answered(text)
    answer = run(text.encode())
    assert (1 if refusing(found) else 0) == answer.code
    assert out == answer.out
    assert "".join(f"{each.text()}\n" for each in found) == answer.said


def test_plan_in_a_file(tmp_path: Any) -> None:
    """A list without functionConfig takes the plan of a file; two plans are one too many."""
    case = next(each for each in cases() if name(each) == "claims/durable/good")
    whole = _load(as_yaml(case.text))
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(documents(case.text)[0]))
    alone = yaml.safe_dump({key: whole[key] for key in ("apiVersion", "kind", "items")})
    answer = run(alone.encode(), "--plan", path)
    assert 0 == answer.code, answer.said
    edited, *record = _load(answer.out)["items"]
    assert "volumeClaimTemplate" in edited["spec"]["storage"]
    assert ["ConfigMap"] == [each["kind"] for each in record]
    both = run(as_yaml(case.text).encode(), "--plan", path)
    assert (2, b"") == (both.code, both.out)
    assert "two plans" in both.said


def test_accepted_refusal_is_a_warning() -> None:
    """What the plan takes on is a warning, and the list is edited."""
    case = next(each for each in cases() if name(each) == "volumes/posix/bad")
    whole = _load(as_yaml(case.text))
    whole["functionConfig"]["spec"]["persistence"]["accept"] = ["volumes/posix"]
    out, _ = _answered(yaml.safe_dump(whole))
    assert {("warning", "volumes/posix")} == {
        (each["severity"], each["tags"]["rule"]) for each in _load(out)["results"]
    }
    assert PLAN == _load(out)["functionConfig"]["kind"]


@pytest.mark.parametrize("before", ["# a comment\n", "\ufeff", "---\n", "\n\n"])
def test_list_behind_something(before: str) -> None:
    """What stands before the list stays there, and the list is known as one."""
    case = next(each for each in cases() if name(each) == "agent/stateful/bad")
    answer = run(f"{before}{as_yaml(case.text)}".encode())
    assert 1 == answer.code
    assert answer.out.decode().startswith(before)
    assert "agent/stateful" == _load(answer.out)["results"][0]["tags"]["rule"]

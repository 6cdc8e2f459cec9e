"""Each step alone, case by case: what stands in tests/cases/steps/<step>/<case>.

input.yaml     the stream
plan.yaml      the plan file; left out where the stream brings its plan
expected.yaml  the whole output, or in its place
error.txt      what the refusal says
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from durable import __version__, pipeline, stream
from durable.checks import registry
from durable.errors import DurableError
from durable.findings import REFUSE, WARN, Finding
from durable.pipeline import PlanFile
from durable.steps import record_plan as recording
from tests.tools.documents import load

CASES = Path(__file__).resolve().parent / "cases" / "steps"
STEPS = {step.__name__: step for step in pipeline.STEPS}
RECORD = "record_plan"
PATCHES = "apply_patches"
# A patch may be for what another step adds, and a record has edits to tell.
RUNS = {
    **{name: (step,) for name, step in STEPS.items()},
    PATCHES: (STEPS["mount_grafana"], STEPS[PATCHES]),
    RECORD: (STEPS["claim_storage"],),
}
# By the record a second run knows that its patches are applied.
RECORDED = (PATCHES, RECORD)
VERSION = "0.0.0"

RunStep = Callable[[str, bytes, PlanFile | None], bytes]
EACH_CASE = pytest.mark.parametrize(
    "case",
    sorted(path.parent for path in CASES.glob("*/*/input.yaml")),
    ids=lambda case: f"{case.parent.name}/{case.name}",
)


@pytest.fixture
def run_step(monkeypatch: pytest.MonkeyPatch) -> RunStep:
    """Return what runs the pipeline with one step only, without rules."""

    def run(step: str, data: bytes, plan: PlanFile | None) -> bytes:
        monkeypatch.setattr(pipeline, "STEPS", RUNS[step])
        monkeypatch.setattr(registry, "find", lambda _stack: [])
        monkeypatch.setattr(recording, "__version__", VERSION)
        if step not in RECORDED:
            monkeypatch.setattr(pipeline, RECORD, lambda *_arguments: None)
        documents = stream.read(data)
        pipeline.run(documents, plan)
        return b"".join(documents.pieces())

    return run


def _plan(case: Path) -> PlanFile | None:
    path = case / "plan.yaml"
    return PlanFile(path.name, path.read_text()) if path.exists() else None


@EACH_CASE
def test_case(case: Path, run_step: RunStep) -> None:
    """The step makes of the input what is expected, to the byte, or refuses in these words."""
    data, refusal = (case / "input.yaml").read_bytes(), case / "error.txt"
    if refusal.exists():
        with pytest.raises(DurableError) as caught:
            run_step(case.parent.name, data, _plan(case))
        assert refusal.read_text().strip() == str(caught.value)
        return
    expected = (case / "expected.yaml").read_text()
    assert expected == run_step(case.parent.name, data, _plan(case)).decode()


@EACH_CASE
def test_second_run(case: Path, run_step: RunStep) -> None:
    """The step leaves its own output as it is."""
    expected = case / "expected.yaml"
    if expected.exists():
        once = expected.read_bytes()
        assert once == run_step(case.parent.name, once, _plan(case))


def test_hooks_are_patched_on_demand() -> None:
    """With hooks the user's patch reaches what it does not reach without them."""
    case = CASES / PATCHES / "hook"
    documents = stream.read((case / "input.yaml").read_bytes())
    pipeline.run(documents, _plan(case), hooks=True)
    assert [True, True] == [
        chunk.document.value["spec"].get("suspend") for chunk in documents.chunks
    ]


def test_record_tells_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The record holds each warning in a line; a refused stream is not put out, so no refusals."""
    found = [
        Finding(severity, "a/b", "Service a", "spec", "is wrong", "Mend it.")
        for severity in (WARN, REFUSE)
    ]
    monkeypatch.setattr(registry, "find", lambda _stack: found)
    case = CASES / RECORD / "plan-file"
    documents = stream.read((case / "input.yaml").read_bytes())
    pipeline.run(documents, _plan(case))
    *_, recorded = load(b"".join(documents.pieces()))
    assert f"{found[0].line()}\n" == recorded["data"]["warnings"]
    assert __version__ == recorded["data"]["version"]


def test_every_step_has_cases() -> None:
    """Each step of the pipeline has a folder of cases, and each folder is a step's."""
    assert {*STEPS, RECORD} == {path.parents[1].name for path in CASES.glob("*/*/input.yaml")}


@pytest.mark.parametrize("name", sorted(RUNS))
def test_step_is_named_after_its_module(name: str) -> None:
    """A step is found in the module that has its name, with what it prevents in its docstring."""
    step = STEPS.get(name, recording.record_plan)
    assert f"durable.steps.{name}" == step.__module__
    assert name == step.__name__
    assert step.__doc__


def test_cases_are_complete() -> None:
    """Each case has an input and one outcome, and no file that nobody reads."""
    known = {"input.yaml", "plan.yaml", "expected.yaml", "error.txt"}
    for case in (path for path in CASES.glob("*/*") if path.is_dir()):
        names = {path.name for path in case.iterdir()}
        assert names <= known, case
        assert "input.yaml" in names, case
        assert 1 == len(names & {"expected.yaml", "error.txt"}), case

"""The command line: commands, options, exit codes, and the roads that a message takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonpatch
import pytest

from durable import __version__, pipeline
from durable.__main__ import USAGE
from durable.checks.registry import RULES
from tests.running import (
    PLAN,
    PROMETHEUS,
    SETTINGS,
    VALUES,
    Answer,
    assert_failed,
    assert_told,
    run,
    shell,
    stream,
)
from tests.tools.documents import key, load

WHOLE = stream(PLAN, PROMETHEUS, SETTINGS)
# The stack holds no Alertmanager, which is worth a warning.
WARNED = stream(PLAN + "    alertmanager: {}\n", PROMETHEUS)
WARNING = "warning  plan kps: persistence.alertmanager is in the plan"
# An agent in DaemonSet mode has no volume at all, which is refused.
AGENT = PROMETHEUS.replace("kind: Prometheus", "kind: PrometheusAgent") + "  mode: DaemonSet\n"
REFUSED = stream(PLAN, AGENT)
REFUSAL = "refused  PrometheusAgent mon/kps: "


def test_render_is_the_command_that_need_not_be_named() -> None:
    """Without a command the stream is rendered."""
    answer = run(WHOLE)
    assert (0, "") == (answer.code, answer.said)
    assert answer == run(WHOLE, "render")
    kinds = [document["kind"] for document in load(answer.out)]
    assert ["ConfigMap", "Prometheus", "ConfigMap"] == kinds
    assert "5Gi" in answer.text
    assert answer.text.endswith(SETTINGS)


def test_a_second_run_changes_nothing() -> None:
    """What was rendered renders to itself."""
    once = run(WHOLE)
    assert once == run(once.out)


def test_a_warning_leaves_the_exit_code() -> None:
    """A warning goes to stderr, and the stream to stdout."""
    answer = run(WARNED)
    assert 0 == answer.code
    assert answer.said.startswith(WARNING)
    _, rule, fix = answer.said.splitlines()
    assert "  rule consumers/present" == rule
    assert fix.startswith("  fix  ")
    assert "Prometheus" in answer.text


def test_a_refusal_is_exit_code_1() -> None:
    """A rule that refuses leaves stdout empty, and says object, rule and fix."""
    answer = run(REFUSED)
    assert (1, b"") == (answer.code, answer.out)
    assert answer.said.startswith(REFUSAL)
    assert "\n  fix  " in answer.said


PLAN_FILES = (PLAN, VALUES, "\ufeff" + VALUES, VALUES.replace("\n", "\r\n"))


@pytest.mark.parametrize("text", PLAN_FILES)
@pytest.mark.parametrize("glued", [False, True])
def test_a_plan_may_come_from_a_file(tmp_path: Path, text: str, glued: bool) -> None:
    """A plan document or a values file plans a stream that brings no plan."""
    path = tmp_path / "my plan.yaml"
    path.write_text(text, "utf-8", newline="")
    answer = run(stream(PROMETHEUS), *([f"--plan={path}"] if glued else ["--plan", path]))
    assert (0, "") == (answer.code, answer.said)
    edited = [d for d in load(answer.out) if d["kind"] == "Prometheus"]
    assert edited == [d for d in load(run(WHOLE).out) if d["kind"] == "Prometheus"]


# A run as root reads every file, whatever its mode: so a folder and a missing file.
def test_a_plan_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A plan file that is a folder, or is not there, is named with the reason."""
    answer = run(WHOLE, "--plan", tmp_path)
    assert_failed(answer, f"the plan {tmp_path} cannot be read: Is a directory")
    missing = tmp_path / "none.yaml"
    told = f"the plan {missing} cannot be read: No such file or directory"
    assert_failed(run(WHOLE, "--plan", missing), told)


WRONG_FILES = (
    (b"\xff\xfea\x00", "is not UTF-8"),
    (b"", "the plan must be a mapping"),
    (b"persistence: {a: [}\n", "line 1: not YAML: "),
    (b"prometheus: {}\n", "neither a PersistencePlan document nor a values file"),
    (VALUES.replace("size", "sise").encode(), "sise is unknown: did you mean 'size'?"),
    ((VALUES + "    size: 1Gi\n").encode(), "line 4: the key 'size' stands twice: remove one"),
    (b"persistence: &a {b: *a}\n", "b is unknown: "),
    (b"persistence: {}\n---\na: b\n", "line 2: a second document: a plan is one, keep one"),
    (b"persistence:\n\tgrafana: {}\n", "line 2: not YAML: "),
    (b"persistence:\n\tgrafana: {}\n", "indent with spaces, not tabs"),
)


@pytest.mark.parametrize(("data", "told"), WRONG_FILES)
def test_a_wrong_plan_file_is_told(tmp_path: Path, data: bytes, told: str) -> None:
    """What is wrong in a plan file is said with the file's name."""
    path = tmp_path / "plan.yaml"
    path.write_bytes(data)
    assert_failed(run(stream(PROMETHEUS), "--plan", path), str(path), told)


def test_a_plan_file_beside_a_plan_is_one_too_many(tmp_path: Path) -> None:
    """A stream that brings its plan takes no second one."""
    path = tmp_path / "plan.yaml"
    path.write_text(VALUES)
    places = f"document 1 (PersistencePlan plan, line 1) and --plan {path}; keep one"
    assert_failed(run(WHOLE, "--plan", path), f"two plans: {places}")


USES = (
    (["rendr"], "unknown command 'rendr': one of render, check, explain, rules"),
    (["--plans", "x"], "unknown argument '--plans'"),
    (["check", "extra"], "unknown argument 'extra'"),
    (["--hooks=yes"], "unknown argument '--hooks'"),
    (["--plan"], "--plan needs a value"),
    (["--plan", ""], "--plan needs a value"),
    (["--plan="], "--plan needs a value"),
    (["--report"], "--report needs a value"),
    (["check", "--format"], "--format needs a value"),
    (["check", "--format", "yaml"], "--format is text or json, not 'yaml'"),
)


@pytest.mark.parametrize(("arguments", "told"), USES)
def test_a_wrong_command_line_is_told(arguments: list[str], told: str) -> None:
    """What is wrong in the arguments is said, before stdin is read."""
    answer = run(WHOLE, *arguments)
    assert (2, b"") == (answer.code, answer.out)
    assert_told(answer.said.splitlines()[0], told)
    assert "--format" in told or USAGE in answer.said


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["check", "--help"]])
def test_help_is_printed(arguments: list[str]) -> None:
    """Help goes to stdout, names every command, and needs no stream."""
    answer = run(b"", *arguments)
    assert Answer(0, f"{USAGE}\n".encode(), "") == answer
    assert all(f"durable.sh {command}" in USAGE for command in ("check", "explain", "rules"))


def test_hooks_are_edited_when_asked_for() -> None:
    """A hook is passed on as it is, unless --hooks is said."""
    hook = PROMETHEUS.replace("  namespace", "  annotations: {helm.sh/hook: test}\n  namespace")
    data = stream(PLAN, PROMETHEUS, hook.replace("name: kps", "name: hook"))
    edited = [run(data, *flags).out.count(b"volumeClaimTemplate:") for flags in ([], ["--hooks"])]
    assert [1, 2] == edited


def test_a_report_holds_what_is_said(tmp_path: Path) -> None:
    """The file of --report, or else of DURABLE_REPORT, gets what stderr gets, run after run."""
    path, other = tmp_path / "a report", tmp_path / "other"
    said = run(WARNED, "--report", path, DURABLE_REPORT=str(other)).said
    assert said == path.read_text()
    assert not other.exists()
    said += run(b"a: b\n", DURABLE_REPORT=str(path)).said
    assert said == path.read_text()


def test_a_report_is_made_where_nothing_is_said(tmp_path: Path) -> None:
    """An empty report tells that the run had nothing to say."""
    path = tmp_path / "report"
    assert 0 == run(WHOLE, "--report", path).code
    assert "" == path.read_text()


# Not a file without write permission: root may write to it all the same.
@pytest.mark.parametrize("place", ["", "none/report"])
def test_a_report_that_cannot_be_written_is_told(tmp_path: Path, place: str) -> None:
    """A report that cannot be written stops the run before any work, warnings or none."""
    path = tmp_path / place
    told = f"the report {path} cannot be written: "
    for answer in (run(WHOLE, "--report", path), run(WARNED, DURABLE_REPORT=str(path))):
        assert_failed(answer, told)


def test_a_descriptor_is_a_road_too() -> None:
    """What is said goes to the inherited descriptor as well."""
    answer = shell('"$DOOR" 3>&1 >/dev/null', WARNED, DURABLE_REPORT_FD="3")
    assert 0 == answer.code
    assert answer.said == answer.text
    assert answer.said.startswith(WARNING)


@pytest.mark.parametrize("descriptor", ["3", "1", "-1", "x", "99999999999"])
def test_a_descriptor_that_is_not_open_is_told(descriptor: str) -> None:
    """A descriptor that cannot be written to is a remark; the stream comes out all the same."""
    answer = run(WARNED, DURABLE_REPORT_FD=descriptor)
    assert (0, run(WARNED).out) == (answer.code, answer.out)
    last = answer.said.splitlines()[-1]
    assert f"durable: DURABLE_REPORT_FD={descriptor} is not a descriptor open for writing" == last


def test_check_prints_findings() -> None:
    """Findings alone, as text; nothing where all is well; exit code 1 where a rule refuses."""
    assert Answer(0, b"", "") == run(WHOLE, "check")
    warned, refused = run(WARNED, "check"), run(REFUSED, "check")
    assert 0 == warned.code
    assert warned.text.startswith(WARNING)
    assert 1 == refused.code
    assert refused.text.startswith(REFUSAL)


def test_check_prints_json() -> None:
    """Findings as data: severity, rule, object, and a fix for each."""
    assert [] == json.loads(run(WHOLE, "check", "--format", "json").out)
    refused = run(REFUSED, "check", "--format=json")
    assert 1 == refused.code
    findings = json.loads(refused.out)
    assert ["refuse", "PrometheusAgent mon/kps"] == [findings[0][k] for k in ("severity", "object")]
    assert all(finding["rule"] in RULES and finding["fix"].endswith(".") for finding in findings)


SHAPES = {
    "documents": WHOLE,
    "flow": stream(PLAN, json.dumps(load(PROMETHEUS)[0]) + "\n"),
    "a List": stream(
        PLAN, "kind: List\napiVersion: v1\nitems:\n" + "".join(
            f"- {json.dumps(document)}\n" for document in load(f"{PROMETHEUS}---\n{SETTINGS}")
        )
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_explained_edits_lead_from_input_to_output(shape: str) -> None:
    """Each list of operations, applied to the object that came in, gives the one that goes out."""
    data = SHAPES[shape]
    before = {key(document)[1:]: document for document in load(data)}
    after = {key(document)[1:]: document for document in load(run(data).out)}
    patches = json.loads(run(data, "explain", "--format", "json").out)
    targets = {_target(patch["target"]): patch["patch"] for patch in patches}
    assert ("Prometheus", "mon", "kps") in targets
    for target, patch in targets.items():
        assert after[target] == jsonpatch.apply_patch(before[target], patch)
    for target in after.keys() - targets.keys():
        assert target not in before or before[target] == after[target]


def _target(target: dict[str, Any]) -> tuple[str, str, str]:
    return target["kind"], target.get("namespace", ""), target["name"]


def test_explain_prints_text() -> None:
    """An object's name, and below it each operation as JSON."""
    first, *operations = run(WHOLE, "explain").text.splitlines()
    assert "Prometheus mon/kps" == first
    expected = json.loads(run(WHOLE, "explain", "--format", "json").out)[0]["patch"]
    assert expected == [json.loads(line) for line in operations]


def test_nothing_to_explain_is_nothing() -> None:
    """A stream that is as it should be has no edits to explain."""
    assert Answer(0, b"", "") == run(run(WHOLE).out, "explain")


def test_rules_are_listed() -> None:
    """Every rule with its severity, its loss and its fix; no stream is asked for."""
    text = run(b"", "rules").text
    listed = json.loads(run(b"", "rules", "--format", "json").out)
    assert list(RULES) == [rule["id"] for rule in listed]
    topics = {check.__name__.rpartition(".")[2] for check in pipeline.CHECKS}
    assert topics == {rule["id"].partition("/")[0] for rule in listed}
    for rule in listed:
        assert f"{rule['id']} ({rule['severity']})\n" in text
        assert f"  fix  {rule['fix']}\n" in text
        assert all(rule[field] for field in ("id", "severity", "protects", "fix"))


def test_the_record_names_the_version() -> None:
    """The record in the cluster tells which version edited the stack."""
    record = next(d for d in load(run(WHOLE).out) if "plan" in d["metadata"]["name"])
    assert __version__ in json.dumps(record)

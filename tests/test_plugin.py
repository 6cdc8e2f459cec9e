"""The post-renderer inside real Helm: by its path with Helm 3, as a plugin with Helm 4."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from durable import __version__
from tests.helm import helm
from tests.running import DOOR, PROMETHEUS, ROOT, SETTINGS, Answer
from tests.tools.documents import is_hook, key, load
from tests.tools.helm import (
    KUBERNETES,
    MAJORS,
    NAMESPACE,
    RELEASE,
    Command,
    environment,
    post_renderer,
)

PLAN = """\
apiVersion: durable-prometheus-stack/v1
kind: PersistencePlan
metadata: {name: plan}
spec:
  release: {{ .Release.Name }}
  persistence: {{ toRawJson .Values.persistence }}
"""
NAMED = PROMETHEUS.replace("name: kps", "name: {{ .Release.Name }}")
HOOK = SETTINGS.replace("name: settings", 'name: hook\n  annotations: {"helm.sh/hook": test}')
FLOW = "{apiVersion: v1, kind: Secret, metadata: {name: flow}, data: {}}\n"
TEXTS = SETTINGS + 'data:\n  script: |\n    --- "no separator"\n    a\\b: $c\n'
AGENT = """\
{{- if .Values.agent }}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusAgent
metadata: {name: agent}
spec: {mode: DaemonSet}
{{- end }}
"""
TEMPLATES = {
    "plan.yaml": PLAN,
    "prometheus/prometheus.yaml": NAMED,
    "several.yaml": f"{FLOW}---\n{TEXTS}---\n# no more\n",
    "hook.yaml": HOOK,
    "agent.yaml": AGENT,
}
REFUSED = {"agent": True}
WRONG: dict[str, Any] = {"persistence": {"prometheus": {"sise": "5Gi"}}}
WARNED: dict[str, Any] = {"persistence": {"prometheus": {"size": "5Gi"}, "alertmanager": {}}}
WARNING = "persistence.alertmanager is in the plan, but the stream has no such object"
EACH_MAJOR = pytest.mark.parametrize("major", MAJORS)

Render = Callable[..., Answer]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a small chart: a plan, a Prometheus, a hook, and what must be left alone."""
    folder = tmp_path_factory.mktemp("charts") / "small"
    files = {f"templates/{name}": text for name, text in TEMPLATES.items()}
    files |= {"Chart.yaml": "apiVersion: v2\nname: small\nversion: 0.1.0\n"}
    files |= {"values.yaml": "persistence: {prometheus: {size: 5Gi}}\nagent: false\n"}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def render(chart: Path, tmp_path: Path) -> Render:
    """Return what renders the small chart through the post-renderer."""

    def run(
        major: int, values: Any = None, *flags: str | Path, end: str = "", **variables: str
    ) -> Answer:
        path = tmp_path / "values.yaml"
        path.write_text(json.dumps(values or {}, ensure_ascii=False), "utf-8")
        command: Command = [helm(major), "template", RELEASE, chart, "--namespace", NAMESPACE]
        command += ["--kube-version", KUBERNETES, "--values", path, *post_renderer(major), *flags]
        answer = subprocess.run(
            ["sh", "-c", f'exec "$@" {end}', "sh", *command],
            env=environment(major) | variables,
            capture_output=True,
            check=False,
        )
        return Answer(answer.returncode, answer.stdout, answer.stderr.decode())

    return run


def objects(text: bytes) -> dict[Any, Any]:
    """Return the objects of a stream, hooks aside, by what names them."""
    return {key(document): document for document in load(text) if not is_hook(document)}


def test_the_plugin_is_described() -> None:
    """The plugin's version is the package's and the chart's, and its command is the door."""
    plugin = yaml.safe_load((DOOR.parent / "plugin.yaml").read_text())
    chart = yaml.safe_load((ROOT / "chart" / "Chart.yaml").read_text())
    assert __version__ == plugin["version"] == chart["version"]
    assert ("durable", "postrenderer/v1") == (plugin["name"], plugin["type"])
    commands = [each["command"] for each in plugin["runtimeConfig"]["platformCommand"]]
    assert ["${HELM_PLUGIN_DIR}/durable.sh"] == commands
    assert os.access(DOOR, os.X_OK)


def test_both_majors_give_the_same_objects(render: Render) -> None:
    """Helm 3 and Helm 4 bring the same finished objects out of a small chart."""
    three, four = (render(major) for major in MAJORS)
    assert [(0, ""), (0, "")] == [(answer.code, answer.said) for answer in (three, four)]
    found = objects(three.out)
    assert found == objects(four.out)
    kinds = sorted(kind for _, kind, _, _ in found)
    assert ["ConfigMap", "ConfigMap", "Prometheus", "Secret"] == kinds
    prometheus = next(each for each in found.values() if each["kind"] == "Prometheus")
    claim = prometheus["spec"]["storage"]["volumeClaimTemplate"]
    assert "5Gi" == claim["spec"]["resources"]["requests"]["storage"]


def assert_helm_failed(answer: Answer, *parts: str) -> None:
    """Expect that Helm failed, printed no manifest, and showed each part."""
    assert (1, b"") == (answer.code, answer.out), answer.said
    assert [] == [part for part in parts if part not in answer.said], answer.said
    assert "Traceback" not in answer.said


@EACH_MAJOR
def test_a_refusal_is_shown(render: Render, major: int) -> None:
    """Helm fails with the rule's finding and its fix."""
    assert_helm_failed(
        render(major, REFUSED),
        "PrometheusAgent agent: ",
        "agent/stateful",
        "fix",
    )


@EACH_MAJOR
def test_a_failure_is_shown(render: Render, major: int) -> None:
    """Helm fails with our message, document and cure included."""
    assert_helm_failed(
        render(major, WRONG),
        " (PersistencePlan plan, line ",
        "spec.persistence.prometheus.sise is unknown: did you mean 'size'?",
    )


@EACH_MAJOR
def test_no_python_is_shown(render: Render, major: int) -> None:
    """What durable.sh itself has to say is shown as well."""
    answer = render(major, DURABLE_PYTHON="/no/python")
    assert_helm_failed(answer, "DURABLE_PYTHON=/no/python is no program")


@EACH_MAJOR
def test_all_findings_are_in_the_report(render: Render, major: int, tmp_path: Path) -> None:
    """What Helm cuts or drops is in the report, whose place Helm 4's line tells."""
    report = tmp_path / "report"
    answer = render(major, REFUSED | WARNED, DURABLE_REPORT=str(report))
    assert 1 == answer.code
    text = report.read_text()
    assert text.startswith("refused  PrometheusAgent agent: ")
    assert WARNING in text
    assert 3 == major or f"all of it is in {report}" in answer.said


ODD = {
    "quotes": """it's "quoted" `so`""",
    "colons": "a: b: {c: [d]}",
    "backslashes": r"C:\new\table \" \\ \x00 $1 %s %d {{ . }}",
    "other scripts": "größe 大小 🗄",
    "separators": "--- a --- # b",
    "a comment": "# a # b",
    "several lines": "one\ntwo\n--- three\r\nfour",
}


@pytest.mark.parametrize("name", ODD)
def test_any_text_reaches_the_person(render: Render, name: str) -> None:
    """Helm 4 quotes our message whole, on one line, whatever characters are in it."""
    odd = ODD[name]
    answer = render(4, {"persistence": {"prometheus": {"size": "5Gi", odd: 1}}})
    shown = " ".join(odd.split())
    assert_helm_failed(answer, f"prometheus.{shown} is unknown: known are enabled, ")


def test_a_long_text_reaches_the_person(render: Render) -> None:
    """So it does if our message is longer than any buffer on the way."""
    answer = render(4, {"persistence": {"prometheus": {"size": "x" * 200_000}}})
    assert_helm_failed(answer, f"{'x' * 200_000}': it must be a Kubernetes quantity")


@EACH_MAJOR
def test_a_descriptor_shows_warnings(render: Render, major: int) -> None:
    """A warning of a run that goes well reaches the person by DURABLE_REPORT_FD, and only so."""
    shown = render(major, WARNED, end="3>&2", DURABLE_REPORT_FD="3")
    silent = render(major, WARNED)
    assert [0, 0] == [shown.code, silent.code]
    assert silent.out == shown.out
    assert WARNING in shown.said
    assert "" == silent.said


@EACH_MAJOR
def test_a_closed_stdin_does_no_harm(render: Render, major: int) -> None:
    """Helm without a stdin gives the post-renderer its own, with the stream."""
    closed = render(major, end="<&-")
    assert (0, objects(render(major).out)) == (closed.code, objects(closed.out))


def test_helm_4_keeps_the_templates_names(render: Render, tmp_path: Path) -> None:
    """Each object is still known by its template: one may be shown, all may be written to files."""
    wanted = "templates/prometheus/prometheus.yaml"
    shown = render(4, None, "--show-only", wanted)
    assert 0 == shown.code, shown.said
    assert ["Prometheus"] == [each["kind"] for each in load(shown.out)]
    written = render(4, None, "--output-dir", tmp_path / "out")
    assert 0 == written.code, written.said
    files = {str(path.relative_to(tmp_path / "out")) for path in _files(tmp_path / "out")}
    ours = {f"small/templates/{name}" for name in TEMPLATES if name != "agent.yaml"}
    assert ours == files


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_switched_off_plugins_do_not_matter(render: Render) -> None:
    """HELM_NO_PLUGINS is for commands; a post-renderer that is asked for runs all the same."""
    answer = render(4, HELM_NO_PLUGINS="1")
    assert (0, objects(render(4).out)) == (answer.code, objects(answer.out))


def test_the_plugin_can_be_installed(render: Render, tmp_path: Path) -> None:
    """A link to the folder can be installed, and then runs from where Helm keeps its plugins."""
    link = tmp_path / "a link"
    link.symlink_to(DOOR.parent)
    home = {
        "HELM_DATA_HOME": str(tmp_path / "data"),
        "HELM_PLUGINS": str(tmp_path / "data/plugins"),
    }
    command: Command = [helm(4), "plugin", "install", link]
    variables = environment(4) | home
    subprocess.run(command, env=variables, check=True, capture_output=True)
    listed = subprocess.run(
        [helm(4), "plugin", "list"], env=variables, check=True, capture_output=True, text=True
    )
    assert ["durable", __version__] == listed.stdout.splitlines()[1].split()[:2]
    answer = render(4, **home)
    assert 0 == answer.code, answer.said
    assert objects(render(4).out) == objects(answer.out)

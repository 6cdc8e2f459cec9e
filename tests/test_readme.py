"""The README keeps to what is there: its commands run, its names exist, its messages are real."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml

from durable.__main__ import USAGE
from tests.helm import helm
from tests.tools.helm import KUBERNETES, MAJORS
from tests.tools.stage import stage

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [(found[1], found[2]) for found in FENCE.finditer(README)]
PROSE = FENCE.sub("", README)
SPANS = re.findall(r"`([^`\n]+)`", PROSE)
SHELL = [text for language, text in BLOCKS if language in ("sh", "console")]
TARGET = re.compile(r"\bmake ([a-z][a-z0-9-]*)")
COMMANDS = [text for text in SHELL if not TARGET.match(text)]
TOP = ("chart/", "postrender/", "values/", "tests/", ".ci/")
MADE = ("chart/charts",)
"""What `make setup` makes."""
KUSTOMIZE = ("--enable-alpha-plugins ", "--enable-exec ")
RULE = re.compile(r"\b[a-z]+/[a-z-]+\b")

# A person's manifests, as far as storage goes.
MANIFESTS = """\
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: k8s, namespace: monitoring}
spec: {replicas: 2}
---
apiVersion: monitoring.coreos.com/v1
kind: Alertmanager
metadata: {name: main, namespace: monitoring}
spec: {replicas: 3}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: grafana, namespace: monitoring}
spec:
  template:
    spec:
      volumes: [{name: grafana-storage, emptyDir: {}}]
      containers:
        - name: grafana
          volumeMounts: [{name: grafana-storage, mountPath: /var/lib/grafana}]
"""

# Helm without a cluster: each call is noted, and what would change a cluster is rendered.
HELM = """\
#!/bin/sh
printf '%s\\n' helm "$@" '' >> "$CALLS"
case $1 in
  template | version) ;;
  plugin) exec "$HELM" "$@" >&2 ;;
  install | upgrade)
    for word; do
      shift
      case $word in
        install | upgrade) set -- "$@" template ;;
        --install | --create-namespace | --server-side=*) ;;
        *) set -- "$@" "$word" ;;
      esac
    done ;;
  *) exit 0 ;;
esac
[ "$1" != template ] || set -- "$@" --kube-version "$KUBERNETES"
exec "$HELM" "$@"
"""
KUBECTL = """\
#!/bin/sh
printf '%s\\n' kubectl "$@" '' >> "$CALLS"
case $1 in
  apply | replace) cat ;;
  get) echo the-old-uid ;;
esac
"""


@dataclass(frozen=True)
class Workshop:
    """A folder that looks like the project, with a Helm and a kubectl that reach no cluster."""

    folder: Path
    major: int

    @property
    def calls(self) -> list[list[str]]:
        """The calls of helm and kubectl, word by word."""
        path = self.folder / "calls"
        text = path.read_text("utf-8") if path.exists() else ""
        return [call.split("\n") for call in text.split("\n\n") if call]

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a block of the README."""
        homes = {f"HELM_{name}_HOME": str(self.folder) for name in ("DATA", "CACHE", "CONFIG")}
        told = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "CALLS": str(self.folder / "calls"),
            "HELM": str(helm(self.major)),
            "KUBERNETES": KUBERNETES,
            "DURABLE_PYTHON": sys.executable,
            "PV": "some-volume",
        }
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env={**os.environ, **homes, **told},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def workshop(folder: Path, major: int) -> Workshop:
    """Make the folder, with the files that the README shows."""
    for name in ("postrender", "values"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "chart").symlink_to(stage())
    files = {"manifests/all.yaml": MANIFESTS, "bin/helm": HELM, "bin/kubectl": KUBECTL}
    for text in yaml_blocks():
        files |= dict.fromkeys(re.findall(r"^# (\S+\.yaml)\n", text), text)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    for program in (folder / "bin").iterdir():
        program.chmod(0o755)
    return Workshop(folder, major)


def yaml_blocks() -> list[str]:
    """Return the README's YAML."""
    return [text for language, text in BLOCKS if language == "yaml"]


def majors(block: str) -> tuple[int, ...]:
    """Return the majors of Helm that a block is for: only one takes a path, only one a plugin."""
    if "--post-renderer postrender/" in block:
        return (3,)
    if "--post-renderer durable" in block:
        return (4,)
    return MAJORS if "helm " in block else MAJORS[-1:]


EACH_COMMAND = pytest.mark.parametrize(
    ("block", "major"), [(block, major) for block in COMMANDS for major in majors(block)]
)


@EACH_COMMAND
def test_commands_run(tmp_path: Path, block: str, major: int) -> None:
    """Each block succeeds as it stands; what it would apply has storage and no plan any more."""
    here = workshop(tmp_path, major)
    answer = here.run(block)

    assert 0 == answer.returncode, answer.stderr
    if any("--post-renderer" in call or call[1:2] == ["apply"] for call in here.calls):
        kinds = {each["kind"]: each for each in yaml.safe_load_all(answer.stdout) if each}
        assert "PersistencePlan" not in kinds
        assert kinds["Prometheus"]["spec"]["storage"]["volumeClaimTemplate"]


def kubectl() -> str:
    """Return a real kubectl, or skip."""
    built = map(str, (ROOT / ".tools" / "cluster" / "bin").glob("kubernetes-*/kubectl"))
    found = shutil.which("kubectl") or next(built, None)
    return found or pytest.skip("no kubectl: install one, or run `make cluster-build`")


def unknown(program: str | Path, words: list[str], call: list[str], general: list[str]) -> set[str]:
    """Return the flags of a call that the program's help does not have."""
    helps = ([program, *words, "--help"], [program, *general])
    told = [
        subprocess.run(each, capture_output=True, text=True, check=True).stdout for each in helps
    ]
    given = {word.partition("=")[0] for word in call if re.match(r"--?[a-z]", word)}
    known = "".join(told)
    return given - set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", known))


@EACH_COMMAND
def test_helm_knows_the_flags(tmp_path: Path, block: str, major: int) -> None:
    """Flags that the runs above leave out, as they need a cluster, are in Helm's own help."""
    here = workshop(tmp_path, major)
    here.run(block)
    calls = [call[1:] for call in here.calls if call[0] == "helm"]

    assert bool(calls) == ("helm " in block)
    for call in calls:
        words = call[: 2 if call[0] == "plugin" else 1]
        assert set() == unknown(helm(major), words, call, ["help"])


@pytest.mark.parametrize("block", [block for block in COMMANDS if "kubectl " in block])
def test_kubectl_knows_the_flags(tmp_path: Path, block: str) -> None:
    """Every flag that is given to kubectl is in its help."""
    program = kubectl()
    here = workshop(tmp_path, majors(block)[0])
    here.run(block)
    calls = [call[1:] for call in here.calls if call[0] == "kubectl"]
    assert calls
    for call in calls:
        assert set() == unknown(program, call[: 3 if "create" in call else 1], call, ["options"])


NEW_CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}


def volume(phase: str) -> dict[str, Any]:
    """Return a volume that was bound, and is in this phase now."""
    claim = {"namespace": "monitoring", "name": "c", "uid": "the-old-uid", "resourceVersion": "7"}
    return {"spec": {"claimRef": claim}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("block", "left"),
    [
        ("/spec/claimRef/resourceVersion", {"namespace": "monitoring", "name": "c"}),
        ("NEW-CLAIM", {**NEW_CLAIM, "namespace": "monitoring", "name": "NEW-CLAIM"}),
    ],
)
def test_a_bound_volume_is_never_cut_loose(
    tmp_path: Path, block: str, left: dict[str, Any]
) -> None:
    """The patches leave the reservation that is meant, and fail on a volume that is bound."""
    here = workshop(tmp_path, 4)
    here.run(next(text for text in COMMANDS if block in text))
    text = (tmp_path / "calls").read_text("utf-8")
    patch = jsonpatch.JsonPatch(json.loads(text[text.index("\n-p\n") + 4 :]))

    assert left == patch.apply(volume("Released"))["spec"]["claimRef"]
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        patch.apply(volume("Bound"))


WRONG = "--set persistence.prometheus.retentionSize=199GB"
LOCAL = "helm template kps chart -n monitoring -f values/local.yaml"
NO_GRAFANA = "--set kube-prometheus-stack.grafana.enabled=false"
MESSAGES = (
    (4, "invalid document separator: --- durable", f"$4 {LOCAL} {WRONG} --post-renderer durable"),
    (4, "durable refused", f"$4 {LOCAL} {WRONG} --post-renderer durable"),
    (4, "no plan", "cat manifests/*.yaml | postrender/durable.sh"),
    (4, "two plans", f"{LOCAL} | postrender/durable.sh --plan plan.yaml"),
    (
        4,
        "the plan is for the release",
        f"{LOCAL} {NO_GRAFANA} | sed 's/^  release: .*/  release: other/' | postrender/durable.sh",
    ),
    (4, "stdin is empty", "postrender/durable.sh < /dev/null"),
    (
        4,
        "no Python 3.11 or newer with PyYAML",
        "cp postrender/durable.sh . && env -i PATH=/nowhere /bin/sh ./durable.sh",
    ),
    (
        4,
        "plugin: {Name:durable Type:postrenderer/v1} not found",
        f"HELM_PLUGINS=/nowhere {LOCAL} --post-renderer durable",
    ),
    (3, "unable to find binary at durable", f"{LOCAL} --post-renderer durable"),
    (3, 'unknown field "apiVersion"', "$4 helm version"),
    (
        4,
        "missing in charts/ directory: kube-prometheus-stack",
        "mkdir bare; cp chart/Chart.yaml bare; helm template kps bare",
    ),
    (
        4,
        "additional properties 'promethus' not allowed",
        f"{LOCAL} --set persistence.promethus.size=1Gi",
    ),
    (4, "'200GB' does not match pattern", f"{LOCAL} --set persistence.prometheus.size=200GB"),
)


@pytest.mark.parametrize(("major", "message", "script"), MESSAGES)
def test_messages_are_real(tmp_path: Path, major: int, message: str, script: str) -> None:
    """What the README quotes is what a person reads who makes that mistake."""
    here = workshop(tmp_path, major)
    answer = here.run(script.replace("$4", 'HELM_PLUGINS="$PWD"'))

    assert f"`{message}`" in README
    assert message in answer.stderr


def test_the_refusal_is_real(tmp_path: Path) -> None:
    """The refusal that is shown is printed, word for word, with the exit code that is told."""
    shown = next(text for _, text in BLOCKS if text.startswith("refused "))
    answer = workshop(tmp_path, 4).run(f"{LOCAL} {WRONG} | postrender/durable.sh check")

    assert 1 == answer.returncode
    assert shown == answer.stdout


def test_the_demo_is_real() -> None:
    """The lines that are shown of `make demo` are lines of it, but for the number of objects."""
    shown = next(text for _, text in BLOCKS if text.startswith("consumer "))
    command = [sys.executable, "-m", "tests.tools.demo"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    wanted, printed = (re.sub(r"same \d+ ", "same ", text) for text in (shown, answer.stdout))

    assert set() == set(wanted.splitlines()) - set(printed.splitlines())


def test_make_targets_exist() -> None:
    """Whatever follows `make` is a target."""
    named = {name for text in [*SPANS, *SHELL] for name in TARGET.findall(text)}
    known = set(
        re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    )

    assert named
    assert set() == named - known


def test_files_exist() -> None:
    """Whatever looks like a file of the project, or is linked, is there."""
    words = {word for text in [*SPANS, *SHELL] for word in re.findall(r"[\w./-]+", text)}
    named = {word for word in words if word.startswith(TOP)} | set(
        re.findall(r"\]\(([^)#:]+)\)", PROSE)
    )

    assert named
    assert set() == {name for name in named if not (ROOT / name).exists()} - set(MADE)


def durable(*arguments: str) -> str:
    """Return what the post-renderer says."""
    command = [str(ROOT / "postrender" / "durable.sh"), *arguments]
    told = {**os.environ, "DURABLE_PYTHON": sys.executable}
    return str(
        subprocess.run(command, env=told, stdout=subprocess.PIPE, text=True, check=True).stdout
    )


def test_what_is_named_is_known() -> None:
    """Commands after durable.sh, and flags anywhere, are in the help of one of the programs."""
    calls = re.findall(r"durable\.sh((?: [\w./-]+)*)", "\n".join([*SPANS, *SHELL]))
    named = {word for call in calls for word in call.split() if re.match(r"--|[a-z]+$", word)}
    flags = {flag for span in SPANS for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", span)}
    asked = [
        [helm(major), command, "--help"] for major in MAJORS for command in ("install", "upgrade")
    ]
    told = [subprocess.run(each, capture_output=True, text=True, check=True) for each in asked]
    known = "".join([USAGE, *KUSTOMIZE, *(each.stdout for each in told)])

    assert {"check", "explain", "rules", "--plan"} <= named
    assert set() == {word for word in named if not re.search(rf"(?<![\w-]){word}\b", USAGE)}
    assert set() == {flag for flag in flags if not re.search(rf"(?<![\w-]){flag}\b", known)}


def test_rules_are_named_and_not_copied() -> None:
    """A rule's id that stands here exists, and `durable.sh rules` stays the only list."""
    known = {rule["id"] for rule in json.loads(durable("rules", "--format", "json"))}
    topics = {name.partition("/")[0] for name in known}
    named = {name for name in RULE.findall(README) if name.partition("/")[0] in topics}
    named -= {name for name in named if f"{name}.yaml" in README or name.endswith("/durable")}

    assert named
    assert set() == named - known
    assert len(named) * 5 < len(known)


def test_the_values_table_is_right() -> None:
    """Each value of the table is in chart/values.yaml, with the default that is told."""
    values = yaml.safe_load((ROOT / "chart" / "values.yaml").read_text("utf-8"))
    rows = re.findall(r"^\| `((?:\w+\.)*\w+)` \| `([^`]*)` \|", README, re.MULTILINE)

    assert rows
    for path, told in rows:
        found = values
        for key in path.split("."):
            found = found[key]
        assert yaml.safe_load(told) == found, path


@pytest.mark.parametrize("text", yaml_blocks())
def test_plans_are_read(tmp_path: Path, text: str) -> None:
    """Each YAML that is shown is a plan that the post-renderer takes."""
    here = workshop(tmp_path, 4)
    (tmp_path / "shown.yaml").write_text(text, "utf-8")
    answer = here.run("cat manifests/*.yaml | postrender/durable.sh explain --plan shown.yaml")

    assert 0 == answer.returncode, answer.stderr
    assert "/spec" in answer.stdout

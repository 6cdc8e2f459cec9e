"""Run Helm 3 and Helm 4 in the same way, away from the person's own Helm settings and plugins."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAJORS = (3, 4)
# Said in each call, since a Helm believes in the version of the client-go that it was built with.
KUBERNETES = "1.36.0"
RELEASE = "kps"
NAMESPACE = "monitoring"
Command = list[str | Path]


def binary(major: int) -> Path:
    """Return where `make setup` puts the Helm of this major."""
    return ROOT / ".tools" / "bin" / f"helm{major}"


def environment(major: int) -> dict[str, str]:
    """Return the environment of a Helm that keeps its files under .tools."""
    home = ROOT / ".tools" / "helm" / str(major)
    own = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
    # Helm 4 finds postrender/plugin.yaml in the folder that holds the plugin's folder.
    return {**os.environ, **own, **({"HELM_PLUGINS": str(ROOT)} if major == 4 else {})}


def post_renderer(major: int) -> list[str]:
    """Return the flag that names the post-renderer: a path for Helm 3, a plugin for Helm 4."""
    name = "durable" if major == 4 else str(ROOT / "postrender" / "durable.sh")
    return ["--post-renderer", name]


def staged() -> Path:
    """Stage the chart, say on stderr which dependency it got, and return its folder."""
    command = [sys.executable, str(ROOT / "tests" / "tools" / "stage.py")]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    *said, path = answer.stdout.splitlines()
    for line in said:
        print(line, file=sys.stderr)
    return Path(path)


def template(
    major: int,
    chart: Path,
    values: Sequence[str | Path] = (),
    settings: Mapping[str, str] | None = None,
) -> bytes:
    """Return the chart's post-rendered stream; what Helm and the findings say goes to stderr."""
    command: Command = [binary(major), "template", RELEASE, chart, "--namespace", NAMESPACE]
    command += ["--kube-version", KUBERNETES, *post_renderer(major)]
    command += [word for path in values for word in ("--values", path)]
    command += [word for pair in (settings or {}).items() for word in ("--set", "=".join(pair))]
    with report() as descriptor:
        variables = environment(major) | {"DURABLE_REPORT_FD": str(descriptor)}
        answer = subprocess.run(
            command, env=variables, pass_fds=[descriptor], stdout=subprocess.PIPE, check=False
        )
    if answer.returncode:
        sys.exit(answer.returncode)
    return answer.stdout


@contextmanager
def report() -> Iterator[int]:
    """Lend a descriptor that leads to stderr, since Helm keeps what a post-renderer says there."""
    descriptor = os.dup(sys.stderr.fileno())
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def lint(major: int, chart: Path, values: Path) -> subprocess.CompletedProcess[str]:
    """Lint a chart with one values file, warnings counting as errors."""
    command: Command = [binary(major), "lint", "--strict", chart, "--values", values]
    command += ["--kube-version", KUBERNETES]
    variables = environment(major)
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)

"""The chart as it reaches a cluster: rendered by real Helm through the real post-renderer."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helm import helm
from tests.tools.documents import Document, load
from tests.tools.helm import KUBERNETES, NAMESPACE, RELEASE, Command, environment, post_renderer
from tests.tools.stage import FLAVOURS, stage

STAND_IN = FLAVOURS[-1].name
# Without a given one the real chart makes a random password in each render, and a rule warns of it.
PASSWORD = "kube-prometheus-stack.grafana.adminPassword=for-the-tests"  # noqa: S105  of no cluster


@dataclass(frozen=True)
class Finished:
    """A finished stream, and what the post-renderer said."""

    documents: list[Document]
    findings: str


def flavours() -> tuple[str, ...]:
    """Return the charts that there are to render: the stand-in, and before it the real one."""
    real = [each.name for each in FLAVOURS[:-1] if each.find()]
    return (*real[:1], STAND_IN)


@cache
def _staged(flavour: str) -> Path:
    return stage(flavour)


@cache
def finished(major: int, flavour: str, *values: Path) -> Finished:
    """Return what Helm would apply; fail with all that is said where it refuses."""
    command: Command = [helm(major), "template", RELEASE, _staged(flavour)]
    command += ["--namespace", NAMESPACE, "--kube-version", KUBERNETES, "--set", PASSWORD]
    command += [f"--values={path}" for path in values]
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report"
        report.touch()
        answer = subprocess.run(
            [*command, *post_renderer(major)],
            env=environment(major) | {"DURABLE_REPORT": str(report), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        said = report.read_text()
    assert 0 == answer.returncode, f"{answer.stderr}\n{said}"
    return Finished(load(answer.stdout), said)

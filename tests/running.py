"""Run the post-renderer as people and pipelines do: durable.sh, a program of its own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOOR = ROOT / "postrender" / "durable.sh"
OURS = ("DURABLE_", "HELM_")

PLAN = """\
apiVersion: durable-prometheus-stack/v1
kind: PersistencePlan
metadata:
  name: plan
spec:
  release: kps
  persistence:
    prometheus:
      size: 5Gi
"""
VALUES = "persistence:\n  prometheus:\n    size: 5Gi\n"
PROMETHEUS = """\
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata:
  name: kps
  namespace: mon
spec:
  replicas: 1
"""
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
"""


@dataclass(frozen=True)
class Answer:
    """What a run left behind."""

    code: int
    out: bytes
    said: str

    @property
    def text(self) -> str:
        """What it wrote, as text."""
        return self.out.decode()


def stream(*documents: str) -> bytes:
    """Return the documents as one stream."""
    return "---\n".join(documents).encode()


def outside() -> dict[str, str]:
    """Return the environment without what would speak to the post-renderer."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


def run(
    data: bytes, *arguments: str | Path, door: Path = DOOR, cwd: Path = ROOT, **variables: str
) -> Answer:
    """Pipe a stream through the door, with further variables in the environment."""
    answer = subprocess.run(
        [door, *arguments],
        input=data,
        cwd=cwd,
        env=outside() | variables,
        capture_output=True,
        check=False,
    )
    return Answer(answer.returncode, answer.stdout, answer.stderr.decode())


def shell(script: str, data: bytes = b"", **variables: str) -> Answer:
    """Run a line of shell in which $DOOR is the post-renderer."""
    answer = subprocess.run(
        ["sh", "-c", script],
        input=data,
        env=outside() | {"DOOR": str(DOOR)} | variables,
        capture_output=True,
        check=False,
    )
    return Answer(answer.returncode, answer.stdout, answer.stderr.decode())


def assert_failed(answer: Answer, *parts: str) -> None:
    """Expect exit code 2, nothing on stdout, and one message that holds each part."""
    assert 2 == answer.code, answer.said
    assert b"" == answer.out
    assert_told(answer.said, *parts)


def assert_told(said: str, *parts: str) -> None:
    """Expect one message in our words, not Python's, that holds each part."""
    assert said.startswith("durable: "), said
    assert "Traceback" not in said
    assert [] == [part for part in parts if part not in said], said
    assert 1 == len(said.splitlines()), said

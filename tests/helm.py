"""Render any chart by Helm 3 or Helm 4 as it is, without the post-renderer, and read the result."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from tests.tools.documents import Document, load
from tests.tools.helm import KUBERNETES, NAMESPACE, RELEASE, Command, binary, environment


class HelmError(Exception):
    """There is no Helm of this major, or it refused."""


@cache
def helm(major: int) -> Path:
    """Return $HELM3 or $HELM4, else what `make setup` made, else the `helm` of the PATH."""
    given = os.environ.get(f"HELM{major}")
    if given:
        return Path(given).resolve(strict=True)
    if binary(major).exists():
        return binary(major)
    found = shutil.which("helm")
    if found and _version(found).startswith(f"v{major}."):
        return Path(found)
    raise HelmError(f"no Helm {major}: run `make setup`, or set HELM{major} to the program")


def template(
    major: int,
    chart: str | Path,
    *args: str | Path,
    release: str = RELEASE,
    namespace: str = NAMESPACE,
) -> str:
    """Return what `helm template` prints; args are further arguments of that command."""
    command: Command = [helm(major), "template", release, chart, "--namespace", namespace]
    command += ["--kube-version", KUBERNETES, *args]
    answer = subprocess.run(
        command, env=environment(major), capture_output=True, text=True, check=False
    )
    if answer.returncode:
        raise HelmError(answer.stderr.strip())
    return str(answer.stdout)


def settings(values: dict[str, Any]) -> list[str]:
    """Return values by their dotted paths as arguments for Helm."""
    pairs = [f"{path}={json.dumps(value)}" for path, value in values.items()]
    return [word for pair in pairs for word in ("--set-json", pair)]


def documents(text: str) -> list[Document]:
    """Return the objects of a stream, the items of each List in its place."""
    return load(text)


def _version(program: str) -> str:
    command = [program, "version", "--template", "{{.Version}}"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(answer.stdout)

"""Render our chart as its tests want it: settings as JSON, objects by kind, refusals as text."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helm import HelmError, documents, template
from tests.tools.helm import MAJORS
from tests.tools.stage import stage

Settings = dict[str, Any]

EACH_MAJOR = pytest.mark.parametrize("major", MAJORS)
ALONE: Settings = {"kube-prometheus-stack.enabled": False}
"""Our own documents only: what the sub-chart renders is not asked for."""

_stage = functools.cache(stage)


@functools.cache
def _template(major: int, chart: Path, *flags: str, **where: str) -> str | HelmError:
    """Return the stream or the refusal: many rows ask for the same one."""
    try:
        return template(major, chart, *flags, **where)
    except HelmError as error:
        return error


def _answer(major: int, settings: Settings, *files: Path, **where: Any) -> str | HelmError:
    flags = [f"--values={path}" for path in files]
    # JSON, so that each value has the type that the test says.
    flags += [f"--set-json={path}={json.dumps(value)}" for path, value in settings.items()]
    return _template(major, where.pop("chart", None) or _stage(), *flags, **where)


def render(major: int, settings: Settings, *files: Path, **where: Any) -> str:
    """Return the stream that Helm renders; where is a release, a namespace or another chart."""
    answer = _answer(major, settings, *files, **where)
    if isinstance(answer, HelmError):
        raise answer
    return answer


def rendered(major: int, settings: Settings, *files: Path, **where: Any) -> dict[str, list[Any]]:
    """Return what Helm renders, by kind."""
    found: dict[str, list[Any]] = {}
    for document in documents(render(major, settings, *files, **where)):
        found.setdefault(document["kind"], []).append(document)
    return found


def refused(major: int, settings: Settings, **where: Any) -> str:
    """Return what Helm says when it refuses."""
    answer = _answer(major, settings, **where)
    assert isinstance(answer, HelmError), "this must be refused"
    return str(answer)


def at(document: Any, path: str) -> Any:
    """Return what a document holds at a path, or None where it ends before."""
    for key in path.split("."):
        inside = isinstance(document, list) and int(key) < len(document)
        if not inside and key not in document:
            return None
        document = document[int(key) if inside else key]
    return document


def leaves(value: Any, path: str = "") -> Iterator[str]:
    """Give the path of each value in a block of values; a map that is empty by default is one."""
    if not isinstance(value, dict) or not value:
        yield path
        return
    for key, below in value.items():
        yield from leaves(below, f"{path}.{key}".lstrip("."))


def static(*volumes: Any, consumer: str = "prometheus") -> Settings:
    """Return the settings that give a consumer these volumes."""
    block = f"persistence.{consumer}"
    name = f"{block}.storageClassName"
    return {f"{block}.enabled": True, name: "c", f"{block}.volumes": list(volumes)}

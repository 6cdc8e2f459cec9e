"""The schemas of prometheus-operator's custom resources, as its own releases ship them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from tests.tools.documents import load

Schema = dict[str, Any]
PLURALS = {
    "Prometheus": "prometheuses",
    "PrometheusAgent": "prometheusagents",
    "Alertmanager": "alertmanagers",
    "ThanosRuler": "thanosrulers",
}


class AbsentError(Exception):
    """The release cannot be had here."""


@dataclass(frozen=True)
class Release:
    """A release of the operator: its Go module, and the module's checksum as go.sum writes it."""

    version: tuple[int, int, int]
    sum: str
    owner: str = "prometheus-operator"

    @property
    def module(self) -> str:
        """The module's path with its version."""
        return f"github.com/{self.owner}/prometheus-operator@v{self}"

    def __str__(self) -> str:
        """Return the version as the operator's image tag has it."""
        return ".".join(map(str, self.version))


# Both sides of each version in durable.consumers, as far as the releases are published as modules.
RELEASES = (
    Release((0, 38, 3), "h1:EaiEJFZ6uEV5PcuvZ272kB3Z/Ki8kViMeVhMDKYx7jI=", "coreos"),
    Release((0, 39, 0), "h1:sXbjqxHhTdfhdbG/Fpls3nArXZZaC66JTpzebZK2ZOc=", "coreos"),
    Release((0, 63, 0), "h1:LsOFPNzcOKirmM3xHEextfj5yaJyoWL4l42hbhvBSN8="),
    Release((0, 69, 1), "h1:pqNMssMBBaM6mYg7FKK7kQi9sIyWYCA33z5FSmmbybw="),
    Release((0, 70, 0), "h1:kMufKWvqJl08Kh0oue3VLmTsowYKKqCQJa7tqXo+DJI="),
    Release((0, 78, 2), "h1:ismQgRxQbfZf/iFpEXxpbciqmzpUKmQLKmdJl+2k7KE="),
    Release((0, 79, 2), "h1:H/HCiMS4dXQyiFHw28PFlWMh15YUraL3MFe8u7k7dGA="),
    Release((0, 93, 1), "h1:4Juk8v93RdG1DSGD/mGp+SeQKPmnlLIj2iq3blLZgFY="),
)


@cache
def folder(release: Release) -> Path:
    """Return where Go keeps the release's files; raise AbsentError where they cannot be had."""
    if not shutil.which("go"):
        raise AbsentError("no Go on this machine: the operator's schemas come as a Go module")
    # The checksum is compared below, so Go need not ask its database, which may be out of reach.
    variables = os.environ | {"GOFLAGS": "-mod=mod", "GONOSUMDB": "*", "GOTOOLCHAIN": "local"}
    command = ["go", "mod", "download", "-json", release.module]
    answer = subprocess.run(
        command, env=variables, cwd="/", capture_output=True, text=True, check=False
    )
    try:
        told = json.loads(answer.stdout)
    except ValueError:
        raise AbsentError(f"{release.module}: {answer.stderr.strip()}") from None
    if "Dir" not in told:
        raise AbsentError(told.get("Error", answer.stderr.strip()))
    assert release.sum == told["Sum"], f"{release.module} is not what it was"
    return Path(told["Dir"])


@cache
def schema(release: Release, kind: str) -> Schema | None:
    """Return a kind's schema as published, or None where the release has no such kind."""
    name = f"monitoring.coreos.com_{PLURALS[kind]}.yaml"
    path = folder(release) / "example" / "prometheus-operator-crd" / name
    if not path.exists():
        return None
    spec = load(path.read_bytes())[0]["spec"]
    # Until 0.38 the definitions are of apiextensions.k8s.io/v1beta1, with one schema for all.
    found = spec.get("validation") or spec["versions"][0]["schema"]
    published: Schema = found["openAPIV3Schema"]
    return published


@cache
def validator(release: Release, kind: str) -> jsonschema.Draft7Validator:
    """Return what finds a wrong or unknown field in an object of a kind."""
    published = schema(release, kind)
    assert published is not None, f"{release} has no {kind}"
    closed = strict(published)
    closed["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft7Validator(closed)


def strict(published: Any) -> Any:
    """Close a schema: the API server drops, or under server-side apply refuses, what is unknown."""
    if isinstance(published, list):
        return [strict(each) for each in published]
    if not isinstance(published, dict):
        return published
    closed = {
        key: {name: strict(each) for name, each in value.items()}
        if key == "properties"
        else strict(value)
        for key, value in published.items()
    }
    free = closed.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in closed
    if closed.get("type") == "object" and not free:
        closed["additionalProperties"] = False
    if closed.get("x-kubernetes-int-or-string"):
        closed["type"] = ["integer", "string"]
    return closed


def field(published: Schema, *path: str) -> Schema | None:
    """Return the schema of the field at a path, or None where there is none."""
    found: Schema | None = published
    for name in path:
        found = ((found or {}).get("properties") or {}).get(name)
    return found


def faults(release: Release, document: dict[str, Any]) -> list[str]:
    """Return what the API server would not take of an object, each with its path."""
    errors = validator(release, document["kind"]).iter_errors(document)
    return [f"{error.json_path}: {error.message}"[:300] for error in errors]

"""The tools of the tests tell the truth: the table, the pins and the program versions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tools import lint_shell, lock, venv
from tests.tools.documents import load
from tests.tools.programs import PROGRAMS, Version, numbers
from tests.tools.table import Row, lines, rows

PROMETHEUS = """
kind: Prometheus
metadata: {name: p}
spec:
  replicas: 2
  shards: 2
  securityContext: {fsGroup: 2000}
  storage:
    volumeClaimTemplate:
      spec: {storageClassName: disks, resources: {requests: {storage: 50Gi}}}
---
kind: PersistentVolume
metadata: {name: disk-1}
spec:
  claimRef: {name: prometheus-p-db-prometheus-p-shard-1-0}
  nodeAffinity:
    required:
      nodeSelectorTerms:
        - matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [worker-1]}]
"""
GRAFANA = """
kind: PersistentVolumeClaim
metadata: {name: g}
spec: {resources: {requests: {storage: 10Gi}}}
---
kind: Deployment
metadata: {name: g}
spec:
  template:
    spec:
      securityContext: {fsGroup: 472}
      volumes: [{name: storage, persistentVolumeClaim: {claimName: g}}]
      containers:
        - {name: grafana, volumeMounts: [{name: storage, subPath: grafana-db}]}
"""
PINNED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(text: str) -> dict[str, str]:
    """Return versions by project name, in the form that package indexes compare."""
    found = PINNED.findall(text)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_table_has_a_row_for_each_pod() -> None:
    """Each shard and replica is a pod of its own, with the claim that Kubernetes will name."""
    found = rows(load(PROMETHEUS))

    assert [
        "prometheus-p-db-prometheus-p-0",
        "prometheus-p-db-prometheus-p-1",
        "prometheus-p-db-prometheus-p-shard-1-0",
        "prometheus-p-db-prometheus-p-shard-1-1",
    ] == [row.claim for row in found]
    assert ["by the class", "by the class", "disk-1", "by the class"] == [
        row.volume for row in found
    ]
    assert ["-", "-", "worker-1", "-"] == [row.node for row in found]


def test_the_table_reads_grafana_from_its_workload() -> None:
    """A claim without a class says that the cluster's default class is meant."""
    expected = Row(
        consumer="grafana",
        pod="g (Deployment)",
        claim="g",
        size="10Gi",
        storage_class="default",
        volume="by the class",
        sub_path="grafana-db",
        fs_group="472",
    )

    assert [expected] == rows(load(GRAFANA))


def test_the_table_says_where_nothing_lasts() -> None:
    """A custom resource without a storage template keeps its data in an emptyDir."""
    found = rows(load("kind: Alertmanager\nmetadata: {name: a}\nspec: {}"))

    assert "  claim  none: emptyDir" == lines(found)[-1]


def test_lists_are_read_as_their_items() -> None:
    """An item of a List counts as an object, and the scalar `=` of a CRD is text."""
    assert ["a", "="] == [
        each["name"] for each in load("kind: List\nitems: [{name: a}]\n---\nname: =")
    ]


@pytest.mark.parametrize(
    ("name", "found", "expected"),
    [
        ("helm3", (3, 22, 0), True),
        ("helm3", (3, 17, 0), True),
        ("helm3", (3, 16, 4), False),
        ("helm3", (4, 3, 1), False),
        ("helm4", (4, 2, 4), True),
        ("helm4", (3, 22, 0), False),
        ("helm4", (), False),
        ("yq", (4, 53, 6), True),
        ("yq", (4, 53, 7), False),
        ("yq", (), False),
    ],
)
def test_a_program_of_the_machine_is_taken_where_it_fits(
    name: str,
    found: Version,
    expected: bool,
) -> None:
    """Helm may be newer than the least of its major; what is measured is the pinned version."""
    assert expected == PROGRAMS[name].fits(found)


def test_the_pinned_version_is_the_one_that_helm_will_tell() -> None:
    """The version that is linked into a Helm is the version of its module."""
    for program in (PROGRAMS["helm3"], PROGRAMS["helm4"]):
        assert numbers(program.version) == numbers(program.variables[0])


@pytest.mark.parametrize("group", lock.LOCKS)
def test_the_locks_hold_the_pins(root: Path, group: str) -> None:
    """A pin that changes without `lock.py` is found here, as is a requirement without a hash."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    group_pins = [each for each in project["dependency-groups"][group] if isinstance(each, str)]
    wanted = pins("\n".join(group_pins))
    text = (root / lock.LOCKS[group]).read_text("utf-8")

    assert wanted.items() <= pins(text).items()
    assert len(pins(text)) == len(re.findall(r"==.* \\\n +--hash=sha256:", text))


@pytest.mark.parametrize(
    ("wheel", "expected"),
    [
        ("pluggy-1.7.0-py3-none-any.whl", True),
        ("pyyaml-6.0.3-cp314-cp314-macosx_11_0_arm64.whl", True),
        ("hypothesis-6-cp311-abi3-manylinux2014_aarch64.manylinux_2_17_aarch64.whl", True),
        ("pyyaml-6.0.3-cp314-cp314t-musllinux_1_2_x86_64.whl", False),
        ("pyyaml-6.0.3-cp310-cp310-musllinux_1_2_x86_64.whl", False),
        ("pyyaml-6.0.3-cp313-cp313-win_amd64.whl", False),
        ("ruff-0.17.5-py3-none-manylinux_2_17_i686.manylinux2014_i686.whl", False),
    ],
)
def test_the_locks_list_what_the_platforms_can_use(wheel: str, expected: bool) -> None:
    """Linux and macOS on both processors, CPython 3.11 to 3.14 with the interpreter lock."""
    assert expected == lock.usable({"url": f"https://example.com/{wheel}"})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#!/bin/sh", True),
        ("#!/usr/bin/env bash", True),
        ("#!/usr/bin/env python3", False),
        ("echo", False),
    ],
)
def test_a_script_is_known_by_its_first_line(tmp_path: Path, line: str, expected: bool) -> None:
    """What is checked does not hang on a file's name."""
    (tmp_path / "script").write_text(f"{line}\n", "utf-8")

    assert expected == lint_shell.is_script(tmp_path / "script")


def test_make_alone_lists_every_target(root: Path) -> None:
    """A target that has no comment would be unknown to whoever types `make`."""
    makefile = (root / "Makefile").read_text("utf-8")
    wanted = " ".join(re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)).split()
    answer = subprocess.run(["make"], cwd=root, capture_output=True, text=True, check=True)

    assert wanted == re.findall(r"^  make (\S+)", answer.stdout, re.MULTILINE)


def test_the_environment_is_refused_to_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is needed and how to name another Python."""
    assert venv.obstacle() is None

    monkeypatch.setattr(sys, "version_info", (3, 9, 2))

    assert "3.11 to 3.14 is needed: make PYTHON=" in str(venv.obstacle())


def test_the_environment_is_refused_without_ensurepip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Debian ships Python without it; the message names the package."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    assert "apt install python3-venv" in str(venv.obstacle())

"""How the programs of the cluster are built: each once, by what is pinned."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cluster import programs
from tests.cluster.commands import run
from tests.cluster.errors import MissingRequirementError


def test_unbuilt_program_says_how_to_build_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an empty cache the error names the program and the target that builds it."""
    monkeypatch.setenv("DURABLE_CLUSTER_CACHE", str(tmp_path))
    with pytest.raises(MissingRequirementError, match=r"kubelet is not built.*make cluster-build"):
        programs.program("kubelet")


def test_key_follows_the_pinned_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module is built again when a checksum in its go.sum changes, and only then."""
    module = programs.OWNERS["etcd"]
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    module.folder.mkdir()
    (module.folder / "go.mod").write_text("module m\n")
    (module.folder / "go.sum").write_text("one\n")
    first = programs.key(module)
    assert first == programs.key(module)
    (module.folder / "go.sum").write_text("two\n")
    assert first != programs.key(module)


def test_only_what_is_old_is_removed(tmp_path: Path) -> None:
    """What another key left is removed a week later: until then another checkout may use it."""
    old, new, other = (tmp_path / f"{name}-{'0' * 15}{n}" for n, name in enumerate(("m", "m", "n")))
    for path in (old, new, other):
        path.mkdir()
    for path in (old, other):
        os.utime(path, (0, 0))
    assert [old] == programs.outdated(tmp_path, "m")


def test_module_on_demand_waits_for_its_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Thanos is built where it is asked for, and whoever needs it is told how."""
    built: list[str] = []
    monkeypatch.setenv("DURABLE_CLUSTER_CACHE", str(tmp_path))
    monkeypatch.setattr(programs, "build", lambda module: built.append(module.name))

    programs.build_all()
    assert {each.name for each in programs.TABLE if not each.on_demand} == {*built}
    programs.build_all("thanos")
    assert "thanos" == built[-1]
    assert not programs.built("thanos")
    with pytest.raises(MissingRequirementError, match="make cluster-thanos"):
        programs.program("thanos")


@pytest.mark.parametrize("folder", sorted({each.folder for each in programs.TABLE}), ids=str)
def test_tools_of_a_go_mod_are_what_is_built(folder: Path) -> None:
    """What a go.mod pins as its tools, and what the table builds of it, are the same."""
    told = run("go", "mod", "edit", "-json", folder / "go.mod")
    tools = {each["Path"] for each in json.loads(told)["Tool"] or []}
    packages = [name for each in programs.TABLE if folder == each.folder for name in each.packages]
    wanted = {name for name in packages if not name.startswith(".")}
    assert len(tools) == 1 if wanted == {"tool"} else tools == wanted


def test_key_follows_a_stand_in_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a go.mod of many modules, a source file of one leaves the others as they are."""
    coredns, kubelet = programs.OWNERS["coredns"], programs.OWNERS["kubelet"]
    monkeypatch.setattr(programs, "MODULES", tmp_path)
    assert coredns.folder == kubelet.folder
    source = coredns.folder / "coredns" / "main.go"
    source.parent.mkdir(parents=True)
    (coredns.folder / "go.mod").write_text("module m\n")
    source.write_text("package main\n")
    before = programs.key(coredns), programs.key(kubelet)
    source.write_text("package main // changed\n")
    assert before[0] != programs.key(coredns)
    assert before[1] == programs.key(kubelet)

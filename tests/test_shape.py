"""The shape of the project: who may import whom, how long things get, what a run loads."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from durable import __version__, pipeline

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "postrender" / "durable"
TEMPLATES = ROOT / "chart" / "templates"

# Each module knows those below it only; the two folders count as one module each.
LAYERS = (
    ("errors", "record", "pattern"),
    ("libyaml", "scalars", "quantity", "findings", "patch"),
    ("nodes",),
    ("splice",),
    ("document",),
    ("stream", "plan", "consumers"),
    ("objects", "krm"),
    ("edits", "stack"),
    ("steps", "checks"),
    ("pipeline", "listing"),
    ("__main__",),
)
RANKS = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# What a step takes from another: how a claim is written and kept is said once.
SHARED = {
    ("mount_grafana", "claim_storage"): {"claim_spec", "strip_selector"},
    ("mount_grafana", "keep_claims"): {"keep_annotations", "keep_object"},
}
# Modules that a run must not pay for.
SLOW = {"argparse", "dataclasses", "inspect", "json", "pathlib", "typing", "importlib.metadata"}
LONGEST_FILE, LONGEST_FUNCTION, LONG_FUNCTION = 400, 40, 25
# Functions of more than 25 lines, docstrings apart, and why they are not cut; places as patterns.
LONG = {
    "postrender/durable/nodes.py:build": "the loop that every byte of the stream goes through",
    "postrender/durable/pipeline.py:find_plan": "the places of a plan, in the order of their rank",
    "tests/cluster/images.py:write_archive": "the layout of an image, file by file",
    "tests/cluster/test_harness.py:test_class_provisions_a_volume": "one story of a volume",
    "tests/e2e/*:*": "a scenario is told in one piece",
    "tests/mutations.py:marks": "a table of signs, one in a line",
    "tests/test_corpus.py:test_grafana_gets_its_claim": "one claim, in all places that name it",
    "tests/test_plan.py:test_everything_said_is_read": "a plan with every key, and its reading",
}
OUTSIDE = {".git", ".tools", ".venv", "__pycache__"}
MEASURED = {".py", ".sh", ".tpl", ".yaml"}
DATA = ("tests/golden/", "tests/cases/")


def _files() -> Iterator[Path]:
    """Give the project's own files, as paths from its root."""
    for path in sorted(ROOT.rglob("*")):
        found = path.relative_to(ROOT)
        if path.is_file() and not OUTSIDE & set(found.parts):
            yield found


def _name(path: Path) -> str:
    """Return the module's name in LAYERS."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path) -> Iterator[tuple[str, str]]:
    """Give module and name of all that a module imports, wherever in it and whatever for."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: an import from nowhere in particular"
            yield from ((str(node.module), alias.name) for alias in node.names)


def _inner(path: Path) -> Iterator[tuple[list[str], str]]:
    """Give what a module imports of the package: the module's path in it, and the name."""
    for module, name in _imports(path):
        parts = module.split(".")
        if parts[0] == "durable":
            module_named = len(parts) == 1 and not name.startswith("__")
            yield ([name], "") if module_named else (parts[1:], name)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
EACH_MODULE = pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)


@EACH_MODULE
def test_imports_run_one_way(path: Path) -> None:
    """A module imports from the layers below its own, types included."""
    own = _name(path)
    for (module, *inner), name in (found for found in _inner(path) if found[0]):
        beside = module == own and inner and own in ("steps", "checks")
        assert beside or RANKS[module] < RANKS[own], f"{path.stem} imports {module} {name}"


def test_layers_are_the_modules() -> None:
    """Each module has its layer, and no layer names a module that is not there."""
    assert {_name(path) for path in MODULES} == set(RANKS)


def test_steps_do_not_know_each_other() -> None:
    """A step takes from another one only what is named here."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in (PACKAGE / "steps").glob("*.py"):
        for (module, *inner), name in (each for each in _inner(path) if each[0]):
            if module == "steps":
                found.setdefault((path.stem, inner[0]), set()).add(name)
    assert SHARED == found


def test_rules_do_not_know_each_other() -> None:
    """No topic of rules is imported by another one: what several ask is in a module of its own."""
    topics = {topic.__name__.rpartition(".")[2] for topic in pipeline.CHECKS}
    for path in (PACKAGE / "checks").glob("*.py"):
        known = {part for inner, name in _inner(path) for part in (*inner[1:], name) if inner}
        assert not topics & known, path.stem


def test_one_module_imports_yaml() -> None:
    """PyYAML has one door, so that it can be had cheaply, or another reader put in its place."""
    readers = {
        path.stem
        for path in MODULES
        for module, _ in _imports(path)
        if module.split(".")[0] == "yaml"
    }
    assert {"libyaml"} == readers


def test_one_module_prints() -> None:
    """Streams, messages and exit codes are the business of __main__ alone."""
    wanted = re.compile(
        r"\bprint\(|\bsys\.(stdin|stdout|stderr|exit|argv)\b|\bos\.(environ|write)\b"
    )
    assert {"__main__"} == {path.stem for path in MODULES if wanted.search(path.read_text())}


PLAN = b"apiVersion: durable-prometheus-stack/v1\nkind: PersistencePlan\nmetadata: {name: a}\n"
PLAN += b"spec: {persistence: {prometheus: {fixOwnership: true}, grafana: {}}}\n---\n"
STREAM = b"apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\nmetadata: {name: a}\nspec: {}\n"
RUN = """
import sys
if len(sys.argv) > 1:
    sys.path.insert(0, sys.argv[1])
    from durable.__main__ import main
    code = main(sys.argv[2:])
    assert code == 0, code
loaded = sorted(sys.modules)
import json
sys.stderr.write("\\n" + json.dumps(loaded))
"""


def _loaded(*arguments: str, stdin: bytes = b"") -> set[str]:
    """Return the modules of an interpreter after a run, or of an idle one."""
    answer = subprocess.run(
        [sys.executable, "-I", "-c", RUN, *arguments], input=stdin, capture_output=True, check=False
    )
    assert 0 == answer.returncode, answer.stderr.decode()
    return set(json.loads(answer.stderr.splitlines()[-1]))


def test_a_run_loads_what_it_needs(tmp_path: Path) -> None:
    """Nothing slow is loaded on the way from stream to stream, whichever way the plan comes."""
    idle = _loaded()
    plan = tmp_path / "plan.yaml"
    plan.write_text("persistence: {prometheus: {}}")
    folder = str(PACKAGE.parent)
    for run in (
        _loaded(folder, stdin=PLAN + STREAM),
        _loaded(folder, "render", "--plan", str(plan), stdin=STREAM),
    ):
        assert "durable.steps.claim_storage" in run
        assert set() == (run - idle) & SLOW
        assert "durable.listing" not in run


def test_files_are_short() -> None:
    """No file that a person writes is longer than 400 lines."""
    written = [f for f in _files() if f.suffix in MEASURED and not str(f).startswith(DATA)]
    lengths = {str(f): len((ROOT / f).read_text().splitlines()) for f in written}
    assert "tests/test_shape.py" in lengths
    assert {} == {place: lines for place, lines in lengths.items() if lines > LONGEST_FILE}


def _lengths() -> Iterator[tuple[str, int]]:
    """Give each function's place and lines, docstrings apart."""
    for path in (found for found in _files() if found.suffix == ".py"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                told = ast.get_docstring(node) is not None
                docstring = (first.end_lineno or 0) - first.lineno + 1 if told else 0
                lines = (node.end_lineno or 0) - node.lineno + 1 - docstring
                yield f"{path}:{node.name}", lines


def test_functions_are_short() -> None:
    """No function is longer than 40 lines, and one of more than 25 has its reason."""
    lengths = list(_lengths())
    assert [] == [found for found in lengths if found[1] > LONGEST_FUNCTION]
    long = {place for place, lines in lengths if lines > LONG_FUNCTION}
    matched = {pattern: fnmatch.filter(long, pattern) for pattern in LONG}
    assert [] == [pattern for pattern, places in matched.items() if not places]
    assert set() == long.difference(*matched.values())


def test_one_version() -> None:
    """Package, plugin and chart are one product and have one version."""
    told = [
        yaml.safe_load((ROOT / path).read_text())["version"]
        for path in ("postrender/plugin.yaml", "chart/Chart.yaml")
    ]
    assert [__version__, __version__] == told


def test_one_place_reads_the_namespace() -> None:
    """The release's namespace has one definition, so that all objects land in the same one."""
    files = (path for path in TEMPLATES.rglob("*") if path.is_file())
    assert {"_helpers.tpl"} == {f.name for f in files if ".Release.Namespace" in f.read_text()}

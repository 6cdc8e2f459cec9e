"""The door: which Python it takes, what it says without one, and where it may be called from."""

from __future__ import annotations

import os
import shutil
import sys
import venv
from pathlib import Path

import pytest
import yaml

from tests.running import DOOR, PLAN, PROMETHEUS, Answer, assert_failed, run, shell, stream

WHOLE = stream(PLAN, PROMETHEUS)
NO_PYTHON = "no Python 3.11 or newer with PyYAML and libyaml was found"
CURES = ("run 'make setup' in the project", "'{0}/.venv/bin/pip' install -r '{0}/requirements.txt'")


@pytest.fixture(scope="module")
def rendered() -> Answer:
    """Return what the project's own door answers."""
    answer = run(WHOLE)
    assert 0 == answer.code, answer.said
    return answer


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """Return a copy of the post-renderer in a folder with blanks, far from the project's venv."""
    folder = tmp_path / "a folder" / "my plugin"
    shutil.copytree(DOOR.parent, folder, ignore=shutil.ignore_patterns(".venv", "__pycache__"))
    return folder


def environment(folder: Path) -> Path:
    """Make an environment of this Python without any package, and return its programs' folder."""
    venv.create(folder, with_pip=False, symlinks=True)
    return folder / "bin"


def packages(programs: Path) -> Path:
    """Return where an environment has its packages."""
    return next(programs.parent.glob("lib/python3.*/site-packages"))


def give_yaml(programs: Path, *, libyaml: bool) -> None:
    """Give an environment the tests' PyYAML, or one that was built without libyaml."""
    target = packages(programs) / "yaml"
    if libyaml:
        target.symlink_to(Path(str(yaml.__file__)).parent)
    else:
        target.mkdir()
        (target / "__init__.py").touch()


def test_a_venv_beside_the_door_is_taken(plugin: Path, rendered: Answer) -> None:
    """The plugin's own environment is used, though the PATH has no Python at all."""
    give_yaml(environment(plugin / ".venv"), libyaml=True)
    assert rendered == run(WHOLE, door=plugin / "durable.sh", PATH="/nowhere")


def test_a_venv_above_the_door_is_taken(plugin: Path, rendered: Answer) -> None:
    """So is the project's, in the folder above."""
    give_yaml(environment(plugin.parent / ".venv"), libyaml=True)
    assert rendered == run(WHOLE, door=plugin / "durable.sh", PATH="/nowhere")


def test_a_python_of_the_path_is_taken(plugin: Path, tmp_path: Path, rendered: Answer) -> None:
    """Else the first Python of the PATH that has PyYAML with libyaml."""
    bare, good = environment(tmp_path / "bare"), environment(tmp_path / "good")
    give_yaml(good, libyaml=True)
    program = (good / "python").resolve()
    for path in (*good.glob("python*"), *bare.glob("python3.*")):
        path.unlink()
    (bare / "python3").unlink()
    (bare / "python3").symlink_to(program)
    (good / "python3.13").symlink_to(program)
    assert rendered == run(WHOLE, door=plugin / "durable.sh", PATH=f"{bare}:{good}")


@pytest.mark.parametrize("libyaml", [None, False])
def test_without_pyyaml_it_says_how_to_get_it(
    plugin: Path, tmp_path: Path, libyaml: bool | None
) -> None:
    """Without PyYAML, or with one that lacks libyaml, the message has a command to paste."""
    programs = environment(tmp_path / "bare")
    if libyaml is False:
        give_yaml(programs, libyaml=False)
    cures = [cure.format(plugin) for cure in CURES]
    door = plugin / "durable.sh"
    assert_failed(run(WHOLE, door=door, PATH=str(programs)), NO_PYTHON, *cures)
    told = run(WHOLE, door=door, PATH=str(programs), HELM_PLUGIN_NAME="durable")
    assert 0 == told.code
    assert f"refused: true\n--- {told.said}" == told.text


def test_a_venv_without_libyaml_is_told(plugin: Path) -> None:
    """A chosen Python that lacks what is needed is named, with what it lacks."""
    programs = environment(plugin / ".venv")
    give_yaml(programs, libyaml=False)
    answer = run(WHOLE, door=plugin / "durable.sh")
    assert_failed(answer, str(programs / "python"), "cannot import yaml", "pip install -r")


def test_durable_python_is_taken(plugin: Path, rendered: Answer) -> None:
    """DURABLE_PYTHON chooses the Python, by path or by name."""
    door = plugin / "durable.sh"
    assert rendered == run(WHOLE, door=door, DURABLE_PYTHON=sys.executable)
    folder, name = os.path.split(sys.executable)
    path = f"{folder}:{os.environ['PATH']}"
    assert rendered == run(WHOLE, door=door, DURABLE_PYTHON=name, PATH=path)


def test_a_wrong_durable_python_is_told(tmp_path: Path) -> None:
    """DURABLE_PYTHON that is no program, or has no PyYAML, is named."""
    told = "DURABLE_PYTHON=/no/python is no program: name a Python 3.11 or newer, or unset it"
    assert_failed(run(WHOLE, DURABLE_PYTHON="/no/python"), told)
    bare = environment(tmp_path / "bare") / "python"
    answer = run(WHOLE, DURABLE_PYTHON=str(bare))
    assert_failed(answer, f"{bare} cannot import yaml: ", "or unset DURABLE_PYTHON")


def test_a_foreign_project_does_not_interfere(tmp_path: Path, rendered: Answer) -> None:
    """Neither PYTHON* variables nor modules of the current folder reach the post-renderer."""
    for name in ("yaml", "re", "durable"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n")
    answer = run(WHOLE, cwd=tmp_path, PYTHONPATH=str(tmp_path), PYTHONHOME="/nowhere")
    assert rendered == answer


LINKS = ("absolute", "relative", "chain")


@pytest.mark.parametrize("form", LINKS)
def test_links_lead_to_the_door(tmp_path: Path, form: str, rendered: Answer) -> None:
    """A symlink in another folder finds the package, whatever it is called and from wherever."""
    link = tmp_path / "some where" / "durable"
    link.parent.mkdir()
    target = DOOR if form == "absolute" else Path(os.path.relpath(DOOR, link.parent))
    link.symlink_to(target)
    if form == "chain":
        first = tmp_path / "first"
        first.symlink_to(Path("some where") / "durable")
        link = first
    assert rendered == run(WHOLE, door=link, cwd=Path("/"))
    for script in (f"cd '{link.parent}' && ./{link.name}", f"cd '{link.parent}' && sh {link.name}"):
        assert rendered == shell(script, WHOLE)
    path = f"{link.parent}:{os.environ['PATH']}"
    assert rendered == shell(link.name, WHOLE, PATH=path)


def test_a_linked_folder_leads_to_the_door(tmp_path: Path, rendered: Answer) -> None:
    """So does a symlink to the folder, as `helm plugin install` makes one."""
    (tmp_path / "durable").symlink_to(DOOR.parent)
    assert rendered == run(WHOLE, door=tmp_path / "durable" / "durable.sh", cwd=tmp_path)
    assert rendered == shell(f"cd '{tmp_path}/durable' && sh durable.sh", WHOLE)


@pytest.mark.parametrize("locale", ["C", "POSIX", "C.UTF-8"])
def test_the_locale_does_not_matter(locale: str, tmp_path: Path) -> None:
    """Names in any script come through, in the stream and in messages."""
    data = stream(PLAN, PROMETHEUS) + "# ünïcödé 🗄\n".encode()
    answer = run(data, LC_ALL=locale)
    assert 0 == answer.code, answer.said
    assert "# ünïcödé 🗄" in answer.text
    report = tmp_path / "report"
    wrong = run(data.replace(b"size:", "größe:".encode()), "--report", report, LC_ALL=locale)
    assert 2 == wrong.code
    assert "größe is unknown: " in report.read_text("utf-8")


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    """A file name of any bytes is told on every road, its odd bytes as escapes."""
    report = tmp_path / "report"
    script = '"$DOOR" --plan "$(printf "/no\\377ne")" --report "$REPORT"'
    for variables in ({}, {"HELM_PLUGIN_NAME": "durable"}):
        answer = shell(script, WHOLE, REPORT=str(report), **variables)
        assert r"the plan /no\udcffne cannot be read" in answer.said
        assert r"the plan /no\udcffne cannot be read" in report.read_text("utf-8")
        assert bool(variables) == (r"--- durable: the plan /no\udcffne" in answer.text)

"""Each file of values/ and each pair of backend and profile, through both Helms and to the end.

tests/golden/<values-file>.yaml has the objects that storage touches or that are added, of a render
with the stand-in for kube-prometheus-stack; `make golden` writes them anew.
"""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.finished import STAND_IN, finished, flavours
from tests.tools import table
from tests.tools.demo import objects
from tests.tools.documents import Document, Key, key
from tests.tools.helm import MAJORS, RELEASE
from tests.values_files import FILES, SETS, accepted, persistence

ROOT = Path(__file__).resolve().parents[1]
META = yaml.safe_load((ROOT / "chart" / "Chart.yaml").read_text())
GOLDEN = ROOT / "tests" / "golden"
RULE = re.compile(r"^  rule ([a-z]+/[a-z-]+)", re.MULTILINE)
STORE = f"{RELEASE}-influxdb"
DRAWN = re.compile("-password$")
LINES = 3  # of a finding
ADDED = ("PersistentVolume", "PersistentVolumeClaim", "StorageClass")

EACH_FILE = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
EACH_SET = pytest.mark.parametrize(
    "files", SETS, ids=lambda files: "+".join(path.stem for path in files)
)
EACH_MAJOR = pytest.mark.parametrize("major", MAJORS)
EACH_CHART = pytest.mark.parametrize("flavour", flavours())


class Dumper(yaml.SafeDumper):
    """Writes a text of several lines as such."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Dumper.add_representer(str, _text)
Dumper.ignore_aliases = lambda *_: True  # type: ignore[method-assign]


def _touched(documents: list[Document]) -> dict[Key, Document]:
    """Return the objects that storage touches or that are added."""
    return {
        name: each
        for name, each in objects(documents).items()
        if each["kind"] in (*table.CUSTOM_RESOURCES, *ADDED)
        or _is_grafana(each)
        or _is_record(each)
        or _is_component(each)
    }


def _is_grafana(document: Document) -> bool:
    workload = document["kind"] in ("Deployment", "StatefulSet")
    return workload and document["metadata"]["name"] == f"{RELEASE}-grafana"


def _is_record(document: Document) -> bool:
    labels = document["metadata"].get("labels") or {}
    return document["kind"] == "ConfigMap" and "durable-prometheus-stack/record" in labels


def _is_component(document: Document) -> bool:
    """Say whether an object is of a component of our own chart, such as a provisioner."""
    labels = document["metadata"].get("labels") or {}
    return bool(labels.get("app.kubernetes.io/part-of") == META["name"])


def _brings_volumes(path: Path) -> bool:
    """Say whether a values file lists volumes; with the others a class provisions them."""
    blocks = persistence(path).values()
    return any(isinstance(block, dict) and block.get("volumes") for block in blocks)


def _masked(value: Any) -> Any:
    """Return a copy without checksums of what is not here, and without the passwords of a draw."""
    if isinstance(value, dict):
        return {
            name: "masked" if name.startswith("checksum/") or DRAWN.search(name) else _masked(part)
            for name, part in value.items()
        }
    return [_masked(part) for part in value] if isinstance(value, list) else value


def _golden(path: Path) -> str:
    found = _touched(finished(4, STAND_IN, path).documents)
    ordered = [_masked(found[name]) for name in sorted(found)]
    return yaml.dump_all(ordered, Dumper=Dumper, sort_keys=True, width=1000)


@EACH_FILE
def test_golden(path: Path, update_golden: bool) -> None:
    """A values file gives the objects that its golden file has."""
    golden = GOLDEN / path.name
    if update_golden:
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(_golden(path))
    assert golden.exists(), f"{golden} is missing: run make golden"
    assert golden.read_text() == _golden(path)


def test_golden_files_are_of_values_files(update_golden: bool) -> None:
    """No golden file is left over from a values file that is gone."""
    names = {path.name for path in FILES}
    for path in GOLDEN.iterdir():
        if update_golden and path.name not in names:
            path.unlink()
    assert names == {path.name for path in GOLDEN.iterdir()}


def _undrawn(documents: list[Document]) -> dict[Key, Document]:
    """Return the objects without the passwords that each render draws anew, and their checksum."""
    found = copy.deepcopy(objects(documents))
    for each in found.values():
        if each["metadata"]["name"] != STORE:
            continue
        if each["kind"] == "Secret":
            each["data"] = sorted(each["data"])
        if each["kind"] == "StatefulSet":
            del each["spec"]["template"]["metadata"]["annotations"]["checksum/secret"]
    return found


@EACH_SET
@EACH_CHART
def test_both_majors_give_the_same(flavour: str, files: tuple[Path, ...]) -> None:
    """Helm 3 and Helm 4 apply equal objects, hooks aside."""
    three, four = (_undrawn(finished(major, flavour, *files).documents) for major in MAJORS)
    assert sorted(three) == sorted(four)
    assert [] == [name for name in three if three[name] != four[name]]


@EACH_SET
@EACH_CHART
@EACH_MAJOR
def test_nothing_is_found(major: int, flavour: str, files: tuple[Path, ...]) -> None:
    """No rule refuses or warns, but for what a file accepts, whichever files are layered."""
    said = finished(major, flavour, *files).findings
    assert "refused" not in said
    assert accepted(files) >= set(RULE.findall(said)), said
    assert len(said.splitlines()) == LINES * len(RULE.findall(said))


@EACH_SET
@EACH_CHART
def test_every_pod_has_a_claim(flavour: str, files: tuple[Path, ...]) -> None:
    """Each pod of each consumer has a claim with size and class, and a volume or a provisioner."""
    rows = table.rows(finished(4, flavour, *files).documents)
    static = any(map(_brings_volumes, files))
    assert {"prometheus", "alertmanager", "grafana"} <= {row.consumer for row in rows}
    for row in rows:
        assert table.NONE not in (row.claim, row.size, row.storage_class, row.fs_group), row
        assert static == row.volume.startswith(f"{RELEASE}-"), row
    claims = [row.claim for row in rows]
    assert sorted(set(claims)) == sorted(claims)


@EACH_SET
@EACH_CHART
def test_nothing_unreadable_is_left(flavour: str, files: tuple[Path, ...]) -> None:
    """The plan's own kind, which no cluster knows, is gone; its record is there once."""
    documents = finished(3, flavour, *files).documents
    assert [] == [key(each) for each in documents if each["kind"] == "PersistencePlan"]
    assert 1 == len([each for each in documents if _is_record(each)])


def test_ha_runs_on_three_nodes() -> None:
    """Over a backend of static volumes the replicas of ha.yaml are on nodes of their own."""
    files = (ROOT / "values" / "local.yaml", ROOT / "values" / "ha.yaml")
    rows = table.rows(finished(4, STAND_IN, *files).documents)
    nodes = {
        consumer: [row.node for row in rows if row.consumer == consumer]
        for consumer in ("prometheus", "alertmanager")
    }
    assert ["ubuntu16-template", "second-node"] == nodes["prometheus"]
    assert ["ubuntu16-template", "second-node", "third-node"] == nodes["alertmanager"]

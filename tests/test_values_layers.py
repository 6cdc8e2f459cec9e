"""The values files that the project ships, alone and layered, before the post-renderer."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm import helm
from tests.rendering import EACH_MAJOR, at, render, rendered
from tests.tools.helm import KUBERNETES, Command, environment
from tests.tools.stage import CHART, stage
from tests.values_files import BACKENDS, FILES, PROFILES, SETS, title

FILE = {path.stem: path for path in FILES}
LAYERS = [
    *SETS,
    # A profile that is complete by itself can also be the ground for a backend.
    *itertools.product([FILE["small"]], BACKENDS),
]
PODS = {
    "prometheus": ("Prometheus", "spec.replicas"),
    "alertmanager": ("Alertmanager", "spec.replicas"),
    "thanosRuler": ("ThanosRuler", "spec.replicas"),
}
EACH_LAYER = pytest.mark.parametrize(
    "layers", LAYERS, ids=lambda layers: "+".join(path.stem for path in layers)
)


def test_values_files_are_there() -> None:
    """Each file says in its first line whether it is a backend or a profile."""
    assert {"Backend", "Profile"} == {title(path) for path in FILES}
    backends = {"csi", "hostpath", "local", "nfs", "nfs-provisioner", "nfs-static"}
    backends |= {"local-provisioner", "local-provisioner-block"}
    assert backends <= {path.stem for path in BACKENDS}
    assert {"ha", "small"} <= {path.stem for path in PROFILES}


@EACH_MAJOR
@EACH_LAYER
def test_values_files_lint(major: int, layers: tuple[Path, ...]) -> None:
    """Alone and layered, each passes the schema, the guards and `helm lint --strict`."""
    command: Command = [helm(major), "lint", "--strict", stage(), "--kube-version", KUBERNETES]
    command += [f"--values={path}" for path in layers]
    answer = subprocess.run(
        command, env=environment(major), capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 chart(s) linted, 0 chart(s) failed" in answer.stdout


@EACH_LAYER
def test_values_files_render_alike(layers: tuple[Path, ...]) -> None:
    """Helm 3 and Helm 4 give the same plan, volumes and classes."""
    three, four = (rendered(major, {}, *layers) for major in (3, 4))
    for found in (three, four):  # which Helm rendered is what the plan says of it
        del found["PersistencePlan"][0]["metadata"]["annotations"]
    for kind in ("PersistencePlan", "PersistentVolume", "StorageClass"):
        assert three.get(kind) == four.get(kind)


@EACH_LAYER
def test_values_files_hold_enough(layers: tuple[Path, ...]) -> None:
    """Each consumer of the stack is durable: a class provisions, or each pod has its own volume."""
    found = rendered(4, {}, *layers)
    static_classes = {
        each["metadata"]["name"]
        for each in found.get("StorageClass", [])
        if each["provisioner"] == "kubernetes.io/no-provisioner"
    } - _discovered(found)
    persistence = found["PersistencePlan"][0]["spec"]["persistence"]
    for consumer in ("prometheus", "alertmanager", "thanosRuler", "grafana"):
        kind, replicas = PODS.get(consumer, ("Deployment", ""))
        pods = at(found[kind][0], replicas) if replicas and kind in found else 1
        wanted = persistence[consumer]
        assert wanted["enabled"] is (kind in found)
        if wanted["enabled"] and wanted["storageClassName"] in static_classes:
            assert pods <= len({_place(volume) for volume in wanted["volumes"]})


def _discovered(found: dict[str, list[Any]]) -> set[str]:
    """Return the classes whose volumes a local static provisioner of the stream makes."""
    maps = [each["data"].get("storageClassMap", "{}") for each in found.get("ConfigMap", [])]
    return {name for each in maps for name in yaml.safe_load(each)}


def _place(volume: Any) -> str:
    """Return what loses all its volumes together: a node, or an export where there is none."""
    return str(volume.get("node") or volume["nfs"])


@EACH_LAYER
def test_values_files_share_no_directory(layers: tuple[Path, ...]) -> None:
    """No two volumes of a node or server are the same directory, or one inside the other."""
    volumes = rendered(4, {}, *layers).get("PersistentVolume", [])
    places = [_directory(volume["spec"]) for volume in volumes]
    for (node, path), (other_node, other) in itertools.permutations(places, 2):
        assert node != other_node or not path.is_relative_to(other)


def _directory(volume: Any) -> tuple[str, Path]:
    """Return the node or server of a volume, and its path there."""
    if nfs := volume.get("nfs"):
        return nfs["server"], Path(nfs["path"])
    path = Path(at(volume, "local.path") or at(volume, "hostPath.path"))
    (term,) = volume["nodeAffinity"]["required"]["nodeSelectorTerms"]
    return term["matchExpressions"][0]["values"][0], path


@pytest.mark.parametrize("path", [CHART / "values.yaml", *FILES], ids=lambda path: path.name)
def test_values_files_have_no_doubled_key(path: Path) -> None:
    """A key that stands twice would lose its first value without a word."""
    seen: list[Any] = [yaml.compose(path.read_text(), yaml.SafeLoader)]
    while seen:
        node = seen.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert sorted(set(keys)) == sorted(keys)
            seen += [value for _, value in node.value]
        if isinstance(node, yaml.SequenceNode):
            seen += node.value


def test_scenario_a() -> None:
    """values/local.yaml gives the one disk of one node to Prometheus, as it was done by hand."""
    found = rendered(4, {}, FILE["local"])
    volume = found["PersistentVolume"][0]["spec"]
    assert volume["capacity"] == {"storage": "200Gi"}
    assert volume["local"] == {"path": "/mnt/disks/vol1"}
    assert volume["storageClassName"] == "local-storage"
    assert "ubuntu16-template" in render(4, {}, FILE["local"])
    (storage_class,) = found["StorageClass"]
    assert storage_class["provisioner"] == "kubernetes.io/no-provisioner"
    assert storage_class["volumeBindingMode"] == "WaitForFirstConsumer"


def test_scenario_d() -> None:
    """values/hostpath.yaml gives each consumer a sub-directory and fixes its ownership."""
    found = rendered(4, {}, FILE["hostpath"])
    node = "i-0jl8d8r83kkf3yt5lzh7"
    first = [each["spec"] for each in found["PersistentVolume"] if node in json.dumps(each)]
    base = "/home/t4/prometheus/data"
    names = ("prometheus", "alertmanager", "thanos-ruler", "grafana")
    assert [f"{base}/{name}" for name in names] == [each["hostPath"]["path"] for each in first]
    persistence = found["PersistencePlan"][0]["spec"]["persistence"]
    for consumer in ("prometheus", "alertmanager", "thanosRuler", "grafana"):
        assert persistence[consumer]["fixOwnership"] is True
    assert persistence["grafana"]["subPath"] == "grafana-db"

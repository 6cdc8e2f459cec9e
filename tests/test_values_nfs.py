"""The values files for NFS, with Helm 3 and Helm 4: scenario B, and what its comments promise."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.rendering import EACH_MAJOR, rendered
from tests.values_files import ROOT

NAMES = ("nfs", "nfs-static", "nfs-provisioner")
FILE = {name: ROOT / "values" / f"{name}.yaml" for name in NAMES}
CONSUMERS = ("prometheus", "alertmanager", "thanosRuler", "grafana")
EXPORT = re.compile(r"^#   (/\S+) +192\.0\.2\.0/24\((\S+)\)$", re.MULTILINE)
NFS_OPTIONS = ["nfsvers=4.1", "hard", "noatime"]


@EACH_MAJOR
def test_scenario_b(major: int) -> None:
    """values/nfs.yaml gives each claim a directory by csi-driver-nfs, and nothing deletes it."""
    found = rendered(major, {}, FILE["nfs"])
    servers, grafana = found["StorageClass"]
    for each in (servers, grafana):
        shown = (each["provisioner"], each["reclaimPolicy"], each["mountOptions"])
        assert ("nfs.csi.k8s.io", "Retain", NFS_OPTIONS) == shown
        parameters = each["parameters"]
        assert "${pvc.metadata.namespace}/${pvc.metadata.name}" == parameters["subDir"]
        kept = (parameters["server"], parameters["onDelete"], parameters["mountPermissions"])
        assert ("k8s-node2", "retain", "0") == kept
    assert servers["parameters"]["share"] == "/mnt/data/prometheus_data/k8s-volume"
    persistence = found["PersistencePlan"][0]["spec"]["persistence"]
    assert persistence["accept"] == ["volumes/posix"]
    names = {each["metadata"]["name"] for each in (servers, grafana)}
    for consumer in ("prometheus", "alertmanager", "thanosRuler", "grafana"):
        assert persistence[consumer]["storageClassName"] in names
        assert persistence[consumer]["fixOwnership"] is False


@EACH_MAJOR
def test_nfs_static_has_a_directory_for_each_pod(major: int) -> None:
    """values/nfs-static.yaml: enough for values/ha.yaml, each mounted as NFS 4.1 and retained."""
    found = rendered(major, {}, FILE["nfs-static"])
    specs = [each["spec"] for each in found["PersistentVolume"]]
    paths = {spec["nfs"]["path"] for spec in specs}
    assert (2 + 3 + 1, 6) == (len(specs), len(paths))
    for spec in specs:
        assert ("Retain", NFS_OPTIONS) == (
            spec["persistentVolumeReclaimPolicy"],
            spec["mountOptions"],
        )


@pytest.mark.parametrize("name", NAMES)
def test_comments_show_a_safe_export(name: str) -> None:
    """Each export that a file uses is shown with its options: all squashed, to no root."""
    text = FILE[name].read_text()
    shown = dict(EXPORT.findall(text))
    used = set(re.findall(r"/mnt/data/\w+(?:/k8s-volume)?", text.partition("\n\n")[2]))
    assert used
    assert used == set(shown)
    for options in shown.values():
        assert "all_squash,anonuid=" in options
        assert not [word for word in ("no_root_squash", "insecure", "=0") if word in options]
    readme = (ROOT / "README.md").read_text()
    assert [] == [line for line in shown.values() if line not in readme]


@pytest.mark.parametrize("name", NAMES)
def test_nobody_is_made_owner(name: str) -> None:
    """Where all are squashed nothing is chowned; what is accepted is said and nothing more."""
    persistence = yaml.safe_load(FILE[name].read_text())["persistence"]
    assert not [c for c in CONSUMERS if persistence[c].get("fixOwnership")]
    unseen = ["ownership/ignored"] if name == "nfs-static" else []
    assert ["volumes/posix", *unseen] == persistence["accept"]

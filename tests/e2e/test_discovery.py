"""What the chart's provisioner does with Delete and with devices, without a stack.

The disks are loop devices of the one node. For the program see tests/e2e/discovery.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e import discovery
from tests.e2e.discovery import Discovery, path

pytestmark = pytest.mark.e2e

SIZE = "64M"
MEBIBYTES = 64
# Files of another user, in a folder that only that user may enter, and in a sticky one.
LITTER = """\
mkdir -m 700 /data/private && echo secret > /data/private/file && chown -R 1000:1000 /data/private
mkdir -m 1777 /data/sticky && echo other > /data/sticky/file && chown 1001 /data/sticky/file
chown 1000 /data/sticky
"""


def alone(cluster: Cluster, name: str, *classes: dict[str, str]) -> Discovery:
    """Return a provisioner, or skip where the cluster is not ours."""
    try:
        return discovery.alone(cluster, name, *classes)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))


def test_delete_empties_the_disk(ready_cluster: Cluster) -> None:
    """With Delete a disk is emptied and offered anew, by root without a privilege more."""
    found = alone(ready_cluster, "emptied", {"name": "scratch", "reclaimPolicy": "Delete"})
    disk = ready_cluster.disk(f"{found.root.name}/scratch/disk1", SIZE)
    with discovery.installed(found):
        (container,) = found.pod()["spec"]["containers"]
        assert container["securityContext"]["privileged"] is False
        (before,) = found.wait_for_volumes("scratch", "Available")
        discovery.worker(found, "scratch", LITTER)
        assert {"private", "sticky"} <= {each.name for each in disk.iterdir()}
        discovery.dismiss(found, "scratch")

        def again() -> bool:
            (after,) = found.wait_for_volumes("scratch", "Available")
            return bool(before["metadata"]["uid"] != after["metadata"]["uid"])

        ready_cluster.wait("the disk is offered anew", again, namespace=found.release.namespace)
        assert [] == list(disk.iterdir())
        verbs = {verb for verb, _, what in discovery.rights(found) if "persistentvolumes" == what}
        assert {"get", "list", "watch", "create", "delete"} == verbs
        assert "forbidden" not in found.log()


def device(cluster: Cluster, link: Path) -> str:
    """Make a loop device of a file on the node, with a link to it; return its path."""
    machine = cluster.machine
    assert machine
    image = machine.layout.disk_images / f"{link.parent.parent.name}-{link.parent.name}"
    run("truncate", f"--size={SIZE}", image)
    made = run("losetup", "--find", "--show", image).strip()
    link.symlink_to(made)
    return made


def test_devices(ready_cluster: Cluster) -> None:
    """A device is measured, and handed on as it is or with a file system made at first use."""
    classes = ({"name": "formatted", "fsType": "ext4"}, {"name": "raw", "volumeMode": "Block"})
    found = alone(ready_cluster, "devices", *classes)
    links = [found.root / each["name"] / "disk1" for each in classes]
    made = [device(ready_cluster, link) for link in links]
    try:
        with discovery.installed(found):
            for link, mode in zip(links, ("Filesystem", "Block"), strict=True):
                (volume,) = found.wait_for_volumes(link.parent.name, "Available")
                assert str(link) == path(volume)
                assert f"{MEBIBYTES}Mi" == volume["spec"]["capacity"]["storage"]
                assert mode == volume["spec"]["volumeMode"]
            discovery.worker(found, "formatted", "grep ' /data ext4 ' /proc/mounts")
            script = f"test $(blockdev --getsize64 /dev/disk) = {MEBIBYTES << 20}"
            discovery.worker(found, "raw", script, mode="Block")
            for link in links:
                discovery.dismiss(found, link.parent.name)
                found.wait_for_volumes(link.parent.name, "Released")
    finally:
        for each in made:
            run("losetup", "--detach", each)

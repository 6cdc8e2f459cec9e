"""The README's commands for disks, run as they stand: on a loop device, in mounts of their own.

LVM cannot be tried: there is no device mapper on the test machine. What follows it, a file system
that grows while it is mounted, is; ext4 only where root may (CAP_SYS_RESOURCE), else unmounted.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import host
from tests.cluster.commands import run

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes file systems and mounts"),
]

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
SMALL, LARGE = 400, 600
XFS = {
    "mkfs.ext4 -m 0": "mkfs.xfs",
    " ext4 defaults": " xfs defaults",
    'resize2fs "$DISK"': "xfs_growfs /data/local/prometheus/disk1",
}


CAP_SYS_RESOURCE = 24


def may_grow_mounted() -> bool:
    """Whether the kernel lets this process grow an ext4 file system that is mounted."""
    status = Path("/proc/self/status").read_text()
    (found,) = re.findall(r"^CapEff:\s+(\w+)$", status, re.MULTILINE)
    return bool(int(found, 16) >> CAP_SYS_RESOURCE & 1)


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    """Have the programs that make file systems."""
    host.install_packages()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A loop device, and the file behind it."""
    image = tmp_path / "image"
    run("truncate", f"--size={SMALL}M", image)
    made = run("losetup", "--find", "--show", image).strip()
    yield Path(made)
    run("losetup", "--detach", made)


def block(text: str) -> str:
    """Return the one block of the README that has a text."""
    (found,) = [each for each in BLOCKS if text in each]
    return str(found)


def session(folder: Path, *scripts: str) -> str:
    """Run scripts one after another in mounts of their own, with /data and fstab below a folder."""
    (folder / "fstab").touch()
    text = "\n".join(["mount --bind fstab /etc/fstab", *scripts])
    for path in ("/data/", "/srv/"):
        text = text.replace(path, f"{folder}{path}")
    return run(
        *("unshare", "--mount", "--propagation=private", "bash", "-euc", f"cd {folder}\n{text}"),
    )


def test_the_blocks_are_these() -> None:
    """Each block that is for a node is run below."""
    said = ("mkfs.ext4", "none bind", "resize2fs", "-mindepth 1 -delete")
    assert sorted(map(block, said)) == sorted(BLOCKS)


@pytest.mark.parametrize("system", ["ext4", "xfs"])
def test_disk(tmp_path: Path, disk: Path, system: str) -> None:
    """A disk is made, mounted by its UUID, grown while it is mounted, and emptied."""
    make, grow, wipe = map(block, ("mkfs.ext4", "resize2fs", "-mindepth 1 -delete"))
    place = "/data/local/prometheus/disk1"
    size = f"df --output=size -m {place} | tail -1"
    scripts = [
        make.replace("/dev/sdb", str(disk)),
        f"stat --format=%a {place}; findmnt --noheadings --output=FSTYPE {place}; {size}",
        f"mkdir {place}/.hidden && touch {place}/.hidden/file {place}/file",
        f"truncate --size={LARGE}M image && losetup --set-capacity {disk}",
        grow,
        size,
        wipe,
        f"find {place} -mindepth 1 | wc -l; umount {place}; mount {place}; {size}",
    ]
    if system == "xfs":
        scripts = [_replaced(each) for each in scripts]
    elif not may_grow_mounted():
        unmounted = f"umount {place}; e2fsck -fp $DISK >&2; {grow} mount {place}"
        scripts = [unmounted if each == grow else each for each in scripts]
    told = [line.strip() for line in session(tmp_path, *scripts).splitlines()]
    numbers = [int(line) for line in told if line.isdigit()]
    mode, small, large, left, again = numbers
    assert (755, 0) == (mode, left)
    assert system in told
    assert SMALL * 0.8 < small < SMALL < large == again < LARGE


def _replaced(script: str) -> str:
    for ext4, xfs in XFS.items():
        script = script.replace(ext4, xfs)
    return script


def test_plain_directory(tmp_path: Path) -> None:
    """A directory that is mounted onto itself is a mount point in the kernel's list."""
    place = f"{tmp_path}/data/local/grafana/disk1"
    told = session(tmp_path, block("none bind"), "cat /proc/mounts")
    assert [place] == [line.split()[1] for line in told.splitlines() if place in line]


def test_nothing_is_left(tmp_path: Path) -> None:
    """The machine's own mounts have none of this: the tests above changed what they should."""
    mounts = subprocess.run(["cat", "/proc/mounts"], capture_output=True, text=True, check=True)
    assert str(tmp_path.parent) not in mounts.stdout

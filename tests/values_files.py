"""The files of values/: what each is, which are layered over which, what each takes on itself."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "values").glob("*.yaml"))


def title(path: Path) -> str:
    """Return what a values file is, as its first line says: Backend or Profile."""
    return path.read_text().partition(":")[0].removeprefix("# ")


BACKENDS = [path for path in FILES if title(path) == "Backend"]
PROFILES = [path for path in FILES if title(path) == "Profile"]
PAIRS = list(itertools.product(BACKENDS, PROFILES))
SETS: list[tuple[Path, ...]] = [*((path,) for path in FILES), *PAIRS]
"""Each file alone, and each profile over each backend."""


def persistence(path: Path) -> dict[str, Any]:
    """Return what a values file says under `persistence`."""
    found: dict[str, Any] = yaml.safe_load(path.read_text()).get("persistence") or {}
    return found


def accepted(files: tuple[Path, ...]) -> set[str]:
    """Return the rules whose refusal the files take on themselves: each then warns."""
    return {rule for path in files for rule in persistence(path).get("accept", [])}

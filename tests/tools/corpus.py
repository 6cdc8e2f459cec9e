"""The recorded streams of real charts, in $DURABLE_CORPUS or ../shared/corpus, where they are."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("DURABLE_CORPUS") or ROOT.parent / "shared" / "corpus")
ABSENT = f"no recorded streams in {FOLDER}: set DURABLE_CORPUS to a folder of *.yaml.gz"
SUFFIX = ".yaml.gz"


def names() -> list[str]:
    """Return the names of the recorded streams, or none where the folder is absent."""
    return sorted(path.name.removesuffix(SUFFIX) for path in FOLDER.glob(f"*{SUFFIX}"))


def stream(name: str) -> bytes:
    """Return the recorded stream of this name."""
    return gzip.decompress((FOLDER / f"{name}{SUFFIX}").read_bytes())

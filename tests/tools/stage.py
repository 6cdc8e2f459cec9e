"""Put the chart and its dependency together, ready to render, without a change to chart/ itself."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "chart"
STAGE = ROOT / ".tools" / "stage"
STAND_IN = ROOT / "tests" / "charts" / "kube-prometheus-stack"
DEPENDENCY = "kube-prometheus-stack"


class StageError(Exception):
    """The dependency that was asked for is not there."""


@dataclass(frozen=True)
class Flavour:
    """One place that the dependency can come from."""

    name: str
    find: Callable[[], Path | None]
    says: str
    """Why this one; its path goes where the braces are."""
    missing: str


def _built() -> Path | None:
    packages = sorted((CHART / "charts").glob(f"{DEPENDENCY}-*.tgz"))
    return packages[-1] if packages else None


def _given() -> Path | None:
    value = os.environ.get("KPS_CHART")
    return Path(value).resolve() if value else None


FLAVOURS = (
    Flavour(
        "built",
        _built,
        "the real chart, {} (helm dependency build)",
        f"chart/charts holds no {DEPENDENCY}-*.tgz: run helm dependency build chart",
    ),
    Flavour(
        "given",
        _given,
        "the chart that KPS_CHART names, {}",
        f"KPS_CHART is not set: set it to a folder or package of {DEPENDENCY}",
    ),
    Flavour(
        "stand-in",
        lambda: STAND_IN,
        "the offline stand-in, {} (no package in chart/charts, KPS_CHART not set)",
        "the stand-in is always named",
    ),
)
"""The order is the preference: the nearer to what users run, the earlier."""


def stage(flavour: str | None = None) -> Path:
    """Stage the chart with the named flavour of its dependency, or the first that is there."""
    return _stage(*_choose(flavour))


def _choose(name: str | None) -> tuple[Flavour, Path]:
    wanted = [each for each in FLAVOURS if name in (None, each.name)]
    if not wanted:
        known = ", ".join(each.name for each in FLAVOURS)
        message = f"unknown flavour {name!r}: use one of {known}"
        raise StageError(message)
    for each in wanted:
        if source := each.find():
            return each, source
    raise StageError(wanted[0].missing)


def _stage(flavour: Flavour, source: Path) -> Path:
    _check(source)
    target = STAGE / flavour.name
    with _lock(target):
        digest = _digest(CHART, source)
        stamp = target.with_suffix(".digest")
        # A copy that is current is left alone: another run may be reading it.
        if not (target.is_dir() and stamp.is_file() and stamp.read_text() == digest):
            stamp.unlink(missing_ok=True)
            _copy(source, target)
            stamp.write_text(digest)
    return target


def _check(source: Path) -> None:
    if not (source / "Chart.yaml").is_file() and not _is_package(source):
        message = f"{source} is neither a chart folder nor a chart package"
        raise StageError(message)


def _is_package(source: Path) -> bool:
    return source.is_file() and tarfile.is_tarfile(source)


@contextmanager
def _lock(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _digest(*sources: Path) -> str:
    """Change whenever a file below the sources does."""
    seen = hashlib.sha256()
    for source in sources:
        for path in (source, *sorted(source.rglob("*"))):
            if path.is_file():
                facts = path.stat()
                seen.update(f"{path} {facts.st_size} {facts.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _copy(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(
        CHART, target, ignore=lambda folder, _: ["charts"] if Path(folder) == CHART else []
    )
    dependencies = target / "charts"
    dependencies.mkdir()
    if source.is_dir():
        shutil.copytree(source, dependencies / DEPENDENCY)
    else:
        shutil.copy2(source, dependencies)


def main(arguments: list[str] | None = None) -> int:
    """Say which dependency is used, then print the staged chart's path as the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [each.name for each in FLAVOURS]
    parser.add_argument("flavour", nargs="?", choices=names, help="default: the first there is")
    try:
        flavour, source = _choose(parser.parse_args(arguments).flavour)
        target = _stage(flavour, source)
    except StageError as error:
        print(f"stage: {error}", file=sys.stderr)
        return 1
    print(f"{DEPENDENCY}: {flavour.says.format(_short(source))}")
    print(target)
    return 0


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


if __name__ == "__main__":
    sys.exit(main())

"""What is measured: three programs that do the same edits, on streams as Helm gives them."""

from __future__ import annotations

import gzip
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Program
from tests.tools import corpus, helm

BENCH = Path(__file__).resolve().parent
BIN = helm.ROOT / ".tools" / "bin"
CHUNK = 1 << 16
COPIES = 100
COPIES_PEAK_BAR = 600


@dataclass(frozen=True)
class Case:
    """A stream, and what is asked on it: the share of kustomize's time, and the peak in MiB."""

    name: str
    ratio_bar: float | None = None
    peak_bar: int | None = None


CASES = (Case("kps-88.5.3-default", 0.40, 45), Case("kps-88.5.3-crds", 0.08, 60))
# Too small a stream to hold a bar: starting up is most of it.
STAGED = Case("the staged chart")


def prepared(folder: Path) -> Iterator[tuple[Case, Path]]:
    """Yield each case with a folder that holds its stream and the edits."""
    if not corpus.names():
        print(f"{corpus.ABSENT};\nthis is the stream of the staged chart, without CRDs\n")
    for case in CASES if corpus.names() else [STAGED]:
        place = folder / case.name
        shutil.copytree(BENCH / "edits", place)
        if case is STAGED:
            render(place / "stream.yaml")
        else:
            unpack(case.name, place / "stream.yaml")
        yield case, place


def unpack(name: str, target: Path) -> None:
    """Unpack a recorded stream, in pieces: what this process holds counts as its children's."""
    source = corpus.FOLDER / f"{name}{corpus.SUFFIX}"
    with gzip.open(source) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain, CHUNK)


def render(target: Path) -> None:
    """Render the staged chart's dependency as it is."""
    chart = helm.staged() / "charts" / "kube-prometheus-stack"
    package = next(chart.parent.glob("*.tgz"), chart)
    command: helm.Command = [helm.binary(3), "template", helm.RELEASE, package]
    command += ["--namespace", helm.NAMESPACE, "--kube-version", helm.KUBERNETES]
    with target.open("wb") as plain:
        subprocess.run(command, env=helm.environment(3), stdout=plain, check=True)


def multiply(source: Path, target: Path) -> None:
    """Write one stream many times over, as one."""
    with target.open("wb") as plain:
        for _ in range(COPIES):
            plain.write(b"---\n")
            with source.open("rb") as single:
                shutil.copyfileobj(single, plain, CHUNK)


def durable(folder: Path, stream: str = "stream.yaml") -> Program:
    """Return the post-renderer on a stream of the folder."""
    door = helm.ROOT / "postrender" / "durable.sh"
    command = (door, "--plan", BENCH / "plan.yaml")
    return Program("durable", command, folder, folder / stream)


def trio(folder: Path) -> tuple[Program, ...]:
    """Return the three on the folder's stream."""
    return (
        durable(folder),
        Program("kustomize", (BIN / "kustomize", "build", "."), folder),
        Program("yq", (BIN / "yq", "--from-file", "edits.yq", "stream.yaml", "claim.yaml"), folder),
    )

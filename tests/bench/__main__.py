"""Measure the post-renderer beside kustomize and yq: figures inform, only wrong work fails."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.bench import programs
from tests.bench.measure import FailedError, floor, interleaved, middle, ratio, run
from tests.bench.programs import Case

HEAD = ("program", "wall s", "cpu s", "wall / kustomize", "peak MiB")
WIDTHS = (11, 8, 8, 26, 26)


def show(*cells: str) -> None:
    """Print the cells of a line in columns."""
    print("  ".join(map(str.ljust, cells, WIDTHS)).rstrip())


def held(figure: float, bar: float | None, digits: int) -> str:
    """Return a figure with the bar that it is held against, where there is one."""
    if bar is None:
        return f"{figure:.{digits}f}"
    verdict = "met" if figure <= bar else "MISSED"
    return f"{figure:.{digits}f} (bar {bar:g}: {verdict})"


def compare(case: Case, folder: Path, rounds: int) -> float:
    """Measure the three programs on one stream; return the post-renderer's median wall time."""
    trio = programs.trio(folder)
    columns = interleaved(trio, rounds)
    size = (folder / "stream.yaml").stat().st_size
    print(f"{case.name}: {size / 1000:.0f} kB, {rounds} rounds")
    show(*HEAD)
    for program, samples in zip(trio, columns, strict=True):
        sample, share = middle(samples), ratio(samples, columns[1])
        bars = (case.ratio_bar, case.peak_bar) if program is trio[0] else (None, None)
        show(
            program.name,
            f"{sample.wall:.3f}",
            f"{sample.cpu:.3f}",
            held(share, bars[0], 3),
            held(sample.peak, bars[1], 1),
        )
    print()
    return middle(columns[0]).wall


def multiply(case: Case, folder: Path, single: float) -> None:
    """Measure the post-renderer on many copies of one stream, beside the time of one."""
    programs.multiply(folder / "stream.yaml", folder / "many.yaml")
    sample = run(programs.durable(folder, "many.yaml"))
    size = (folder / "many.yaml").stat().st_size
    print(f"{case.name} {programs.COPIES} times in one: {size / 1e6:.0f} MB, one run")
    show("program", "wall s", "cpu s", "wall / wall of one", "peak MiB")
    times = held(sample.wall / single, programs.COPIES, 1)
    peak = held(sample.peak, programs.COPIES_PEAK_BAR, 0)
    show("durable", f"{sample.wall:.3f}", f"{sample.cpu:.3f}", times, peak)
    print()


def agree(folders: list[Path]) -> bool:
    """Say whether the three outputs hold the same storage, read with other code than ours."""
    # Imported after the last measurement: what this process holds counts as its children's.
    from tests.tools import documents, table  # noqa: PLC0415

    same = True
    for folder in folders:
        tables = {}
        for program in programs.trio(folder):
            run(program, folder / "output")
            rows = table.rows(documents.load((folder / "output").read_bytes()))
            tables[program.name] = "\n".join(table.lines(rows))
        if len(set(tables.values())) > 1:
            same = False
            print(f"{folder.name}: the outputs differ")
            print(*(f"{name}:\n{found}" for name, found in tables.items()), sep="\n")
    return same


def main() -> int:
    """Run all of it."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="runs of each program (15)")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        try:
            cases = list(programs.prepared(Path(place)))
            walls = [compare(case, folder, rounds) for case, folder in cases]
            multiply(*cases[0], walls[0])
            print(f"A peak of {floor():.1f} MiB means at most that: it is the measuring process'.")
            same = agree([folder for _, folder in cases])
        except FailedError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 1
    print("The three outputs hold the same storage." if same else "The work was not the same.")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())

"""Render values files with Helm 3 and Helm 4, and show what will hold the data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from tests.tools import helm, table
from tests.tools.documents import Document, Key, is_hook, key, load

VALUES = "values/local.yaml"
# Without a given one the dependency makes a random password in each render.
SETTINGS = {"kube-prometheus-stack.grafana.adminPassword": "for-the-demo"}


def without_nulls(value: Any) -> Any:
    """Return a copy without null fields: Helm 4 drops `annotations:` that hold nothing."""
    if isinstance(value, dict):
        return {name: without_nulls(part) for name, part in value.items() if part is not None}
    return [without_nulls(part) for part in value] if isinstance(value, list) else value


def objects(documents: list[Document]) -> dict[Key, Document]:
    """Return what a release would hold; hooks are aside, Helm 3 does not post-render them."""
    return {key(each): without_nulls(each) for each in documents if not is_hook(each)}


def main(values: Sequence[str]) -> int:
    """Show the table, and whether both majors gave the same objects."""
    chart = helm.staged()
    files = [helm.ROOT / each for each in values or [VALUES]]
    three, four = (load(helm.template(major, chart, files, SETTINGS)) for major in helm.MAJORS)
    names = " + ".join(values or [VALUES])
    print(f"\n{names} through the post-renderer, release {helm.RELEASE}:\n")
    print("\n".join(table.lines(table.rows(four))))
    one, other = objects(three), objects(four)
    differing = [each for each in one.keys() | other.keys() if one.get(each) != other.get(each)]
    if differing:
        print("\nHelm 3 and Helm 4 differ in:", *sorted(map("/".join, differing)), sep="\n  ")
        return 1
    print(f"\nHelm 3 and Helm 4 gave the same {len(one)} objects (hooks aside).")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Print the post-rendered stream of the chart with some values files, as Helm 4 gives it."""

from __future__ import annotations

import sys

from tests.tools import helm


def main(values: list[str]) -> None:
    """Render, and write the stream to stdout; everything else is said on stderr."""
    sys.stdout.buffer.write(helm.template(4, helm.staged(), values))


if __name__ == "__main__":
    main(sys.argv[1:])

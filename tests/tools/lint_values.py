"""Run `helm lint --strict` of both majors over the chart, with each values file by itself."""

from __future__ import annotations

import sys

from tests.tools import helm


def main() -> int:
    """Lint every pair of values file and major; say what a failed one says."""
    chart = helm.staged()
    failed = 0
    files = [chart / "values.yaml", *sorted((helm.ROOT / "values").glob("*.yaml"))]
    for major, values in ((major, values) for major in helm.MAJORS for values in files):
        answer = helm.lint(major, chart, values)
        if answer.returncode:
            failed += 1
            print(f"helm{major} lint, {values.name}:\n{answer.stdout}{answer.stderr}")
    print(f"helm lint --strict: {len(files)} values files with Helm 3 and 4, {failed} failed")
    return 1 if failed or len(files) == 1 else 0


if __name__ == "__main__":
    sys.exit(main())

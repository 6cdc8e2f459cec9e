"""Fetch the chart's dependency, of exactly the version that Chart.yaml names, into chart/charts.

Without the repository nothing is lost but nearness to life: the offline stand-in is staged instead.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

from tests.tools import helm

CHART = helm.ROOT / "chart"
PATIENCE = 60


def fetch(name: str, version: str, repository: str) -> str | None:
    """Pull a chart package; return why that failed, or None."""
    command: helm.Command = [helm.binary(4), "pull", name, "--version", version]
    command += ["--repo", repository, "--destination", CHART / "charts"]
    variables = helm.environment(4)
    try:
        subprocess.run(
            command, env=variables, capture_output=True, text=True, check=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"no answer in {PATIENCE} s"
    except subprocess.CalledProcessError as error:
        return str(error.stderr).strip().rsplit(": ", 1)[-1]
    return None


def main() -> None:
    """Fetch each dependency that is not there, and say what came of it."""
    for each in yaml.safe_load(Path(CHART, "Chart.yaml").read_text("utf-8"))["dependencies"]:
        what = f"{each['name']} {each['version']}"
        if (CHART / "charts" / f"{each['name']}-{each['version']}.tgz").is_file():
            continue
        failed = fetch(each["name"], each["version"], each["repository"])
        result = f"cannot be fetched ({failed}): the stand-in serves" if failed else "is fetched"
        print(f"setup: {what} {result}", file=sys.stderr)


if __name__ == "__main__":
    main()

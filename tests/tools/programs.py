"""Put pinned programs under .tools/bin: the machine's own where it fits, else by `go install`.

python3 tests/tools/programs.py helm3 helm4 kustomize yq
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".tools" / "bin"
Version = tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """Where a program comes from and how it says its version."""

    version: str
    module: str
    ask: tuple[str, ...]
    variables: tuple[str, ...] = ()
    machine: tuple[str, ...] = ()  # names on the PATH that may be taken instead
    least: Version = ()  # from this version on, within the same major

    @property
    def instead(self) -> str:
        """What may be installed in place of Go."""
        return f", or {'.'.join(map(str, self.least))} or newer of it" if self.least else ""

    def fits(self, found: Version) -> bool:
        """Say whether a program of this version can be used."""
        pinned = numbers(self.version)
        return found == pinned or (found[:1] == pinned[:1] and () < self.least <= found)


HELM_ASKS = ("version", "--template", "{{.Version}}")
PROGRAMS = {
    "helm3": Program(
        version="3.22.0",
        module="helm.sh/helm/v3/cmd/helm",
        ask=HELM_ASKS,
        # Without these a Helm that `go install` made says 3.22 and believes in Kubernetes 1.20.
        variables=(
            "helm.sh/helm/v3/internal/version.version=v3.22.0",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
            "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=36",
        ),
        machine=("helm3", "helm"),
        least=(3, 17, 0),
    ),
    "helm4": Program(
        version="4.3.1",
        module="helm.sh/helm/v4/cmd/helm",
        ask=HELM_ASKS,
        variables=("helm.sh/helm/v4/internal/version.version=v4.3.1",),
        machine=("helm4", "helm"),
        least=(4, 2, 4),
    ),
    # The two that `make bench` measures are never the machine's own: figures need one version.
    "kustomize": Program("5.8.2", "sigs.k8s.io/kustomize/kustomize/v5", ("version",)),
    "yq": Program("4.53.6", "github.com/mikefarah/yq/v4", ("--version",)),
}


def numbers(text: str) -> Version:
    """Return the first x.y.z of a text as numbers, or nothing."""
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(part) for part in found.groups()) if found else ()


def version_of(path: Path, program: Program) -> Version:
    """Return the version that the program at this path tells, or nothing where it does not run."""
    try:
        answer = subprocess.run([path, *program.ask], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return numbers(answer.stdout)


def from_machine(name: str, program: Program) -> str | None:
    """Link the machine's own program, and say which it is."""
    for candidate in program.machine:
        path = shutil.which(candidate)
        if path and program.fits(found := version_of(Path(path), program)):
            (BIN / name).unlink(missing_ok=True)
            (BIN / name).symlink_to(path)
            return f"the machine's {path} {'.'.join(map(str, found))}"
    return None


def by_go(name: str, program: Program) -> str:
    """Build the pinned version, and say what was built."""
    if not shutil.which("go"):
        sys.exit(f"setup: {name} is missing: install Go 1.26 or newer to build it{program.instead}")
    source = f"{program.module}@v{program.version}"
    print(f"setup: go install {source} (a minute or two)", file=sys.stderr)
    flags = " ".join(["-s", "-w", *(f"-X {variable}" for variable in program.variables)])
    with tempfile.TemporaryDirectory(dir=BIN) as folder:
        environment = os.environ | {"GOBIN": folder, "CGO_ENABLED": "0", "GOFLAGS": ""}
        command = ["go", "install", "-trimpath", "-ldflags", flags, source]
        if subprocess.run(command, env=environment, check=False).returncode:
            sys.exit(f"setup: go install {source} failed")
        # A rename replaces a program that is running, a copy over it would not.
        next(Path(folder).iterdir()).replace(BIN / name)
    return f"{source} by go install"


def main(names: list[str]) -> None:
    """Put each named program in its place."""
    BIN.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = PROGRAMS[name]
        if program.fits(version_of(BIN / name, program)):
            continue
        taken = from_machine(name, program) or by_go(name, program)
        print(f"setup: {name} is {taken}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])

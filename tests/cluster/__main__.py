"""`python -m tests.cluster up|down|status|build|thanos`: the cluster for a person."""

from __future__ import annotations

import argparse
import logging
import sys

from tests.cluster import host, images, programs
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.recipes import ON_DEMAND, RECIPES
from tests.cluster.signals import end_on_sigterm


def build(_machine: Machine) -> None:
    """Install the Debian packages, build the programs and write the images."""
    host.prepare()
    programs.build_all()
    for name, recipe in RECIPES.items():
        if name not in ON_DEMAND:
            images.image(recipe())
    print(f"programs and images are in {programs.cache()}")


def thanos(_machine: Machine) -> None:
    """Build Thanos, which is no part of `build`, and write its image."""
    programs.build_all("thanos")
    print(f"the image is {images.image(RECIPES['thanos']()).archive}")


def up(machine: Machine) -> None:
    """Bring the cluster up and say how to reach it."""
    machine.up(owned=False)
    status(machine)


def down(machine: Machine) -> None:
    """Take the cluster down, or what a killed run left of one."""
    told = "the cluster is down" if machine.running else "no cluster is up"
    machine.down()
    print(told)


def status(machine: Machine) -> None:
    """Say what runs, and how to reach it."""
    for name, process in sorted(machine.state.components.items()):
        print(f"{name:<25}{'runs' if process.alive else 'DEAD'}  process {process.pid}")
    print(machine.kubectl("get", "nodes").rstrip())
    print(f"logs: {machine.layout.logs}")
    print(f"kubectl: {programs.program('kubectl')}")
    print(f"export KUBECONFIG={machine.layout.kubeconfig}")


COMMANDS = {"up": up, "down": down, "status": status, "build": build, "thanos": thanos}


def main() -> int:
    """Run one command; exit 1 with a message when it cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    chosen = parser.parse_args().command
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    end_on_sigterm()
    try:
        COMMANDS[chosen](Machine(Layout.default()))
    except ClusterError as error:
        print(f"{chosen}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{chosen}: interrupted", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What a running cluster consists of, written down so that another process can take it down."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.cluster.namespaces import Process

NONE = Process(0, 0)


@dataclass(frozen=True)
class State:
    """The processes and folders of one cluster."""

    owner: Process = NONE  # the test run that it belongs to; none for one that a person started
    machine: Process = NONE
    node: Process = NONE
    boot_id: str = ""
    components: dict[str, Process] = field(default_factory=dict)
    made: tuple[str, ...] = ()  # folders of the machine that were not there before

    def with_component(self, name: str, process: Process) -> State:
        """Return the state with one more program, or another in the place of an older one."""
        return replace(self, components={**self.components, name: process})

    def without_components(self, names: Collection[str]) -> State:
        """Return the state without some programs."""
        kept = {name: each for name, each in self.components.items() if name not in names}
        return replace(self, components=kept)


def write(path: Path, state: State) -> State:
    """Write a state so that a reader sees all of it or the one before."""
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(asdict(state), indent=2))
    scratch.rename(path)
    return state


def read(path: Path) -> State | None:
    """Return the state that was written, or nothing where none was."""
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_text())
    return State(
        owner=Process(**told["owner"]),
        machine=Process(**told["machine"]),
        node=Process(**told["node"]),
        boot_id=told["boot_id"],
        components={name: Process(**each) for name, each in told["components"].items()},
        made=tuple(told["made"]),
    )


def this_process() -> Process:
    """Return the process that runs this code."""
    return Process.of(os.getpid())

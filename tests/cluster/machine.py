"""A whole cluster on this machine: up, restart of its node, down."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.cluster import (
    cgroups,
    control_plane,
    host,
    images,
    mounts,
    namespaces,
    network,
    node,
    programs,
    provisioner,
    state,
)
from tests.cluster.commands import TIMEOUT, CommandError, run
from tests.cluster.control_plane import Component
from tests.cluster.errors import ClusterError
from tests.cluster.layout import Layout
from tests.cluster.poll import wait_until
from tests.cluster.recipes import RECIPES
from tests.cluster.signals import hold_back
from tests.cluster.state import State

log = logging.getLogger(__name__)

START_TIMEOUT = 120
NODE_TIMEOUT = 180
IMPORT_TIMEOUT = 300
FAKE_NODE_TIMEOUT = 120
API_INTERVAL = 0.3
CONTAINERS = "k8s.io"
# containerd's own mark on an image that the kubelet can see.
MANAGED = "io.cri-containerd.image=managed"


@dataclass(frozen=True)
class Machine:
    """The cluster of one layout; all that changes is in its state file."""

    layout: Layout

    @property
    def state(self) -> State:
        """What runs now."""
        found = state.read(self.layout.state)
        if not found:
            raise ClusterError("no cluster is up: run `make cluster-up`")
        return found

    @property
    def running(self) -> bool:
        """Whether this layout's cluster is up."""
        found = state.read(self.layout.state)
        return bool(found and found.machine.alive)

    def up(self, *, owned: bool) -> None:
        """Bring the cluster up. `owned`: it belongs to this process and dies with it."""
        host.prepare()
        programs.build_all()
        # Who comes second finds a whole cluster, and says whose it is.
        with programs.lock(self.layout.lock):
            self._check_not_in_use()
            self.down()
            started = time.monotonic()
            try:
                self._make(owned=owned)
                self._start_all()
            except BaseException:
                self.down()
                raise
        log.info("cluster up in %.1f s", time.monotonic() - started)

    def down(self) -> None:
        """Take down what is up, or what a killed run left; nothing to do is fine."""
        found = state.read(self.layout.state)
        if not found:
            return
        with hold_back():
            # First, since it outlives the process for as long as the kernel needs to free its
            # namespace: even one that was killed before.
            network.remove(self.layout.link)
            found.machine.kill()
            cgroups.remove(self.layout.group)
            wait_until("the dead processes are collected", namespaces.all_collected, START_TIMEOUT)
            mounts.unmount_below(self.layout.root)
            mounts.remove_made(list(found.made))
            mounts.remove_tree(self.layout.root)

    def down_own(self) -> None:
        """Take down what this process brought up; a cluster of somebody else stays."""
        found = state.read(self.layout.state)
        if found and found.owner == state.this_process():
            self.down()

    def restart_node(self) -> None:
        """Kill all of the node at once, as a power cut would, and start it again."""
        with programs.lock(self.layout.lock):
            self._restart_node()

    def _restart_node(self) -> None:
        dead = self._running_containers()
        self.state.node.kill()
        # As after a power cut: the kubelet looks for each container that has a group, for seconds.
        cgroups.remove(self.layout.group)
        cgroups.make(self.layout.group)
        self._write(self.state.without_components(node.PROGRAMS))
        self._start_node()
        self._start_agents()
        self._wait(
            "no pod says that a container of before runs",
            lambda: not dead & self._running_containers(),
            NODE_TIMEOUT,
        )

    def load_images(self, wanted: Mapping[str, str]) -> None:
        """Make images known to the node: name -> recipe; what it has already is not sent again."""
        unknown = sorted(set(wanted.values()) - RECIPES.keys())
        if unknown:
            raise ClusterError(f"no recipe {', '.join(unknown)}: there are {', '.join(RECIPES)}")
        # A tag that is moved is away for a moment: nobody moves one that is right already.
        with programs.lock(self.layout.images_lock):
            present = self._images()
            for name, recipe in wanted.items():
                image, tag = images.image(RECIPES[recipe]()), images.canonical(name)
                if image.name not in present:
                    self.ctr("images", "import", image.archive, timeout=IMPORT_TIMEOUT)
                    present = self._images()
                if present.get(tag) != present[image.name]:
                    self.ctr("images", "tag", "--force", image.name, tag)
        self._wait_for_images({images.canonical(name) for name in wanted})

    def add_fake_nodes(self, names: list[str], labels: dict[str, str], taint: str) -> None:
        """Add nodes that only the scheduler believes in, with a taint from their first moment."""
        with programs.lock(self.layout.lock):
            if "kwok" not in self.state.components:
                self._start(control_plane.fake_nodes(self.layout))
        self._apply([control_plane.fake_node(name, labels, taint) for name in names])
        self._wait(
            "the fake nodes are Ready",
            lambda: all(ready(self._node(name)) for name in names),
            FAKE_NODE_TIMEOUT,
        )

    def add_provisioner(self) -> None:
        """Start what makes volumes for the classes of `provisioner.NAME`."""
        with programs.lock(self.layout.lock):
            if "local-path-provisioner" not in self.state.components:
                self.load_images({provisioner.IMAGE: "busybox"})
                self._apply(provisioner.manifests())
                self._start(provisioner.component(self.layout))

    def _apply(self, items: list[dict[str, Any]]) -> None:
        every = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(every))

    def ctr(self, *argv: str | Path, timeout: float = TIMEOUT) -> str:
        """Run containerd's own client against the node's containers."""
        return self.state.node.run("ctr", f"--namespace={CONTAINERS}", *argv, timeout=timeout)

    def kubectl(self, *argv: str, stdin: str | None = None) -> str:
        """Run kubectl as administrator."""
        return run(programs.program("kubectl"), *argv, stdin=stdin, env=self.layout.access)

    def describe(self) -> str:
        """Return the ends of the programs' logs."""
        return "\n".join(self.layout.tail(name) for name in sorted(self.state.components))

    def _check_not_in_use(self) -> None:
        found = state.read(self.layout.state)
        alive = bool(found and found.machine.alive)
        if found and alive and found.owner.alive and found.owner != state.this_process():
            raise ClusterError(f"the cluster belongs to the running process {found.owner.pid}")
        if found and alive and found.owner == state.NONE:
            raise ClusterError(
                "a cluster of `make cluster-up` is up: run `make cluster-down`, "
                "or set DURABLE_CLUSTER_KEEP=1 to use it"
            )
        network.check_alone(self.layout.link)

    def _make(self, *, owned: bool) -> None:
        layout = self.layout
        layout.make()
        owner = state.this_process() if owned else state.NONE
        made = mounts.make_missing(node.FOLDERS)
        self._write(State(owner=owner, made=tuple(made)))
        control_plane.write_keys(layout)
        mounts.share(layout.disks)
        cgroups.make(layout.group)
        machine = namespaces.start(layout.log("machine"), dies_with_us=owned)
        self._write(replace(self.state, machine=machine))
        network.make(machine, layout.link)

    def _start_all(self) -> None:
        self._start_control_plane()
        self._start_node()
        self._wait_for_api_server()
        for component in control_plane.controllers(self.layout):
            self._start(component)
        self._start(control_plane.dns(self.layout))
        self._start_agents()

    def _write(self, new: State) -> None:
        state.write(self.layout.state, new)

    def _start_control_plane(self) -> None:
        self._start(control_plane.etcd(self.layout))
        self._start(control_plane.api_server(self.layout))

    def _start_node(self) -> None:
        process = namespaces.start_within(self.state.machine, self.layout.log("node"))
        boot_id = node.furnish(process, self.layout)
        self._write(replace(self.state, node=process, boot_id=boot_id))
        pause = images.image(RECIPES["pause"]())
        node.write_settings(self.layout, pause.name)
        self._start(node.containerd(self.layout), process)
        self._wait("containerd answers", self._containerd_answers, START_TIMEOUT)
        if pause.name not in self.ctr("images", "ls", "-q").split():
            self.ctr("images", "import", pause.archive)

    def _start_agents(self) -> None:
        for component in node.agents(self.layout):
            self._start(component, self.state.node)
        self._wait("the node is Ready", self._node_ready, NODE_TIMEOUT)
        self._wait("pods have an account", self._has_account, START_TIMEOUT)

    def _start(self, component: Component, where: namespaces.Process | None = None) -> None:
        argv = (where or self.state.machine).enter(*component.argv)
        process = namespaces.spawn(argv, self.layout.log(component.name))
        self._write(self.state.with_component(component.name, process))

    def _wait(self, description: str, predicate: Any, timeout: float) -> None:
        def checked() -> Any:
            self._check_alive()
            return predicate()

        wait_until(description, checked, timeout, interval=API_INTERVAL, explain=self.describe)

    def _check_alive(self) -> None:
        for name, process in self.state.components.items():
            if not process.alive:
                raise ClusterError(f"{name} ended:\n{self.layout.tail(name, 30)}")

    def _answers(self, *argv: str) -> str:
        try:
            return self.kubectl(*argv)
        except CommandError:
            return ""

    def _wait_for_api_server(self) -> None:
        self._wait(
            "the API server is ready", lambda: self._answers("get", "--raw=/readyz"), START_TIMEOUT
        )

    def _containerd_answers(self) -> bool:
        try:
            return bool(self.ctr("version"))
        except CommandError:
            return False

    def _images(self) -> dict[str, str]:
        """Return the digest of each image that containerd has, by its name."""
        lines = (line.split() for line in self.ctr("images", "ls").splitlines()[1:])
        return {name: digest for name, _type, digest, *_ in lines}

    def _wait_for_images(self, names: set[str]) -> None:
        def visible() -> bool:
            lines = self.ctr("images", "ls").splitlines()
            return names <= {line.split()[0] for line in lines if MANAGED in line}

        self._wait("the kubelet sees the images", visible, START_TIMEOUT)

    def _has_account(self) -> str:
        return self._answers("get", "serviceaccount", "default", "--output=name")

    def _running_containers(self) -> set[str]:
        where = f"--field-selector=spec.nodeName={node.NAME}"
        told = self.kubectl("get", "pods", "--all-namespaces", where, "--output=json")
        return {
            container["containerID"]
            for pod in json.loads(told)["items"]
            for container in pod["status"].get("containerStatuses", [])
            if "running" in container["state"]
        }

    def _node_ready(self) -> bool:
        found = self._node(node.NAME)
        return found.get("nodeInfo", {}).get("bootID") == self.state.boot_id and ready(found)

    def _node(self, name: str) -> dict[str, Any]:
        told = self._answers("get", "node", name, "--output=json", "--ignore-not-found")
        status: dict[str, Any] = json.loads(told)["status"] if told else {}
        return status


def ready(status: dict[str, Any]) -> bool:
    """Whether a node's status says Ready."""
    conditions = status.get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

"""Thanos on the test cluster: the release with its bucket, and a Query and a Store beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import programs
from tests.cluster.cluster import Cluster, Endpoint, http
from tests.cluster.commands import run
from tests.cluster.errors import ClusterError
from tests.e2e import releases
from tests.e2e.install import Release, for_stack, profile
from tests.e2e.samples import Samples, label_text
from tests.e2e.traps import TAINT

NAME = "thanos"
NAMESPACE = "durable-thanos"
SECRET, KEY = "thanos-objstore", "objstore.yml"
BUCKET = "/bucket"
OWNER, GROUP = 1000, 2000
GRPC = 10901
START_TIMEOUT = 30
VOLUME = {"name": "bucket", "mountPath": BUCKET}


@dataclass(frozen=True)
class Bucket:
    """An object store in a folder of the node."""

    folder: Path

    @property
    def configuration(self) -> str:
        """Thanos' description of it, for programs on this machine."""
        return configuration(str(self.folder))

    def blocks(self) -> dict[str, Any]:
        """Return what is said of each block that is uploaded as a whole."""
        found = self.folder.glob("*/meta.json")
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def listed(self) -> set[str]:
        """Return the blocks that `thanos tools bucket ls` sees."""
        program = programs.program("thanos")
        told = run(program, "tools", "bucket", "ls", f"--objstore.config={self.configuration}")
        return {line.split()[0] for line in told.splitlines() if line}


def configuration(folder: str) -> str:
    """Return Thanos' description of a folder as a bucket."""
    return yaml.safe_dump({"type": "FILESYSTEM", "config": {"directory": folder}})


def manifests() -> list[dict[str, Any]]:
    """Return the namespace, and the Secret that values/thanos.yaml asks for."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "stringData": {KEY: configuration(BUCKET)},
        },
    ]


def release(cluster: Cluster, nodes: tuple[str, ...] = ()) -> tuple[Release, Bucket]:
    """Return the release over local.yaml, and its bucket; `nodes` are fake ones to run it on."""
    empty = Release(cluster, NAME, NAMESPACE, 4, {})
    bucket = empty.folder("bucket")
    os.chown(bucket, OWNER, GROUP)
    volumes = {"volumes": [{"name": VOLUME["name"], "hostPath": {"path": str(bucket)}}]}
    elsewhere = {"tolerations": [{"key": TAINT, "operator": "Exists"}]} if nodes else {}
    server: dict[str, Any] = {**volumes, **elsewhere, "thanos": {"volumeMounts": [VOLUME]}}
    ruler: dict[str, Any] = {**volumes, **elsewhere, "volumeMounts": [VOLUME]}
    if nodes:
        # The operator then takes its own default, which nobody has to make for a fake node.
        ruler["image"] = None
    stack = {
        "prometheus": {"prometheusSpec": server},
        "thanosRuler": {"thanosRulerSpec": ruler},
        "grafana": {"enabled": False},
        "alertmanager": {"enabled": not nodes},
    }
    ours = {"grafana": {"enabled": False}, "alertmanager": {"enabled": not nodes}}
    # Classes are the whole cluster's, and another release may have its own of that profile.
    holders = ("prometheus", "alertmanager", "thanosRuler")
    classed = {holder: {"storageClassName": NAME} for holder in holders}
    own = {"storageClasses": [{"name": NAME}], "persistence": classed}
    layers = [profile("thanos"), for_stack(stack), {"persistence": ours}, own]
    made = releases.on_disks(empty, "local", *layers)
    if nodes:
        made = replace(made, values=moved(made.values, nodes[0]))
    return made, Bucket(bucket)


def moved(values: Any, node: str) -> Any:
    """Return values whose volumes are on another node."""
    if isinstance(values, dict):
        inner = {name: moved(part, node) for name, part in values.items()}
        return {**inner, "node": node} if "node" in inner else inner
    return [moved(part, node) for part in values] if isinstance(values, list) else values


@dataclass(frozen=True)
class Query:
    """A Thanos Query on this machine."""

    port: int

    def read(self, selector: str, window: str = "2h") -> Samples:
        """Return the raw samples of the series that a selector picks, of all stores."""
        words = {"query": f"{selector}[{window}]", "dedup": "false"}
        path = f"/api/v1/query?{urllib.parse.urlencode(words)}"
        answer = http(f"http://127.0.0.1:{self.port}{path}", None, {})
        if answer.status != 200:
            raise ClusterError(f"Thanos Query: {answer.status} {answer.body!r}")
        return {
            label_text(each["metric"]): {round(at * 1000): value for at, value in each["values"]}
            for each in answer.json()["data"]["result"]
        }


@contextmanager
def querying(cluster: Cluster, folder: Path, bucket: Bucket, *stores: str) -> Iterator[Query]:
    """Run a Store Gateway over the bucket, and a Query over it and other stores (host:port)."""
    ports = free_ports(4)
    store = [
        "store",
        f"--data-dir={folder / 'store'}",
        f"--objstore.config={bucket.configuration}",
        *addresses(ports[0], ports[1]),
        "--sync-block-duration=2s",
    ]
    asked = [f"--endpoint={each}" for each in (f"127.0.0.1:{ports[0]}", *stores)]
    query = ["query", *addresses(ports[2], ports[3]), *asked]
    with ExitStack() as running:
        for words in (store, query):
            running.enter_context(started(words, folder))
        for port in (ports[1], ports[3]):
            cluster.wait(f"port {port} is ready", lambda port=port: ready(port), START_TIMEOUT)  # type: ignore[misc]
        yield Query(ports[3])


def endpoint(pod: str) -> Endpoint:
    """Return where a pod answers Thanos Query."""
    return Endpoint(pod, NAMESPACE, GRPC)


def addresses(grpc: int, web: int) -> list[str]:
    """Return the flags for the addresses of a Thanos program."""
    return [f"--grpc-address=127.0.0.1:{grpc}", f"--http-address=127.0.0.1:{web}"]


@contextmanager
def started(words: list[str], folder: Path) -> Iterator[None]:
    """Run Thanos until the end of the block."""
    with (folder / f"{words[0]}.log").open("w") as log:
        process = subprocess.Popen([programs.program("thanos"), *words], stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            process.wait(START_TIMEOUT)


def ready(port: int) -> bool:
    """Whether a Thanos program on this machine answers that it is ready."""
    try:
        return http(f"http://127.0.0.1:{port}/-/ready", None, {}).status == 200
    except ClusterError:
        return False


def free_ports(count: int) -> list[int]:
    """Return ports of this machine that nobody listens on."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]

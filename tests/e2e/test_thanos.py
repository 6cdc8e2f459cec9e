"""values/thanos.yaml over values/local.yaml: the operator takes it, and real Thanos keeps history.

Without Thanos (`make cluster-thanos` builds it) the pods are on fake nodes, and what the operator
makes of the objects is all that can be seen.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import programs
from tests.cluster.cluster import Cluster, Object
from tests.cluster.commands import run
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e import held, samples, thanos
from tests.e2e.stack import Stack
from tests.e2e.traps import FAKE_NODES

pytestmark = pytest.mark.e2e

TIMEOUT = 180
HOUR = 3_600_000
OLD = "durable_old"
RULED = "durable_ruled"
SCRAPE = 15_000
DATA = "/prometheus"
RULE = f"""
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {{name: ruled, namespace: {thanos.NAMESPACE}, labels: {{role: thanos-ruler}}}}
spec:
  groups:
    - name: ruled
      interval: 2s
      rules: [{{record: {RULED}, expr: 'vector(time())'}}]
"""


@dataclass(frozen=True)
class Installed:
    """The release and its bucket; `real`: its pods run Thanos."""

    stack: Stack
    bucket: thanos.Bucket
    real: bool

    def stateful_set(self, name: str) -> Object:
        """Return a StatefulSet once the operator has made it."""

        def made() -> Object | None:
            return self.stack.cluster.get("statefulset", name, thanos.NAMESPACE)

        return self.stack.cluster.wait(f"{name} is made", made, TIMEOUT, thanos.NAMESPACE)

    @contextmanager
    def querying(self, folder: Path, *pods: str) -> Iterator[thanos.Query]:
        """Run a Thanos Query over the bucket and what some pods hold."""
        cluster = self.stack.cluster
        with ExitStack() as opened:
            told = (cluster.address(thanos.endpoint(pod)) for pod in pods)
            stores = [opened.enter_context(each) for each in told]
            yield opened.enter_context(thanos.querying(cluster, folder, self.bucket, *stores))


@pytest.fixture(scope="module")
def installed(ready_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Installed]:
    """The release, on the node where Thanos is built, else on a fake one."""
    real = programs.built("thanos")
    try:
        ready_cluster.node_address  # noqa: B018 - only our own cluster has a disk for the bucket
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    if not real:
        request.getfixturevalue("fake_nodes")
    release, bucket = thanos.release(ready_cluster, () if real else FAKE_NODES)
    ready_cluster.apply(yaml.safe_dump_all(thanos.manifests()))
    try:
        release.install()
        ready_cluster.apply(RULE)
        yield Installed(Stack(release), bucket, real)
    finally:
        release.purge()


@pytest.fixture
def running(installed: Installed) -> Installed:
    """The release with Thanos in it."""
    if not installed.real:
        pytest.skip("thanos is not built: run `make cluster-thanos`")
    stack = installed.stack
    stack.wait_for_scrapes([stack.prometheus()], 0)
    return installed


def container(made: Object, name: str) -> Any:
    """Return a container of a StatefulSet's pods."""
    (found,) = (c for c in made["spec"]["template"]["spec"]["containers"] if name == c["name"])
    return found


def mounted(made: Object, name: str, path: str) -> tuple[str, str]:
    """Return volume and sub-path of what a container has at a path."""
    (mount,) = (m for m in container(made, name)["volumeMounts"] if path == m["mountPath"])
    return mount["name"], mount.get("subPath", "")


def test_sidecar_reads_what_prometheus_writes(installed: Installed) -> None:
    """The sidecar has the claim at the same place and with the same sub-path as Prometheus."""
    name = installed.stack.prometheus().pod.removesuffix("-0")
    made = installed.stateful_set(name)
    place = mounted(made, "prometheus", DATA)
    (claim,) = made["spec"]["volumeClaimTemplates"]

    assert (claim["metadata"]["name"], "prometheus-db") == place
    assert place == mounted(made, "thanos-sidecar", DATA)
    assert thanos.SECRET in str(container(made, "thanos-sidecar")["env"])


def test_compaction_waits_for_the_upload(installed: Installed) -> None:
    """Prometheus goes on compacting, but nothing that the sidecar has not uploaded."""
    name = installed.stack.prometheus().pod.removesuffix("-0")
    made = installed.stateful_set(name)
    server, sidecar = (container(made, each)["args"] for each in ("prometheus", "thanos-sidecar"))

    assert f"--storage.tsdb.delay-compact-file.path={DATA}/thanos.shipper.json" in server
    assert [] == [each for each in server if "max-block-duration" in each]
    assert "--shipper.meta-file-name=thanos.shipper.json" in sidecar


def test_ruler_has_a_claim(installed: Installed) -> None:
    """Thanos Ruler keeps its series on a claim of its own, and evaluates its own rules only."""
    name = f"thanos-ruler-{installed.stack.resource('thanosrulers')['metadata']['name']}"
    made = installed.stateful_set(name)
    (claim,) = made["spec"]["volumeClaimTemplates"]

    assert (claim["metadata"]["name"], "") == mounted(made, "thanos-ruler", "/thanos/data")
    assert [f"{name}-rulefiles-0"] == [
        each["configMap"]["name"]
        for each in made["spec"]["template"]["spec"]["volumes"]
        if "rulefiles" in each["name"]
    ]
    rules = installed.stack.cluster.get("configmap", f"{name}-rulefiles-0", thanos.NAMESPACE)
    assert rules
    assert [RULED in text for text in rules["data"].values()] == [True]


def old_block(folder: Path, until: int) -> dict[str, str]:
    """Write a block of an old hour as Prometheus would; return its samples, by seconds."""
    written = {str((until - HOUR + at) // 1000): str(at // 1000) for at in range(0, HOUR, SCRAPE)}
    lines = [f"{OLD} {value} {at}" for at, value in written.items()]
    text = "\n".join([f"# TYPE {OLD} gauge", *lines, "# EOF", ""])
    (folder / "old.txt").write_text(text)
    promtool = programs.program("promtool")
    blocks = ("tsdb", "create-blocks-from", "openmetrics")
    run(promtool, *blocks, folder / "old.txt", folder / "blocks")
    return written


def test_history_outlives_prometheus(running: Installed, tmp_path: Path) -> None:
    """A block is uploaded with the labels of its writer, and read after Prometheus lost it."""
    stack, bucket = running.stack, running.bucket
    until = (samples.now() // (2 * HOUR) - 12) * 2 * HOUR + HOUR
    written = old_block(tmp_path, until)
    data = held.held(stack, "prometheus").folder / "prometheus-db"
    (block,) = (tmp_path / "blocks").iterdir()
    placed = shutil.copytree(block, data / block.name)
    for path in (placed, *placed.rglob("*")):
        os.chown(path, thanos.OWNER, thanos.GROUP)

    stack.cluster.wait(
        "the block is uploaded", lambda: block.name in bucket.blocks(), TIMEOUT, thanos.NAMESPACE
    )
    labels = bucket.blocks()[block.name]["thanos"]["labels"]
    pod = stack.prometheus().pod
    assert ("my-cluster", pod) == (labels["cluster"], labels["prometheus_replica"])
    assert {block.name} <= bucket.listed()

    shutil.rmtree(placed)
    with running.querying(tmp_path) as query:
        selector = f'{OLD}{{cluster="my-cluster"}}'
        stack.cluster.wait("the store has read it", lambda: query.read(selector, "3d"), TIMEOUT)
        (found,) = query.read(selector, "3d").values()
    assert written == {str(at // 1000): value for at, value in found.items()}


def test_sidecar_answers_for_prometheus(running: Installed, tmp_path: Path) -> None:
    """Thanos Query reads through the sidecar what Prometheus scrapes, with its external labels."""
    stack = running.stack
    server = stack.prometheus()
    with running.querying(tmp_path, server.pod) as query:
        selector = f'up{{job="{samples.JOB}", cluster="my-cluster"}}'
        stack.cluster.wait("the sidecar answers", lambda: query.read(selector, "5m"), TIMEOUT)
        (found,) = query.read(selector, "5m").values()
    (scraped,) = server.read(samples.UP, "10m").values()
    assert found.items() <= scraped.items()


def test_ruler_keeps_its_data(running: Installed, tmp_path: Path) -> None:
    """What the ruler recorded is there after its pod was deleted, on the same claim."""
    stack = running.stack
    pod = held.pod_name(stack, "thanosRuler")
    selector = f'{RULED}{{cluster="my-cluster"}}'
    stack.cluster.wait_for_pod(pod, thanos.NAMESPACE, TIMEOUT)

    def recorded(least: int = 0) -> dict[int, str] | None:
        with running.querying(tmp_path, pod) as query:
            series = [dict(each) for each in query.read(selector).values()]
        found = series[0] if series else {}
        return found if len(found) > least else None

    before = stack.cluster.wait("the rule is recorded", lambda: recorded(3), TIMEOUT)
    claims = stack.identities()
    stack.cluster.delete("pod", pod, thanos.NAMESPACE)
    stack.cluster.wait_for_pod(pod, thanos.NAMESPACE, TIMEOUT)
    after = stack.cluster.wait("it goes on", lambda: recorded(len(before)), TIMEOUT)

    assert before.items() <= after.items()
    assert claims == stack.identities()

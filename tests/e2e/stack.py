"""What runs of a release: found in the cluster, by the names that its objects say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Cluster, Object, is_true
from tests.cluster.errors import ClusterError
from tests.e2e.install import Release
from tests.e2e.rows import Grafana
from tests.e2e.samples import Prometheus
from tests.e2e.silences import Alertmanager
from tests.tools.stage import DEPENDENCY

SERVING_TIMEOUT = 240
POD_TIMEOUT = 240
SCRAPES = 3


@dataclass(frozen=True)
class Stack:
    """A release that is installed."""

    release: Release

    @property
    def cluster(self) -> Cluster:
        """The cluster it runs on."""
        return self.release.cluster

    @property
    def namespace(self) -> str:
        """The namespace it runs in."""
        return self.release.namespace

    def resource(self, plural: str) -> Object:
        """Return the release's one custom resource of a kind."""
        (found,) = self.cluster.objects(f"{plural}.monitoring.coreos.com", self.namespace)
        return found

    def prometheus(self, shard: int = 0, ordinal: int = 0) -> Prometheus:
        """Return one of the Prometheus pods."""
        name = self.resource("prometheuses")["metadata"]["name"]
        suffix = f"-shard-{shard}" if shard else ""
        return Prometheus(self.cluster, f"prometheus-{name}{suffix}-{ordinal}", self.namespace)

    def prometheuses(self) -> list[Prometheus]:
        """Return all the Prometheus pods that the custom resource asks for."""
        spec = self.resource("prometheuses")["spec"]
        shards, replicas = spec.get("shards") or 1, spec.get("replicas", 1)
        return [self.prometheus(s, n) for s in range(shards) for n in range(replicas)]

    def alertmanager(self) -> Alertmanager:
        """Return the first Alertmanager."""
        name = self.resource("alertmanagers")["metadata"]["name"]
        return Alertmanager(self.cluster, f"alertmanager-{name}-0", self.namespace)

    def grafana(self) -> Grafana:
        """Return Grafana, by its newest pod."""
        selector = f"app.kubernetes.io/name=grafana,app.kubernetes.io/instance={self.release.name}"
        pods = self.cluster.objects("pods", self.namespace, selector)
        if not pods:
            raise ClusterError("there is no pod of Grafana")
        newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
        values = self.release.current
        password = values.get(DEPENDENCY, values)["grafana"]["adminPassword"]
        return Grafana(self.cluster, newest["metadata"]["name"], self.namespace, password)

    def claims(self) -> dict[str, Object]:
        """Return the claims by name."""
        found = self.cluster.objects("persistentvolumeclaims", self.namespace)
        return {each["metadata"]["name"]: each for each in found}

    def identities(self) -> dict[str, tuple[str, str, str]]:
        """Return the uid of each claim, and the name and uid of the volume that it is bound to."""
        volumes = {
            each["metadata"]["name"]: each["metadata"]["uid"]
            for each in self.cluster.objects("persistentvolumes")
        }
        return {
            name: (claim["metadata"]["uid"], volume, volumes.get(volume, "gone"))
            for name, claim in self.claims().items()
            for volume in [claim["spec"].get("volumeName", "none")]
        }

    def wait_for_scrapes(self, servers: list[Prometheus], since: int) -> None:
        """Wait until each of the servers scraped itself a few times after a moment."""
        for each in servers:
            self.cluster.wait(
                f"{each.pod} has {SCRAPES} new scrapes",
                lambda each=each: each.scrapes_after(since) >= SCRAPES,  # type: ignore[misc]
                SERVING_TIMEOUT,
                self.namespace,
            )

    def wait_until_serving(self) -> None:
        """Wait until all of it answers: its data can be read."""
        self.wait_for_scrapes(self.prometheuses(), 0)
        for what, read in (
            ("Alertmanager", lambda: self.alertmanager().read()),
            ("Grafana", lambda: self.grafana().read()),
        ):
            self.cluster.wait(
                f"{what} answers",
                lambda read=read: answers(read),  # type: ignore[misc]
                SERVING_TIMEOUT,
                self.namespace,
            )

    def wait_until_ready(self) -> None:
        """Wait until all pods are there and Ready, and none is on its way out."""

        def ready() -> bool:
            pods = self.cluster.objects("pods", self.namespace)
            leaving = any(pod["metadata"].get("deletionTimestamp") for pod in pods)
            names = {pod["metadata"]["name"] for pod in pods}
            wanted = {each.pod for each in self.prometheuses()} | {self.alertmanager().pod}
            return not leaving and wanted <= names and all(is_true(pod, "Ready") for pod in pods)

        self.cluster.wait("all pods are Ready", ready, POD_TIMEOUT, self.namespace)


def installed(release: Release, *, to_the_end: bool = False) -> Iterator[Stack]:
    """Install a release, and remove it with its data at the end.

    `to_the_end`: nothing comes after it, so where the cluster is taken down too it goes with that.
    """
    stack = Stack(release)
    try:
        release.install()
        stack.wait_until_serving()
        yield stack
    finally:
        if not (to_the_end and release.cluster.ends_with_run):
            release.purge()


def answers(read: Any) -> bool:
    """Whether something can be read now."""
    try:
        read()
    except (ClusterError, KeyError):  # no pod, no address of it yet, or no good answer
        return False
    return True

"""What Grafana must not lose: rows of its SQLite database, by the stand-in's /api/rows."""

from __future__ import annotations

from dataclasses import dataclass

from tests.cluster.cluster import Cluster, Endpoint
from tests.cluster.errors import ClusterError

PORT = 3000
PATH = "/api/rows"


@dataclass(frozen=True)
class Grafana:
    """One Grafana, by its pod."""

    cluster: Cluster
    pod: str
    namespace: str

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        return Endpoint(self.pod, self.namespace, PORT)

    def add(self, text: str) -> None:
        """Add a row."""
        answer = self.cluster.http(self.endpoint, PATH, body=text.encode())
        if answer.status != 201:
            raise ClusterError(f"{self.pod} refused a row: {answer.status} {answer.body!r}")

    def read(self) -> list[str]:
        """Return the rows, the oldest first."""
        answer = self.cluster.http(self.endpoint, PATH)
        if answer.status != 200:
            raise ClusterError(f"{self.pod}: {answer.status} {answer.body!r}")
        return [each["text"] for each in answer.json()]

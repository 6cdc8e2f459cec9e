"""What Grafana must not lose: rows of its database, by the annotations of its HTTP API.

The stand-in of our own cluster answers these requests as Grafana does, so that they hold for both.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Cluster, Endpoint
from tests.cluster.errors import ClusterError

PORT = 3000
PATH = "/api/annotations"
# By itself Grafana answers with the newest hundred.
EVERY = f"{PATH}?type=annotation&limit=100000"
USER = "admin"


@dataclass(frozen=True)
class Grafana:
    """One Grafana, by its pod."""

    cluster: Cluster
    pod: str
    namespace: str
    password: str

    def add(self, text: str) -> None:
        """Add a row."""
        self._ask(PATH, json.dumps({"text": text}).encode())

    def read(self) -> list[str]:
        """Return the rows, the oldest first."""
        found = sorted(self._ask(EVERY), key=lambda each: int(each["id"]))
        return [each["text"] for each in found]

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        who = base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {who}", "Content-Type": "application/json"}
        where = Endpoint(self.pod, self.namespace, PORT)
        answer = self.cluster.http(where, path, body=body, headers=headers)
        if answer.status != 200:
            raise ClusterError(f"{self.pod}{path}: {answer.status} {answer.body!r}")
        return answer.json()

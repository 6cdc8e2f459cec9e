"""The long-term store that runs, asked as its users ask it."""

from __future__ import annotations

import base64
import http.client
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import HTTP_TIMEOUT, Cluster, Endpoint, Object, Response, is_true
from tests.cluster.errors import ClusterError

PORT = 8086
DATABASE = "prometheus"


@dataclass(frozen=True)
class Store:
    """An InfluxDB of the chart, by the name of all its objects."""

    cluster: Cluster
    name: str
    namespace: str

    @property
    def pod(self) -> Object:
        """The pod."""
        found = self.cluster.get("pod", f"{self.name}-0", self.namespace)
        if not found:
            raise ClusterError(f"no pod {self.name}-0")
        return found

    @property
    def ready(self) -> bool:
        """Whether the pod answers its probe, and is not on its way out."""
        found = self.cluster.get("pod", f"{self.name}-0", self.namespace)
        leaving = found and found["metadata"].get("deletionTimestamp")
        return bool(found and not leaving and is_true(found, "Ready"))

    @property
    def secret(self) -> Object:
        """The Secret with the users."""
        found = self.cluster.get("secret", self.name, self.namespace)
        if not found:
            raise ClusterError(f"no Secret {self.name}")
        return found

    def password(self, user: str) -> str:
        """Return a user's password."""
        return base64.b64decode(self.secret["data"][f"{user}-password"]).decode()

    def post(self, path: str, body: bytes, user: str, **headers: str) -> Response:
        """Post as a user, who is nobody where the name is empty."""
        if user:
            told = f"{user}:{self.password(user)}".encode()
            headers["Authorization"] = f"Basic {base64.b64encode(told).decode()}"
        endpoint = Endpoint(f"{self.name}-0", self.namespace, PORT)
        return self.cluster.http(endpoint, path, body=body, headers=headers)

    def announce(self, path: str, size: int, user: str) -> int:
        """Return the status that a request of some size gets before it is sent."""
        told = base64.b64encode(f"{user}:{self.password(user)}".encode()).decode()
        headers = {"Authorization": f"Basic {told}", "Content-Length": str(size)}
        with self.cluster.address(Endpoint(f"{self.name}-0", self.namespace, PORT)) as where:
            connection = http.client.HTTPConnection(where, timeout=HTTP_TIMEOUT)
            connection.putrequest("POST", path)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            status = connection.getresponse().status
            connection.close()
            return status

    def query(self, user: str, statement: str) -> Response:
        """Ask in InfluxQL."""
        body = urllib.parse.urlencode({"db": DATABASE, "q": statement}).encode()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.post("/query", body, user, **form)

    def rows(self, statement: str) -> list[list[Any]]:
        """Return the rows that the administrator gets."""
        answer = self.query("admin", statement)
        if answer.status != 200:
            raise ClusterError(f"{statement}: {answer.status} {answer.body!r}")
        (result,) = answer.json()["results"]
        return [row for each in result.get("series", []) for row in each["values"]]

    def count(self, metric: str, until: int, where: str = "") -> int:
        """Return how many samples there are of a metric, up to a time in milliseconds."""
        terms = " AND ".join(filter(None, [f"time <= {until}ms", where]))
        found = self.rows(f'SELECT COUNT("value") FROM "{metric}" WHERE {terms}')  # noqa: S608
        return sum(row[1] for row in found)

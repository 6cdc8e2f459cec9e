"""What Alertmanager must not lose: silences."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

from tests.cluster.cluster import Cluster, Endpoint
from tests.cluster.errors import ClusterError

PORT = 9093
PATH = "/api/v2/silences"
HOURS = 12
JSON = {"Content-Type": "application/json"}
# Alertmanager writes silences when it ends and once in this time; by default that is 15 minutes, so
# that a crash costs up to 15 minutes of new silences. Of a name that the CRD passes on.
MAINTENANCE = {"name": "data.maintenance-interval", "value": "1s"}


@dataclass(frozen=True)
class Alertmanager:
    """One Alertmanager, by its pod."""

    cluster: Cluster
    pod: str
    namespace: str

    @property
    def endpoint(self) -> Endpoint:
        """Where it answers."""
        return Endpoint(self.pod, self.namespace, PORT)

    def add(self, comment: str) -> str:
        """Add a silence and return its id."""
        starts = dt.datetime.now(dt.UTC)
        ends = starts + dt.timedelta(hours=HOURS)
        wanted = {
            "matchers": [{"name": "comment", "value": comment, "isRegex": False, "isEqual": True}],
            "startsAt": starts.isoformat(),
            "endsAt": ends.isoformat(),
            "createdBy": "tests",
            "comment": comment,
        }
        body = json.dumps(wanted).encode()
        answer = self.cluster.http(self.endpoint, PATH, body=body, headers=JSON)
        if answer.status != 200:
            raise ClusterError(f"{self.pod} refused a silence: {answer.status} {answer.body!r}")
        return str(answer.json()["silenceID"])

    def read(self) -> dict[str, str]:
        """Return the comments of the active silences by their ids."""
        answer = self.cluster.http(self.endpoint, PATH)
        if answer.status != 200:
            raise ClusterError(f"{self.pod}: {answer.status} {answer.body!r}")
        active = [each for each in answer.json() if each["status"]["state"] == "active"]
        return {each["id"]: each["comment"] for each in active}

    def maintained(self) -> float:
        """Return how often the silences were written to the disk since the start."""
        answer = self.cluster.http(self.endpoint, "/metrics")
        return metric(answer.body.decode(), "alertmanager_silences_maintenance_total")


def metric(text: str, name: str) -> float:
    """Return the value of a metric without labels, or 0."""
    found = [line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(found[0]) if found else 0.0

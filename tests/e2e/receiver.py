"""A store that remote write goes to: a real Prometheus that receives, and asks for a password."""

from __future__ import annotations

import base64
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.cluster import Cluster, Endpoint
from tests.cluster.errors import ClusterError
from tests.e2e.samples import PORT, Samples, label_text

NAME = "receiver"
SECRET = "remote-write"  # noqa: S105  a name
USER, PASSWORD = "sender", "for-the-tests"
# bcrypt of the password, with the least of its cost: it is asked for with each request.
HASH = "$2a$04$rY4CYk3nDTc2qGTtzW.99uPSBqvL4HQFdQgg9S3mO5nozHyu1h9QS"
IMAGE = "quay.io/prometheus/prometheus:v3.14.0"
FOLDER = "/etc/receiver"
TIMEOUT = 90


@dataclass(frozen=True)
class Receiver:
    """The store of one namespace."""

    cluster: Cluster
    namespace: str

    @property
    def url(self) -> str:
        """Where samples go."""
        return f"http://{NAME}.{self.namespace}.svc:{PORT}/api/v1/write"

    def start(self) -> None:
        """Start it, and make the Secret with what it wants to hear."""
        self.cluster.load_images({IMAGE: "prometheus"})
        self.cluster.apply(yaml.safe_dump_all(manifests(self.namespace)))
        self.cluster.wait_for_pod(NAME, self.namespace, TIMEOUT)

    def read(self, selector: str, window: str = "5m") -> Samples:
        """Return every raw sample of the series that a selector picks."""
        answer = self._ask(f"{selector}[{window}]", authorization())
        if answer.status != 200:
            raise ClusterError(f"{NAME}: {answer.status} {answer.body!r}")
        return {
            label_text(each["metric"]): {round(at * 1000): value for at, value in each["values"]}
            for each in answer.json()["data"]["result"]
        }

    def refuses(self) -> bool:
        """Whether it turns away whoever does not say the password."""
        return bool(self._ask("up", {}).status == 401)

    def _ask(self, query: str, headers: dict[str, str]) -> Any:
        where = Endpoint(NAME, self.namespace, PORT)
        path = f"/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        return self.cluster.http(where, path, headers=headers)


def authorization() -> dict[str, str]:
    """Return the header that lets one in."""
    told = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return {"Authorization": f"Basic {told}"}


def manifests(namespace: str) -> list[dict[str, Any]]:
    """Return the receiver's pod, Service and settings, and the Secret of those who write to it."""
    metadata = {"name": NAME, "namespace": namespace, "labels": {"app": NAME}}
    settings = {"prometheus.yml": "{}", "web.yml": json.dumps({"basic_auth_users": {USER: HASH}})}
    secret = {"metadata": {**metadata, "name": SECRET}}
    service = {"selector": {"app": NAME}, "ports": [{"port": PORT, "targetPort": PORT}]}
    common = {"apiVersion": "v1", "metadata": metadata}
    told = {"username": USER, "password": PASSWORD}
    return [
        {**common, "kind": "ConfigMap", "data": settings},
        {**common, **secret, "kind": "Secret", "stringData": told},
        {**common, "kind": "Service", "spec": service},
        {**common, "kind": "Pod", "spec": pod()},
    ]


def pod() -> dict[str, Any]:
    """Return what the receiver's pod runs."""
    container = {
        "name": NAME,
        "image": IMAGE,
        "args": [
            f"--config.file={FOLDER}/prometheus.yml",
            f"--web.config.file={FOLDER}/web.yml",
            "--web.enable-remote-write-receiver",
            "--storage.tsdb.path=/data",
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [
            {"name": "settings", "mountPath": FOLDER},
            {"name": "data", "mountPath": "/data"},
        ],
    }
    return {
        "containers": [container],
        "volumes": [
            {"name": "settings", "configMap": {"name": NAME}},
            {"name": "data", "emptyDir": {}},
        ],
        "securityContext": {"runAsUser": 65534, "fsGroup": 65534},
        "terminationGracePeriodSeconds": 0,
    }

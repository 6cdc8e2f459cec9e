"""Read from the API server without kubectl: what is polled is asked for thousands of times.

A `kubectl get` is a process that loads a client of its own; the same request from here costs a
tenth of it. All that is written, and every cluster that is not ours, goes through kubectl.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

Object = dict[str, Any]

TIMEOUT = 30
NOT_FOUND = 404
# One answer with every resource of every group, the preferred version of each first.
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class Resource:
    """Where the objects of a kind are."""

    prefix: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str = "") -> str:
        """Return the path of an object, or that of all; `namespace` is left out where none is."""
        within = ["namespaces", namespace] if namespace and self.namespaced else []
        return "/".join([self.prefix, *within, self.plural, *([name] if name else [])])


@dataclass
class Api:
    """The API server of a kubeconfig of ours: JSON, with a token and the server's certificate."""

    server: str
    token: str
    trusted: ssl.SSLContext
    resources: dict[str, Resource] = field(default_factory=dict)

    @staticmethod
    def of(kubeconfig: Path) -> Api:
        """Return the one that a kubeconfig leads to."""
        told = json.loads(kubeconfig.read_text())
        cluster, user = told["clusters"][0]["cluster"], told["users"][0]["user"]
        trusted = ssl.create_default_context(cafile=cluster["certificate-authority"])
        return Api(cluster["server"], user["token"], trusted)

    def get(self, kind: str, name: str, namespace: str | None) -> Object | None:
        """Return an object, or nothing where there is none of that name."""
        found = self._ask(self._resource(kind).path(namespace or "default", name))
        return plain(found) if found else None

    def objects(self, kind: str, namespace: str | None, selector: str) -> list[Object]:
        """Return the objects of a kind, each with its kind as kubectl gives it."""
        query = urllib.parse.urlencode({"labelSelector": selector})
        found = self._ask(f"{self._resource(kind).path(namespace)}?{query}")
        if not found:
            raise ClusterError(f"the API server has no {kind}")
        said = {"apiVersion": found["apiVersion"], "kind": found["kind"].removesuffix("List")}
        return [plain({**said, **each}) for each in found["items"]]

    def _resource(self, kind: str) -> Resource:
        """Return where a kind is, by any of its names; a new one is looked for."""
        if kind not in self.resources:
            self.resources = self._discovered()
        if kind not in self.resources:
            raise ClusterError(f"the API server has no resource type {kind}")
        return self.resources[kind]

    def _discovered(self) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        for root in ("/api", "/apis"):
            for group in (self._ask(root, DISCOVERY) or {"items": []})["items"]:
                name = group["metadata"].get("name", "")
                preferred = group["versions"][0]
                prefix = "/".join([root, *([name] if name else []), preferred["version"]])
                for each in preferred["resources"]:
                    at = Resource(prefix, each["resource"], each["scope"] == "Namespaced")
                    for known in names(each, name):
                        # Of two groups the first has the short name, as for kubectl.
                        found.setdefault(known, at)
        return found

    def _ask(self, path: str, accept: str = "application/json") -> Object | None:
        headers = {"Authorization": f"Bearer {self.token}", "Accept": accept}
        request = urllib.request.Request(self.server + path, headers=headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=self.trusted) as answer:  # noqa: S310
                found: Object = json.load(answer)
                return found
        except urllib.error.HTTPError as error:
            with error:
                if error.code == NOT_FOUND:
                    return None
                raise ClusterError(f"{path}: {error.code} {error.read()!r}") from error
        except (OSError, HTTPException) as error:
            raise ClusterError(f"{path}: {error}") from error


def plain(found: Object) -> Object:
    """Return an object as kubectl shows it: without who wrote which field."""
    found["metadata"].pop("managedFields", None)
    return found


def names(resource: Object, group: str) -> list[str]:
    """Return the names by which a resource is asked for."""
    plural = resource["resource"]
    return [
        *([f"{plural}.{group}"] if group else []),
        *(plural, resource.get("singularResource") or plural),
        *resource.get("shortNames", []),
    ]

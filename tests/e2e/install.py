"""Releases for the scenarios: the staged chart, installed by a real Helm with the real profiles.

A profile names the nodes and folders of its author. `relocated` gives the same profile with the
nodes and disks of the cluster at hand; nothing else of it changes but the sizes.
"""

from __future__ import annotations

import copy
import functools
import shutil
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.cluster import lab
from tests.cluster.cluster import Cluster
from tests.cluster.commands import run
from tests.tools.helm import KUBERNETES, ROOT, binary, environment, post_renderer, staged
from tests.tools.stage import DEPENDENCY

Values = dict[str, Any]
Folder = Callable[[str, str], Path]

HELM_TIMEOUT = 240
GONE_TIMEOUT = 180
PATHS = ("local", "hostPath")
INSTANCE = "app.kubernetes.io/instance"
# Small, as is the disk of the machine.
SIZES = {"prometheus": "2Gi", "alertmanager": "1Gi", "thanosRuler": "1Gi", "grafana": "1Gi"}


@functools.cache
def chart() -> Path:
    """Return the staged chart."""
    return staged()


def profile(name: str) -> Values:
    """Return the values file of a profile."""
    found: Values = yaml.safe_load((ROOT / "values" / f"{name}.yaml").read_text())
    return found


def merged(*layers: Mapping[str, Any]) -> Values:
    """Return layers of values as Helm merges them: maps are merged, all else replaced."""
    result: Values = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
            result[key] = merged(result[key], value) if both else copy.deepcopy(value)
    return result


def relocated(values: Values, node: str, folder: Folder) -> Values:
    """Return a layer that moves a profile's volumes to a node and to folders that exist there.

    All volumes go to the one node. `folder` answers with a folder for a node and path of the
    profile, so that what was apart stays apart.
    """
    layer: Values = {}
    for name, wanted in values["persistence"].items():
        volumes = [moved(each, node, folder) for each in wanted.get("volumes", [])]
        layer[name] = {"volumes": volumes, "size": SIZES[name]}
    return {"persistence": layer}


def moved(volume: Values, node: str, folder: Folder) -> Values:
    """Return a volume entry on another node and in another folder."""
    source = next(key for key in PATHS if key in volume)
    return {**volume, "node": node, source: str(folder(volume["node"], volume[source]))}


def for_stack(values: Mapping[str, Any]) -> Values:
    """Return values of kube-prometheus-stack where our own chart reads them."""
    return {DEPENDENCY: dict(values)}


def lab_values() -> Values:
    """Return what the stack needs on a cluster whose images are not all to be had."""
    found: Values = yaml.safe_load(lab.VALUES.read_text())
    return found


@dataclass(frozen=True)
class Release:
    """A release of the chart, or of kube-prometheus-stack alone where `wrapped` is false."""

    cluster: Cluster
    name: str
    namespace: str
    major: int
    values: Values
    wrapped: bool = True
    folders: list[Path] = field(default_factory=list)
    layers: list[Mapping[str, Any]] = field(default_factory=list)
    """What was changed since the installation, by each upgrade."""

    def folder(self, title: str) -> Path:
        """Make a fresh folder on the node, removed by `purge`; only our own cluster can."""
        made = self.cluster.disk(f"{title}-{uuid.uuid4().hex[:6]}")
        self.folders.append(made)
        return made

    def install(self) -> None:
        """Install the release into its namespace, with the images there before the pods."""
        rendered = self._helm("template", "--kube-version", KUBERNETES, layer={})
        self.cluster.load_images(lab.images(rendered))
        self._helm("install", "--create-namespace", layer={})

    def upgrade(self, layer: Mapping[str, Any] | None = None, *args: str) -> None:
        """Upgrade with a further layer over the release's values, or with the same values."""
        self._helm("upgrade", *args, layer=layer or {})
        self.layers.append(layer or {})

    def rollback(self) -> None:
        """Roll back to the revision before this one."""
        self._helm("rollback")
        self.layers.pop()

    @property
    def current(self) -> Values:
        """The values, with what was changed since the installation."""
        return merged(self.values, *self.layers)

    def uninstall(self) -> None:
        """Uninstall, and wait until the pods are gone, as the operator has nobody left to ask."""
        self._helm("uninstall", "--ignore-not-found")
        self.cluster.wait(
            f"the pods of {self.namespace} are gone",
            lambda: not self.cluster.objects("pods", self.namespace),
            GONE_TIMEOUT,
            self.namespace,
        )

    def purge(self) -> None:
        """Remove the release with its data: namespace, volumes, classes and folders."""
        self._helm("uninstall", "--ignore-not-found")
        self.cluster.remove_namespace(self.namespace, GONE_TIMEOUT)
        for volume in self.cluster.objects("persistentvolumes"):
            labels = volume["metadata"].get("labels") or {}
            claim = volume["spec"].get("claimRef") or {}
            if labels.get(INSTANCE) == self.name or claim.get("namespace") == self.namespace:
                self.cluster.delete("persistentvolume", volume["metadata"]["name"])
        for each in self.cluster.objects("storageclasses", selector=f"{INSTANCE}={self.name}"):
            self.cluster.delete("storageclass", each["metadata"]["name"])
        for made in self.folders:
            shutil.rmtree(made, ignore_errors=True)

    def _helm(self, action: str, *args: str, layer: Mapping[str, Any] | None = None) -> str:
        words: list[str | Path] = [action, self.name]
        values = None
        if layer is not None:
            source = chart() if self.wrapped else chart() / "charts" / DEPENDENCY
            words += [source, "--values", "-"]
            words += post_renderer(self.major) if self.wrapped else []
            values = yaml.safe_dump(merged(self.current, layer))
        words += ["--namespace", self.namespace, *args]
        env = {**environment(self.major), "KUBECONFIG": str(self.cluster.kubeconfig)}
        return run(binary(self.major), *words, stdin=values, timeout=HELM_TIMEOUT, env=env)

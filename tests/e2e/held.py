"""What holds each consumer's data: its claim, its volume, its pod and its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Object
from tests.e2e.stack import Stack

CONSUMER = "durable-prometheus-stack/consumer"
PLACE = "durable-prometheus-stack/volume"


@dataclass(frozen=True)
class Held:
    """A consumer's first pod, with all that holds its data."""

    consumer: str
    pod: Object
    claim: Object
    volume: Object
    folder: Path

    @property
    def files(self) -> Iterator[Path]:
        """All files of the consumer."""
        return (path for path in self.folder.rglob("*") if path.is_file())


def volumes(stack: Stack, consumer: str) -> list[Object]:
    """Return the static volumes of a consumer, in the order of the plan's list."""
    selector = f"{CONSUMER}={consumer},app.kubernetes.io/instance={stack.release.name}"
    found = stack.cluster.objects("persistentvolumes", selector=selector)
    return sorted(found, key=lambda volume: int(volume["metadata"]["labels"][PLACE]))


def held(stack: Stack, consumer: str) -> Held:
    """Return what holds the data of a consumer's first pod.

    The way is the one that the data goes: from the pod to its claim, from there to the volume.
    """
    pod = stack.cluster.get("pod", pod_name(stack, consumer), stack.namespace)
    assert pod
    (name,) = [
        each["persistentVolumeClaim"]["claimName"]
        for each in pod["spec"]["volumes"]
        if "persistentVolumeClaim" in each
    ]
    claim = stack.claims()[name]
    volume = stack.cluster.get("persistentvolume", claim["spec"]["volumeName"])
    assert volume
    return Held(consumer, pod, claim, volume, Path(path(volume)))


def pod_name(stack: Stack, consumer: str) -> str:
    """Return the name of a consumer's first pod."""
    if consumer == "thanosRuler":
        return f"thanos-ruler-{stack.resource('thanosrulers')['metadata']['name']}-0"
    if consumer == "prometheus":
        return stack.prometheus().pod
    return stack.alertmanager().pod if consumer == "alertmanager" else stack.grafana().pod


def path(volume: Object) -> str:
    """Return the folder that a volume stands for."""
    spec = volume["spec"]
    return str((spec.get("local") or spec["hostPath"])["path"])


def planned(stack: Stack, consumer: str) -> list[dict[str, Any]]:
    """Return the volumes that the values ask for."""
    found: list[dict[str, Any]] = stack.release.values["persistence"][consumer]["volumes"]
    return found


def check_binding(stack: Stack, consumer: str) -> Held:
    """Check that the first pod has the first volume: claim, node and folder, by reservation."""
    found = held(stack, consumer)
    first = planned(stack, consumer)[0]
    uid, name = (found.claim["metadata"][key] for key in ("uid", "name"))
    reference = found.volume["spec"]["claimRef"]
    assert ("Bound", "Bound") == (
        found.claim["status"]["phase"],
        found.volume["status"]["phase"],
    )
    assert (stack.namespace, name, uid) == tuple(
        reference[key] for key in ("namespace", "name", "uid")
    )
    # Written by the controller where it chose the volume: ours was reserved, not chosen.
    annotations = found.volume["metadata"]["annotations"]
    assert "pv.kubernetes.io/bound-by-controller" not in annotations
    assert (first.get("local") or first["hostPath"]) == path(found.volume)
    assert first["node"] == found.pod["spec"]["nodeName"] == stack.cluster.node_name
    assert "Retain" == found.volume["spec"]["persistentVolumeReclaimPolicy"]
    return found

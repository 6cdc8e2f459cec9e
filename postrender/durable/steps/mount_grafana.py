"""Put Grafana's database on a claim, in a directory of its own, with one writer at a time."""

from __future__ import annotations

from durable.edits import insert, merge, remove, set_value
from durable.objects import FILENAME
from durable.stack import CONSUMER_LABEL, mounted_at, pod_volume
from durable.steps.claim_storage import claim_spec, strip_selector
from durable.steps.keep_claims import keep_annotations, keep_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.patch import Path
    from durable.stack import Consumer, Stack

TEMPLATES = ("spec", "volumeClaimTemplates")
INSTANCE = ("app.kubernetes.io/name", "app.kubernetes.io/instance")


def mount_grafana(stack: Stack) -> Iterator[Edit]:
    """Give Grafana a claim, sub-paths in every mount of it, and the strategy Recreate.

    With RollingUpdate the new pod waits for a ReadWriteOnce volume that the old one holds
    (Multi-Attach), or, on the same node or with ReadWriteMany, two Grafanas write one SQLite file.
    """
    for consumer in stack.managed():
        if consumer.facts is not None or consumer.plan is None:
            continue
        if _template(consumer) is None and not consumer.deployment and _is_empty(consumer):
            yield from _add_template(consumer)
        elif _template(consumer) is not None:
            yield from _edit_template(consumer)
        else:
            yield from _claim(stack, consumer)
        yield from _sub_paths(consumer)
        if consumer.deployment:
            yield from _recreate(consumer)


def _is_empty(consumer: Consumer) -> bool:
    """Whether the data volume is one that dies with the pod."""
    volume = pod_volume(consumer.object, consumer.pod, consumer.volume_name)
    if volume is None:
        return False
    # A volume that has a name only is an emptyDir.
    return "emptyDir" in volume or "ephemeral" in volume or len(volume) == 1


def _template(consumer: Consumer) -> int | None:
    """The place of the StatefulSet's claim template for the data volume."""
    for index, template in enumerate(consumer.object.items(*TEMPLATES)):
        metadata = template.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == consumer.volume_name:
            return index
    return None


def _volume_index(consumer: Consumer) -> int:
    volumes = consumer.object.items(*consumer.pod, "volumes")
    return next(i for i, volume in enumerate(volumes) if volume.get("name") == consumer.volume_name)


def _add_template(consumer: Consumer) -> Iterator[Edit]:
    assert consumer.plan is not None  # noqa: S101  managed
    template = {"metadata": {"name": consumer.volume_name}, "spec": claim_spec(consumer.plan)}
    yield from remove(consumer.object, (*consumer.pod, "volumes", str(_volume_index(consumer))))
    yield from insert(consumer.object, TEMPLATES, len(consumer.object.items(*TEMPLATES)), template)


def _edit_template(consumer: Consumer) -> Iterator[Edit]:
    assert consumer.plan is not None  # noqa: S101  managed
    path = (*TEMPLATES, str(_template(consumer)), "spec")
    yield from merge(consumer.object, path, claim_spec(consumer.plan))
    yield from strip_selector(consumer.object, path)


def _claim(stack: Stack, consumer: Consumer) -> Iterator[Edit]:
    """Mount a claim, and edit its document, or add one where the chart rendered none."""
    assert consumer.plan is not None  # noqa: S101  managed
    name = consumer.deployment_claim()
    if _is_empty(consumer):
        path = (*consumer.pod, "volumes", str(_volume_index(consumer)))
        volume = {"name": consumer.volume_name, "persistentVolumeClaim": {"claimName": name}}
        yield from set_value(consumer.object, path, volume)
        if stack.find("PersistentVolumeClaim", name, consumer.namespace) is None:
            stack.add(_claim_document(stack, consumer, name), consumer.object)
    claim = stack.find("PersistentVolumeClaim", name, consumer.namespace)
    if claim is None:  # an existing claim of the user's own
        return
    yield from merge(claim, ("spec",), claim_spec(consumer.plan))
    yield from strip_selector(claim, ("spec",))
    yield from keep_object(claim, argocd=stack.plan.argocd)


def _claim_document(stack: Stack, consumer: Consumer, name: str) -> dict[str, Any]:
    assert consumer.plan is not None  # noqa: S101  managed
    labels = consumer.object.labels
    instance = {key: labels[key] for key in INSTANCE if key in labels}
    metadata: dict[str, Any] = {"name": name}
    if consumer.namespace:
        metadata["namespace"] = consumer.namespace
    metadata["labels"] = instance | {CONSUMER_LABEL: consumer.name}
    metadata["annotations"] = keep_annotations(argocd=stack.plan.argocd)
    filename = consumer.object.annotations.get(FILENAME)
    if filename:  # Helm 4 names an added document by its position otherwise, and that moves
        metadata["annotations"] |= {FILENAME: filename}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": claim_spec(consumer.plan),
    }


def _sub_paths(consumer: Consumer) -> Iterator[Edit]:
    """Write the sub-path into every mount of the data volume: one without it would see the root."""
    wanted = consumer.plan.sub_path if consumer.plan else ""
    if not wanted:
        return
    for path, mount in _mounts(consumer):
        # A mount elsewhere that has a sub-path of its own keeps it, below ours.
        own = "" if mounted_at(mount, consumer.mount) else str(mount.get("subPath") or "")
        below = own if f"{own}/".startswith(f"{wanted}/") else f"{wanted}/{own}".rstrip("/")
        yield from set_value(consumer.object, (*path, "subPath"), below)


def _mounts(consumer: Consumer) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Each mount of the data volume, with its path."""
    for group in ("initContainers", "containers"):
        for n, container in enumerate(consumer.object.items(*consumer.pod, group)):
            mounts = container.get("volumeMounts")
            for m, mount in enumerate(mounts if isinstance(mounts, list) else []):
                if isinstance(mount, dict) and mount.get("name") == consumer.volume_name:
                    yield (*consumer.pod, group, str(n), "volumeMounts", str(m)), mount


def _recreate(consumer: Consumer) -> Iterator[Edit]:
    yield from remove(consumer.object, ("spec", "strategy", "rollingUpdate"))
    yield from merge(consumer.object, ("spec", "strategy"), {"type": "Recreate"})

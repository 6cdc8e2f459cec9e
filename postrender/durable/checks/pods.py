"""Rules about the pods that the operator or a workload makes."""

from __future__ import annotations

from durable.checks.registry import Fault, rule
from durable.findings import REFUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.stack import Consumer, Stack

# What the operator puts into the pods by itself (0.93: pkg/prometheus/common.go BuildCommonVolumes,
# pkg/alertmanager/statefulset.go, pkg/thanos/statefulset.go, pkg/webconfig/config.go).
PROMETHEUS = {
    "volumes": {"config", "tls-assets", "config-out", "web-config"},
    "mounts": {
        "/etc/prometheus/config_out",
        "/etc/prometheus/certs",
        "/etc/prometheus/web_config/web-config.yaml",
        "/prometheus",
    },
}
OPERATOR: dict[str, dict[str, set[str]]] = {
    "Prometheus": PROMETHEUS,
    "PrometheusAgent": PROMETHEUS,
    "Alertmanager": {
        "volumes": {"config-volume", "config-out", "tls-assets", "web-config", "cluster-tls-config"},
        "mounts": {
            "/etc/alertmanager/config",
            "/etc/alertmanager/config_out",
            "/etc/alertmanager/certs",
            "/etc/alertmanager/web_config/web-config.yaml",
            "/alertmanager",
        },
    },
    "ThanosRuler": {
        "volumes": {"tls-assets", "web-config"},
        "mounts": {"/etc/thanos/certs", "/etc/thanos/web_config/web-config.yaml", "/thanos/data"},
    },
}
# Volumes that exist only with other fields of the object, under names of this form.
DERIVED = ("secret-", "configmap-", "prometheus-", "thanos-ruler-")
DERIVED_NAMES = frozenset(
    {
        "notification-templates",
        "cluster-tls-config",
        "log-file",
        "query-log-file",
        "query-config",
        "alertmanager-config",
        "objstorage-config",
        "tracing-config",
        "alertrelabel-config",
        "remote-write-config",
    }
)


@rule(REFUSE, "Give each mount a volume of its name, and each mount path and volume name once.")
def mounts(stack: Stack) -> Iterator[Fault]:
    """An invalid pod makes the operator delete the running StatefulSet, and it cannot make a new one.

    Seen on a cluster with a mount without its volume, a mount path twice and a volume name twice: the pods
    are gone until the field is mended (prometheus-operator pkg/k8s/statefulset.go deletes on any 422).
    """
    for consumer in stack.consumers:
        if not consumer.stateful:
            continue
        own = OPERATOR[consumer.object.kind] if consumer.facts else {"volumes": set(), "mounts": set()}
        volumes = consumer.object.items(*consumer.pod, "volumes")
        yield from _twice(consumer, volumes, own["volumes"])
        known = {str(v.get("name")) for v in volumes} | own["volumes"] | _claims(consumer)
        yield from _server_mounts(consumer, known, own["mounts"])
        for group in ("containers", "initContainers"):
            yield from _containers(consumer, group, known)


def _claims(consumer: Consumer) -> set[str]:
    if consumer.facts is not None:
        # The operator's own volume has the default name also where a template's own name is ignored.
        rival = any(consumer.object.get("spec", "storage", r) is not None for r in ("emptyDir", "ephemeral"))
        storage = consumer.object.get("spec", "storage") is None
        default = consumer.facts.claim.format(consumer.object.name)
        return {default} if rival or storage else {consumer.volume_name}
    templates = consumer.object.items("spec", "volumeClaimTemplates")
    metadata = [t.get("metadata") for t in templates]
    return {str(m.get("name")) for m in metadata if isinstance(m, dict)}


def _twice(consumer: Consumer, volumes: list[dict[str, Any]], own: set[str]) -> Iterator[Fault]:
    seen = set(own)
    for index, volume in enumerate(volumes):
        name = str(volume.get("name"))
        if name in seen:
            by = "the operator's own" if name in own else "another"
            field = ".".join((*consumer.pod, "volumes", str(index), "name"))
            yield Fault(consumer.object, field, f"is {name!r}, as is {by} volume: the pod is invalid")
        seen.add(name)


def _server_mounts(consumer: Consumer, known: set[str], own: set[str]) -> Iterator[Fault]:
    """The mounts that a custom resource adds to its server's container, with the operator's own."""
    if consumer.facts is None:
        return
    path = ("spec", "volumeMounts")
    added = consumer.object.items(*path)
    yield from _mounts(consumer, path, added, known, set(own))
    # With a template's own name beside emptyDir the server's mount names a volume that nobody makes.
    if consumer.volume_name not in known:
        says = f"is {consumer.volume_name!r}: the server mounts it, but emptyDir or ephemeral makes another volume"
        yield Fault(consumer.object, "spec.storage.volumeClaimTemplate.metadata.name", says)


def _containers(consumer: Consumer, group: str, known: set[str]) -> Iterator[Fault]:
    for index in range(len(consumer.object.items(*consumer.pod, group))):
        path = (*consumer.pod, group, str(index), "volumeMounts")
        yield from _mounts(consumer, path, consumer.object.items(*path), known, set())


def _mounts(
    consumer: Consumer, path: tuple[str, ...], items: list[dict[str, Any]], known: set[str], seen: set[str]
) -> Iterator[Fault]:
    for index, mount in enumerate(items):
        name, place = str(mount.get("name")), str(mount.get("mountPath"))
        field = ".".join((*path, str(index)))
        derived = consumer.facts is not None and (name.startswith(DERIVED) or name in DERIVED_NAMES)
        if name not in known and not (derived and name != consumer.volume_name):
            yield Fault(consumer.object, f"{field}.name", f"is {name!r}, and the pod has no volume of that name")
        if place in seen:
            yield Fault(consumer.object, f"{field}.mountPath", f"is {place!r}, which another mount has too")
        seen.add(place)

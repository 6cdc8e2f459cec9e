"""Rules about the pods that the operator or a workload makes.

What the operator puts into them by itself, at 0.93: pkg/prometheus/common.go (BuildCommonVolumes),
pkg/prometheus/server/statefulset.go (rule files, the Thanos sidecar), pkg/thanos/statefulset.go,
pkg/alertmanager/statefulset.go and clustertlsconfig, pkg/webconfig; pkg/k8s/merge.go merges
containers.
"""

from __future__ import annotations

from durable.checks.placement import RIVALS, paste
from durable.checks.registry import Fault, rule, shown
from durable.findings import REFUSE, one_line
from durable.pattern import pattern
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Consumer, Stack

    Path = tuple[str, ...]
    Pairs = list[tuple[str, str]]

INVALID = "the pod is invalid"
UNSAFE = pattern(r"[^a-z0-9-]")
# Volume and mount of the server's container; for the fields that are named, where they are set.
PROMETHEUS = (
    ("config", "", ""),
    ("config-out", "/etc/prometheus/config_out", ""),
    ("tls-assets", "/etc/prometheus/certs", ""),
    ("web-config", "/etc/prometheus/web_config/web-config.yaml", ""),
)
THANOS_CONFIG = "/etc/thanos/config"
OWN = {
    "Prometheus": (
        *PROMETHEUS,
        ("thanos-prometheus-http-client-file", "", "thanos"),
    ),
    "PrometheusAgent": PROMETHEUS,
    "Alertmanager": (
        ("config-volume", "/etc/alertmanager/config", ""),
        ("config-out", "/etc/alertmanager/config_out", ""),
        ("tls-assets", "/etc/alertmanager/certs", ""),
        ("web-config", "/etc/alertmanager/web_config/web-config.yaml", ""),
        ("cluster-tls-config", "/etc/alertmanager/cluster_tls_config/cluster-tls-config.yaml", ""),
        (
            "notification-templates",
            "/etc/alertmanager/templates",
            "alertmanagerConfiguration.templates",
        ),
    ),
    "ThanosRuler": (
        ("tls-assets", "/etc/thanos/certs", ""),
        ("web-config", "/etc/thanos/web_config/web-config.yaml", ""),
        ("remote-write-config", f"{THANOS_CONFIG}/remote-write-config", ""),
        ("query-config", f"{THANOS_CONFIG}/query-config", "queryConfig"),
        ("alertmanager-config", f"{THANOS_CONFIG}/alertmanager-config", "alertmanagersConfig"),
        ("objstorage-config", f"{THANOS_CONFIG}/objstorage-config", "objectStorageConfig"),
        ("tracing-config", f"{THANOS_CONFIG}/tracing-config", "tracingConfig"),
        ("alertrelabel-config", f"{THANOS_CONFIG}/alertrelabel-config", "alertRelabelConfigs"),
    ),
}
# Fields that list Secrets and ConfigMaps: each is mounted below a directory of the field's name.
LISTED = (("secrets", "secret"), ("configMaps", "configmap"))
DIRECTORY = {
    "Prometheus": "/etc/prometheus",
    "PrometheusAgent": "/etc/prometheus",
    "Alertmanager": "/etc/alertmanager",
}
LOG_FILES = ("scrapeFailureLogFile", "queryLogFile")
# Volumes with a hash or a number in their names.
PREFIXES = ("web-config-tls-", "cluster-tls-server-config-", "cluster-tls-client-config-")
# Containers that one of the same name is merged into (those of old versions too), by group.
MERGED = {
    "containers": (
        *("config-reloader", "prometheus-config-reloader", "rules-configmap-reloader"),
        "thanos-sidecar",
    ),
    "initContainers": ("init-config-reloader",),
}


@record
class Made:
    """The pod's volumes by name, and the paths at which its server mounts something."""

    volumes: frozenset[str]
    mounts: frozenset[str]
    prefixes: tuple[str, ...]

    def has(self, name: str) -> bool:
        """Whether the pod has, or may have, a volume of this name."""
        return name in self.volumes or (bool(self.prefixes) and name.startswith(self.prefixes))


@rule(REFUSE, "Give each mount a volume of its name; each mount path and each name only once.")
def mounts(stack: Stack) -> Iterator[Fault]:
    """An invalid pod makes the operator delete the running StatefulSet; it cannot make a new one.

    Seen on a cluster with a mount without its volume and with a mount path twice: the pods are gone
    until the field is mended (prometheus-operator pkg/k8s/statefulset.go deletes on any 422). What
    the operator itself makes and mounts counts.
    """
    for consumer in stack.consumers:
        if not consumer.stateful:
            continue
        own = _own(consumer)
        yield from _volumes(consumer, own)
        pod = Made(own.volumes | _names(consumer), own.mounts, own.prefixes)
        yield from _server(consumer, pod)
        yield from _containers(consumer, pod)


def _own(consumer: Consumer) -> Made:
    """What the operator makes for the custom resource as it is."""
    if consumer.facts is None:
        return Made(frozenset(), frozenset(), ())
    target, kind = consumer.object, consumer.object.kind
    pairs = [
        (volume, place)
        for volume, place, field in OWN[kind]
        # A file of one's own, as objectStorageConfigFile, takes the place of the Secret's.
        if not field or _has(consumer, field, f"{field.removesuffix('s')}File")
    ]
    for field, prefix in LISTED if kind in DIRECTORY else ():
        for name in target.strings("spec", field):
            label = UNSAFE.sub("-", f"{prefix}-{name}".lower())[:63]
            pairs.append((label, f"{DIRECTORY[kind]}/{field.lower()}/{name}"))
    # A bare file name, without a directory, is a file in a volume of the operator's.
    if any("/" not in (target.string("spec", field) or "/") for field in LOG_FILES):
        pairs.append(("log-file", "/var/log/prometheus"))
    pairs.append(("", consumer.mount))
    volumes, places = (frozenset(filter(None, column)) for column in zip(*pairs, strict=True))
    rule_files = f"{consumer.facts.statefulset.format(target.name)}-rulefiles-"
    return Made(volumes, places, (*PREFIXES, rule_files))


def _has(consumer: Consumer, field: str, instead: str) -> bool:
    said = consumer.object.get("spec", *field.split("."))
    return bool(said) and not consumer.object.get("spec", instead)


def _names(consumer: Consumer) -> frozenset[str]:
    """The names of the volumes that the user and the claim templates give."""
    named = {str(v.get("name")) for v in consumer.object.items(*consumer.pod, "volumes")}
    if consumer.facts is not None:
        return frozenset(named | {_data_volume(consumer)})
    templates = consumer.object.items("spec", "volumeClaimTemplates")
    metadata = [t.get("metadata") for t in templates]
    return frozenset(named | {str(m.get("name")) for m in metadata if isinstance(m, dict)})


def _data_volume(consumer: Consumer) -> str:
    """The data volume's name: a template's own name counts only where the template does."""
    facts = consumer.facts
    if facts is None or _claimed(consumer):
        return consumer.volume_name
    return facts.claim.format(consumer.object.name)


def _claimed(consumer: Consumer) -> bool:
    storage = consumer.object.mapping("spec", "storage")
    absent = consumer.object.get("spec", "storage") is None
    return not absent and all(storage.get(rival) is None for rival in RIVALS)


def _volumes(consumer: Consumer, own: Made) -> Iterator[Fault]:
    path = (*consumer.pod, "volumes")
    # A claim template may have a volume's name, and hides that volume; an emptyDir may not.
    claimed = consumer.facts is None or _claimed(consumer)
    taken = own.volumes if claimed else own.volumes | {_data_volume(consumer)}
    named: set[str] = set()
    for index, volume in enumerate(consumer.object.items(*path)):
        name = str(volume.get("name"))
        if name in taken or name in named:
            by = "the operator's own" if name in taken else "another"
            says = f"is {shown(name)}, as is {by} volume: {INVALID}"
            fix = f"Another name in {consumer}, for the volume and in its mounts."
            yield Fault(consumer.object, ".".join((*path, str(index), "name")), says, fix)
        named.add(name)


def _server(consumer: Consumer, pod: Made) -> Iterator[Fault]:
    """The mounts that a custom resource adds to the operator's containers."""
    if consumer.facts is None:
        return
    yield from _mounts(consumer, ("spec", "volumeMounts"), pod, set(pod.mounts))
    sidecar = ("spec", "thanos")
    if consumer.object.get(*sidecar) is not None:
        places = {THANOS_CONFIG}
        # It gets the data only where it has somewhere to put it.
        if any(k.startswith("objectStorageConfig") for k in consumer.object.mapping(*sidecar)):
            places.add(consumer.mount)
        yield from _mounts(consumer, (*sidecar, "volumeMounts"), pod, places)
    if not pod.has(consumer.volume_name):
        says = f"is {consumer.volume_name}: the server mounts it, but emptyDir makes another volume"
        field = "spec.storage.volumeClaimTemplate.metadata.name"
        fix = f"persistence: {{{consumer.name}: {{enabled: true}}}}."
        yield Fault(consumer.object, field, says, fix)


def _containers(consumer: Consumer, pod: Made) -> Iterator[Fault]:
    facts = consumer.facts
    server = (facts.container,) if facts else ()
    named = set(server)
    for group, merged in MERGED.items():
        names = (*merged, *server) if facts and group == "containers" else merged
        # Thanos Ruler's init containers are taken as they are (pkg/thanos/statefulset.go).
        if facts is None or (group == "initContainers" and facts.kind == "ThanosRuler"):
            names = ()
        for index, container in enumerate(consumer.object.items(*consumer.pod, group)):
            path = (*consumer.pod, group, str(index))
            name = str(container.get("name"))
            if name in named and name not in names:
                says = f"is {shown(name)}, as is another container: {INVALID}"
                fix = f"Another name for one of them in {consumer}."
                yield Fault(consumer.object, ".".join((*path, "name")), says, fix)
            named.add(name)
            # Where the operator merges, a mount at a path that is taken takes its place.
            places = None if name in names else set[str]()
            yield from _mounts(consumer, (*path, "volumeMounts"), pod, places)


def _mounts(consumer: Consumer, path: Path, pod: Made, places: set[str] | None) -> Iterator[Fault]:
    """Mounts without a volume, and mount paths that stand twice."""
    for index, mount in enumerate(consumer.object.items(*path)):
        name, place = str(mount.get("name")), str(mount.get("mountPath"))
        field = ".".join((*path, str(index)))
        if not pod.has(name):
            says = f"is {shown(name)}, and the pod has no volume of that name: {INVALID}"
            # A list in Helm's values takes the place of the list before it.
            more = "..., " if consumer.facts and consumer.object.items("spec", "volumes") else ""
            entry = f"volumes: [{more}{{name: {one_line(name)}, emptyDir: {{}}}}]"
            block = entry if consumer.facts else f"extraV{entry[1:]}"
            fix = paste(consumer.object, block, plain=f"{entry} in the pod of {consumer}.")
            yield Fault(consumer.object, f"{field}.name", says, fix)
        if mount.get("subPath") and mount.get("subPathExpr"):
            says = f"stands beside subPathExpr: {INVALID}"
            fix = f"Only one of the two in {consumer}."
            if consumer.facts is None:  # our own edit, beside the user's
                fix = 'persistence: {grafana: {subPath: ""}}.'
            yield Fault(consumer.object, f"{field}.subPath", says, fix)
        if places is None:
            continue
        if place in places:
            says = f"is {shown(place)}, which another mount has too: {INVALID}"
            fix = f"Another mountPath in {consumer}, or no such mount."
            yield Fault(consumer.object, f"{field}.mountPath", says, fix)
        places.add(place)

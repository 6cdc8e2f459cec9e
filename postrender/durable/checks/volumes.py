"""Rules about static volumes: enough of them, each its own, each reserved, each fit for its claim."""

from __future__ import annotations

from durable.checks.placement import (
    Placed,
    claim_template,
    class_of,
    directory,
    network,
    placed,
    provisions,
)
from durable.checks.reach import unreachable
from durable.checks.registry import Fault, rule
from durable.findings import REFUSE
from durable.quantity import parse_quantity
from durable.stack import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.checks.placement import Claim
    from durable.objects import Object
    from durable.stack import Consumer, Stack

TIME_SERIES = ("prometheus", "thanosRuler")


@rule(REFUSE, "List one volume per pod under persistence: {<consumer>: {volumes: [...]}}.")
def enough(stack: Stack) -> Iterator[Fault]:
    """A pod without a volume stays Pending, or takes the volume that another consumer needs.

    prometheus-operator#3858: two replicas, one volume.
    """
    for consumer in stack.managed():
        claim = claim_template(stack, consumer)
        if claim is None or consumer.plan is None:
            continue
        static = consumer.plan.volumes or _static_class(stack, claim)
        if not static or provisions(class_of(stack, claim)):
            continue
        missing = [c for c in dict.fromkeys(consumer.claims()) if c not in _covered(stack, consumer)]
        if missing:
            says = f"has no volume for {', '.join(missing)}: the class {claim.storage_class!r} makes none"
            where = f"persistence: {{{consumer.name}: {{volumes: [...]}}}}"
            fix = f"{where} with one {{node: ..., local: ...}} more for each of these {len(missing)} claims."
            yield Fault(consumer.object, "", says, fix)


def _static_class(stack: Stack, claim: Claim) -> bool:
    found = class_of(stack, claim)
    return found is not None and not provisions(found)


def _covered(stack: Stack, consumer: Consumer) -> set[str]:
    """The claims that a volume is reserved for; volumes of the plan count where the stream holds none."""
    namespace = consumer.namespace or stack.plan.namespace
    volumes = [v for v in stack.kind("PersistentVolume") if v.get("spec", "claimRef", "namespace") == namespace]
    covered = {v.string("spec", "claimRef", "name") for v in volumes}
    if consumer.plan and not stack.volumes_of(consumer.name):
        covered |= set(consumer.claim_of_volumes(consumer.plan.volumes))
    return covered


@rule(REFUSE, "Give each volume a directory of its own, none inside another's.")
def own_directory(stack: Stack) -> Iterator[Fault]:
    """Two databases in one directory destroy each other, and Grafana's chown took over Prometheus' files.

    helm/charts#23096: three volumes on one EFS path; sub-paths are counted.
    """
    seen: list[tuple[tuple[str, str], Placed]] = []
    for volume in placed(stack):
        place = directory(volume, _sub_path(stack, volume.consumer))
        if place is None:
            continue
        for other_place, other in seen:
            if _same_backend(place[0], other_place[0]) and _overlap(place[1], other_place[1]):
                says = f"is {place[1]} on {place[0]}, where {other.object} ({other.consumer}, {other_place[1]}) writes too"
                yield Fault(volume.object, f"spec.{volume.kind}", says)
        seen.append((place, volume))


def _sub_path(stack: Stack, name: str) -> str:
    return next((c.sub_path for c in stack.consumers if c.name == name), "")


def _same_backend(one: str, other: str) -> bool:
    return one == other or (one.startswith("node ") and other.startswith("node ") and "node any" in (one, other))


def _overlap(one: str, other: str) -> bool:
    a, b = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return a.startswith(b) or b.startswith(a)


@rule(REFUSE, "Make the volume's capacity, class and access modes those of its claim.")
def fit(stack: Stack) -> Iterator[Fault]:
    """A reserved volume that is too small, or lacks an access mode, leaves its claim Pending for ever.

    Another class binds at first, and is then beaten by a free volume of the right class: refused as well.
    """
    for consumer in guarded(stack):
        claim = claim_template(stack, consumer)
        names = set(consumer.claims())
        for volume in placed(stack):
            if claim is not None and volume.consumer == consumer.name and volume.claim in names:
                yield from _misfits(volume.object, claim)


def _misfits(volume: Object, claim: Claim) -> Iterator[Fault]:
    capacity = parse_quantity(str(volume.get("spec", "capacity", "storage")))
    request = parse_quantity(str(claim.request))
    if capacity is None or (request is not None and capacity < request):
        says = f"is {volume.get('spec', 'capacity', 'storage')}, the claim asks for {claim.request}"
        yield Fault(volume, "spec.capacity.storage", says)
    if volume.string("spec", "storageClassName") != claim.storage_class:
        says = f"is {volume.string('spec', 'storageClassName')!r}, the claim's class is {claim.storage_class!r}"
        yield Fault(volume, "spec.storageClassName", says)
    missing = sorted(set(claim.modes) - set(volume.strings("spec", "accessModes")))
    if missing:
        yield Fault(volume, "spec.accessModes", f"lacks {', '.join(missing)}, which the claim asks for")


@rule(REFUSE, "Name the volume's node: volumes: [{node: <hostname>, local: /path}].")
def pinned(stack: Stack) -> Iterator[Fault]:
    """A local volume without node affinity is refused by the API server, or found empty on another node."""
    for volume in stack.kind("PersistentVolume"):
        terms = volume.items("spec", "nodeAffinity", "required", "nodeSelectorTerms")
        if volume.get("spec", "local") is not None and not terms:
            yield Fault(volume, "spec.nodeAffinity", "is missing: a local volume is on one node only")


@rule(REFUSE, "Let nodeSelector, affinity and spread allow the nodes that have the volumes.")
def reachable(stack: Stack) -> Iterator[Fault]:
    """A pod that may not run where its volume is stays Pending; replicas that must spread need volumes apart.

    kube-prometheus#173, prometheus#10508.
    """
    for consumer in guarded(stack):
        volumes = [v for v in placed(stack) if v.consumer == consumer.name]
        for field, says in unreachable(consumer, volumes):
            yield Fault(consumer.object, field, says)


@rule(REFUSE, "Use a block-device backed volume; persistence: {accept: [volumes/posix]} takes the risk.")
def posix(stack: Stack) -> Iterator[Fault]:
    """Prometheus documents NFS (EFS included) as unsupported: unrecoverable corruption may happen.

    prometheus-operator#4631, #3150; Thanos Ruler keeps the same kind of database.
    """
    for consumer in guarded(stack):
        if consumer.name not in TIME_SERIES:
            continue
        for volume in placed(stack):
            name = "nfs" if volume.kind == "nfs" else str(volume.source.get("driver", ""))
            if volume.consumer == consumer.name and network(name):
                says = f"is a network file system ({name}), which the time series database does not support"
                yield Fault(volume.object, f"spec.{volume.kind}", says)
        claim = claim_template(stack, consumer)
        found = class_of(stack, claim) if claim else None
        if claim is not None and found is not None and network(found.string("provisioner")):
            says = f"is {claim.storage_class!r}, whose provisioner {found.string('provisioner')} gives network file systems"
            yield Fault(consumer.object, claim.field + ".storageClassName", says)


@rule(REFUSE, "Set persistentVolumeReclaimPolicy: Retain.")
def retained(stack: Stack) -> Iterator[Fault]:
    """Delete fails on local and NFS volumes, and really deletes on others; Recycle empties the volume."""
    for volume in stack.kind("PersistentVolume"):
        policy = volume.string("spec", "persistentVolumeReclaimPolicy")
        if policy not in ("", "Retain"):
            says = f"is {policy}: the data goes, or the volume fails, when the claim is deleted"
            yield Fault(volume, "spec.persistentVolumeReclaimPolicy", says)


@rule(REFUSE, "Set volumeMode: Filesystem.")
def filesystem(stack: Stack) -> Iterator[Fault]:
    """Prometheus, Alertmanager, Thanos Ruler and Grafana write files: a raw device never binds or mounts."""
    for volume in placed(stack):
        if volume.object.get("spec", "volumeMode") == "Block":
            yield Fault(volume.object, "spec.volumeMode", f"is Block, and {volume.consumer} needs a file system")
    for consumer in guarded(stack):
        claim = claim_template(stack, consumer)
        if claim is not None and claim.spec.get("volumeMode") == "Block":
            yield Fault(claim.object, claim.field + ".volumeMode", "is Block: the server needs a file system")


@rule(REFUSE, "Let each consumer with volumes be in the stream, with one volume for each claim.")
def reserved(stack: Stack) -> Iterator[Fault]:
    """An unreserved volume is taken by any claim of its class; a claimRef without namespace matches none.

    Seen on a cluster: a 1Gi claim of another namespace took it; of two volumes for one claim the bigger won.
    """
    owners: dict[tuple[str, str], Object] = {}
    for volume in placed(stack):
        name, namespace = (volume.object.string("spec", "claimRef", k) for k in ("name", "namespace"))
        if not name or not namespace:
            lacks = "name" if not name else "namespace"
            says = f"has no {lacks}: any claim may take the volume of {volume.consumer}"
            fix = f"persistence: {{{volume.consumer}: {{enabled: false}}}} if the stack has no such consumer."
            if any(c.name == volume.consumer for c in stack.consumers):
                fix = "One custom resource of this kind in the stream, with metadata.namespace, so that its claims are known."
            yield Fault(volume.object, "spec.claimRef", says, fix)
        elif (namespace, name) in owners:
            says = f"reserves it for {namespace}/{name}, as {owners[namespace, name]} does: only one of them is used"
            fix = f"persistence: {{{volume.consumer}: {{volumes: [...]}}}} with one volume per pod."
            yield Fault(volume.object, "spec.claimRef", says, fix)
        else:
            owners[namespace, name] = volume.object

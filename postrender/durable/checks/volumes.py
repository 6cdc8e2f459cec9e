"""Rules about static volumes: enough of them, each its own, reserved, and fit for its claim."""

from __future__ import annotations

from durable.checks.placement import (
    bytes_of,
    claim_template,
    class_of,
    directory,
    discovered,
    network,
    paste,
    placed,
    provisions,
    storage_fix,
    store_claim,
    values_of,
)
from durable.checks.reach import unreachable
from durable.checks.registry import Fault, rule, shown
from durable.consumers import INFLUXDB
from durable.findings import REFUSE, WARN
from durable.stack import CONSUMER_LABEL, VOLUME_LABEL, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.checks.placement import Claim, Directory, Placed
    from durable.objects import Object
    from durable.stack import Consumer, Stack

TIME_SERIES = ("prometheus", "thanosRuler")
ENTRY = "{node: NODE, local: /PATH}"
FEW = 3
ACCEPT = "persistence: {accept: [volumes/posix]} to take the risk"


@rule(REFUSE, "List one volume per pod under persistence: {<consumer>: {volumes: [...]}}.")
def enough(stack: Stack) -> Iterator[Fault]:
    """A pod without a volume stays Pending, or takes the volume that another consumer needs.

    prometheus-operator#3858: two replicas, one volume. A class that a local static provisioner of
    the stream fills, and volumes of the class that nobody has reserved, count as enough.
    """
    for consumer in stack.managed():
        claim = claim_template(stack, consumer)
        if claim is None or consumer.plan is None or _contested(stack, consumer):
            continue
        found = class_of(stack, claim)
        if claim.spec.get("volumeName") and len(set(consumer.claims())) > 1:
            yield _one_for_all(consumer, claim)
        if provisions(found) or not (consumer.plan.volumes or found):
            continue
        covered = _covered(stack, consumer)
        missing = [name for name in dict.fromkeys(consumer.claims()) if name not in covered]
        if len(missing) > _free(stack, claim) and claim.storage_class not in discovered(stack):
            says = f"has no volume for {_few(missing)}: the class {claim.storage_class} makes none"
            entries = ["..."] * bool(consumer.plan.volumes) + [ENTRY] * min(len(missing), FEW)
            fix = f"persistence: {{{consumer.name}: {{volumes: [{', '.join(entries)}]}}}}."
            yield Fault(consumer.object, "", says, fix)
    yield from _stored(stack)


def _stored(stack: Stack) -> Iterator[Fault]:
    """The same for the long-term store, whose claim is a document."""
    claim = store_claim(stack)
    found = class_of(stack, claim) if claim else None
    if (
        claim is None
        or found is None
        or provisions(found)
        or claim.storage_class in discovered(stack)
    ):
        return
    if _free(stack, claim) or any(v.claim == claim.object.name for v in placed(stack)):
        return
    says = f"has no volume: the class {claim.storage_class} makes none"
    yield Fault(claim.object, "", says, f"{INFLUXDB}: {{volumes: [{ENTRY}]}}.")


@rule(WARN, "Render the chart into the stream: it makes the PersistentVolumes of the plan.")
def rendered(stack: Stack) -> Iterator[Fault]:
    """Volumes that only the plan lists are made by nobody: the claims stay Pending.

    Seen on plain manifests with --plan: the chart renders the volumes, the post-renderer reserves
    them. helm template kps chart --set kube-prometheus-stack.enabled=false gives plan and volumes.
    """
    for consumer in stack.managed():
        if consumer.plan is None or not consumer.plan.volumes:
            continue
        if not any(volume.consumer == consumer.name for volume in placed(stack)):
            says = "are in the plan, but the stream holds no PersistentVolume for them"
            fix = "The output of helm template with kube-prometheus-stack.enabled=false, before it."
            where = f"persistence.{consumer.name}.volumes"
            yield Fault(f"plan {stack.plan.release}".rstrip(), where, says, fix)


def _one_for_all(consumer: Consumer, claim: Claim) -> Fault:
    says = "sends the claims of all pods to one volume, and one of them gets it"
    fix = storage_fix(consumer, "volumeClaimTemplate: {spec: {volumeName: null}}")
    if consumer.facts is None:
        plain = f"No volumeName in {consumer}."
        fix = paste(consumer.object, "persistence: {volumeName: null}", plain=plain)
    return Fault(claim.object, f"{claim.field}.volumeName", says, fix)


def _contested(stack: Stack, consumer: Consumer) -> bool:
    """Whether the plan's volumes may be those of several objects: the rule reserved says so."""
    alike = [c for c in stack.managed() if c.name == consumer.name]
    return len(alike) > 1 and bool(stack.volumes_of(consumer.name))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(names[:FEW]) + more


def _covered(stack: Stack, consumer: Consumer) -> set[str]:
    """The claims that a volume is reserved for; the plan's volumes count where none is here."""
    namespace = consumer.namespace or stack.plan.namespace
    references = [v.mapping("spec", "claimRef") for v in stack.kind("PersistentVolume")]
    covered = {str(r.get("name")) for r in references if r.get("namespace") == namespace}
    if consumer.plan and not stack.volumes_of(consumer.name):
        covered |= set(consumer.claim_of_volumes(consumer.plan.volumes))
    return covered


def _free(stack: Stack, claim: Claim) -> int:
    """How many volumes of the claim's class are there for whoever asks."""
    volumes = stack.kind("PersistentVolume")
    return sum(1 for v in volumes if _unreserved(v) and _class(v) == claim.storage_class)


def _unreserved(volume: Object) -> bool:
    return not volume.get("spec", "claimRef", "name") and not volume.labels.get(CONSUMER_LABEL)


def _class(volume: Object) -> str:
    return volume.string("spec", "storageClassName")


def _by_name(stack: Stack) -> list[Placed]:
    """The volumes in an order of their own, so that the stream's does not choose who is blamed."""
    return sorted(placed(stack), key=lambda volume: str(volume.object))


@rule(REFUSE, "Give each volume a directory of its own, none inside another's.")
def own_directory(stack: Stack) -> Iterator[Fault]:
    """Two databases in one directory destroy each other; Grafana's chown took Prometheus' files.

    helm/charts#23096: three volumes on one EFS path. The directories are compared on their nodes,
    servers and handles, with the consumers' sub-paths.
    """
    sub_paths = {consumer.name: consumer.sub_path for consumer in reversed(stack.consumers)}
    known: list[tuple[Directory, Placed]] = []
    for volume in _by_name(stack):
        place = directory(volume, sub_paths.get(volume.consumer, ""))
        if place is None:
            continue
        for other_place, other in known:
            if place.overlaps(other_place):
                as_is = f"as is {other.object} ({other.consumer})"
                if place.path != other_place.path:
                    as_is = f"and {other.object} ({other.consumer}) is {other_place.path}"
                apart = f"neither in nor above {other_place.path}"
                fix = f"Another directory for {_entry(volume)}, {apart}."
                yield Fault(volume.object, f"spec.{volume.kind}", f"is {place}, {as_is}", fix)
        known.append((place, volume))


def _entry(volume: Placed) -> str:
    """Where a volume's source is written: in the plan, or in a document by hand."""
    place = volume.object.labels.get(VOLUME_LABEL)
    if place is None:
        return f"spec.{volume.kind} in {volume.object}"
    return f"{values_of(volume.consumer)}.volumes[{place}].{volume.kind}"


@rule(REFUSE, "Make the volume's capacity, class and access modes those of its claim.")
def fit(stack: Stack) -> Iterator[Fault]:
    """A reserved volume that is too small, or lacks an access mode, leaves its claim Pending.

    Seen on a cluster. A volume of another class bound there, even beside a free one of the right
    class; Kubernetes documents that the class is checked: refused, where the claim names its class.
    """
    for consumer in guarded(stack):
        claim = claim_template(stack, consumer)
        if claim is None:
            continue
        names = set(consumer.claims())
        for volume in placed(stack):
            if volume.consumer == consumer.name and volume.claim in names:
                yield from _misfits(volume.object, claim)
    stored = store_claim(stack)
    for volume in placed(stack) if stored else ():
        if stored and volume.consumer == INFLUXDB and volume.claim == stored.object.name:
            yield from _misfits(volume.object, stored)


def _misfits(volume: Object, claim: Claim) -> Iterator[Fault]:
    said = volume.get("spec", "capacity", "storage")
    capacity, size = bytes_of(said), claim.size
    if size is not None and (capacity is None or capacity < size):
        says = "is missing" if said is None else f"is {said}"
        fix = f"spec: {{capacity: {{storage: {claim.request}}}}} in {volume}."
        if owner := volume.labels.get(CONSUMER_LABEL):
            entry = f"{values_of(str(owner))}.volumes[{volume.labels.get(VOLUME_LABEL)}]"
            fix = f"size: {claim.request} in {entry}, or no size there."
        asks = f"{says}, and the claim asks for {claim.request}"
        yield Fault(volume, "spec.capacity.storage", asks, fix)
    if not claim.default_class and _class(volume) != claim.storage_class:
        says = f"is {shown(_class(volume))}, and the claim's class is {shown(claim.storage_class)}"
        fix = f"spec: {{storageClassName: {shown(claim.storage_class)}}} in {volume}."
        yield Fault(volume, "spec.storageClassName", says, fix)
    missing = sorted(set(claim.modes) - set(volume.strings("spec", "accessModes")))
    if missing:
        says = f"lacks {', '.join(missing)}, which the claim asks for"
        fix = f"spec: {{accessModes: [{', '.join(claim.modes)}]}} in {volume}."
        yield Fault(volume, "spec.accessModes", says, fix)


@rule(REFUSE, "Name the volume's node: volumes: [{node: <hostname>, local: /path}].")
def pinned(stack: Stack) -> Iterator[Fault]:
    """A local volume without node affinity is refused by the API server, and with it the release.

    Seen on Kubernetes 1.36: Required value: Local volume requires node affinity.
    """
    for volume in stack.kind("PersistentVolume"):
        terms = volume.items("spec", "nodeAffinity", "required", "nodeSelectorTerms")
        if volume.get("spec", "local") is not None and not terms:
            path = volume.string("spec", "local", "path")
            says = f"is missing: {path or 'a local volume'} is on one node only"
            fix = (
                f"volumes: [{{node: NODE, local: {path}}}], NODE as kubernetes.io/hostname says it."
            )
            yield Fault(volume, "spec.nodeAffinity", says, fix)


@rule(REFUSE, "Let nodeSelector, affinity and spread allow the nodes that have the volumes.")
def reachable(stack: Stack) -> Iterator[Fault]:
    """A pod that may not run where its volume is stays Pending; pods kept apart need volumes apart.

    prometheus-operator/kube-prometheus#173, prometheus/prometheus#10508.
    """
    for consumer in guarded(stack):
        volumes = [v for v in placed(stack) if v.consumer == consumer.name]
        for field, says, fix in unreachable(consumer, volumes) if volumes else ():
            yield Fault(consumer.object, field, says, fix)


@rule(REFUSE, f"Take a volume on a block device, or set {ACCEPT}.")
def posix(stack: Stack) -> Iterator[Fault]:
    """Prometheus documents NFS (EFS included) as unsupported: unrecoverable corruption may happen.

    prometheus-operator#4631, #3150; Thanos Ruler keeps the same kind of database.
    """
    for consumer in guarded(stack):
        if consumer.name not in TIME_SERIES:
            continue
        fix = f"persistence: {{{consumer.name}: {{volumes: [{ENTRY}]}}}}"
        for volume in placed(stack):
            if volume.consumer == consumer.name and volume.network:
                says = f"is a network file system ({volume.network}), which corrupts time series"
                yield Fault(volume.object, f"spec.{volume.kind}", says, f"{fix}, or {ACCEPT}.")
        claim = claim_template(stack, consumer)
        found = class_of(stack, claim) if claim else None
        if claim is not None and found is not None and network(found.string("provisioner")):
            name, driver = claim.storage_class, found.string("provisioner")
            says = f"is {name}, and {driver} gives network file systems, which corrupt time series"
            fix = f"persistence: {{{consumer.name}: {{storageClassName: A-BLOCK-CLASS}}}}"
            yield Fault(
                claim.object, f"{claim.field}.storageClassName", says, f"{fix}, or {ACCEPT}."
            )


@rule(REFUSE, "Set persistentVolumeReclaimPolicy: Retain.")
def retained(stack: Stack) -> Iterator[Fault]:
    """Delete fails on local and NFS volumes, and really deletes on others; Recycle empties them.

    Seen on a cluster: a hostPath volume's directory was deleted with its claim. Judged are volumes
    of consumers, and those of their classes that nobody has reserved.
    """
    mine = {str(volume.object) for volume in placed(stack)}
    claims = [claim_template(stack, consumer) for consumer in guarded(stack)]
    classes = {claim.storage_class for claim in claims if claim and not claim.default_class}
    for volume in stack.kind("PersistentVolume"):
        policy = volume.string("spec", "persistentVolumeReclaimPolicy")
        theirs = str(volume) in mine or (_unreserved(volume) and _class(volume) in classes)
        if theirs and policy not in ("", "Retain"):
            says = f"is {shown(policy)}: with its claim the data goes, or the volume fails"
            fix = f"spec: {{persistentVolumeReclaimPolicy: Retain}} in {volume}."
            yield Fault(volume, "spec.persistentVolumeReclaimPolicy", says, fix)


@rule(REFUSE, "Set volumeMode: Filesystem.")
def filesystem(stack: Stack) -> Iterator[Fault]:
    """The consumers write files: a raw device is never mounted, and never binds to such a claim.

    Seen on a cluster: volumeMode Block leaves the claim Pending, without an event that says so. A
    class counts as Block where a local static provisioner of the stream fills it with devices.
    """
    fix = "spec: {{volumeMode: Filesystem}} in {}."
    for volume in placed(stack):
        if volume.object.get("spec", "volumeMode") == "Block":
            says = f"is Block, and {volume.consumer} needs a file system"
            yield Fault(volume.object, "spec.volumeMode", says, fix.format(volume.object))
    for consumer in guarded(stack):
        claim = claim_template(stack, consumer)
        if claim is not None and claim.spec.get("volumeMode") == "Block":
            says = f"is Block, and {consumer.name} needs a file system"
            field = f"{claim.field}.volumeMode"
            mended = f"{field}: Filesystem in {claim.object}."
            if consumer.facts:
                inner = "volumeClaimTemplate: {spec: {volumeMode: Filesystem}}"
                mended = storage_fix(consumer, inner)
            yield Fault(claim.object, field, says, mended)
    yield from _on_raw_devices(stack)


def _on_raw_devices(stack: Stack) -> Iterator[Fault]:
    classes = discovered(stack).items()
    raw = {name: where for name, (where, told) in classes if told.get("volumeMode") == "Block"}
    for consumer in guarded(stack) if raw else ():
        claim = claim_template(stack, consumer)
        if claim is None or claim.storage_class not in raw:
            continue
        name = claim.storage_class
        says = f"is {name}, whose volumes are raw devices ({raw[name]}: volumeMode Block)"
        fix = f"persistence: {{{consumer.name}: {{storageClassName: A-FILESYSTEM-CLASS}}}}."
        more = f"{says}, and {consumer.name} needs a file system"
        yield Fault(claim.object, f"{claim.field}.storageClassName", more, fix)


@rule(REFUSE, "Let each consumer with volumes be in the stream, with one volume for each claim.")
def reserved(stack: Stack) -> Iterator[Fault]:
    """An unreserved volume is taken by any claim of its class; one without namespace by none.

    Seen on a cluster: a 1Gi claim of another namespace took it; of two volumes for one claim one
    stays unused, and which one is not said.
    """
    owners: dict[tuple[str, str], Object] = {}
    for volume in _by_name(stack):
        target = volume.object
        name, namespace = (target.string("spec", "claimRef", k) for k in ("name", "namespace"))
        if not name or not namespace:
            yield _open(stack, volume, "namespace" if name else "name")
        elif (namespace, name) in owners:
            other = owners[namespace, name]
            says = f"is {namespace}/{name}, as in {other}: only one of them is used"
            keys = f"{{{volume.consumer}: {{volumes: [...]}}}}"
            keys = f"persistence: {keys}" if volume.consumer != INFLUXDB else keys[1:-1]
            fix = f"{keys} with one entry per pod."
            yield Fault(target, "spec.claimRef", says, fix)
        else:
            owners[namespace, name] = target


def _open(stack: Stack, volume: Placed, lacks: str) -> Fault:
    if lacks == "namespace":
        namespace = stack.plan.namespace or "..."
        fix = f"spec: {{claimRef: {{namespace: {namespace}}}}} in {volume.object}."
        return Fault(volume.object, "spec.claimRef", "has no namespace: it matches no claim", fix)
    says = f"names no claim: any claim may take the volume of {volume.consumer}"
    found = [c for c in stack.consumers if c.name == volume.consumer]
    fix = f"persistence: {{{volume.consumer}: {{volumes: []}}}}: the stack has no such consumer."
    if len(found) > 1:
        fix = f"One of {' and '.join(map(str, found))} in the stream: whose it is cannot be known."
    elif found:
        fix = f"metadata: {{namespace: ...}} in {found[0]}, so that its claims are known."
    return Fault(volume.object, "spec.claimRef", says, fix)

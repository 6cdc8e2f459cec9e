"""Rules about the claims that pods get."""

from __future__ import annotations

from durable.checks.placement import (
    RIVALS,
    TEMPLATE,
    claim_template,
    class_of,
    paste,
    provisions,
    storage_fix,
)
from durable.checks.registry import Fault, rule, shown
from durable.consumers import GRAFANA
from durable.findings import REFUSE, WARN
from durable.plan import DEFAULTS
from durable.quantity import parse_quantity
from durable.stack import guarded, mounted_at, pod_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.stack import Consumer, Stack

POLICY = "persistentVolumeClaimRetentionPolicy"
RETAIN = f"{POLICY}: {{whenDeleted: Retain, whenScaled: Retain}}"
STORAGE = ("spec", "storage")
DATA = "GF_PATHS_DATA"
# Wishes that no custom resource reads: the chart's names for the field, and a template too far up.
DEAD = ("storageSpec", "volumeClaimTemplate", "volumeClaimTemplates", "persistence")
# What the operator's CRDs have below spec.storage; Helm 3 loses any other key, Helm 4 fails at it.
READ = {
    (): ("disableMountSubPath", "emptyDir", "ephemeral", "volumeClaimTemplate"),
    TEMPLATE[2:3]: ("apiVersion", "kind", "metadata", "spec", "status"),
    TEMPLATE[2:]: (
        *("accessModes", "dataSource", "dataSourceRef", "resources", "selector"),
        *("storageClassName", "volumeAttributesClassName", "volumeMode", "volumeName"),
    ),
    (*TEMPLATE[2:], "resources"): ("claims", "limits", "requests"),
}


@rule(REFUSE, "Set persistence: {<consumer>: {enabled: true}}, or false if its data may be lost.")
def durable(stack: Stack) -> Iterator[Fault]:
    """Without a claim, history, silences and dashboards are gone at the first restart of the pod.

    The default of every consumer (prometheus-community/helm-charts#2816,
    prometheus/alertmanager#2654), and what is left of a wish in a field that nobody reads
    (prometheus-community/helm-charts#4582).
    """
    for consumer in guarded(stack):
        if not consumer.stateful:
            continue
        if consumer.name == GRAFANA:
            yield from _grafana(stack, consumer)
        else:
            yield from _dead(consumer)
            yield from _mounted_over(consumer)
            yield from _custom_resource(stack, consumer)


def _enable(consumer: Consumer) -> str:
    return f"persistence: {{{consumer.name}: {{enabled: true}}}}, or false if its data may be lost."


def _custom_resource(stack: Stack, consumer: Consumer) -> Iterator[Fault]:
    storage = consumer.object.mapping(*STORAGE)
    # Beside a claim template it is the rule one_source that speaks.
    if (
        claim_template(stack, consumer) is not None
        or storage.get("volumeClaimTemplate") is not None
    ):
        return
    rival = next((r for r in RIVALS if storage.get(r) is not None), "")
    says = "is missing, so the data is on emptyDir" if not rival else "puts the data there"
    field = ".".join((*STORAGE, rival) if rival else STORAGE)
    fix = _unpatched(field) if consumer.managed else _enable(consumer)
    yield Fault(consumer.object, field, f"{says}: it is lost with the pod", fix)


def _unpatched(field: str) -> str:
    """The fix where the plan has seen to a field, and only a patch of the plan is later."""
    return f"persistence.patches without the one that changes {field}."


def _dead(consumer: Consumer) -> Iterator[Fault]:
    for key in DEAD:
        if consumer.object.get("spec", key) is not None:
            says = "is read by nobody: the field is spec.storage, and what is asked for here"
            # The chart hands on what it does not know by additionalConfig only.
            block, plain = f"additionalConfig: {{{key}: null}}", f"No spec.{key} in {consumer}."
            fix = paste(consumer.object, block, plain=plain)
            yield Fault(consumer.object, f"spec.{key}", f"{says} vanishes", _instead(consumer, fix))
    for path, known in READ.items():
        place: Any = consumer.object.get(*STORAGE, *path)
        for key, value in place.items() if isinstance(place, dict) else ():
            if key not in known and value is not None:
                says = f"is read by nobody (known are {', '.join(known)}): what it asks for"
                inner = f"{key}: null"
                for parent in reversed(path):
                    inner = f"{parent}: {{{inner}}}"
                field = ".".join((*STORAGE, *path, key))
                fix = _instead(consumer, storage_fix(consumer, inner))
                yield Fault(consumer.object, field, f"{says} vanishes", fix)


def _instead(consumer: Consumer, fix: str) -> str:
    """A fix that takes a dead key away, and where its wish has its place."""
    size = consumer.plan.size if consumer.plan else DEFAULTS[consumer.name]["size"]
    return f"{fix.removesuffix('.')}, and persistence: {{{consumer.name}: {{size: {size}}}}}."


def _mounted_over(consumer: Consumer) -> Iterator[Fault]:
    """A volume at the data's place: the operator merges a container's mounts by their paths.

    In spec.volumeMounts the path itself is for the rule pods/mounts; with a slash behind it, it is
    another path to the API, and the same place to the pod.
    """
    target, facts = consumer.object, consumer.facts
    groups = [("spec", "volumeMounts")] + [
        ("spec", "containers", str(number), "volumeMounts")
        for number, container in enumerate(target.items("spec", "containers"))
        if facts and container.get("name") == facts.container
    ]
    for group in groups:
        for number, mount in enumerate(target.items(*group)):
            plain = len(group) == len(STORAGE) and mount.get("mountPath") == consumer.mount
            name = str(mount.get("name"))
            if plain or not mounted_at(mount, consumer.mount) or name == consumer.volume_name:
                continue
            if kind := _passing(pod_volume(target, consumer.pod, name)):
                says = f"puts {name} ({kind}) over the claim: the data is lost with the pod"
                fix = f"Another mountPath in {consumer}, or no such mount."
                yield Fault(target, ".".join((*group, str(number), "mountPath")), says, fix)


def _passing(volume: dict[str, Any] | None) -> str:
    """The kind of a pod's volume that goes with the pod; a claim, an NFS path and such outlive it.

    One that has a name only is an emptyDir.
    """
    if volume is None:
        return ""
    return next((r for r in RIVALS if r in volume), "emptyDir" if len(volume) == 1 else "")


def _grafana(stack: Stack, consumer: Consumer) -> Iterator[Fault]:
    # A mount without its volume is for the rule pods/mounts.
    kind = _passing(pod_volume(consumer.object, consumer.pod, consumer.volume_name))
    if kind and claim_template(stack, consumer) is None:
        says = f"puts the database ({consumer.volume_name}) on {kind}: it is lost with the pod"
        yield Fault(consumer.object, "spec.template.spec.volumes", says, _enable(consumer))
    else:
        yield from _data_elsewhere(consumer)


def _data_elsewhere(consumer: Consumer) -> Iterator[Fault]:
    """A data directory that the environment puts beside the volume."""
    target = consumer.object
    for number in range(len(target.items(*consumer.pod, "containers"))):
        path = (*consumer.pod, "containers", str(number))
        mounts = target.items(*path, "volumeMounts")
        if not any(mounted_at(mount, consumer.mount) for mount in mounts):
            continue
        said = [n for n, v in enumerate(target.items(*path, "env")) if v.get("name") == DATA]
        for index in said[-1:]:  # of several the last one counts
            place = target.get(*path, "env", str(index), "value")
            if isinstance(place, str) and place and not _lasting(consumer, mounts, f"{place}/"):
                says = f"is {shown(place)}, and the volume is at {consumer.mount}: the data is lost"
                # The chart writes the variable itself, and one of env behind it.
                block = f"env: {{{DATA}: {consumer.mount}}}"
                if len(said) == 1:
                    block = f"grafana.ini: {{paths: {{data: {consumer.mount}}}}}"
                fix = paste(target, block, plain=f"No variable {DATA} in {consumer}.")
                yield Fault(target, ".".join((*path, "env", str(index), "value")), says, fix)


def _lasting(consumer: Consumer, mounts: list[dict[str, Any]], place: str) -> bool:
    """Whether a directory is on a volume that outlives the pod: that of the nearest mount."""
    paths = {str(m.get("mountPath")).rstrip("/") + "/": str(m.get("name")) for m in mounts}
    near = max((path for path in paths if place.startswith(path)), key=len, default="")
    if near and paths[near] == consumer.volume_name:
        return True
    return bool(near) and not _passing(pod_volume(consumer.object, consumer.pod, paths[near]))


@rule(
    REFUSE, "Set persistence: {<consumer>: {size: ...}} to the size that upstream's values ask for."
)
def not_smaller(stack: Stack) -> Iterator[Fault]:
    """A plan that is smaller than what is there cuts history, though the claim keeps its size.

    Seen on a release with a storageSpec of 500Gi that met the plan's default of 50Gi: the claim
    stays, but retentionSize follows the plan, and Prometheus deletes all blocks above it.
    """
    for consumer in guarded(stack):
        if consumer.facts is None or consumer.plan is None:
            continue
        asked = _asked(consumer.before)
        size, wanted = parse_quantity(consumer.plan.size), parse_quantity(str(asked))
        if wanted is not None and size is not None and size < wanted:
            says = f"was {asked} in upstream's values, and the plan's {consumer.plan.size} is less"
            fix = f"persistence: {{{consumer.name}: {{size: {asked}}}}}."
            field = "spec.storage.volumeClaimTemplate.spec.resources.requests.storage"
            yield Fault(consumer.object, field, says, fix)


def _asked(before: Any) -> Any:
    """The size that the object asked for before it was edited."""
    for key in ("spec", "storage", "volumeClaimTemplate", "spec", "resources", "requests"):
        before = before.get(key) if isinstance(before, dict) else None
    return before.get("storage") if isinstance(before, dict) else None


@rule(REFUSE, f"Set {RETAIN}, or leave the field out.")
def never_deleted(stack: Stack) -> Iterator[Fault]:
    """A mere edit of the size deletes the StatefulSet, and with Delete its claims go too.

    Seen on Kubernetes 1.36 with operator 0.93: after a size edit under whenDeleted: Delete the
    claim was deleted, and with a reclaim policy Delete the directory.
    """
    for consumer in guarded(stack):
        policy = consumer.object.mapping("spec", POLICY)
        for key in ("whenDeleted", "whenScaled"):
            if policy.get(key) == "Delete":
                when = "re-created, as by an edit of the size" if key == "whenDeleted" else "scaled"
                says = f"is Delete: the claims and their data go when the StatefulSet is {when}"
                block = f"persistence: {{{RETAIN}}}" if consumer.name == GRAFANA else RETAIN
                fix = paste(consumer.object, block, plain=f"spec: {{{RETAIN}}} in {consumer}.")
                yield Fault(consumer.object, f"spec.{POLICY}.{key}", says, fix)


@rule(REFUSE, "Set emptyDir: null and ephemeral: null beside the volumeClaimTemplate.")
def one_source(stack: Stack) -> Iterator[Fault]:
    """Beside a claim template emptyDir and ephemeral win, silently.

    Helm merges a base file that has emptyDir with an overlay that has a template; both are rendered
    (prometheus-operator pkg/prometheus/server/statefulset.go: emptyDir, ephemeral, the template).
    """
    for consumer in guarded(stack):
        if consumer.facts is None:
            continue
        storage = consumer.object.mapping(*STORAGE)
        if storage.get("volumeClaimTemplate") is None:
            continue
        for rival in RIVALS:
            if storage.get(rival) is not None:
                says = "stands beside volumeClaimTemplate and wins: the data is lost with the pod"
                field = f"spec.storage.{rival}"
                fix = storage_fix(consumer, f"{rival}: null")
                yield Fault(
                    consumer.object, field, says, _unpatched(field) if consumer.managed else fix
                )


@rule(REFUSE, "Set persistence: {<consumer>: {enabled: true, size: 50Gi}}.")
def sized(stack: Stack) -> Iterator[Fault]:
    """Without a size the operator deletes the running StatefulSet, and cannot make a new one.

    Seen on Kubernetes 1.36 (volumeClaimTemplates[0].spec.resources[storage]: Required value).
    """
    for consumer in guarded(stack):
        template = claim_template(stack, consumer)
        if template is None or (template.size or 0) > 0:
            continue
        says = "is missing"
        if template.request is not None:
            why = ", which is no quantity" if template.size is None else ""
            says = f"is {shown(template.request)}{why}"
        loss = "the API refuses the claim"
        if consumer.facts is not None:
            loss = "the API refuses the StatefulSet after the running one was deleted"
        size = DEFAULTS[consumer.name]["size"]
        fix = f"persistence: {{{consumer.name}: {{enabled: true, size: {size}}}}}."
        field = f"{template.field}.resources.requests.storage"
        if consumer.managed:
            fix = _unpatched(field)
        yield Fault(template.object, field, f"{says}: {loss}", fix)


@rule(WARN, "Set selector: null, or name a class with static volumes.")
def selector(stack: Stack) -> Iterator[Fault]:
    """Provisioners refuse a claim that has a selector, be it empty, so it stays Pending.

    rancher/local-path-provisioner#142, prometheus-community/helm-charts#5993.
    """
    for consumer in guarded(stack):
        template = claim_template(stack, consumer)
        if template is None or template.spec.get("selector") is None:
            continue
        if provisions(class_of(stack, template)):
            name = template.storage_class
            says = f"is set, and the driver of the class {name} refuses a claim that has one"
            inner = "volumeClaimTemplate: {spec: {selector: null}}"
            fix = (
                "spec: {selector: null}."
                if consumer.facts is None
                else storage_fix(consumer, inner)
            )
            yield Fault(template.object, f"{template.field}.selector", says, fix)

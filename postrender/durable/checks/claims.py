"""Rules about the claims that pods get."""

from __future__ import annotations

from durable.checks.registry import Fault, rule
from durable.consumers import GRAFANA
from durable.findings import REFUSE, WARN
from durable.quantity import parse_quantity
from durable.stack import guarded, pod_volume
from durable.checks.placement import class_of, claim_template, provisions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Consumer, Stack

POLICY = "persistentVolumeClaimRetentionPolicy"
RIVALS = ("emptyDir", "ephemeral")


def _enable(consumer: Consumer) -> str:
    return (
        f"persistence: {{{consumer.name}: {{enabled: true}}}} makes it last; enabled: false says that its data may be lost."
    )


@rule(REFUSE, "Set persistence: {<consumer>: {enabled: true}}, or enabled: false if its data may be lost.")
def durable(stack: Stack) -> Iterator[Fault]:
    """Without a claim, history, silences and dashboards are gone at the first restart of the pod.

    The default of every consumer (prometheus-community/helm-charts#2816, prometheus/alertmanager#2654).
    """
    for consumer in guarded(stack):
        if not consumer.stateful or claim_template(stack, consumer) is not None:
            continue
        storage = None if consumer.name == GRAFANA else consumer.object.get("spec", "storage")
        rival = next((r for r in RIVALS if isinstance(storage, dict) and storage.get(r) is not None), "emptyDir")
        if consumer.name == GRAFANA:
            yield from _grafana(consumer)
        elif storage is None or storage.get(rival) is not None:
            says = f"puts the data on {rival}: it is lost with the pod"
            field = f"spec.storage.{rival}" if storage else "spec.storage"
            yield Fault(consumer.object, field, says, _enable(consumer))


def _grafana(consumer: Consumer) -> Iterator[Fault]:
    volume = pod_volume(consumer.object, consumer.pod, consumer.volume_name) or {}
    if "persistentVolumeClaim" in volume:
        return
    kind = next((r for r in RIVALS if r in volume), "emptyDir")
    says = f"({consumer.volume_name}) puts the database on {kind}: it is lost with the pod"
    yield Fault(consumer.object, "spec.template.spec.volumes", says, _enable(consumer))


@rule(REFUSE, "Set whenDeleted: Retain and whenScaled: Retain, or leave the field out.")
def never_deleted(stack: Stack) -> Iterator[Fault]:
    """A mere edit of the size makes the operator delete the StatefulSet, and with Delete its claims go too.

    Seen on Kubernetes 1.36 with operator 0.93: after a size edit under whenDeleted: Delete the claim was
    deleted, and with a reclaim policy Delete the directory.
    """
    for consumer in guarded(stack):
        for key in ("whenDeleted", "whenScaled"):
            if consumer.object.mapping("spec", POLICY).get(key) == "Delete":
                says = "is Delete: claims, and with them the data, go when the StatefulSet is re-created or scaled"
                fix = f"{POLICY}: {{whenDeleted: Retain, whenScaled: Retain}} in that object's upstream values."
                yield Fault(consumer.object, f"spec.{POLICY}.{key}", says, fix)


@rule(REFUSE, "Remove emptyDir and ephemeral from the storage block that has a volumeClaimTemplate.")
def one_source(stack: Stack) -> Iterator[Fault]:
    """emptyDir and ephemeral win over a claim template, silently.

    Helm merges a base file that has emptyDir with an overlay that has a template; both are rendered
    (prometheus-operator pkg/prometheus/server/statefulset.go: emptyDir, ephemeral, then the template).
    """
    for consumer in guarded(stack):
        if consumer.facts is None:
            continue
        storage = consumer.object.mapping("spec", "storage")
        if storage.get("volumeClaimTemplate") is None:
            continue
        for rival in RIVALS:
            if storage.get(rival) is not None:
                says = "stands beside volumeClaimTemplate and wins: the data is lost with the pod"
                fix = f"{rival}: null beside volumeClaimTemplate in the upstream values."
                yield Fault(consumer.object, f"spec.storage.{rival}", says, fix)


@rule(REFUSE, "Give the claim template a size: resources: {requests: {storage: 50Gi}}.")
def sized(stack: Stack) -> Iterator[Fault]:
    """A template without a size makes the operator delete the running StatefulSet, and it cannot make a new one.

    Seen on Kubernetes 1.36 (volumeClaimTemplates[0].spec.resources[storage]: Required value).
    """
    for consumer in guarded(stack):
        template = claim_template(stack, consumer)
        if template is None:
            continue
        request = template.request
        size = parse_quantity(str(request)) if isinstance(request, (str, int)) else None
        if size is None or size <= 0:
            says = "is missing: the API refuses the StatefulSet after the running one was deleted"
            if request is not None:
                says = f"is {request!r}, which is no size: the API refuses the StatefulSet after the running one was deleted"
            fix = f"persistence: {{{consumer.name}: {{enabled: true, size: 50Gi}}}}."
            yield Fault(template.object, f"{template.field}.resources.requests.storage", says, fix)


@rule(WARN, "Remove the selector, or name a class with static volumes.")
def selector(stack: Stack) -> Iterator[Fault]:
    """Provisioners refuse a claim that has a selector, so it stays Pending.

    rancher/local-path-provisioner#142, prometheus-community/helm-charts#5993.
    """
    for consumer in guarded(stack):
        template = claim_template(stack, consumer)
        if template is None or not template.spec.get("selector"):
            continue
        if provisions(class_of(stack, template)):
            says = f"is set, and the class {template.storage_class!r} provisions: its driver refuses such a claim"
            yield Fault(template.object, f"{template.field}.selector", says)

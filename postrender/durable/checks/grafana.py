"""Rules about Grafana: one writer, a workload at all, the claim that is meant."""

from __future__ import annotations

import re

from durable.checks.placement import claim_template, network, placed
from durable.checks.registry import Fault, rule
from durable.consumers import GRAFANA, GRAFANA_MOUNT
from durable.findings import REFUSE, WARN
from durable.stack import guarded, objects_of, pod_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.stack import Consumer, Stack

LABEL = re.compile(rb"""^\s+(?:app\.kubernetes\.io/name|app): ["']?grafana["']?\s*$""", re.MULTILINE)
DATABASE = re.compile(r"^\s*\[database\]\s*$(.*?)(?=^\s*\[|\Z)", re.MULTILINE | re.DOTALL)
EXTERNAL = re.compile(r"^\s*(?:type\s*=\s*[\"'`]?(?:mysql|postgres)|url\s*=\s*\S)", re.MULTILINE)
RANDOM = re.compile(r"[A-Za-z0-9]{40}")  # randAlphaNum 40 of the Grafana chart
CHOWN = "init-chown-data"


def _grafanas(stack: Stack) -> Iterator[Consumer]:
    return (c for c in guarded(stack) if c.name == GRAFANA)


@rule(REFUSE, "Set grafana: {replicas: 1, autoscaling: {enabled: false}}, or give it an external database.")
def one_writer(stack: Stack) -> Iterator[Fault]:
    """Several Grafanas on SQLite lock each other out of one file, or each keep another database.

    prometheus-community/helm-charts#4542, helm/charts#19053.
    """
    for consumer in _grafanas(stack):
        if _external_database(stack, consumer):
            continue
        fix = "grafana: {replicas: 1, autoscaling: {enabled: false}}, or grafana: {grafana.ini: {database: {type: postgres, ...}}}."
        if consumer.replicas > 1:
            says = f"is {consumer.replicas}, and the database is SQLite: it has one writer"
            yield Fault(consumer.object, "spec.replicas", says, fix)
        for scaler in stack.kind("HorizontalPodAutoscaler"):
            target = scaler.mapping("spec", "scaleTargetRef")
            most = scaler.number("spec", "maxReplicas", default=1)
            if target.get("name") == consumer.object.name and target.get("kind") == consumer.object.kind and most > 1:
                says = f"is {most} for {consumer.object}, whose database is SQLite: it has one writer"
                yield Fault(scaler, "spec.maxReplicas", says, fix)


def _external_database(stack: Stack, consumer: Consumer) -> bool:
    for container in consumer.object.items(*consumer.pod, "containers"):
        variables = container.get("env")
        for variable in variables if isinstance(variables, list) else []:
            if isinstance(variable, dict) and _names_database(variable):
                return True
    return any(EXTERNAL.search(section) for text in _settings(stack) for section in DATABASE.findall(text))


def _names_database(variable: dict[str, Any]) -> bool:
    name, value = str(variable.get("name")), str(variable.get("value") or "")
    if name == "GF_DATABASE_TYPE":
        return value in ("mysql", "postgres") or "valueFrom" in variable
    return name in ("GF_DATABASE_URL", "GF_DATABASE_URL__FILE")


def _settings(stack: Stack) -> Iterator[str]:
    """The texts of grafana.ini in the stream's ConfigMaps."""
    for chunk in stack.stream.chunks:
        if chunk.kind == "ConfigMap" and chunk.holds(b"grafana.ini"):
            for item in objects_of(chunk):
                text = item.mapping("data").get("grafana.ini")
                if isinstance(text, str):
                    yield text


@rule(REFUSE, "Set grafana.persistence.type to pvc or sts, and leave existingClaim out with sts.")
def runs(stack: Stack) -> Iterator[Fault]:
    """A misspelt persistence type, or sts with existingClaim, renders neither Deployment nor StatefulSet.

    grafana/helm-charts#1986: exit code 0, everything of Grafana but Grafana.
    """
    plan = stack.plan.consumers.get(GRAFANA)
    if (plan is not None and not plan.enabled) or any(c.name == GRAFANA for c in stack.consumers):
        return
    kinds = {"Service", "Secret", "ConfigMap", "ServiceAccount"}
    for chunk in stack.stream.chunks:
        labelled = chunk.kind in kinds and LABEL.search(chunk.data, chunk.start, chunk.end)
        if chunk.kind == "Service" and labelled and not chunk.holds(b"helm.sh/hook"):
            fix = "grafana: {persistence: {enabled: false}} upstream, and persistence: {grafana: {enabled: true}} here."
            for item in objects_of(chunk):
                yield Fault(item, "", "belongs to Grafana, but the stream has no Grafana that mounts its data", fix)
            return


@rule(REFUSE, "Remove grafana.useStatefulSet, or grafana.persistence.existingClaim.")
def claim_used(stack: Stack) -> Iterator[Fault]:
    """A StatefulSet's claim template wins over the claim that the pod names: the existing data is not mounted.

    grafana/helm-charts#1358: useStatefulSet with existingClaim starts on a new, empty volume.
    """
    for consumer in _grafanas(stack):
        volume = pod_volume(consumer.object, consumer.pod, consumer.volume_name) or {}
        claim = volume.get("persistentVolumeClaim")
        named = claim.get("claimName") if isinstance(claim, dict) else None
        template = claim_template(stack, consumer)
        if consumer.deployment or not named or template is None or named == consumer.object.name:
            continue
        says = f"names the claim {named}, which the claim template {consumer.volume_name!r} hides"
        fix = "grafana: {useStatefulSet: false, persistence: {type: pvc, existingClaim: " + str(named) + "}}."
        yield Fault(consumer.object, "spec.template.spec.volumes", says, fix)


@rule(WARN, "Set grafana.adminPassword, or grafana.admin.existingSecret.")
def password(stack: Stack) -> Iterator[Fault]:
    """A password that is drawn anew in each render is not the one in the database, which keeps the first.

    prometheus-community/helm-charts#2710. helm install and upgrade look the old one up in the cluster; a
    GitOps renderer cannot, so the rule asks only where the plan says gitops.argocd.
    """
    if not stack.plan.argocd or not any(c.managed for c in _grafanas(stack)):
        return
    for chunk in stack.stream.chunks:
        if chunk.kind != "Secret" or not chunk.holds(b"admin-password"):
            continue
        for item in objects_of(chunk):
            text = _decoded(item.mapping("data").get("admin-password"))
            if not item.hook and RANDOM.fullmatch(text):
                says = "is drawn anew in each render, but the database keeps the first one"
                yield Fault(item, "data.admin-password", says, "grafana: {admin: {existingSecret: grafana-admin}}.")


def _decoded(value: Any) -> str:
    from base64 import b64decode  # noqa: PLC0415  only this rule needs it

    try:
        return b64decode(value, validate=True).decode() if isinstance(value, str) else ""
    except ValueError:
        return ""


@rule(WARN, "Set grafana.initChownData.enabled: false; fsGroup or fixOwnership does its work.")
def chown(stack: Stack) -> Iterator[Fault]:
    """init-chown-data fails on its second start before chart 12.4.2, and on NFS with squashed root.

    grafana-community/helm-charts#529: CHOWN without DAC_OVERRIDE cannot walk into Grafana's own directories.
    """
    for consumer in _grafanas(stack):
        nfs = any(v.consumer == GRAFANA and (v.kind == "nfs" or network(str(v.source.get("driver", "")))) for v in placed(stack))
        for index, container in enumerate(consumer.object.items(*consumer.pod, "initContainers")):
            if container.get("name") != CHOWN or not _mounts_data(container):
                continue
            field = ".".join((*consumer.pod, "initContainers", str(index)))
            fix = "grafana: {initChownData: {enabled: false}}."
            if nfs:
                yield Fault(consumer.object, field, "runs chown as root, which an NFS server that squashes root refuses", fix)
            elif not _may_override(consumer, index):
                says = "has CHOWN without DAC_OVERRIDE: its second start fails"
                yield Fault(consumer.object, field, says, fix)


def _mounts_data(container: dict[str, Any]) -> bool:
    mounts = container.get("volumeMounts")
    paths = [m.get("mountPath") for m in mounts if isinstance(m, dict)] if isinstance(mounts, list) else []
    return GRAFANA_MOUNT in paths


def _may_override(consumer: Consumer, index: int) -> bool:
    """Whether the container may walk into any directory: by the capability, or by not dropping any."""
    path = (*consumer.pod, "initContainers", str(index), "securityContext", "capabilities")
    added, dropped = consumer.object.strings(*path, "add"), consumer.object.strings(*path, "drop")
    return "DAC_OVERRIDE" in added or "ALL" in added or not ({"ALL", "DAC_OVERRIDE"} & set(dropped))

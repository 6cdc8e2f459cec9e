"""Rules about Grafana: one writer, a workload at all, the claim that is meant."""

from __future__ import annotations

import re

from durable.checks.placement import claim_template, class_of, network, paste, placed, seen
from durable.checks.registry import Fault, rule
from durable.consumers import GRAFANA, GRAFANA_KINDS, GRAFANA_MOUNT
from durable.findings import REFUSE, WARN
from durable.pattern import pattern
from durable.stack import guarded, mounted_at, pod_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.objects import Object
    from durable.stack import Consumer, Stack

NAME_LABELS = ("app.kubernetes.io/name", "app")
INI = "grafana.ini"
DATABASE = pattern(r"^\s*\[database\]\s*$(.*?)(?=^\s*\[|\Z)", re.MULTILINE | re.DOTALL)
EXTERNAL = pattern(r"^[ \t]*(?:type|url)[ \t]*=[ \t]*[\"'`]?(?!sqlite3)[^\s\"'`]", re.MULTILINE)
# Grafana reads GF_<section>_<key>, and with __FILE the value from a file.
VARIABLE = pattern(r"GF_DATABASE_(?:TYPE|URL)(?:__FILE)?")
RANDOM = pattern(r"[A-Za-z0-9]{40}")  # randAlphaNum 40 of the Grafana chart
CHOWN = "init-chown-data"


def _grafanas(stack: Stack) -> Iterator[Consumer]:
    return (c for c in guarded(stack) if c.name == GRAFANA)


@rule(REFUSE, "Set grafana: {replicas: 1, autoscaling: {enabled: false}}, or another database.")
def one_writer(stack: Stack) -> Iterator[Fault]:
    """Several Grafanas on SQLite lock each other out of one file, or each keep another database.

    prometheus-community/helm-charts#4542, helm/charts#19053. A database in grafana.ini or in the
    environment counts; so does an environment that the stream does not show.
    """
    for consumer in _grafanas(stack):
        faults = list(_writers(stack, consumer))
        if faults and not _external_database(stack, consumer):
            yield from faults


def _writers(stack: Stack, consumer: Consumer) -> Iterator[Fault]:
    says = "and the database is SQLite, which has one writer"
    if consumer.replicas > 1:
        fix = paste(consumer.object, "replicas: 1")
        yield Fault(consumer.object, "spec.replicas", f"is {consumer.replicas}, {says}", fix)
    for scaler in stack.kind("HorizontalPodAutoscaler"):
        kind, name = (scaler.string("spec", "scaleTargetRef", key) for key in ("kind", "name"))
        most = scaler.number("spec", "maxReplicas", default=1)
        near = not consumer.namespace or scaler.namespace in ("", consumer.namespace)
        if most > 1 and near and (kind, name) == (consumer.object.kind, consumer.object.name):
            plain = f"spec: {{maxReplicas: 1}} in {scaler}."
            fix = paste(consumer.object, "autoscaling: {enabled: false}", plain=plain)
            more = f"is {most} for {consumer}, {says}"
            yield Fault(scaler, "spec.maxReplicas", more, fix)


def _external_database(stack: Stack, consumer: Consumer) -> bool:
    target = consumer.object
    for number in range(len(target.items(*consumer.pod, "containers"))):
        path = (*consumer.pod, "containers", str(number))
        if any(_names_database(variable) for variable in target.items(*path, "env")):
            return True
        sources = range(len(target.items(*path, "envFrom")))
        if any(_may_name_database(stack, target, (*path, "envFrom", str(n))) for n in sources):
            return True
    texts = (_text(item, INI) for item in seen(stack, ("ConfigMap", "Secret"), INI.encode()))
    return any(EXTERNAL.search(part) for text in texts for part in DATABASE.findall(text))


def _names_database(variable: dict[str, Any]) -> bool:
    if not VARIABLE.fullmatch(str(variable.get("name"))):
        return False
    value = str(variable.get("value") or "sqlite3")
    return variable.get("valueFrom") is not None or not value.startswith("sqlite3")


def _may_name_database(stack: Stack, target: Object, path: tuple[str, ...]) -> bool:
    """Whether a Secret or ConfigMap of the environment names a database; unseen, it may."""
    name = ""
    for reference in ("secretRef", "configMapRef"):
        name = name or target.string(*path, reference, "name")
    found = [i for i in seen(stack, ("Secret", "ConfigMap"), name.encode()) if i.name == name]
    keys = {k for item in found for part in ("data", "stringData") for k in item.mapping(part)}
    return not found or any(VARIABLE.fullmatch(key) for key in keys)


def _text(item: Object, key: str) -> str:
    """The text that a ConfigMap or Secret has under a key."""
    plain = item.mapping("stringData").get(key)
    value = item.mapping("data").get(key) if plain is None else plain
    if not isinstance(value, str):
        return ""
    return _decoded(value) if plain is None and item.kind == "Secret" else value


def _decoded(value: str) -> str:
    from base64 import b64decode  # only few runs need it

    try:
        return b64decode(value, validate=True).decode()
    except ValueError:
        return ""


@rule(REFUSE, "Set grafana.persistence.type to pvc or sts, and leave existingClaim out with sts.")
def runs(stack: Stack) -> Iterator[Fault]:
    """A misspelt persistence type, or sts with existingClaim, renders no workload of Grafana.

    grafana/helm-charts#1986: exit code 0, everything of Grafana but Grafana.
    """
    plan = stack.plan.consumers.get(GRAFANA)
    if (plan is not None and not plan.enabled) or any(c.name == GRAFANA for c in stack.consumers):
        return
    told = [
        item
        for item in seen(stack, ("Service", *GRAFANA_KINDS), GRAFANA.encode())
        if any(item.labels.get(label) == GRAFANA for label in NAME_LABELS)
        and item.string("spec", "type") != "ExternalName"
    ]
    # A workload says more than its Service; of several of a kind the first by name.
    for item in sorted(told, key=lambda each: (each.kind == "Service", str(each)))[:1]:
        if item.kind == "Service":
            says = "belongs to Grafana, but no Deployment or StatefulSet here mounts Grafana's data"
            block = "persistence: {type: pvc, existingClaim: null}"
            plain = f"A Deployment in the stream that mounts {GRAFANA_MOUNT}."
            yield Fault(item, "", says, paste(item, block, plain=plain))
        else:
            says = f"mounts nothing at {GRAFANA_MOUNT}: the database is lost with the container"
            fix = f"A volumeMount at {GRAFANA_MOUNT} in {item}, and a volume of its name."
            yield Fault(item, "spec.template.spec.containers", says, fix)


@rule(REFUSE, "Set grafana.useStatefulSet: false, or leave grafana.persistence.existingClaim out.")
def claim_used(stack: Stack) -> Iterator[Fault]:
    """A StatefulSet's claim template hides the claim that the pod names: old data is not mounted.

    grafana/helm-charts#1358: useStatefulSet with existingClaim starts on a new, empty volume.
    """
    for consumer in _grafanas(stack):
        volume = pod_volume(consumer.object, consumer.pod, consumer.volume_name) or {}
        claim = volume.get("persistentVolumeClaim")
        named = claim.get("claimName") if isinstance(claim, dict) else None
        # The chart names a claim of its own name there, which it never renders.
        if consumer.deployment or not named or named == consumer.object.name:
            continue
        if claim_template(stack, consumer) is not None:
            says = f"names the claim {named}, which the claim template {consumer.volume_name} hides"
            block = f"useStatefulSet: false, persistence: {{type: pvc, existingClaim: {named}}}"
            plain = "A Deployment in place of the StatefulSet, or no such volume in its pod."
            fix = paste(consumer.object, block, plain=plain)
            yield Fault(consumer.object, "spec.template.spec.volumes", says, fix)


@rule(WARN, "Set grafana: {admin: {existingSecret: grafana-admin}}, or grafana.adminPassword.")
def password(stack: Stack) -> Iterator[Fault]:
    """A password that each render draws anew is not the one in the database, which keeps the first.

    prometheus-community/helm-charts#2710. helm install and upgrade look the old one up in the
    cluster; a GitOps renderer cannot, so the rule asks only where the plan says gitops.argocd.
    """
    grafanas = [c for c in _grafanas(stack) if c.managed]
    if not stack.plan.argocd or not grafanas:
        return
    for item in seen(stack, ("Secret",), b"admin-password"):
        if RANDOM.fullmatch(_text(item, "admin-password")):
            says = "is drawn anew in each render, but the database keeps the first one"
            block = "admin: {existingSecret: grafana-admin}"
            fix = paste(grafanas[0].object, block, plain=f"A password of your own in {item}.")
            yield Fault(item, "data.admin-password", says, fix)


@rule(WARN, "Set grafana.initChownData.enabled: false; fsGroup or fixOwnership does its work.")
def chown(stack: Stack) -> Iterator[Fault]:
    """init-chown-data fails on its second start before chart 12.4.2, and where root is squashed.

    grafana-community/helm-charts#529: CHOWN without DAC_OVERRIDE cannot walk into Grafana's own
    directories.
    """
    for consumer in _grafanas(stack):
        squashed = _on_network(stack, consumer)
        for index, container in enumerate(consumer.object.items(*consumer.pod, "initContainers")):
            path = (*consumer.pod, "initContainers", str(index))
            mounts = consumer.object.items(*path, "volumeMounts")
            has_data = any(mounted_at(mount, GRAFANA_MOUNT) for mount in mounts)
            if container.get("name") != CHOWN or not has_data:
                continue
            says = ""
            if squashed:
                says = "runs chown as root, which a network file server that squashes root refuses"
            elif not _may_override(consumer, path):
                says = "has CHOWN without DAC_OVERRIDE: its second start fails"
            if says:
                block = "initChownData: {enabled: false}"
                fix = paste(
                    consumer.object, block, plain=f"No init container {CHOWN} in {consumer}."
                )
                yield Fault(consumer.object, ".".join(path), says, fix)


def _on_network(stack: Stack, consumer: Consumer) -> bool:
    """Whether a file server has the data, by a volume of the stream or by the claim's class."""
    claim = claim_template(stack, consumer)
    found = class_of(stack, claim) if claim else None
    served = found is not None and network(found.string("provisioner"))
    return served or any(v.consumer == GRAFANA and v.network for v in placed(stack))


def _may_override(consumer: Consumer, container: tuple[str, ...]) -> bool:
    """Whether it may walk into any directory: by the capability, or by not dropping any."""
    path = (*container, "securityContext", "capabilities")
    added, dropped = consumer.object.strings(*path, "add"), consumer.object.strings(*path, "drop")
    kept = not ({"ALL", "DAC_OVERRIDE"} & set(dropped))
    return "DAC_OVERRIDE" in added or "ALL" in added or kept


@rule(WARN, 'Set persistence: {grafana: {subPath: ""}} if the claim holds a database already.')
def data_seen(stack: Stack) -> Iterator[Fault]:
    """A sub-path on a claim that has data at its root makes Grafana start empty.

    Seen on a cluster: toggling the sub-path hides what is there, and toggling it back shows it
    again. Asked only where the stream names a claim that it does not hold: one that exists.
    """
    for consumer in _grafanas(stack):
        if not consumer.managed or not consumer.deployment or not consumer.sub_path:
            continue
        claim = consumer.deployment_claim()
        known = stack.find("PersistentVolumeClaim", claim, consumer.namespace)
        volume = pod_volume(consumer.object, consumer.pod, consumer.volume_name) or {}
        unseen = "persistentVolumeClaim" in volume and known is None
        if unseen and consumer.sub_path not in _sub_paths(consumer.before):
            says = f"is new on the claim {claim}, which exists: a database at its root is not seen"
            fix = 'persistence: {grafana: {subPath: ""}}.'
            yield Fault(consumer.object, f"subPath {consumer.sub_path}", says, fix)


def _sub_paths(before: Any) -> set[str]:
    """The sub-paths of the data's mounts before any edit."""
    for key in ("spec", "template", "spec"):
        before = before.get(key) if isinstance(before, dict) else None
    containers = before.get("containers") if isinstance(before, dict) else None
    mounts = [
        mount
        for container in (containers if isinstance(containers, list) else ())
        if isinstance(container, dict) and isinstance(container.get("volumeMounts"), list)
        for mount in container["volumeMounts"]
    ]
    data = [m for m in mounts if isinstance(m, dict) and mounted_at(m, GRAFANA_MOUNT)]
    return {str(m.get("subPath") or "") for m in data}

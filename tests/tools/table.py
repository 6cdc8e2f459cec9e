"""Read from a stream what will hold the data: one row for each pod of the four consumers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

from tests.tools.documents import Document, of_kind

# Consumer, prefix of its pods, end of its claim template's name, the operator's own sub-path.
CUSTOM_RESOURCES = {
    "Prometheus": ("prometheus", "prometheus", "db", "prometheus-db"),
    "PrometheusAgent": ("prometheus", "prom-agent", "db", "prometheus-db"),
    "Alertmanager": ("alertmanager", "alertmanager", "db", "alertmanager-db"),
    "ThanosRuler": ("thanosRuler", "thanos-ruler", "data", "-"),
}
NONE = "-"
LONG = ("pod", "claim")


@dataclass(frozen=True)
class Row:
    """One pod, and where its data lies."""

    consumer: str
    pod: str
    claim: str = "none: emptyDir"
    size: str = NONE
    storage_class: str = NONE
    volume: str = NONE
    node: str = NONE
    sub_path: str = NONE
    fs_group: str = NONE


def rows(documents: list[Document]) -> list[Row]:
    """Return the rows, consumer by consumer."""
    found = [each for kind in CUSTOM_RESOURCES for each in of_kind(documents, kind)]
    custom = [row for each in found for row in of_custom(each)]
    workloads = of_kind(documents, "Deployment", "StatefulSet")
    grafana = [row for each in workloads for row in of_grafana(each, documents)]
    return [with_volume(row, documents) for row in (*custom, *grafana)]


def of_custom(document: Document) -> Iterator[Row]:
    """Yield a row for each pod that the operator will make of a custom resource."""
    consumer, prefix, ending, sub_path = CUSTOM_RESOURCES[document["kind"]]
    name, spec = document["metadata"]["name"], document["spec"]
    if spec.get("mode") == "DaemonSet":  # of an agent: it has no claims, and no ordinals
        return
    template = (spec.get("storage") or {}).get("volumeClaimTemplate")
    claim_base = (template or {}).get("metadata", {}).get("name") or f"{prefix}-{name}-{ending}"
    group = cell((spec.get("securityContext") or {}).get("fsGroup"))
    for shard in range(spec.get("shards") or 1):
        stateful_set = f"{prefix}-{name}" + (f"-shard-{shard}" if shard else "")
        for ordinal in range(1 if spec.get("replicas") is None else spec["replicas"]):
            pod = f"{stateful_set}-{ordinal}"
            row = Row(consumer, pod, fs_group=group)
            if template:
                row = claimed(row, f"{claim_base}-{pod}", template["spec"])
                row = replace(row, sub_path=sub_path)
            yield row


def of_grafana(document: Document, documents: list[Document]) -> Iterator[Row]:
    """Yield Grafana's row where the workload runs a container of that name."""
    pod = document["spec"]["template"]["spec"]
    mounts = [
        mount
        for container in pod["containers"]
        if container["name"] == "grafana"
        for mount in container.get("volumeMounts", [])
        if mount["name"] == "storage"
    ]
    if not mounts:
        return
    group = cell((pod.get("securityContext") or {}).get("fsGroup"))
    name = document["metadata"]["name"]
    pod_name = f"{name}-0" if document["kind"] == "StatefulSet" else f"{name} (Deployment)"
    row = Row("grafana", pod_name, fs_group=group, sub_path=cell(mounts[0].get("subPath")))
    claim, spec = grafana_claim(document, documents)
    yield claimed(row, claim, spec) if claim else row


def grafana_claim(document: Document, documents: list[Document]) -> tuple[str, dict[str, Any]]:
    """Return the name and the spec of the claim behind Grafana's storage, or blanks."""
    for template in document["spec"].get("volumeClaimTemplates", []):
        if template["metadata"]["name"] == "storage":
            return f"storage-{document['metadata']['name']}-0", template["spec"]
    for volume in document["spec"]["template"]["spec"].get("volumes", []):
        if volume["name"] == "storage" and "persistentVolumeClaim" in volume:
            name = volume["persistentVolumeClaim"]["claimName"]
            claims = of_kind(documents, "PersistentVolumeClaim")
            found = [each["spec"] for each in claims if each["metadata"]["name"] == name]
            return name, found[0] if found else {}
    return "", {}


def claimed(row: Row, claim: str, spec: dict[str, Any]) -> Row:
    """Return the row with the facts of its claim."""
    size = spec.get("resources", {}).get("requests", {}).get("storage")
    # A claim without the field gets the cluster's default class; with an empty one it gets none.
    name = spec.get("storageClassName", "default")
    return replace(row, claim=claim, size=cell(size), storage_class=name or "none")


def with_volume(row: Row, documents: list[Document]) -> Row:
    """Return the row with the volume that is reserved for its claim, and that volume's node."""
    for volume in of_kind(documents, "PersistentVolume"):
        if volume["spec"].get("claimRef", {}).get("name") == row.claim:
            return replace(row, volume=volume["metadata"]["name"], node=node(volume) or "any")
    return replace(row, volume=NONE if row.size == NONE else "by the class")


def node(volume: Document) -> str:
    """Return the host names that a volume can be reached from, or a blank."""
    required = volume["spec"].get("nodeAffinity", {}).get("required", {})
    return ",".join(
        name
        for term in required.get("nodeSelectorTerms", [])
        for expression in term.get("matchExpressions", [])
        if expression["key"] == "kubernetes.io/hostname"
        for name in expression["values"]
    )


def cell(value: object) -> str:
    """Return a value as the table shows it."""
    return NONE if value is None else str(value)


def lines(table: list[Row]) -> list[str]:
    """Return the rows below a head line; the long names stand on lines of their own."""
    short = [field.name for field in fields(Row) if field.name not in LONG]
    cells = [[name.replace("_", " ") for name in short]]
    cells += [[getattr(row, name) for name in short] for row in table]
    widths = [max(len(line[column]) for line in cells) for column in range(len(short))]
    head, *body = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in cells]
    names = [[f"  {name:<6} {getattr(row, name)}" for name in LONG] for row in table]
    return [head, *(text for line, more in zip(body, names, strict=True) for text in (line, *more))]

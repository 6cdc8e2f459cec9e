"""Whether a pod may run where its volume is: what can be known from names of nodes alone."""

from __future__ import annotations

from durable.checks.placement import HOSTNAME, ZONE, Placed, affinity_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.stack import Consumer

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
# app.kubernetes.io/name of the pods that the operator makes.
APPLICATION = {
    "Prometheus": "prometheus",
    "PrometheusAgent": "prometheus-agent",
    "Alertmanager": "alertmanager",
    "ThanosRuler": "thanos-ruler",
}
OWNER_LABEL = {
    "Prometheus": "prometheus",
    "PrometheusAgent": "prometheus",
    "Alertmanager": "alertmanager",
    "ThanosRuler": "thanos-ruler",
}


def unreachable(consumer: Consumer, volumes: list[Placed]) -> Iterator[tuple[str, str]]:
    """Field and reason of each demand that a pod's volume cannot meet.

    Only host names (and the zone sharding's zones) are compared: other labels of nodes are not in the stream.
    """
    needed = [v for v in volumes if v.claim in set(consumer.claims())]
    bound = [v for v in needed if v.nodes]
    yield from _selector(consumer, bound)
    yield from _affinity(consumer, bound)
    yield from _zones(consumer, needed)
    nodes = [v.nodes[0] for v in bound if len(v.nodes) == 1]
    if len(nodes) == len(consumer.claims()) and not consumer.deployment:
        yield from _apart(consumer, nodes)
        yield from _spread(consumer, nodes)


def _field(consumer: Consumer, name: str) -> str:
    return ".".join((*consumer.pod, name))


def _selector(consumer: Consumer, volumes: list[Placed]) -> Iterator[tuple[str, str]]:
    wanted = consumer.object.mapping(*consumer.pod, "nodeSelector").get(HOSTNAME)
    for volume in volumes:
        if wanted is not None and str(wanted) not in volume.nodes:
            says = f"wants the node {wanted}, but {volume.object} is on {', '.join(volume.nodes)}"
            yield _field(consumer, "nodeSelector"), says


def _affinity(consumer: Consumer, volumes: list[Placed]) -> Iterator[tuple[str, str]]:
    path = (*consumer.pod, "affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms")
    terms = consumer.object.items(*path)
    for volume in volumes:
        if terms and not any(_term_allows(t, node) for t in terms for node in volume.nodes):
            says = f"allows none of the nodes of {volume.object}: {', '.join(volume.nodes)}"
            yield ".".join(path), says


def _term_allows(term: dict[str, Any], node: str) -> bool:
    expressions = [e for e in term.get("matchExpressions") or [] if isinstance(e, dict) and e.get("key") == HOSTNAME]
    expressions += [e for e in term.get("matchFields") or [] if isinstance(e, dict) and e.get("key") == "metadata.name"]
    return all(_holds(e, node) for e in expressions)


def _holds(expression: dict[str, Any], value: str | None) -> bool:
    values = [str(v) for v in expression.get("values") or []]
    known = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return known.get(str(expression.get("operator")), True)


def _zones(consumer: Consumer, volumes: list[Placed]) -> Iterator[tuple[str, str]]:
    strategy = consumer.object.mapping("spec", "shardingStrategy") if consumer.facts else {}
    if strategy.get("mode") != "Topology":
        return
    topology = strategy.get("topology")
    zones = [str(z) for z in (topology.get("values") or [])] if isinstance(topology, dict) else []
    for volume in volumes:
        told = affinity_values(volume.object, ZONE)
        if told and zones and not set(told) & set(zones):
            says = f"shards over {', '.join(zones)}, but {volume.object} is in {', '.join(told)}"
            yield "spec.shardingStrategy", says


def _apart(consumer: Consumer, nodes: list[str]) -> Iterator[tuple[str, str]]:
    """Pods that refuse each other's node need volumes on as many nodes."""
    path = (*consumer.pod, "affinity", "podAntiAffinity", REQUIRED)
    for term in consumer.object.items(*path):
        crowded = sorted({n for n in nodes if nodes.count(n) > 1})
        if term.get("topologyKey") == HOSTNAME and crowded and _selects(consumer, term.get("labelSelector")):
            says = f"keeps the pods on different nodes, but several of their volumes are on {', '.join(crowded)}"
            yield ".".join(path), says


def _spread(consumer: Consumer, nodes: list[str]) -> Iterator[tuple[str, str]]:
    path = (*consumer.pod, "topologySpreadConstraints")
    plan = consumer.plan.pinned_nodes if consumer.plan else ()
    counts = [nodes.count(n) for n in set(nodes) | set(plan)]
    for constraint in consumer.object.items(*path):
        skew = constraint.get("maxSkew")
        hard = constraint.get("whenUnsatisfiable") != "ScheduleAnyway"
        host = constraint.get("topologyKey") == HOSTNAME
        wanted = isinstance(skew, int) and max(counts) - min(counts) > skew
        if hard and host and wanted and _selects(consumer, constraint.get("labelSelector")):
            says = f"wants an even spread (maxSkew {skew}), but the volumes are on {', '.join(nodes)}"
            yield ".".join(path), says


def _selects(consumer: Consumer, selector: Any) -> bool:
    """Whether a label selector selects the consumer's own pods; a missing one selects none."""
    if not isinstance(selector, dict):
        return False
    labels = _labels(consumer)
    matches = selector.get("matchLabels") or {}
    expressions = [e for e in selector.get("matchExpressions") or [] if isinstance(e, dict)]
    return all(labels.get(k) == v for k, v in matches.items()) and all(
        _holds(e, labels.get(str(e.get("key")))) for e in expressions
    )


def _labels(consumer: Consumer) -> dict[str, Any]:
    """The labels of the pods: those that the operator gives, and the user's."""
    target, kind, name = consumer.object, consumer.object.kind, consumer.object.name
    if consumer.facts is None:
        return target.mapping("spec", "template", "metadata", "labels")
    return {
        **target.mapping("spec", "podMetadata", "labels"),
        "app.kubernetes.io/name": APPLICATION[kind],
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        OWNER_LABEL[kind]: name,
        "operator.prometheus.io/name": name,
    }

"""Whether a pod may run where its volume is: what can be known from labels of nodes alone."""

from __future__ import annotations

from durable.checks.placement import HOSTNAME, ZONE, affinity_values, paste

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.checks.placement import Placed
    from durable.stack import Consumer

    Path = tuple[str, ...]
    Demand = tuple[str, str, str]

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
NODE_TERMS = ("affinity", "nodeAffinity", REQUIRED, "nodeSelectorTerms")
POD_TERMS = ("affinity", "podAntiAffinity", REQUIRED)
NODE_NAME = "metadata.name"
SPREAD = ("topologySpreadConstraints",)
# Labels of the pods that the operator makes: app.kubernetes.io/name, and those that name the object
# (makeSelectorLabels in the operator.go of each kind).
LABELS = {
    "Prometheus": ("prometheus", "prometheus", "operator.prometheus.io/name"),
    "PrometheusAgent": ("prometheus-agent", "operator.prometheus.io/name"),
    "Alertmanager": ("alertmanager", "alertmanager"),
    "ThanosRuler": ("thanos-ruler", "thanos-ruler"),
}


def unreachable(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    """Field, reason and fix of each demand that a pod's volume cannot meet.

    Only labels of nodes that the volume's own affinity names are compared: what other labels its
    node has is not in the stream.
    """
    claims = set(consumer.claims())
    needed = [v for v in volumes if v.claim in claims]
    yield from _node(consumer, needed)
    yield from _selector(consumer, needed)
    yield from _affinity(consumer, needed)
    yield from _zones(consumer, needed)
    if not consumer.deployment:
        yield from _apart(consumer, needed)
        # Where a pod without a known place may still even things out, nothing is certain.
        if len(needed) == len(claims):
            yield from _spread(consumer, needed)


def _field(path: Path) -> str:
    return ".".join(path)


def _selector(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    path = (*consumer.pod, "nodeSelector")
    for label, wanted in consumer.object.mapping(*path).items():
        for volume in volumes:
            told = affinity_values(volume.object, label)
            if told and wanted not in told:
                says = f"wants {label}={wanted}, but {volume.object} is on {', '.join(told)}"
                yield _field(path), says, _selected(consumer, label, volumes)


def _selected(consumer: Consumer, label: str, volumes: list[Placed]) -> str:
    """The selector's fix: a null in Helm's values empties a mapping, but takes no key out of it."""
    places = {value for volume in volumes for value in affinity_values(volume.object, label)}
    if len(places) == 1:
        return paste(consumer.object, f"nodeSelector: {{{label}: {places.pop()}}}")
    plain = f"No {label} in the nodeSelector of {consumer}."
    alone = len(consumer.object.mapping(*consumer.pod, "nodeSelector")) == 1
    return paste(consumer.object, "nodeSelector: null", plain=plain) if alone else plain


def _node(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    path = (*consumer.pod, "nodeName")
    wanted = _short(consumer.object.string(*path))
    for volume in volumes:
        if wanted and volume.nodes and wanted not in map(_short, volume.nodes):
            says = f"is {wanted}, but {volume.object} is on {', '.join(volume.nodes)}"
            yield _field(path), says, f"No nodeName in {consumer}."


def _affinity(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    path = (*consumer.pod, *NODE_TERMS)
    terms = [_term(consumer, (*path, str(n))) for n in range(len(consumer.object.items(*path)))]
    for volume in volumes:
        if terms and not any(_allows(term, volume) for term in terms):
            where = ", ".join(volume.nodes) or "its zone is another"
            fix = paste(consumer.object, "affinity: {nodeAffinity: null}")
            if consumer.plan and consumer.plan.nodes and volume.nodes:
                fix = f"persistence: {{{consumer.name}: {{nodes: [{', '.join(volume.nodes)}]}}}}."
            yield _field(path), f"allows none of the nodes of {volume.object}: {where}", fix


def _term(consumer: Consumer, path: Path) -> list[tuple[str, str, list[str]]]:
    """What a term demands: label, operator and values."""
    target = consumer.object
    return [
        (str(said.get("key")), str(said.get("operator")), target.strings(*field, "values"))
        for group in ("matchExpressions", "matchFields")
        for number, said in enumerate(target.items(*path, group))
        for field in [(*path, group, str(number))]
    ]


def _allows(term: list[tuple[str, str, list[str]]], volume: Placed) -> bool:
    for label in {key for key, _, _ in term}:
        demands = [(operator, values) for key, operator, values in term if key == label]
        told = affinity_values(volume.object, label)
        if label == NODE_NAME:
            # A node's name is its host name, where a cloud does not add its domain to one of them.
            told = tuple(map(_short, volume.nodes))
            demands = [(operator, [*map(_short, values)]) for operator, values in demands]
        if told and not any(all(_holds(o, w, value) for o, w in demands) for value in told):
            return False
    return True


def _short(name: str) -> str:
    return name.partition(".")[0]


def _holds(operator: str, values: list[str], value: str | None) -> bool:
    known = {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }
    return known.get(operator, True)


def _zones(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    """With sharding by topology, all pods of shard n run in the zone n (modulo the zones)."""
    path = ("spec", "shardingStrategy")
    if consumer.facts is None or consumer.object.string(*path, "mode") != "Topology":
        return
    zones = consumer.object.strings(*path, "topology", "values")
    for shard in range(consumer.shards if zones else 0):
        wanted = zones[shard % len(zones)]
        claims = [consumer.claim(shard, n) for n in range(consumer.replicas)]
        for volume in volumes:
            told = affinity_values(volume.object, ZONE)
            if volume.claim in claims and told and wanted not in told:
                says = f"puts shard {shard} in the zone {wanted}, but {volume.object} is in"
                fix = paste(consumer.object, "shardingStrategy: null")
                yield _field(path), f"{says} {', '.join(told)}", fix


def _domains(volumes: list[Placed], key: str) -> list[str]:
    """The domain of each volume that is bound to one."""
    told = (affinity_values(v.object, key) for v in volumes)
    return [values[0] for values in told if len(values) == 1]


def _apart(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    """Pods that refuse each other's node need volumes on as many nodes."""
    path = (*consumer.pod, *POD_TERMS)
    for number, term in enumerate(consumer.object.items(*path)):
        domains = _domains(volumes, str(term.get("topologyKey")))
        crowded = sorted({d for d in domains if domains.count(d) > 1})
        if crowded and _near(consumer, term) and _selects(consumer, (*path, str(number))):
            says = f"keeps the pods apart, but several of their volumes are on {', '.join(crowded)}"
            # The chart's own term names its pods by expressions.
            by_hand = "matchLabels" in consumer.object.mapping(*path, str(number), "labelSelector")
            value = "affinity: {podAntiAffinity: null}" if by_hand else "podAntiAffinity: soft"
            fix = paste(consumer.object, value, plain=_elsewhere(consumer))
            yield _field(path), says, fix


def _near(consumer: Consumer, term: dict[str, Any]) -> bool:
    """Whether a term of pod affinity looks at the consumer's own namespace."""
    names = term.get("namespaces")
    if term.get("namespaceSelector") or term.get("matchLabelKeys") or term.get("mismatchLabelKeys"):
        return False
    return not names or (isinstance(names, list) and consumer.namespace in names)


def _spread(consumer: Consumer, volumes: list[Placed]) -> Iterator[Demand]:
    path = (*consumer.pod, *SPREAD)
    for number, constraint in enumerate(consumer.object.items(*path)):
        key = str(constraint.get("topologyKey"))
        skew = consumer.object.number(*path, str(number), "maxSkew", default=1)
        domains = _domains(volumes, key)
        if constraint.get("whenUnsatisfiable") == "ScheduleAnyway" or len(domains) < len(volumes):
            continue
        uneven = _skew(consumer, domains, key) > skew
        if uneven and _spreads(consumer, (*path, str(number)), constraint):
            says = f"wants an even spread (maxSkew {skew}), but the volumes are on"
            yield _field(path), f"{says} {', '.join(domains)}", _elsewhere(consumer)


def _elsewhere(consumer: Consumer) -> str:
    return f"persistence: {{{consumer.name}: {{volumes: [...]}}}} with each on a node of its own."


def _skew(consumer: Consumer, domains: list[str], key: str) -> int:
    nodes = consumer.plan.pinned_nodes if consumer.plan and key == HOSTNAME else ()
    counts = [domains.count(d) for d in {*domains, *nodes}]
    return max(counts, default=0) - min(counts, default=0)


def _spreads(consumer: Consumer, path: Path, constraint: dict[str, Any]) -> bool:
    """Whether a constraint counts the consumer's own pods, all of them together."""
    added = constraint.get("additionalLabelSelectors")
    if constraint.get("matchLabelKeys") or (added == "OnShard" and consumer.shards > 1):
        return False
    # The operator adds its own labels, also where no selector is written.
    if added and constraint.get("labelSelector") is None:
        return True
    return _selects(consumer, path)


def _selects(consumer: Consumer, path: Path) -> bool:
    """Whether the label selector there selects the consumer's pods; a missing one selects none."""
    target, path = consumer.object, (*path, "labelSelector")
    if target.get(*path) is None:
        return False
    labels = _labels(consumer)
    if any(labels.get(k) != v for k, v in target.mapping(*path, "matchLabels").items()):
        return False
    path = (*path, "matchExpressions")
    return all(
        _holds(
            str(said.get("operator")),
            target.strings(*path, str(number), "values"),
            labels.get(str(said.get("key"))),
        )
        for number, said in enumerate(target.items(*path))
    )


def _labels(consumer: Consumer) -> dict[str, Any]:
    """The labels that all pods have: those that the operator gives, and the user's."""
    target = consumer.object
    if consumer.facts is None:
        return target.mapping("spec", "template", "metadata", "labels")
    application, *own = LABELS[target.kind]
    return {
        **target.mapping("spec", "podMetadata", "labels"),
        "app.kubernetes.io/name": application,
        "app.kubernetes.io/instance": target.name,
        "app.kubernetes.io/managed-by": "prometheus-operator",
        **dict.fromkeys(own, target.name),
    }

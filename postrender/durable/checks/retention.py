"""Rules about how much Prometheus keeps, against what its volume holds."""

from __future__ import annotations

import re

from durable.checks.placement import claim_template, placed
from durable.checks.registry import Fault, rule
from durable.findings import REFUSE
from durable.quantity import GIB, auto_retention, parse_quantity, parse_retention_size
from durable.stack import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Consumer, Stack

LIMIT = 0.9
# On a big volume a fixed room is enough for compaction and the write-ahead log (see quantity.auto_retention).
ROOM = 50 * GIB
SHARED = ("hostPath", "local", "nfs")
DURATION = re.compile(r"0|(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", re.ASCII)


def _servers(stack: Stack) -> Iterator[Consumer]:
    return (c for c in guarded(stack) if c.facts is not None and c.facts.retention_size)


@rule(REFUSE, "Set persistence: {prometheus: {retentionSize: auto}}.")
def fits(stack: Stack) -> Iterator[Fault]:
    """A full volume crashes Prometheus in a loop that retention cannot cure.

    prometheus-community/helm-charts#2757: blocks go only after the limit is passed, and compaction needs
    room for a copy. Refused above 90% of the claim, unless 50 GiB or more stay free.
    """
    for consumer in _servers(stack):
        claim = claim_template(stack, consumer)
        size = parse_quantity(str(claim.request)) if claim else None
        wanted = parse_retention_size(str(consumer.object.get("spec", "retentionSize") or ""))
        if not size or not wanted or claim is None:
            continue
        if wanted > LIMIT * size and size - wanted < ROOM:
            says = f"is {consumer.object.get('spec', 'retentionSize')}, over 90% of the claim of {claim.request}"
            fix = f"persistence: {{prometheus: {{retentionSize: {auto_retention(size)}}}}}."
            yield Fault(consumer.object, "spec.retentionSize", says, fix)


@rule(REFUSE, "Write retentionSize as a Prometheus size (40GB, 40GiB) and retention as a duration (30d).")
def unit(stack: Stack) -> Iterator[Fault]:
    """The operator refuses the object, so that no later change of it is carried out.

    prometheus-community/helm-charts#2964: 20Gi is a Kubernetes quantity, Prometheus wants 20GB or 20GiB.
    """
    for consumer in guarded(stack):
        if consumer.facts is None:
            continue
        size = consumer.object.get("spec", "retentionSize")
        if size not in (None, "") and (not isinstance(size, str) or parse_retention_size(size) is None):
            text = f"{size}B" if parse_retention_size(f"{size}B") else "40GB"
            says = f"is {size!r}, which is no Prometheus size"
            yield Fault(consumer.object, "spec.retentionSize", says, f"retentionSize: {text}.")
        time = consumer.object.get("spec", "retention")
        if time not in (None, "") and (not isinstance(time, str) or not DURATION.fullmatch(time)):
            says = f"is {time!r}, which is no Prometheus duration"
            text = f"{time}d" if isinstance(time, int) or str(time).isdigit() else "30d"
            yield Fault(consumer.object, "spec.retention", says, f"retention: {text}.")


@rule(REFUSE, "Set a size in place of the percentage: persistence: {prometheus: {retentionSize: auto}}.")
def shared_disk(stack: Stack) -> Iterator[Fault]:
    """A percentage counts the whole file system: on a shared one the others' data leaves Prometheus no room.

    The field came with operator 0.94 (prometheus storage.tsdb.retention.percentage); whether a local
    volume is a disk of its own cannot be seen here, so its directory counts as shared.
    """
    for consumer in _servers(stack):
        percentage = consumer.object.get("spec", "retentionPercentage")
        if not percentage:
            continue
        for volume in placed(stack):
            if volume.consumer == consumer.name and volume.kind in SHARED:
                says = f"is {percentage}, but {volume.object} ({volume.kind}) may share its file system"
                fix = "retentionPercentage: null in the upstream values, and persistence: {prometheus: {retentionSize: auto}}."
                yield Fault(consumer.object, "spec.retentionPercentage", says, fix)
                break

"""Rules about how much Prometheus keeps, against what its volume holds."""

from __future__ import annotations

import re

from durable.checks.placement import (
    DIRECTORIES,
    bytes_of,
    claim_template,
    class_of,
    network,
    paste,
    placed,
)
from durable.checks.registry import Fault, rule, shown
from durable.findings import REFUSE
from durable.pattern import pattern
from durable.quantity import GIB, auto_retention, parse_retention_size
from durable.stack import guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.stack import Consumer, Stack

LIMIT = 0.9
# On a big volume a fixed room is enough for compaction and the write-ahead log (see quantity).
ROOM = 50 * GIB
SHARED = ("hostPath", "local", "nfs")
# The patterns of the field in the operator's CRDs: Alertmanager's knows nothing above hours.
DURATION = pattern(r"0|(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", re.ASCII)
GO_DURATION = pattern(r"0|(\d+h)?(\d+m)?(\d+s)?(\d+ms)?", re.ASCII)
NUMBER = pattern(r"[0-9.]{1,20}", re.ASCII)
DAYS = pattern(r"(\d{1,6})d?", re.ASCII)
# A bare number below this is meant as gigabytes, one above it as bytes.
BARE = 10_000


def _servers(stack: Stack) -> Iterator[Consumer]:
    return (c for c in guarded(stack) if c.facts is not None and c.facts.retention_size)


@rule(
    REFUSE, "Set persistence: {prometheus: {retentionSize: auto}}, and no retentionSize upstream."
)
def fits(stack: Stack) -> Iterator[Fault]:
    """A full volume crashes Prometheus in a loop that retention cannot cure.

    prometheus-community/helm-charts#2757: blocks go only after the limit is passed, and compaction
    needs room for a copy. Refused above 90% of the claim, unless 50 GiB or more stay free.
    """
    for consumer in _servers(stack):
        claim = claim_template(stack, consumer)
        size = claim.size if claim else None
        said = consumer.object.get("spec", "retentionSize")
        wanted = parse_retention_size(said) if isinstance(said, str) else None
        if claim is None or not size or size < 0 or not wanted:
            continue
        if wanted > LIMIT * size and size - wanted < ROOM:
            share = (
                f"{round(100 * wanted / size)}%" if wanted < 10 * size else "more than ten times"
            )
            says = f"is {said}, {share} of the claim of {claim.request}: the volume fills up"
            fix = f"persistence: {{prometheus: {{retentionSize: {auto_retention(size)}}}}}."
            yield Fault(consumer.object, "spec.retentionSize", says, fix)


@rule(REFUSE, "Write retentionSize as 40GB or 40GiB, and retention as 30d (Alertmanager: 120h).")
def unit(stack: Stack) -> Iterator[Fault]:
    """The object is refused by its CRD or by the operator, so that no later change is carried out.

    prometheus-community/helm-charts#2964: 20Gi is a Kubernetes quantity, Prometheus wants 20GB or
    20GiB. Alertmanager's retention has no days.
    """
    for consumer in guarded(stack):
        if consumer.facts is None:
            continue
        size = consumer.object.get("spec", "retentionSize")
        if size not in (None, "") and not (isinstance(size, str) and _is_size(size)):
            says = f"is {shown(size)}, which is no Prometheus size"
            fix = paste(consumer.object, f"retentionSize: {_as_size(size)}")
            yield Fault(consumer.object, "spec.retentionSize", says, fix)
        yield from _duration(consumer)


def _duration(consumer: Consumer) -> Iterator[Fault]:
    hours = consumer.object.kind == "Alertmanager"
    valid = GO_DURATION if hours else DURATION
    time = consumer.object.get("spec", "retention")
    if time in (None, "") or (isinstance(time, str) and valid.fullmatch(time)):
        return
    what = "no duration of hours (h), minutes (m) and seconds (s)" if hours else "no duration"
    days = DAYS.fullmatch(str(time))
    number = int(days[1]) if days else 0
    text = f"{number * 24 or 120}h" if hours else f"{number or 30}d"
    fix = paste(consumer.object, f"retention: {text}")
    yield Fault(consumer.object, "spec.retention", f"is {shown(time)}, which is {what}", fix)


def _is_size(text: str) -> bool:
    return parse_retention_size(text) is not None


def _as_size(size: Any) -> str:
    """What was meant: 20Gi is 20GiB, 40 is 40GB, and a large number is bytes."""
    number = bytes_of(size) if NUMBER.fullmatch(str(size)) else None
    if number is not None and number >= BARE:
        return f"{number}B"
    text = f"{size}GB" if number else f"{size}B"
    return text if _is_size(text) and number != 0 else "40GB"


@rule(
    REFUSE, "Set retentionPercentage: null, and persistence: {prometheus: {retentionSize: auto}}."
)
def shared_disk(stack: Stack) -> Iterator[Fault]:
    """A percentage counts the whole file system: on a shared one Prometheus leaves itself no room.

    The field came with operator 0.94 (pkg/apis/monitoring/v1/prometheus_types.go); whether a local
    volume is a disk of its own cannot be seen here, so its directory counts as shared. So does what
    a class provisions as directories (local-path, NFS).
    """
    for consumer in _servers(stack):
        percentage = consumer.object.get("spec", "retentionPercentage")
        if not bytes_of(percentage):
            continue
        for where in _shared(stack, consumer):
            says = f"is {shown(percentage)}, but {where} may share its file system"
            auto = "persistence: {prometheus: {retentionSize: auto}}"
            # The chart knows the field by additionalConfig only.
            block = "additionalConfig: {retentionPercentage: null}"
            plain = f"spec: {{retentionPercentage: null}} in {consumer}."
            fix = paste(consumer.object, block, plain=plain).removesuffix(".")
            field = "spec.retentionPercentage"
            yield Fault(consumer.object, field, says, f"{fix}, and {auto}.")
            break


def _shared(stack: Stack, consumer: Consumer) -> Iterator[str]:
    """The consumer's volumes, and its class, where they are directories beside others."""
    for volume in placed(stack):
        if volume.consumer == consumer.name and (volume.kind in SHARED or volume.network):
            yield f"{volume.object} ({volume.network or volume.kind})"
    claim = claim_template(stack, consumer)
    found = class_of(stack, claim) if claim else None
    driver = found.string("provisioner") if found else ""
    if network(driver) or DIRECTORIES.search(driver):
        yield f"a volume of {found} ({driver})"

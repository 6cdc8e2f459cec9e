"""Give each custom resource a claim template in place of emptyDir."""

from __future__ import annotations

from durable.edits import merge, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.objects import Object
    from durable.patch import Path
    from durable.plan import ConsumerPlan
    from durable.stack import Stack

STORAGE = ("spec", "storage")
TEMPLATE = (*STORAGE, "volumeClaimTemplate")


def claim_storage(stack: Stack) -> Iterator[Edit]:
    """Write spec.storage.volumeClaimTemplate; remove emptyDir and ephemeral, which would win."""
    for consumer in stack.managed():
        if consumer.facts is None or consumer.plan is None:
            continue
        target = consumer.object
        for rival in ("emptyDir", "ephemeral"):
            yield from remove(target, (*STORAGE, rival))
        yield from merge(target, (*TEMPLATE, "spec"), claim_spec(consumer.plan))
        yield from strip_selector(target, (*TEMPLATE, "spec"))
        if consumer.plan.volumes:  # a volume of upstream's values would be waited for in vain
            yield from remove(target, (*TEMPLATE, "spec", "volumeName"))


def claim_spec(plan: ConsumerPlan) -> dict[str, Any]:
    """The spec of a claim; without a class of its own the cluster's default class serves."""
    storage_class = {"storageClassName": plan.storage_class} if plan.storage_class else {}
    return {
        **storage_class,
        "accessModes": list(plan.access_modes),
        "resources": {"requests": {"storage": plan.size}},
    }


def strip_selector(target: Object, spec: Path) -> Iterator[Edit]:
    """Remove an empty selector: provisioners refuse any (rancher/local-path-provisioner#142)."""
    selector = target.get(*spec, "selector")
    empty = not selector or (isinstance(selector, dict) and not any(selector.values()))
    if empty:
        yield from remove(target, (*spec, "selector"))

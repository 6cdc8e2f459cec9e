"""Rules about StorageClasses in the stream."""

from __future__ import annotations

from durable.checks.placement import HOSTNAME, affinity_values
from durable.checks.registry import Fault, rule
from durable.findings import WARN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Stack


@rule(WARN, "Set volumeBindingMode: WaitForFirstConsumer (under a new name: a class is immutable).")
def late_binding(stack: Stack) -> Iterator[Fault]:
    """With Immediate a claim is bound before its pod is placed: to a node where the pod may not run.

    prometheus-operator#6226, helm/charts#22252. A volume that is reserved by name binds at once in any case.
    """
    for found in stack.kind("StorageClass"):
        if found.string("volumeBindingMode") == "WaitForFirstConsumer":
            continue
        for volume in stack.kind("PersistentVolume"):
            if volume.string("spec", "storageClassName") == found.name and affinity_values(volume, HOSTNAME):
                says = f"is Immediate, and {volume} of this class is bound to a node"
                yield Fault(found, "volumeBindingMode", says)
                break


@rule(WARN, "Set reclaimPolicy: Retain (under a new name: a class is immutable).")
def retained(stack: Stack) -> Iterator[Fault]:
    """Volumes of a class that deletes go with their claim: one kubectl delete pvc and the disk is gone.

    Delete is the default where a class says nothing (ministryofjustice/cloud-platform#1106).
    """
    for found in stack.kind("StorageClass"):
        policy = found.string("reclaimPolicy") or "Delete"
        if policy != "Retain":
            yield Fault(found, "reclaimPolicy", f"is {policy}: the volume is deleted with its claim")

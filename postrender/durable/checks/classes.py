"""Rules about StorageClasses in the stream."""

from __future__ import annotations

from durable.checks.registry import Fault, rule, shown
from durable.findings import WARN
from durable.scalars import write_inline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.objects import Object
    from durable.stack import Stack

# What a class says, as entries of the chart's storageClasses have it.
KEYS = (
    *("provisioner", "volumeBindingMode", "reclaimPolicy", "allowVolumeExpansion"),
    *("parameters", "mountOptions"),
)
DEFAULT = "storageclass.kubernetes.io/"


def _anew(stack: Stack, found: Object, **changed: str) -> str:
    """A class of another name, since a class is immutable, with all else that it says."""
    said = {key: value for key in KEYS if (value := found.get(key)) not in (None, [], {})}
    annotations = {k: v for k, v in found.annotations.items() if k.startswith(DEFAULT)}
    if annotations:
        said["annotations"] = annotations
    entry = {"name": f"{found.name}-2", **said, **changed}
    keys = ", ".join(f"{key}: {write_inline(value)}" for key, value in entry.items())
    # A list in Helm's values takes the place of the list before it.
    more = "..., " if len(stack.kind("StorageClass")) > 1 else ""
    return f"storageClasses: [{more}{{{keys}}}], and that name as storageClassName."


@rule(WARN, "Set volumeBindingMode: WaitForFirstConsumer (under a new name: a class is immutable).")
def late_binding(stack: Stack) -> Iterator[Fault]:
    """With Immediate a claim is bound before its pod is placed: to a node where it may not run.

    prometheus-operator#6226, helm/charts#22252. A volume that is reserved by name binds at once in
    any case.
    """
    for found in stack.kind("StorageClass"):
        mode = found.string("volumeBindingMode")
        if mode == "WaitForFirstConsumer":
            continue
        for volume in stack.kind("PersistentVolume"):
            bound = volume.get("spec", "nodeAffinity", "required") is not None
            if bound and volume.string("spec", "storageClassName") == found.name:
                told = "is Immediate" if mode else "is missing, which means Immediate"
                says = f"{told}, and {volume} of this class is bound to a node"
                fix = _anew(stack, found, volumeBindingMode="WaitForFirstConsumer")
                yield Fault(found, "volumeBindingMode", says, fix)
                break


@rule(WARN, "Set reclaimPolicy: Retain (under a new name: a class is immutable).")
def retained(stack: Stack) -> Iterator[Fault]:
    """Volumes of a class that deletes go with their claim: one wrong kubectl, and the disk is gone.

    Delete is the default where a class says nothing (ministryofjustice/cloud-platform#1106).
    """
    for found in stack.kind("StorageClass"):
        policy = found.string("reclaimPolicy")
        if policy != "Retain":
            told = f"is {shown(policy)}" if policy else "is missing, which means Delete"
            says = f"{told}: the volume is deleted with its claim"
            yield Fault(found, "reclaimPolicy", says, _anew(stack, found, reclaimPolicy="Retain"))

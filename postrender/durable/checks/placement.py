"""What several rules ask: a consumer's claim, its class, and where its volumes are."""

from __future__ import annotations

from durable.consumers import CONSUMERS
from durable.errors import DocumentError
from durable.record import record
from durable.stack import CONSUMER_LABEL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.objects import Object
    from durable.stack import Consumer, Stack

NO_PROVISIONER = "kubernetes.io/no-provisioner"
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
TEMPLATE = ("spec", "storage", "volumeClaimTemplate", "spec")
SOURCES = ("local", "hostPath", "nfs", "csi")
# Drivers whose volumes are network file systems without what the TSDB needs of POSIX.
NETWORK_DRIVERS = ("nfs", "efs", "smb", "cifs", "fuseim.pri/ifs", "azurefile", "azure-file", "file.csi.azure.com")


@record
class Claim:
    """A consumer's claim, as a template or as a document: where it is written, and its spec."""

    object: Object
    field: str
    spec: Any

    @property
    def request(self) -> Any:
        """The size that is asked for, as it is written."""
        resources = self.spec.get("resources")
        requests = resources.get("requests") if isinstance(resources, dict) else None
        return requests.get("storage") if isinstance(requests, dict) else None

    @property
    def storage_class(self) -> str:
        """The class, empty for the cluster's default."""
        return str(self.spec.get("storageClassName") or "")

    @property
    def modes(self) -> list[str]:
        """The access modes; the operator's default is ReadWriteOnce."""
        modes = self.spec.get("accessModes")
        return [str(m) for m in modes] if isinstance(modes, list) and modes else ["ReadWriteOnce"]


@record
class Placed:
    """A static volume of the stream that is meant for a consumer."""

    consumer: str
    claim: str
    object: Object
    kind: str
    source: Any
    nodes: tuple[str, ...]


def claim_template(stack: Stack, consumer: Consumer) -> Claim | None:
    """The claim that the consumer's pods get, or None where they get none (or it is not in the stream)."""
    target = consumer.object
    if consumer.facts is not None:
        storage = target.mapping("spec", "storage")
        if target.get("spec", "storage") is None or any(storage.get(r) is not None for r in ("emptyDir", "ephemeral")):
            return None
        return Claim(target, ".".join(TEMPLATE), target.mapping(*TEMPLATE))
    for index, template in enumerate(target.items("spec", "volumeClaimTemplates")):
        metadata = template.get("metadata")
        if isinstance(metadata, dict) and metadata.get("name") == consumer.volume_name:
            path = ("spec", "volumeClaimTemplates", str(index), "spec")
            return Claim(target, ".".join(path), target.mapping(*path))
    if not consumer.deployment:
        return None
    document = stack.find("PersistentVolumeClaim", consumer.deployment_claim(), consumer.namespace)
    return Claim(document, "spec", document.mapping("spec")) if document else None


def class_of(stack: Stack, claim: Claim) -> Object | None:
    """The claim's class, where the stream holds it."""
    return stack.find("StorageClass", claim.storage_class) if claim.storage_class else None


def provisions(storage_class: Object | None) -> bool:
    """Whether a class that is in the stream makes volumes by itself."""
    return storage_class is not None and storage_class.string("provisioner") not in ("", NO_PROVISIONER)


def network(name: str) -> bool:
    """Whether a driver or provisioner gives network file systems."""
    return any(driver in name.lower() for driver in NETWORK_DRIVERS)


def placed(stack: Stack) -> Iterator[Placed]:
    """The static volumes of the stream that carry a consumer's label or are reserved for a consumer's claim."""
    reserved = {
        (c.namespace or stack.plan.namespace, claim): c.name
        for c in stack.consumers
        for claim in c.claims()
    }
    for volume in stack.kind("PersistentVolume"):
        claim, namespace = (volume.string("spec", "claimRef", key) for key in ("name", "namespace"))
        owner = str(volume.labels.get(CONSUMER_LABEL) or reserved.get((namespace, claim), ""))
        kind = next((k for k in SOURCES if volume.get("spec", k) is not None), "")
        if owner in CONSUMERS:
            source = volume.mapping("spec", kind) if kind else {}
            yield Placed(owner, claim, volume, kind, source, affinity_values(volume, HOSTNAME))


def affinity_values(volume: Object, key: str) -> tuple[str, ...]:
    """The values that a volume's required node affinity allows for a label; none: it does not say."""
    values: list[str] = []
    for term in volume.items("spec", "nodeAffinity", "required", "nodeSelectorTerms"):
        expressions = term.get("matchExpressions")
        for expression in expressions if isinstance(expressions, list) else []:
            if not isinstance(expression, dict):
                raise DocumentError(f"{volume}: spec.nodeAffinity has an expression that is no mapping")
            if expression.get("key") == key and expression.get("operator") == "In":
                values += [str(v) for v in expression.get("values") or []]
    return tuple(values)


def directory(volume: Placed, sub_path: str) -> tuple[str, str] | None:
    """The backend that a volume is in, and the directory in it that its consumer writes to."""
    source = volume.source
    if volume.kind in ("local", "hostPath"):
        return f"node {','.join(volume.nodes) or 'any'}", _joined(source.get("path"), sub_path)
    if volume.kind == "nfs":
        return f"server {source.get('server')}", _joined(source.get("path"), sub_path)
    if volume.kind == "csi":
        return f"{source.get('driver')} volume {source.get('volumeHandle')}", _joined("/", sub_path)
    return None


def _joined(path: Any, sub_path: str) -> str:
    parts = [p for p in f"{path}/{sub_path}".split("/") if p not in ("", ".")]
    return "/" + "/".join(parts)

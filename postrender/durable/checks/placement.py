"""What several rules ask: a consumer's claim, its class, and where its volumes are."""

from __future__ import annotations

from durable.consumers import CONSUMERS, INFLUXDB
from durable.document import Document
from durable.errors import DocumentError
from durable.pattern import pattern
from durable.quantity import parse_quantity
from durable.record import record
from durable.stack import CONSUMER_LABEL, LISTS, objects_of

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
TERMS = ("spec", "nodeAffinity", "required", "nodeSelectorTerms")
RIVALS = ("emptyDir", "ephemeral")
OWNERS = (*CONSUMERS, INFLUXDB)
SOURCES = ("local", "hostPath", "nfs", "csi", "azureFile")
# Those that the chart does not offer, and a volume made by hand may have.
DISKS = (
    *("iscsi", "fc", "rbd", "cephfs", "glusterfs", "awsElasticBlockStore", "gcePersistentDisk"),
    *("azureDisk", "vsphereVolume", "cinder", "portworxVolume"),
)
# Drivers of network file systems, and of object stores mounted as one, without what the time series
# database needs of POSIX. The word must start there: csi.juicefs.com is none,
# cluster.local/nfs-subdir is one.
NETWORK = pattern(
    r"(?:^|[^a-z0-9])(?:nfs|efs|smb|cifs|azure-?file|filestore|gluster|s3|gcsfuse)"
    r"|^(?:file|blob)\.csi\.azure|fuseim\.pri/ifs|^fsx\.openzfs|^fss\.csi\.oracle|^nasplugin\."
    r"|^(?:nas|obs|sfsturbo)\.csi\.everest|\.csi\.cfs$|\bfile\.csi\.ibm|/ibmc-file"
)
# Provisioners that make directories in a file system of the node or of a server.
DIRECTORIES = pattern(r"local-path|hostpath|host-path|openebs\.io/local$")


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
    def size(self) -> int | None:
        """The size that is asked for in bytes, or None where there is none."""
        return bytes_of(self.request)

    @property
    def storage_class(self) -> str:
        """The class, empty for the cluster's default (see default_class) and for none."""
        return str(self.spec.get("storageClassName") or "")

    @property
    def default_class(self) -> bool:
        """Whether the cluster's default class serves, of which the stream says nothing."""
        return self.spec.get("storageClassName") is None

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

    @property
    def network(self) -> str:
        """The network file system that this is, or ''."""
        name = self.kind if self.kind != "csi" else str(self.source.get("driver") or "")
        return name if network(name) else ""


def bytes_of(quantity: Any) -> int | None:
    """The bytes of a quantity as it is written, or None where it is none."""
    if isinstance(quantity, bool) or not isinstance(quantity, (str, int, float)):
        return None
    return parse_quantity(str(quantity))


def claim_template(stack: Stack, consumer: Consumer) -> Claim | None:
    """The claim that the pods get; None where they get none, or it is not in the stream."""
    target = consumer.object
    if consumer.facts is not None:
        storage = target.mapping("spec", "storage")
        absent = target.get("spec", "storage") is None
        if absent or any(storage.get(rival) is not None for rival in RIVALS):
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


def store_claim(stack: Stack) -> Claim | None:
    """The claim of the long-term store, which the chart renders as a document."""
    for claim in stack.kind("PersistentVolumeClaim"):
        if claim.labels.get(CONSUMER_LABEL) == INFLUXDB:
            return Claim(claim, "spec", claim.mapping("spec"))
    return None


def values_of(owner: str) -> str:
    """Where the values have what is said of a volume's owner."""
    return owner if owner == INFLUXDB else f"persistence.{owner}"


def class_of(stack: Stack, claim: Claim) -> Object | None:
    """The claim's class, where the stream holds it."""
    return stack.find("StorageClass", claim.storage_class) if claim.storage_class else None


def provisions(storage_class: Object | None) -> bool:
    """Whether a class that is in the stream makes volumes by itself."""
    return storage_class is not None and storage_class.string("provisioner") not in (
        "",
        NO_PROVISIONER,
    )


def network(name: str) -> bool:
    """Whether a driver or provisioner gives network file systems."""
    return bool(NETWORK.search(name.lower()))


def placed(stack: Stack) -> Iterator[Placed]:
    """The static volumes that carry a consumer's label or are reserved for a consumer's claim.

    The long-term store counts as one: its volume must be as much its own as the others'.
    """
    volumes = stack.kind("PersistentVolume")
    if not volumes:
        return
    reserved = {
        (place, claim): c.name
        for c in stack.consumers
        for claim in c.claims()
        # Without a namespace it is for nobody; whom it is meant for is known.
        for place in ("", c.namespace or stack.plan.namespace)
    }
    for volume in volumes:
        claim, namespace = (volume.string("spec", "claimRef", key) for key in ("name", "namespace"))
        owner = str(volume.labels.get(CONSUMER_LABEL) or reserved.get((namespace, claim), ""))
        kind = next((k for k in (*SOURCES, *DISKS) if volume.get("spec", k) is not None), "")
        if owner in OWNERS:
            source = volume.mapping("spec", kind) if kind else {}
            yield Placed(owner, claim, volume, kind, source, affinity_values(volume, HOSTNAME))


def affinity_values(volume: Object, key: str) -> tuple[str, ...]:
    """The values of a node's label that a volume's required affinity allows; none: any.

    Terms are alternatives, so one that does not name the label leaves it open.
    """
    allowed: list[str] = []
    for index in range(len(volume.items(*TERMS))):
        values = _term_values(volume, (*TERMS, str(index), "matchExpressions"), key)
        if values is None:
            return ()
        allowed += values
    return tuple(dict.fromkeys(allowed))


def affinity(volume: Object) -> dict[str, tuple[str, ...]]:
    """The labels of nodes that a volume's required affinity names, each with its values."""
    terms = range(len(volume.items(*TERMS)))
    said = (e for n in terms for e in volume.items(*TERMS, str(n), "matchExpressions"))
    told = {key: affinity_values(volume, key) for key in {str(e.get("key")) for e in said}}
    return {key: values for key, values in told.items() if values}


def _term_values(volume: Object, path: tuple[str, ...], key: str) -> list[str] | None:
    found: list[str] | None = None
    for index, expression in enumerate(volume.items(*path)):
        if expression.get("key") == key and expression.get("operator") == "In":
            values = volume.strings(*path, str(index), "values")
            found = values if found is None else [v for v in found if v in values]
    return found


def seen(stack: Stack, kinds: tuple[str, ...], *needles: bytes) -> Iterator[Object]:
    """Objects of kinds that are not read in every run, where their text holds a needle."""
    for chunk in stack.stream.chunks:
        if chunk.kind in (*kinds, *LISTS) and chunk.holds(*needles):
            for item in objects_of(chunk):
                if item.kind in kinds and (stack.hooks or not item.hook):
                    yield item


def discovered(stack: Stack) -> dict[str, tuple[Object, dict[str, Any]]]:
    """The classes that a local static provisioner of the stream fills: its ConfigMap, the settings.

    storageClassMap is YAML in a text (pkg/common/common.go of sig-storage-local-static-provisioner
    2.9.0). One that nobody can read fills no class.
    """
    found: dict[str, tuple[Object, dict[str, Any]]] = {}
    for item in seen(stack, ("ConfigMap",), b"storageClassMap"):
        try:
            told = Document(item.string("data", "storageClassMap")).value
        except DocumentError:
            continue
        for name, settings in told.items() if isinstance(told, dict) else ():
            found[str(name)] = (item, settings if isinstance(settings, dict) else {})
    return found


# Where kube-prometheus-stack's values have what ends in the object.
BLOCKS = {
    "Prometheus": "prometheus: {{prometheusSpec: {{{}}}}}",
    "PrometheusAgent": "prometheus: {{prometheusSpec: {{{}}}}}",
    "Alertmanager": "alertmanager: {{alertmanagerSpec: {{{}}}}}",
    "ThanosRuler": "thanosRuler: {{thanosRulerSpec: {{{}}}}}",
}
CHART = "kube-prometheus-stack"
# Helm's values call the field by another name in one place.
STORAGE_VALUES = {"Prometheus": "storageSpec", "PrometheusAgent": "storageSpec"}


def paste(target: Object, value: str, *, plain: str = "") -> str:
    """Something to paste: values where the chart rendered the object, else the field itself."""
    place, chart, _ = target.source.rpartition(f"{CHART}/")
    if not chart:
        return plain or f"spec: {{{value}}} in {target}."
    block = BLOCKS.get(target.kind, "grafana: {{{}}}").format(value)
    return f"{CHART}: {{{block}}}." if place else f"{block}."


def storage_fix(consumer: Consumer, value: str) -> str:
    """The fix that sets something in the storage block of a custom resource."""
    name = STORAGE_VALUES.get(consumer.object.kind, "storage")
    plain = f"spec: {{storage: {{{value}}}}} in {consumer}."
    return paste(consumer.object, f"{name}: {{{value}}}", plain=plain)


@record
class Directory:
    """Where a consumer writes: a backend, the labels of the nodes that have it, a path in it."""

    backend: str
    labels: Any  # label of a node -> values
    path: str

    def overlaps(self, other: Directory) -> bool:
        """Whether one of the two is, or is inside, the other."""
        if self.backend != other.backend:
            return False
        if any(not set(v) & set(other.labels.get(k, v)) for k, v in self.labels.items()):
            return False
        one, two = self.path.rstrip("/") + "/", other.path.rstrip("/") + "/"
        return one.startswith(two) or two.startswith(one)

    def __str__(self) -> str:
        """The directory as a person names it."""
        nodes = self.labels.get(HOSTNAME) or self.labels.get(ZONE) or ()
        return f"{self.path} on {','.join(nodes) or self.backend}"


def directory(volume: Placed, sub_path: str) -> Directory | None:
    """The directory that a volume's consumer writes to, where the volume's kind tells it."""
    source = volume.source
    if volume.kind in ("local", "hostPath"):
        labels = affinity(volume.object)
        return Directory("any node", labels, _joined(source.get("path"), sub_path))
    if volume.kind == "nfs":
        return _exported(source.get("server"), source.get("path"), sub_path)
    if volume.kind == "azureFile":
        return Directory(f"share {source.get('shareName')}", {}, _joined("/", sub_path))
    if volume.kind == "csi":
        return _driven(volume, sub_path)
    if not volume.kind:
        return None
    told = ", ".join(f"{k} {source[k]}" for k in sorted(source) if k not in ("fsType", "readOnly"))
    return Directory(f"{volume.kind} {told}", {}, _joined("/", sub_path))


def _driven(volume: Placed, sub_path: str) -> Directory:
    """A driver's volume: its handle names it, but for those that mount a directory of a server."""
    driver, handle = (str(volume.source.get(key)) for key in ("driver", "volumeHandle"))
    told = volume.object.mapping("spec", "csi", "volumeAttributes")
    if told.get("server") and told.get("share"):  # csi-driver-nfs: the handle is any unique text
        return _exported(told["server"], f"{told['share']}/{told.get('subDir') or ''}", sub_path)
    if told.get("source"):  # csi-driver-smb
        return _exported(told["source"], f"/{told.get('subDir') or ''}", sub_path)
    system, _, path = handle.partition(":")
    if driver.startswith("efs.") and not path.startswith(":"):  # fs-1:/path, or fs-1::access point
        return Directory(f"{driver} {system}", {}, _joined(path, sub_path))
    return Directory(f"{driver} {handle}", {}, _joined("/", sub_path))


def _exported(server: Any, path: Any, sub_path: str) -> Directory:
    name = str(server).lower().rstrip("./")
    return Directory(f"server {name}", {}, _joined(path, sub_path))


def _joined(path: Any, sub_path: str) -> str:
    parts: list[str] = []
    for part in f"{path}/{sub_path}".split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)

"""The consumers of the plan, found in the rendered documents: names are read, never computed."""

from __future__ import annotations

from durable import consumers as table
from durable.errors import DocumentError
from durable.objects import FILENAME, Object
from durable.pattern import pattern
from durable.record import record
from durable.scalars import write_block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.consumers import Facts, Version
    from durable.plan import ConsumerPlan, Plan, Volume
    from durable.stream import Chunk, Stream

RECORD_LABEL = "durable-prometheus-stack/record"
CONSUMER_LABEL = "durable-prometheus-stack/consumer"
VOLUME_LABEL = "durable-prometheus-stack/volume"
READ = frozenset(
    {
        *table.CUSTOM_RESOURCES,
        "PersistencePlan",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "StorageClass",
        "HorizontalPodAutoscaler",
    }
)
PLACE = pattern(r"[0-9]{1,9}")
# More than any stack has: without a limit a slip of the finger would cost the machine its memory.
MOST_PODS = 10_000
# kubectl takes what has items for a list, and puts out List; the API says PrometheusList and so on.
LISTED_KINDS = (*table.CUSTOM_RESOURCES, *table.GRAFANA_KINDS)
LISTS = ("List", "ResourceList", *(f"{kind}List" for kind in LISTED_KINDS))
LISTED = pattern(
    rb"""["']?kind["']?:\s*["']?(?:"""
    + "|".join((*READ, *table.GRAFANA_KINDS)).encode()
    + rb""")\b|"""
    + RECORD_LABEL.encode()
)
OPERATOR = pattern(
    rb"prometheus-operator:v?(\d+)\.(\d+)\.\d"
    rb"|operator\.prometheus\.io/version: [\"']?(\d+)\.(\d+)\."
)
# The custom resources may come before the operator's Deployment or behind it: all are searched.
OPERATOR_KINDS = ("Deployment", "CustomResourceDefinition", *LISTS)


@record
class Consumer:
    """A workload of the stream that holds data, and what the plan says of it (None: nothing)."""

    name: str
    object: Object
    facts: Facts | None  # None: Grafana
    plan: ConsumerPlan | None
    before: Any = (
        None  # the object's value before any edit, for rules about what an edit takes away
    )

    @property
    def managed(self) -> bool:
        """Whether the plan wants this consumer's data to last, and its kind can hold any."""
        return self.plan is not None and self.plan.enabled and self.stateful

    @property
    def stateful(self) -> bool:
        """Whether pods have a claim of their own at all: an agent in DaemonSet mode has none."""
        return not (self.facts and self.object.get("spec", "mode") == "DaemonSet")

    @property
    def deployment(self) -> bool:
        """Whether this is a Deployment: one claim for all its pods."""
        return self.facts is None and self.object.kind == "Deployment"

    @property
    def pod(self) -> tuple[str, ...]:
        """The path of what the pods are made from."""
        return ("spec",) if self.facts else ("spec", "template", "spec")

    @property
    def namespace(self) -> str:
        """The consumer's namespace, empty where the document leaves it to kubectl."""
        return self.object.namespace

    @property
    def replicas(self) -> int:
        """Pods per shard; the operator takes a negative number for one."""
        count = self._count("replicas")
        return count if count >= 0 else 1

    @property
    def shards(self) -> int:
        """Shards; less than two means one StatefulSet without a suffix."""
        sharded = self.facts is not None and self.facts.sharded
        return max(1, self._count("shards")) if sharded else 1

    def _count(self, field: str) -> int:
        count = self.object.number("spec", field, default=1)
        if count > MOST_PODS:
            raise DocumentError(f"{self}: spec.{field} is {count}, it must be at most {MOST_PODS}")
        return count

    @property
    def volume_name(self) -> str:
        """The name of the pod's data volume: the claim template's name."""
        if self.facts is None:
            return grafana_volume(self.object)
        template = ("spec", "storage", "volumeClaimTemplate", "metadata", "name")
        return self.object.string(*template) or self.facts.claim.format(self.object.name)

    @property
    def sub_path(self) -> str:
        """The sub-directory of the volume in which the data lies."""
        if self.facts is None:
            wanted = self.plan.sub_path if self.plan and self.plan.enabled else ""
            return wanted or str(grafana_mount(self.object).get("subPath") or "")
        bare = self.object.flag("spec", "storage", "disableMountSubPath")
        return "" if bare else self.facts.sub_path

    @property
    def mount(self) -> str:
        """Where the server mounts the volume."""
        return self.facts.mount if self.facts else table.GRAFANA_MOUNT

    @property
    def ids(self) -> tuple[int, int]:
        """The user and group that own the data: of the pod's security context, else the usual."""
        path = (*self.pod, "securityContext")
        uid, gid = self.usual_ids
        group = self.object.number(*path, "runAsGroup", default=gid)
        user = self.object.number(*path, "runAsUser", default=uid)
        return user, self.object.number(*path, "fsGroup", default=group)

    @property
    def usual_ids(self) -> tuple[int, int]:
        """The user and group that the server runs as where nothing else is said."""
        facts = self.facts
        return (facts.uid, facts.gid) if facts else (table.GRAFANA_ID, table.GRAFANA_ID)

    def claims(self) -> list[str]:
        """The names of the claims that the pods will have, shard 0 first."""
        if self.deployment:
            return [self.deployment_claim()]
        shards, replicas = self.shards, self.replicas
        if shards * replicas > MOST_PODS:
            raise DocumentError(f"{self}: {shards} shards of {replicas} are over {MOST_PODS} pods")
        return [self.claim(shard, n) for shard in range(shards) for n in range(replicas)]

    def claim(self, shard: int, ordinal: int) -> str:
        """The claim of one pod: ``<claim template>-<statefulset>-<ordinal>``."""
        name = self.object.name
        statefulset = self.facts.statefulset.format(name) if self.facts else name
        suffix = f"-shard-{shard}" if shard else ""
        return f"{self.volume_name}-{statefulset}{suffix}-{ordinal}"

    def deployment_claim(self) -> str:
        """The claim of Grafana's Deployment: the one it names, else as its chart would name it."""
        volume = pod_volume(self.object, self.pod, self.volume_name)
        claim = volume.get("persistentVolumeClaim") if volume else None
        name = claim.get("claimName") if isinstance(claim, dict) else None
        return str(name or self.object.name)

    def claim_of_volumes(self, volumes: tuple[Volume, ...]) -> list[str]:
        """The claim that each static volume of the plan is for, by position.

        Spare volumes stay reserved for the next ordinals: scaling down and up again finds them.
        A volume that says its shard counts within that shard.
        """
        if self.deployment:
            return [self.deployment_claim()] * len(volumes)
        said = any(v.shard is not None for v in volumes)
        counts: dict[int, int] = {}
        claims = []
        for index, volume in enumerate(volumes):
            shard = index // max(1, self.replicas) if self.shards > 1 else 0
            if said:
                shard = volume.shard or 0
            ordinal = counts.get(shard, 0)
            counts[shard] = ordinal + 1
            claims.append(self.claim(shard, ordinal))
        return claims

    def __str__(self) -> str:
        """The object as a person names it."""
        return str(self.object)


@record
class Stack:
    """Everything that steps and checks look at."""

    stream: Stream
    plan: Plan
    objects: Any  # kind -> list of Object
    consumers: tuple[Consumer, ...]
    operator: Version | None
    plan_object: Object | None
    record_object: Object | None
    recorded: bool  # the stream carries the record of this very plan: it has been rendered before
    hooks: bool = False  # whether hooks are edited too

    def add(self, value: dict[str, Any], neighbour: Object | None) -> Object:
        """Add an object: before its neighbour, into the neighbour's list, or at the end."""
        chunk = neighbour.chunk if neighbour else None
        if neighbour is not None and neighbour.base:
            neighbour.document.apply([{"op": "add", "path": "/items/-", "value": value}])
            last = len(neighbour.document.value["items"]) - 1
            added = Object(chunk, neighbour.document, ("items", str(last)))
        else:
            # Helm 4 tells the template in an annotation, Helm 3 in a comment.
            told = neighbour and neighbour.source
            silent = FILENAME in value["metadata"].get("annotations", {}) or not told
            source = "" if silent else f"# Source: {told}\n"
            text = "---\n" + source + "\n".join(write_block(value, 0)) + "\n"
            added = Object(chunk, self.stream.add_before(chunk, text))
        self.objects.setdefault(str(value["kind"]), []).append(added)
        return added

    def kind(self, kind: str) -> list[Object]:
        """All objects of a kind that was read."""
        found: list[Object] = self.objects.get(kind, [])
        return found

    def managed(self) -> Iterator[Consumer]:
        """The consumers whose data must last."""
        return (c for c in self.consumers if c.managed)

    def volumes_of(self, consumer: str) -> list[tuple[int, Object]]:
        """The chart's static volumes of a consumer, with their place in the plan's list."""
        volumes = self.kind("PersistentVolume")
        found = [v for v in volumes if v.labels.get(CONSUMER_LABEL) == consumer]
        return sorted(((_place(v), v) for v in found), key=lambda pair: pair[0])

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        """The object of a kind with this name; a document without a namespace fits any."""
        for found in self.kind(kind):
            same = not (found.namespace and namespace) or found.namespace == namespace
            if found.name == name and same:
                return found
        return None

    def has_field(self, since: Version, *, unknown: bool) -> bool:
        """Whether the stream's operator knows a field; ``unknown`` answers where none is seen."""
        return unknown if self.operator is None else self.operator >= since


def guarded(stack: Stack) -> Iterator[Consumer]:
    """The consumers that rules judge: all whose loss the plan does not accept (enabled: false)."""
    return (c for c in stack.consumers if c.plan is None or c.plan.enabled)


def beside_store(stack: Stack, consumer: Consumer) -> bool:
    """Whether a consumer is in the long-term store's namespace, or nothing says that it is not."""
    said = stack.plan.store.namespace if stack.plan.store else ""
    namespace = consumer.namespace or stack.plan.namespace
    return not said or not namespace or namespace == said


def _place(volume: Object) -> int:
    text = str(volume.labels.get(VOLUME_LABEL, ""))
    if not PLACE.fullmatch(text):
        raise DocumentError(
            f"{volume}: metadata.labels.{VOLUME_LABEL} must be the volume's place in the plan's "
            "list"
        )
    return int(text)


def objects(stream: Stream, *, hooks: bool) -> dict[str, list[Object]]:
    """The objects that steps and checks may look at, by kind."""
    found: dict[str, list[Object]] = {}
    for chunk in stream.chunks:
        if not _relevant(chunk):
            continue
        for item in objects_of(chunk):
            if hooks or not item.hook:
                found.setdefault(item.kind, []).append(item)
    return found


def _relevant(chunk: Chunk) -> bool:
    if chunk.kind in READ:
        return True
    if chunk.kind in table.GRAFANA_KINDS:
        return chunk.holds(table.GRAFANA_MOUNT.encode())
    if chunk.kind == "ConfigMap":
        return chunk.holds(RECORD_LABEL.encode())
    return chunk.kind in LISTS and bool(LISTED.search(chunk.data, chunk.start, chunk.end))


def objects_of(chunk: Chunk) -> Iterator[Object]:
    """A document's objects: itself, or the items of a list."""
    try:
        document = chunk.document
        value = document.value  # read here, where what is wrong with it can be placed in the stream
    except DocumentError as error:
        raise DocumentError(chunk.placed(error)) from None
    if chunk.kind not in LISTS:
        yield Object(chunk, document)
    elif isinstance(value, dict):
        yield from _items(chunk, value, ())


def _items(chunk: Chunk, value: dict[str, Any], base: tuple[str, ...]) -> Iterator[Object]:
    """The items of a list, those of a list in a list too."""
    items = value.get("items")
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(i, dict) for i in items):
        raise DocumentError(f"{chunk.label()}: items must be a list of objects")
    for index, item in enumerate(items):
        place = (*base, "items", str(index))
        if item.get("kind") in LISTS:
            yield from _items(chunk, item, place)
        else:
            yield Object(chunk, chunk.document, place)


def operator_version(stream: Stream) -> Version | None:
    """The prometheus-operator's version: by its image, else by the CRDs' annotation."""
    for chunk in stream.chunks:
        if chunk.kind not in OPERATOR_KINDS:
            continue
        # A CRD says it at its start; a list holds the operator anywhere.
        end = chunk.end if chunk.kind in LISTS else min(chunk.end, chunk.start + 100_000)
        found = OPERATOR.search(chunk.data, chunk.start, end)
        if found:
            major, minor = (int(g) for g in found.groups() if g is not None)
            return major, minor
    return None


def find_consumers(found: dict[str, list[Object]], plan: Plan) -> tuple[Consumer, ...]:
    """The workloads that hold data, in the table's order."""
    consumers = [
        Consumer(facts.consumer, item, facts, plan.consumers.get(facts.consumer), item.value)
        for kind, facts in table.CUSTOM_RESOURCES.items()
        for item in found.get(kind, [])
        if str(item.get("apiVersion")).startswith(table.GROUP)
    ]
    workloads = [item for kind in table.GRAFANA_KINDS for item in found.get(kind, [])]
    consumers += [
        Consumer(table.GRAFANA, item, None, plan.consumers.get(table.GRAFANA), item.value)
        for item in workloads
        if grafana_volume(item)
    ]
    return tuple(consumers)


def grafana_volume(workload: Object) -> str:
    """The name of the volume that a container mounts as Grafana's data directory, or ''."""
    return str(grafana_mount(workload).get("name") or "")


def grafana_mount(workload: Object) -> dict[str, Any]:
    """The mount of Grafana's data directory, empty where no container has one."""
    for container in workload.items("spec", "template", "spec", "containers"):
        mounts = container.get("volumeMounts")
        for mount in mounts if isinstance(mounts, list) else ():
            if isinstance(mount, dict) and mounted_at(mount, table.GRAFANA_MOUNT):
                return mount
    return {}


def mounted_at(mount: dict[str, Any], place: str) -> bool:
    """Whether a mount is at a place; Kubernetes takes a path with a slash at its end too."""
    return str(mount.get("mountPath")).rstrip("/") == place


def pod_volume(workload: Object, pod: tuple[str, ...], name: str) -> dict[str, Any] | None:
    """The pod's volume of this name."""
    return next((v for v in workload.items(*pod, "volumes") if v.get("name") == name), None)

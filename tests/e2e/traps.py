"""What the tests of the traps share: a place of their own on the cluster, and the objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster.cluster import WAIT_TIMEOUT, Cluster, Object
from tests.cluster.commands import CommandError, answer
from tests.e2e.trap_report import CONFIRMED, DOOR, Row, TrapReport

OURS = "durable-prometheus-stack"
OWNER = "e2e-trap"
HOSTNAME = "kubernetes.io/hostname"
FAKE_NODES = ("trap-1", "trap-2")
TAINT = "e2e-trap"
BUSYBOX = "docker.io/library/busybox:1.37.0"
NO_PLAN = "persistence: {}"
"""A plan that says nothing of any consumer: all are judged, none is edited."""
QUIET_TIMEOUT = 120


@dataclass(frozen=True)
class Place:
    """A namespace of one test, with two classes of its own, and where its findings go."""

    cluster: Cluster
    name: str
    report: TrapReport

    @property
    def late(self) -> str:
        """The class that binds a claim when its first pod is placed."""
        return f"{self.name}-late"

    @property
    def now(self) -> str:
        """The class that binds a claim at once."""
        return f"{self.name}-now"

    def apply(self, *objects: Object) -> str:
        """Apply objects; those without a namespace that have one by kind go into this one."""
        return self.cluster.apply(yaml.safe_dump_all(map(self._placed, objects)))

    def refusal(self, *objects: Object, dry_run: bool = False) -> str:
        """Return what the API server says against objects."""
        try:
            text = yaml.safe_dump_all(map(self._placed, objects))
            self.cluster.apply(text, *(["--dry-run=server"] if dry_run else []))
        except CommandError as error:
            return error.stderr
        raise AssertionError("the API server takes it")

    def patch(self, kind: str, name: str, patch: str, how: str = "merge") -> str:
        """Patch an object of this namespace, or one without any."""
        return self.cluster.kubectl(
            *("patch", kind, name, f"--namespace={self.name}", f"--type={how}", f"--patch={patch}")
        )

    def refused(self, rule: str, *objects: Object, plan: str = NO_PLAN) -> None:
        """Expect that `durable.sh check` finds the rule broken in these very objects."""
        found = findings([self._placed(each) for each in objects], plan)
        assert rule in {each["rule"] for each in found}, f"{rule} is not in {found}"

    def passes(self, rule: str, *objects: Object, plan: str = NO_PLAN) -> None:
        """Expect that `durable.sh check` does not find the rule broken."""
        found = findings([self._placed(each) for each in objects], plan)
        assert rule not in {each["rule"] for each in found}, f"{rule} is in {found}"

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object of this namespace, or one without any."""
        return self.cluster.get(kind, name, self.name)

    def phase(self, kind: str, name: str) -> str:
        """Return the phase of a claim, volume or pod, empty where there is none."""
        found = self.get(kind, name)
        return str(found["status"].get("phase", "")) if found else ""

    def wait(
        self, description: str, predicate: Callable[[], Any], timeout: float = WAIT_TIMEOUT
    ) -> Any:
        """Wait until something holds here; a failure shows this namespace."""
        return self.cluster.wait(description, predicate, timeout, self.name)

    def bound(self, claim: str) -> str:
        """Wait until a claim is bound, and return its volume."""
        self.wait(f"claim {claim} is bound", lambda: self.phase("pvc", claim) == "Bound")
        found = self.get("pvc", claim)
        assert found
        return str(found["spec"]["volumeName"])

    def told(self, kind: str, name: str, text: str) -> str:
        """Wait until an event of an object holds a text, and return the event's message."""
        fields = f"--field-selector=involvedObject.kind={kind},involvedObject.name={name}"

        def message() -> str:
            listed = self.cluster.kubectl(
                "get", "events", fields, f"--namespace={self.name}", "--output=json"
            )
            said = [str(each["message"]) for each in json.loads(listed)["items"]]
            return next((each for each in said if text in each), "")

        return str(self.wait(f"an event of {kind} {name} says: {text}", message, QUIET_TIMEOUT))

    def saw(self, rule: str, trap: str, seen: str, verdict: str = CONFIRMED) -> None:
        """Note in the table what became of a trap."""
        self.report.add(Row(rule, trap, seen, verdict))

    def _placed(self, item: Object) -> Object:
        cluster_wide = item["kind"] in ("PersistentVolume", "StorageClass")
        where = {} if cluster_wide else {"namespace": self.name}
        labels = {OWNER: self.name, **item["metadata"].get("labels", {})}
        return {**item, "metadata": {**where, **item["metadata"], "labels": labels}}


def findings(objects: list[Object], plan: str) -> list[dict[str, Any]]:
    """Return what `durable.sh check` finds in objects."""
    found: list[dict[str, Any]] = json.loads(tool("check --format json", objects, plan))
    return found


def tool(command: str, objects: list[Object], plan: str) -> str:
    """Return what a command of `durable.sh` prints about objects; a refusal is an answer."""
    # The plan comes through a descriptor: nothing is written, nothing is left.
    script = f'exec "$0" {command} --plan /dev/fd/3 3<<"PLAN"\n{plan}\nPLAN'
    done = answer("sh", "-c", script, DOOR, stdin=yaml.safe_dump_all(objects))
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def plan_of(storage_class: str, **wanted: Any) -> str:
    """Return a plan that wants Prometheus to last on a class."""
    said = {"size": "1Gi", "storageClassName": storage_class, **wanted}
    return json.dumps({"persistence": {"prometheus": said}})


def storage_class(name: str, owner: str, mode: str, **fields: str) -> Object:
    """Return a class; without more fields one whose volumes somebody makes by hand."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "labels": {OWNER: owner}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": mode,
        "reclaimPolicy": "Retain",
        **fields,
    }


def on_nodes(*names: str) -> Object:
    """Return the node affinity of a volume."""
    term = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": [*names]}]}
    return {"required": {"nodeSelectorTerms": [term]}}


def reserved(place: Place, claim: str) -> Object:
    """Return the claimRef that reserves a volume for a claim."""
    return {
        "kind": "PersistentVolumeClaim",
        "apiVersion": "v1",
        "namespace": place.name,
        "name": claim,
    }


def volume(
    name: str,
    storage_class: str,
    *,
    node: str = FAKE_NODES[0],
    size: str = "1Gi",
    consumer: str = "prometheus",
    **spec: Any,
) -> Object:
    """Return a local volume on a node; further fields of its spec win, None takes one away."""
    common: Object = {
        "capacity": {"storage": size},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "persistentVolumeReclaimPolicy": "Retain",
        "local": {"path": "/mnt"},
        "nodeAffinity": on_nodes(node),
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "labels": {f"{OURS}/consumer": consumer, f"{OURS}/volume": "0"},
        },
        "spec": {key: value for key, value in {**common, **spec}.items() if value is not None},
    }


def claim_spec(storage_class: str, size: str = "1Gi", **spec: Any) -> Object:
    """Return what a claim asks for."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": storage_class,
        "resources": {"requests": {"storage": size}},
        **spec,
    }


def claim(name: str, spec: Object) -> Object:
    """Return a claim."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": spec,
    }


def template(storage_class: str, size: str = "1Gi", **spec: Any) -> Object:
    """Return the storage of a custom resource: a claim template."""
    return {"volumeClaimTemplate": {"spec": claim_spec(storage_class, size, **spec)}}


def prometheus(name: str, storage: Object | None, **spec: Any) -> Object:
    """Return a Prometheus whose pods go to the fake nodes, where nothing really runs."""
    common: Object = {
        **on_fake_nodes(),
        "serviceMonitorSelector": {},
        "storage": storage,
        # What kube-prometheus-stack runs Prometheus as.
        "securityContext": {
            "fsGroup": 2000,
            "runAsGroup": 2000,
            "runAsNonRoot": True,
            "runAsUser": 1000,
        },
    }
    merged = {**common, **spec}
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "metadata": {"name": name},
        "spec": {key: value for key, value in merged.items() if value is not None},
    }


def claim_of(name: str, ordinal: int = 0) -> str:
    """Return the name that the operator gives to the claim of a Prometheus' pod."""
    return f"prometheus-{name}-db-prometheus-{name}-{ordinal}"


def pod(name: str, script: str, volumes: list[Object], mounts: list[Object], **spec: Any) -> Object:
    """Return a pod of one busybox container that runs a script as the servers' user does."""
    main = {
        "name": "main",
        "image": BUSYBOX,
        "command": ["sh", "-c", script],
        "volumeMounts": mounts,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "containers": [main],
            "volumes": volumes,
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            **spec,
        },
    }


def on_fake_nodes(*names: str) -> Object:
    """Return what of a pod's spec sends it to fake nodes, to one of the named ones if any are."""
    selector = {HOSTNAME: names[0]} if names else {"type": "kwok"}
    return {
        "nodeSelector": selector,
        "tolerations": [{"key": TAINT, "operator": "Exists"}],
    }


def on_claim(name: str) -> Object:
    """Return a pod's volume on a claim."""
    return {"name": "data", "persistentVolumeClaim": {"claimName": name}}

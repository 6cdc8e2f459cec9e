"""The road of plain manifests: the chart without the stack, manifests, durable.sh, kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.cluster.cluster import Cluster, Object
from tests.cluster.commands import run
from tests.e2e.install import GONE_TIMEOUT, Values, chart, merged
from tests.tools.documents import load
from tests.tools.helm import KUBERNETES, ROOT, binary, environment

DOOR = ROOT / "postrender" / "durable.sh"
ALONE: Values = {"kube-prometheus-stack": {"enabled": False}}


def finished(values: Values, manifests: str, namespace: str, major: int = 4) -> str:
    """Return what there is to apply, as the pipeline of the README makes it."""
    alone = run(
        *(binary(major), "template", "kps", chart(), f"--namespace={namespace}", "--values=-"),
        f"--kube-version={KUBERNETES}",
        stdin=yaml.safe_dump(merged(values, ALONE)),
        env=environment(major),
    )
    return run(DOOR, stdin=f"{alone}\n---\n{manifests}", env=environment(major))


def ours(text: str) -> list[Object]:
    """Return the objects of a stream that the chart brings itself."""
    part = "app.kubernetes.io/part-of"
    return [
        each
        for each in load(text)
        if (each["metadata"].get("labels") or {}).get(part) == "durable-prometheus-stack"
    ]


def on_disk(volume: Object, folder: Path, node: str) -> Object:
    """Return a volume whose NFS export is a folder of the node, with all else as it is."""
    spec = {k: v for k, v in volume["spec"].items() if k not in ("nfs", "mountOptions")}
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    spec |= {"local": {"path": str(folder)}, "nodeAffinity": {"required": terms}}
    return {**volume, "spec": spec}


def claim(name: str, namespace: str, storage_class: str, size: str) -> Object:
    """Return a claim as the operator's StatefulSets make it."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": storage_class,
            "resources": {"requests": {"storage": size}},
        },
    }


def allowed(cluster: Cluster, user: str, *rights: tuple[str, str, str]) -> dict[str, bool]:
    """Return for each right (verb, group, resource) in the whole cluster whether a user has it."""
    reviews: list[dict[str, Any]] = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": user,
                "resourceAttributes": {"verb": verb, "group": group, "resource": resource},
            },
        }
        for verb, group, resource in rights
    ]
    told = cluster.kubectl(
        *("create", "-f", "-", '--output=jsonpath={.status.allowed}{"\\n"}'),
        stdin=yaml.safe_dump_all(reviews),
    ).split()
    names = [f"{verb} {resource}" for verb, _, resource in rights]
    return dict(zip(names, (each == "true" for each in told), strict=True))


def remove(cluster: Cluster, namespace: str, objects: list[Object]) -> None:
    """Remove a namespace, what was applied beside it, and the volumes of its claims."""
    cluster.remove_namespace(namespace, GONE_TIMEOUT)
    if objects:
        text = yaml.safe_dump_all(objects)
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=text)
    for volume in cluster.objects("persistentvolumes"):
        if (volume["spec"].get("claimRef") or {}).get("namespace") == namespace:
            cluster.delete("persistentvolume", volume["metadata"]["name"])

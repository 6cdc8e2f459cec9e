"""Make a volume writable where Kubernetes does not: fsGroup does nothing on hostPath and NFS."""

from __future__ import annotations

from durable.edits import insert, set_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.stack import Consumer, Stack

NAME = "fix-ownership"


def fix_ownership(stack: Stack) -> Iterator[Edit]:
    """Add a root init container that gives the data directory to the server's user and group."""
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        if not consumer.plan.fix_ownership:
            continue
        container = _container(consumer, stack.plan.image)
        path = (*consumer.pod, "initContainers")
        present = [c.get("name") for c in consumer.object.items(*path)]
        if NAME in present:
            yield from set_value(consumer.object, (*path, str(present.index(NAME))), container)
        else:
            yield from insert(consumer.object, path, 0, container)


def _container(consumer: Consumer, image: str) -> dict[str, Any]:
    """The container mounts what the server mounts, sub-path and all.

    At the volume's root it would run too early: the kubelet makes the sub-directory, as root, when
    the first container that asks for it starts. Only what is not yet owned is touched, so that a
    restart does not walk a large database with writes.
    """
    uid, gid = consumer.ids
    mount = {"name": consumer.volume_name, "mountPath": consumer.mount}
    if consumer.sub_path:
        mount["subPath"] = consumer.sub_path
    foreign = ["(", "!", "-user", str(uid), "-o", "!", "-group", str(gid), ")"]
    give = ["-exec", "chown", "-h", f"{uid}:{gid}", "{}", "+"]
    return {
        "name": NAME,
        "image": image,
        "command": ["find", consumer.mount, *foreign, *give],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": {
            "runAsUser": 0,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            # CHOWN to give away, DAC_OVERRIDE to walk into what another user closed.
            "capabilities": {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE"]},
        },
        "volumeMounts": [mount],
    }

"""Let the servers write to their volumes, without a walk over the whole volume at each start."""

from __future__ import annotations

from durable.consumers import CHANGE_POLICY_SINCE
from durable.edits import fill, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.stack import Consumer, Stack


def set_fs_group(stack: Stack) -> Iterator[Edit]:
    """Merge fsGroup, runAsUser, runAsGroup and OnRootMismatch into the pods' security context.

    The plan's fsGroup wins; users and groups are only filled in, since the image may need its own.
    """
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        path = (*consumer.pod, "securityContext")
        yield from merge(consumer.object, path, {"fsGroup": consumer.plan.fs_group})
        yield from fill(consumer.object, path, _usual(stack, consumer))


def _usual(stack: Stack, consumer: Consumer) -> dict[str, Any]:
    user, group = consumer.usual_ids
    usual: dict[str, Any] = {"runAsUser": user, "runAsGroup": group}
    if not _wants_root(consumer):
        usual["runAsNonRoot"] = True
    if consumer.facts is None or stack.has_field(CHANGE_POLICY_SINCE, unknown=True):
        usual["fsGroupChangePolicy"] = "OnRootMismatch"
    return usual


def _wants_root(consumer: Consumer) -> bool:
    """Whether the pod or a container of it runs as root: a demand for others would stop it."""
    target, pod = consumer.object, consumer.pod
    paths = [pod] + [
        (*pod, group, str(index))
        for group in ("initContainers", "containers")
        for index in range(len(target.items(*pod, group)))
    ]
    contexts = [target.mapping(*path, "securityContext") for path in paths]
    return any(c.get("runAsUser") == 0 and c.get("runAsNonRoot") is None for c in contexts)

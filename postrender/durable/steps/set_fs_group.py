"""Let the servers write to their volumes: group, user, and no walk over the whole volume at each start."""

from __future__ import annotations

from durable.consumers import CHANGE_POLICY_SINCE, GRAFANA_ID
from durable.edits import fill, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.edits import Edit
    from durable.stack import Stack


def set_fs_group(stack: Stack) -> Iterator[Edit]:
    """Merge fsGroup, runAsUser, runAsGroup and OnRootMismatch into the pods' security context.

    The plan's fsGroup wins; users and groups are only filled in, since the image may need its own.
    """
    for consumer in stack.managed():
        assert consumer.plan is not None  # noqa: S101  managed
        facts, path = consumer.facts, (*consumer.pod, "securityContext")
        uid, gid = (facts.uid, facts.gid) if facts else (GRAFANA_ID, GRAFANA_ID)
        group = consumer.plan.fs_group
        context = {} if group is None else {"fsGroup": group}
        rest = {"runAsUser": uid, "runAsGroup": gid, "runAsNonRoot": True}
        if facts is None or stack.has_field(CHANGE_POLICY_SINCE, unknown=True):
            rest["fsGroupChangePolicy"] = "OnRootMismatch"
        present = consumer.object.mapping(*path)
        if present.get("runAsUser") == 0:  # the user wants root: a non-root demand would stop the pod
            del rest["runAsNonRoot"]
        yield from merge(consumer.object, path, context)
        yield from fill(consumer.object, path, {"fsGroup": gid} | rest)

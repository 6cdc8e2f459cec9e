"""Reserve each static volume for its pod's claim, so that no other claim can take it."""

from __future__ import annotations

from durable.edits import set_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.edits import Edit
    from durable.stack import Consumer, Stack


def bind_volumes(stack: Stack) -> Iterator[Edit]:
    """Write claimRef (namespace and name, no uid) into the volumes that the chart rendered.

    The API accepts a claimRef without namespace, and it matches no claim ever: a consumer whose
    namespace nobody says gets none (the rule volumes/reserved then refuses).
    """
    for consumer in stack.managed():
        namespace = consumer.namespace or stack.plan.namespace
        if not namespace or len([c for c in stack.managed() if c.name == consumer.name]) > 1:
            continue
        yield from _bind(stack, consumer, namespace)


def _bind(stack: Stack, consumer: Consumer, namespace: str) -> Iterator[Edit]:
    assert consumer.plan is not None  # noqa: S101  managed
    claims = consumer.claim_of_volumes(consumer.plan.volumes)
    for place, volume in stack.volumes_of(consumer.name):
        if place >= len(claims) or volume.get("spec", "claimRef", "name"):
            continue
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": namespace,
            "name": claims[place],
        }
        yield from set_value(volume, ("spec", "claimRef"), reference)

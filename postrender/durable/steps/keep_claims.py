"""Keep claims when a StatefulSet is deleted or scaled, and when a release is uninstalled."""

from __future__ import annotations

from durable.edits import fill, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.edits import Edit
    from durable.objects import Object
    from durable.stack import Consumer, Stack

RETAIN = {"whenDeleted": "Retain", "whenScaled": "Retain"}
POLICY = ("spec", "persistentVolumeClaimRetentionPolicy")
KEEP = {"helm.sh/resource-policy": "keep"}
ARGOCD = {"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}


def keep_claims(stack: Stack) -> Iterator[Edit]:
    """Write the retention policy Retain where none is said, and Argo CD's options on templates.

    An explicit Delete is left for the rule claims/never-deleted to refuse: silently turning a wish
    round is not ours to do. The field is left out where the operator does not know it (Retain is
    Kubernetes' own default).
    """
    for consumer in stack.managed():
        if has_policy(stack, consumer):
            yield from fill(consumer.object, POLICY, RETAIN)
        if stack.plan.argocd and consumer.facts:
            path = ("spec", "storage", "volumeClaimTemplate", "metadata", "annotations")
            yield from merge(consumer.object, path, ARGOCD)


def has_policy(stack: Stack, consumer: Consumer) -> bool:
    """Whether the consumer's kind has a retention policy for claims."""
    if consumer.facts is None:
        return not consumer.deployment
    return stack.has_field(consumer.facts.claim_retention_since, unknown=False)


def keep_annotations(*, argocd: bool) -> dict[str, str]:
    """What keeps an object that Helm (and Argo CD) would delete with the release."""
    return KEEP | (ARGOCD if argocd else {})


def keep_object(target: Object, *, argocd: bool) -> Iterator[Edit]:
    """Annotate an object of the release so that it outlives the release."""
    yield from merge(target, ("metadata", "annotations"), dict(keep_annotations(argocd=argocd)))

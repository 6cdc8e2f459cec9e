"""Rules about the Helm that renders."""

from __future__ import annotations

from durable.checks.registry import Fault, rule
from durable.findings import WARN
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Stack

HELM_VERSION = "durable-prometheus-stack/helm-version"
AFFECTED = pattern(r"v?4\.2\.[0-3](?![0-9])")


@rule(WARN, "Use Helm 4.2.4 or newer.")
def version(stack: Stack) -> Iterator[Fault]:
    """Helm 4.2.0 to 4.2.3 takes the last line break off block scalars when a post-renderer runs.

    helm/helm#32326: configuration files in ConfigMaps and Secrets come out changed. The chart
    writes its Helm's version into the plan document, since a post-renderer is not told.
    """
    told = stack.plan_object.annotations.get(HELM_VERSION) if stack.plan_object else None
    if isinstance(told, str) and AFFECTED.match(told):
        yield Fault(f"Helm {told}", "", "changes block scalars when a post-renderer runs")

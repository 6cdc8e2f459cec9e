"""Rules about the long-term store: that samples get there, and stay."""

from __future__ import annotations

from durable.checks.registry import Fault, rule
from durable.findings import REFUSE, WARN
from durable.stack import beside_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from durable.stack import Consumer, Stack

INFLUXDB_WRITE = "/api/v1/prom/write"
TWO = "V2.0"


def _senders(stack: Stack) -> list[Consumer]:
    return [c for c in stack.consumers if c.facts is not None and c.facts.remote_write]


@rule(REFUSE, "Set messageVersion: V1.0 in that entry of remoteWrite, or leave it out.")
def protocol(stack: Stack) -> Iterator[Fault]:
    """InfluxDB 1.x takes a request of remote write 2.0 for an empty one, and every sample is lost.

    Seen with InfluxDB 1.6.7: it answers 204 and writes nothing.
    """
    for consumer in _senders(stack):
        for index, entry in enumerate(consumer.object.items("spec", "remoteWrite")):
            if INFLUXDB_WRITE in str(entry.get("url")) and entry.get("messageVersion") == TWO:
                field = f"spec.remoteWrite.{index}.messageVersion"
                says = f"is {TWO}, of which InfluxDB 1.x reads nothing: all samples are lost"
                fix = f"messageVersion: V1.0 in spec.remoteWrite[{index}] of {consumer}."
                yield Fault(consumer.object, field, says, fix)


@rule(REFUSE, "Install into the namespace of Prometheus, where its Secrets are looked for.")
def credentials(stack: Stack) -> Iterator[Fault]:
    """The operator looks for the Secret beside Prometheus: from elsewhere nothing is written.

    pkg/assets/store.go: each reference is read in the custom resource's own namespace. A Prometheus
    of another namespace is let be where one beside the store writes to it.
    """
    store, senders = stack.plan.store, _senders(stack)
    if store is None or any(beside_store(stack, consumer) for consumer in senders):
        return
    for consumer in senders:
        namespace = consumer.namespace or stack.plan.namespace
        says = f"is {namespace}, and the Secret {store.secret} of the store is in"
        fix = f"One namespace for both: helm --namespace {namespace}."
        yield Fault(consumer.object, "metadata.namespace", f"{says} {store.namespace}", fix)


@rule(WARN, "Render Prometheus into the stream: the post-renderer makes it write to the store.")
def sent(stack: Stack) -> Iterator[Fault]:
    """A store to which no Prometheus writes stays empty, and nobody notices before it is asked.

    Seen on plain manifests: the chart renders the store, and the entry in remoteWrite is made where
    the Prometheus object passes through.
    """
    if stack.plan.store and not _senders(stack):
        says = "is planned, but the stream holds no Prometheus to write to it"
        fix = "The manifests of Prometheus in the same stream, behind the chart's."
        yield Fault(f"plan {stack.plan.release}".rstrip(), "influxdb", says, fix)

"""Let Prometheus write to the long-term store, and read from it what is older than its own."""

from __future__ import annotations

from durable.edits import insert, merge
from durable.stack import beside_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from durable.edits import Edit
    from durable.objects import Object
    from durable.plan import Store
    from durable.stack import Stack


def send_remote(stack: Stack) -> Iterator[Edit]:
    """Put an entry into remoteWrite and remoteRead, or into the one that has its url already.

    Without them the store stays empty, and what Prometheus drops is lost. Entries of others stay as
    they are; so does a Prometheus of another namespace, as the operator looks for the Secret there.
    InfluxDB 1.x speaks remote write 1.0, which is what Prometheus sends where nothing else is said.
    The fields are in every release of the operator that the tests know.
    """
    store = stack.plan.store
    if store is None:
        return
    for consumer in stack.consumers:
        if not beside_store(stack, consumer):
            continue
        if consumer.facts and consumer.facts.remote_write:
            yield from _put(consumer.object, "remoteWrite", _entry(store, "write", "writer"))
        if consumer.facts and consumer.facts.remote_read:
            yield from _put(consumer.object, "remoteRead", _entry(store, "read", "reader"))


def _entry(store: Store, action: str, user: str) -> dict[str, Any]:
    """An entry: where to, as whom, and what the plan says beyond that, where it says something."""
    said = store.remote_write if action == "write" else store.remote_read
    further = {key: value for key, value in said.items() if value not in (None, {}, [])}
    return {
        "url": f"{store.url}/api/v1/prom/{action}?db={store.database}",
        "basicAuth": {
            key: {"name": store.secret, "key": f"{user}-{key}"} for key in ("username", "password")
        },
        **further,
    }


def _put(target: Object, field: str, entry: dict[str, Any]) -> Iterator[Edit]:
    path = ("spec", field)
    urls = [each.get("url") for each in target.items(*path)]
    if entry["url"] in urls:
        yield from merge(target, (*path, str(urls.index(entry["url"]))), entry)
    else:
        yield from insert(target, path, len(urls), entry)

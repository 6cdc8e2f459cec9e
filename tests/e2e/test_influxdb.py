"""Scenario C, the long-term store: values/influxdb.yaml, installed by Helm 4 with the plugin.

The server is a real InfluxDB, but Debian's 1.6.7 in the place of 1.12.4, which is in no registry of
packages. What 1.6.7 does not have: who may read by remote read is not asked, and a regular
expression there matches a part of a label's value, not all of it; both came later. So series are
read here by their names. Remote write, retention, users, setup and probes are the same. The image's
own entrypoint is not used by the chart, so none is missing here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.errors import CannotBeDoneHereError
from tests.e2e import held, releases, samples
from tests.e2e.stack import Stack
from tests.e2e.store import Store

pytestmark = pytest.mark.e2e

TIMEOUT = 90
NAME = "long-term-influxdb"
SELF = "job = 'durable-self'"
POLICY = ["long_term", "4320h0m0s", "168h0m0s", 1, True]
# In another place than a request of remote write 1.0 has it, as one of 2.0.
OTHER_PROTOCOL = samples.snappy(samples.message(4, b"a") + samples.message(5, b""))


@pytest.fixture(scope="module")
def stack(ready_cluster: Cluster) -> Iterator[Stack]:
    """Prometheus and its long-term store, installed."""
    try:
        release = releases.long_term(ready_cluster)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    found = Stack(release)
    try:
        release.install()
        wait_until_serving(found)
        yield found
    finally:
        release.purge()


@pytest.fixture
def store(stack: Stack) -> Store:
    """The long-term store."""
    return store_of(stack)


def store_of(stack: Stack) -> Store:
    """Return the long-term store of a stack."""
    return Store(stack.cluster, NAME, stack.namespace)


def wait_until_serving(stack: Stack) -> None:
    """Wait until Prometheus scrapes itself and the store answers."""
    store = store_of(stack)
    stack.cluster.wait("the store is Ready", lambda: store.ready, TIMEOUT, stack.namespace)
    stack.wait_for_scrapes([stack.prometheus()], 0)


def wait_until_sent(stack: Stack, metric: str, until: int, wanted: int, where: str = "") -> None:
    """Wait until the store has as many samples of a metric as there are."""
    stack.cluster.wait(
        f"the store has {wanted} samples of {metric}",
        lambda: store_of(stack).count(metric, until, where) == wanted,
        TIMEOUT,
        stack.namespace,
    )


def test_database(store: Store) -> None:
    """The database has one policy, which is the default: 180 days, in pieces of 7."""
    assert [POLICY] == store.rows("SHOW RETENTION POLICIES")
    users = dict(store.rows("SHOW USERS"))
    assert {"admin": True, "writer": False, "reader": False} == users
    said = store.cluster.logs(f"{NAME}-0", store.namespace, "setup")
    assert "setup: made the database prometheus with the retention 180d\n" in said


def test_pod_and_claim(stack: Stack, store: Store) -> None:
    """The pod runs as 1500, and its claim has the volume of the values."""
    claim = stack.claims()[NAME]
    (volume,) = held.volumes(stack, "influxdb")
    assert volume["metadata"]["name"] == claim["spec"]["volumeName"]
    folder = held.path(volume)
    assert folder == stack.release.values["influxdb"]["volumes"][0]["local"]
    identity = store.cluster.exec(f"{NAME}-0", store.namespace, "id", container="influxdb")
    assert "uid=1500" in identity
    for made in ("meta", "data", "wal"):
        status = Path(folder, made).stat()
        assert (1500, 1500) == (status.st_uid, status.st_gid)


def test_users_may_do_their_part(store: Store) -> None:
    """Reading is not the writer's, writing is not the reader's, and nobody needs no password."""
    body = samples.snappy(samples.write_request({"__name__": "by_hand"}, {samples.now(): 1.0}))
    path = "/api/v1/prom/write?db=prometheus"
    answers = {
        user: store.post(path, body, user, **samples.WRITE_HEADERS).status
        for user in ("writer", "reader", "")
    }
    assert {"writer": 204, "reader": 403, "": 401} == answers
    asked = {
        user: store.query(user, "SHOW MEASUREMENTS").status for user in ("reader", "writer", "")
    }
    assert {"reader": 200, "writer": 403, "": 401} == asked


def test_what_prometheus_would_lose(store: Store) -> None:
    """README and rules: 404 without a database, 413 above the limit, 204 and nothing for 2.0."""
    headers = samples.WRITE_HEADERS
    body = samples.snappy(samples.write_request({"__name__": "x"}, {samples.now(): 1.0}))
    path = "/api/v1/prom/write?db="
    assert 404 == store.post(f"{path}other", body, "writer", **headers).status
    assert 413 == store.announce(f"{path}prometheus", 25_000_001, "writer")
    answer = store.post(f"{path}prometheus", OTHER_PROTOCOL, "writer", **headers)
    assert (204, b"") == (answer.status, answer.body)


def test_no_password_is_told(stack: Stack, store: Store) -> None:
    """The record of the plan, the logs and the object of Prometheus hold no password."""
    cluster, namespace = stack.cluster, stack.namespace
    record = cluster.get("configmap", f"{stack.release.name}-persistence-plan", namespace)
    assert record
    told = [json.dumps(record), json.dumps(stack.resource("prometheuses")), json.dumps(store.pod)]
    told += [cluster.logs(f"{NAME}-0", namespace), cluster.logs(stack.prometheus().pod, namespace)]
    passwords = [store.password(user) for user in ("admin", "writer", "reader")]
    assert 3 == len(set(passwords))
    assert [] == [word for word in passwords for text in told if word in text]


def test_history_outlives_prometheus(stack: Stack) -> None:
    """Prometheus loses its whole volume, and reads all that it had from the store.

    All since it writes there: older samples it does not send (tsdb/wlog/watcher.go). Of the known
    ones the store has each, so what was scraped after the first of them was sent as well.
    """
    server = stack.prometheus()
    written = server.write(salt=7)
    stack.wait_for_scrapes([server], max(written))
    (scraped,) = server.read(samples.UP).values()
    first_sent = min(written)
    up = {at: value for at, value in scraped.items() if at >= first_sent}
    last = max(*up, *written)
    wait_until_sent(stack, samples.KNOWN, last, len(written))
    wait_until_sent(stack, "up", last, len(up), f"{SELF} AND time >= {first_sent}ms")

    folder = held.held(stack, "prometheus").folder / "prometheus-db"
    for each in folder.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    stack.cluster.kill_container(server.pod, stack.namespace, "prometheus")
    stack.wait_for_scrapes([server], samples.now())

    oldest = server.read("prometheus_tsdb_lowest_timestamp")
    first = max(float(value) for series in oldest.values() for value in series.values())
    assert first > last, "Prometheus has no sample of before itself"
    known = server.read(samples.KNOWN)
    ((_, found),) = known.items()
    assert dict(written) == dict(found)
    (after,) = server.read(samples.UP).values()
    assert [] == samples.lost({"up": up}, {"up": after})
    print(f"{len(found)} known samples and {len(up)} of up, all read from the store")


def test_upgrade(stack: Stack, store: Store) -> None:
    """An upgrade keeps the Secret, and the pod where nothing is new; a longer retention is set."""
    secret, pod = store.secret, store.pod["metadata"]["uid"]
    stack.release.upgrade()
    assert (secret["metadata"]["uid"], secret["data"]) == (
        store.secret["metadata"]["uid"],
        store.secret["data"],
    )
    assert pod == store.pod["metadata"]["uid"]
    stack.release.upgrade({"influxdb": {"retention": "365d"}})

    def renewed() -> bool:
        return store.ready and pod != store.pod["metadata"]["uid"]

    stack.cluster.wait("the store is Ready again", renewed, TIMEOUT, stack.namespace)
    assert [["long_term", "8760h0m0s", *POLICY[2:]]] == store.rows("SHOW RETENTION POLICIES")
    assert secret["data"] == store.secret["data"]


def test_uninstall_and_reinstall(stack: Stack, store: Store) -> None:
    """Claim, volume, Secret and data stay, and the release of the same name goes on with them."""
    secret = store.secret
    until = samples.now()
    identity, before = stack.identities()[NAME], store.count(samples.KNOWN, until)
    assert before
    stack.release.uninstall()
    assert identity == stack.identities()[NAME]
    stack.release.install()
    wait_until_serving(stack)
    assert identity == stack.identities()[NAME]
    assert (secret["metadata"]["uid"], secret["data"]) == (
        store.secret["metadata"]["uid"],
        store.secret["data"],
    )
    assert before == store.count(samples.KNOWN, until)

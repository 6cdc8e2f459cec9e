"""The table of domain facts: where each kind keeps its data, and under which names.

Sources: prometheus-operator pkg/prometheus/common.go, pkg/alertmanager/statefulset.go,
pkg/thanos/statefulset.go (names and sub-paths), pkg/apis/monitoring/v1 over all tags (since which
version a field exists), the Grafana chart's deployment and statefulset templates.
"""

from __future__ import annotations

from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    Version = tuple[int, int]

NEVER = (999, 0)


@record
class Facts:
    """What the operator does for one kind.

    ``statefulset`` and ``claim`` are patterns over the custom resource's name; versions are the
    first prometheus-operator release whose CRD has the field.
    """

    consumer: str
    kind: str
    statefulset: str
    claim: str
    sub_path: str
    mount: str
    container: str
    uid: int
    gid: int
    claim_retention_since: Version
    retention_size: bool = False
    sharded: bool = False
    remote_write: bool = False
    remote_read: bool = False


PROMETHEUS = Facts(
    consumer="prometheus",
    kind="Prometheus",
    statefulset="prometheus-{}",
    claim="prometheus-{}-db",
    sub_path="prometheus-db",
    mount="/prometheus",
    container="prometheus",
    uid=1000,
    gid=2000,
    claim_retention_since=(0, 70),
    retention_size=True,
    sharded=True,
    remote_write=True,
    remote_read=True,
)
AGENT = Facts(
    consumer="prometheus",
    kind="PrometheusAgent",
    statefulset="prom-agent-{}",
    claim="prom-agent-{}-db",
    sub_path="prometheus-db",
    mount="/prometheus",
    container="prometheus",
    uid=1000,
    gid=2000,
    claim_retention_since=(0, 70),
    sharded=True,
    remote_write=True,
)
ALERTMANAGER = Facts(
    consumer="alertmanager",
    kind="Alertmanager",
    statefulset="alertmanager-{}",
    claim="alertmanager-{}-db",
    sub_path="alertmanager-db",
    mount="/alertmanager",
    container="alertmanager",
    uid=1000,
    gid=2000,
    claim_retention_since=(0, 79),
)
# Never a sub-path, and as of 0.93 no retention policy of claims (a StatefulSet's own is Retain).
THANOS_RULER = Facts(
    consumer="thanosRuler",
    kind="ThanosRuler",
    statefulset="thanos-ruler-{}",
    claim="thanos-ruler-{}-data",
    sub_path="",
    mount="/thanos/data",
    container="thanos-ruler",
    uid=1000,
    gid=2000,
    claim_retention_since=NEVER,
)
CUSTOM_RESOURCES = {facts.kind: facts for facts in (PROMETHEUS, AGENT, ALERTMANAGER, THANOS_RULER)}

# Our own long-term store: its claim and its volume are rendered by the chart, and only judged here.
INFLUXDB = "influxdb"
GRAFANA = "grafana"
GRAFANA_MOUNT = "/var/lib/grafana"
GRAFANA_ID = 472  # user and group of the grafana image
GRAFANA_KINDS = ("Deployment", "StatefulSet")
GROUP = "monitoring.coreos.com/"

# fsGroupChangePolicy came with Kubernetes 1.18; the operator's CRDs have had it since this version.
CHANGE_POLICY_SINCE = (0, 39)

# In the order in which they are edited and shown.
CONSUMERS = ("prometheus", "alertmanager", "thanosRuler", GRAFANA)

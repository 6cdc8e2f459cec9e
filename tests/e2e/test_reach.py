"""Scenario C without its store: a class that provisions, NodePorts, control plane, remote write.

values/csi.yaml, nodeport.yaml, control-plane.yaml and remote-write.yaml in one release, by Helm 4
and the plugin. What they write to is a Prometheus that receives and asks for a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.cluster import Cluster, http
from tests.cluster.commands import run
from tests.cluster.errors import CannotBeDoneHereError, ClusterError
from tests.e2e import releases, samples
from tests.e2e.receiver import Receiver
from tests.e2e.stack import Stack, installed
from tests.tools.helm import ROOT

pytestmark = pytest.mark.e2e

README = ROOT / "README.md"
NAMESPACE = "durable-reach"
TIMEOUT = 90
PORTS = {30903: "/-/ready", 30090: "/-/ready", 30030: "/api/health"}
# Job -> a series that only this part has.
PARTS = {
    "kube-controller-manager": "workqueue_adds_total",
    "kube-etcd": "etcd_server_has_leader",
    "kube-proxy": "kubeproxy_sync_proxy_rules_duration_seconds_count",
    "kube-scheduler": "scheduler_pending_pods",
}


@pytest.fixture(scope="module")
def receiver(ready_cluster: Cluster) -> Receiver:
    """What remote write goes to; it goes away with the release's namespace."""
    ready_cluster.kubectl("create", "namespace", NAMESPACE)
    found = Receiver(ready_cluster, NAMESPACE)
    found.start()
    return found


@pytest.fixture(scope="module")
def reached(ready_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The release."""
    try:
        ready_cluster.add_provisioner()
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))
    found: Receiver = request.getfixturevalue("receiver")
    yield from installed(releases.reached(ready_cluster, NAMESPACE, found.url))


def test_claims_are_provisioned(reached: Stack) -> None:
    """Each pod has a volume of the class that the values make, which outlives its claim."""
    claims = reached.claims()
    assert 4 == len(claims)
    for claim in claims.values():
        volume = reached.cluster.get("persistentvolume", claim["spec"]["volumeName"])
        assert volume
        assert "monitor-ebs" == claim["spec"]["storageClassName"]
        assert "Retain" == volume["spec"]["persistentVolumeReclaimPolicy"]
    sizes = {claim["spec"]["resources"]["requests"]["storage"] for claim in claims.values()}
    assert {"200Gi", "5Gi", "10Gi"} == sizes


@pytest.mark.parametrize("port", PORTS)
def test_node_port_answers(reached: Stack, port: int) -> None:
    """The server answers on its port of the node, to somebody who is no part of the cluster."""
    cluster = reached.cluster
    url = f"http://{cluster.node_address}:{port}{PORTS[port]}"

    def answered() -> bool:
        try:
            return http(url, None, {}).status == 200
        except ClusterError:
            return False

    cluster.wait(f"{url} answers", answered, TIMEOUT, NAMESPACE)


@pytest.mark.parametrize("part", PARTS)
def test_control_plane_is_scraped(reached: Stack, part: str) -> None:
    """The part's target is up, and its own series are there."""
    server = reached.prometheus()

    def up() -> bool:
        found = server.read(f'up{{job="{part}"}}', "5m")
        return any("1" in series.values() for series in found.values())

    reached.cluster.wait(f"{part} is up", up, TIMEOUT, NAMESPACE)
    assert server.read(f'{PARTS[part]}{{job="{part}"}}', "5m")


def test_remote_write_loses_nothing(reached: Stack, receiver: Receiver) -> None:
    """Each sample of each replica arrives as it is, with the labels that a store tells them by."""
    assert receiver.refuses()
    for server in reached.prometheuses():
        reached.wait_for_scrapes([server], samples.now())
        until = samples.now()
        (sent,) = server.read(samples.UP, "5m").values()
        sent = {at: value for at, value in sent.items() if at < until}
        selector = f'up{{job="{samples.JOB}", cluster="my-cluster", __replica__="{server.pod}"}}'

        def arrived(selector: str = selector, last: int = max(sent)) -> bool:
            return any(last in series for series in receiver.read(selector).values())

        reached.cluster.wait(f"{server.pod} has sent all", arrived, TIMEOUT, NAMESPACE)
        (series,) = receiver.read(selector).values()
        assert {} == {at: value for at, value in sent.items() if series.get(at) != value}


def test_configuration_has_the_tenant(reached: Stack) -> None:
    """Prometheus says the tenant in a header; the password is in a Secret, and not in the plan."""
    text = reached.prometheus().configuration()
    record = reached.cluster.get("configmap", "reach-persistence-plan", NAMESPACE)

    assert "X-Scope-OrgID: my-team" in text
    assert "retry_on_http_429: true" in text
    assert record
    assert "for-the-tests" not in str(record["data"])


WANTING = {
    "apiVersion": "monitoring.coreos.com/v1",
    "kind": "Prometheus",
    "metadata": {"name": "wanting", "namespace": NAMESPACE},
    "spec": {
        "serviceMonitorSelector": {},
        "remoteWrite": [
            {
                "url": "http://nowhere",
                "basicAuth": {"username": {"name": "not-made-yet", "key": "username"}},
            }
        ],
    },
}


def test_operator_names_a_secret_that_is_missing(reached: Stack) -> None:
    """Without the Secret of a remote write nothing is made of the object, and the log says why."""
    cluster = reached.cluster
    (operator,) = cluster.objects(
        "pods", NAMESPACE, "app.kubernetes.io/component=prometheus-operator"
    )
    cluster.apply(yaml.safe_dump(WANTING))
    try:
        cluster.wait(
            "the operator names the Secret",
            lambda: "not-made-yet" in cluster.logs(operator["metadata"]["name"], NAMESPACE),
            TIMEOUT,
            NAMESPACE,
        )
        assert cluster.get("statefulset", "prometheus-wanting", NAMESPACE) is None
    finally:
        cluster.delete("prometheus", "wanting", NAMESPACE)


KUBE_PROXY = """
apiVersion: v1
kind: ConfigMap
metadata: {name: kube-proxy, namespace: kube-system}
data:
  config.conf: |
    apiVersion: kubeproxy.config.k8s.io/v1alpha1
    kind: KubeProxyConfiguration
    metricsBindAddress: ""
    mode: ""
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: kube-proxy, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: kube-proxy}}
  template:
    metadata: {labels: {k8s-app: kube-proxy}}
    spec:
      nodeSelector: {no-such: node}
      containers: [{name: kube-proxy, image: registry.k8s.io/kube-proxy:v1.36.3}]
"""


def test_readme_mends_kube_proxy(reached: Stack) -> None:
    """What README says where the target of kube-proxy is down sets the address, and no more."""
    cluster = reached.cluster
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    (block,) = (each for each in blocks if "metricsBindAddress" in each)
    cluster.apply(KUBE_PROXY)
    try:
        path = f"{cluster.kubectl_program.parent}:{os.environ['PATH']}"
        run("bash", "-euo", "pipefail", "-c", block, env={**cluster.env, "PATH": path})
        found = cluster.get("configmap", "kube-proxy", "kube-system")
        restarted = cluster.get("daemonset", "kube-proxy", "kube-system")
    finally:
        for kind in ("configmap", "daemonset"):
            cluster.delete(kind, "kube-proxy", "kube-system")

    assert found
    assert restarted
    settings = yaml.safe_load(found["data"]["config.conf"])
    assert {"metricsBindAddress": "0.0.0.0:10249", "mode": ""} == {
        name: settings[name] for name in ("metricsBindAddress", "mode")
    }
    assert "restartedAt" in str(restarted["spec"]["template"]["metadata"]["annotations"])

"""The survival matrix: from kube-prometheus-stack with storage of its own to our chart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.commands import CommandError
from tests.e2e.install import Release, Values, merged
from tests.e2e.matrix import Matrix, check, survive
from tests.e2e.releases import CLASS, observed
from tests.e2e.stack import Stack, installed
from tests.tools.stage import DEPENDENCY

pytestmark = pytest.mark.e2e

SIZE = "1Gi"


@pytest.fixture
def storage_class(ready_cluster: Cluster) -> Iterator[str]:
    """A class that provisions, made here where the cluster is ours; elsewhere the default one."""
    if not ready_cluster.machine:
        yield ""
        return
    made = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"defaultVolumeType": "local"}},
        "provisioner": ready_cluster.add_provisioner(),
        "reclaimPolicy": "Retain",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    ready_cluster.apply(yaml.safe_dump(made))
    yield CLASS
    ready_cluster.delete("storageclass", CLASS)


@pytest.fixture
def plain(ready_cluster: Cluster, storage_class: str) -> Iterator[Stack]:
    """kube-prometheus-stack alone, with the storage that its own values offer."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": SIZE}}}
    if storage_class:
        claim["storageClassName"] = storage_class
    template = {"volumeClaimTemplate": {"spec": claim}}
    grafana = {"enabled": True, "size": SIZE, "storageClassName": storage_class or None}
    storage: Values = {
        "prometheus": {"prometheusSpec": {"storageSpec": template}},
        "alertmanager": {"alertmanagerSpec": {"storage": template}},
        "grafana": {"persistence": grafana},
    }
    values = merged(observed()[DEPENDENCY], storage)
    yield from installed(Release(ready_cluster, "stack", "plain", 4, values, wrapped=False))


def test_from_plain_stack(plain: Stack, storage_class: str, matrix: Matrix) -> None:
    """An upgrade from the plain chart to ours, with matching values, keeps claims and data."""
    event = "plain chart with storage to ours"
    with matrix.row(event) as measured:
        wanted = {"size": SIZE, "storageClassName": storage_class}
        persistence = {
            "prometheus": wanted,
            "alertmanager": wanted,
            # Where Grafana's own chart keeps the data: the volume's root.
            "grafana": {**wanted, "subPath": ""},
        }
        values = merged(observed(), {"persistence": persistence})
        ours = replace(plain.release, values=values, wrapped=True)
        outcome = survive(plain, event, lambda _: take_over(ours))
        measured(outcome)
        assert 3 == len(outcome.before.claims)
        check(outcome)


def take_over(ours: Release) -> None:
    """Upgrade to our chart, which makes Grafana's strategy Recreate.

    The API server wrote its defaults for a rolling update into the running Deployment. Nobody owns
    them, so server-side apply leaves them there, and beside Recreate they are forbidden: the
    upgrade is refused. A merge on Helm's side takes them away.
    """
    with pytest.raises(CommandError, match=r"spec\.strategy\.rollingUpdate: Forbidden"):
        ours.upgrade()
    ours.upgrade({}, "--server-side=false")

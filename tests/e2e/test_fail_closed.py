"""Without the post-renderer, or with one that fails, Helm applies nothing: both majors."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, Object
from tests.cluster.commands import answer, run
from tests.e2e.install import HELM_TIMEOUT, Values, chart, for_stack, merged
from tests.e2e.quiet import quiet
from tests.tools.helm import MAJORS, Command, binary, environment, post_renderer

pytestmark = [pytest.mark.e2e, pytest.mark.off_node]

NAME = "run-helm-with-post-renderer-durable"
KIND = 'no matches for kind "PersistencePlan"'
# What each namespace has by itself, and the kinds that a release would add.
BY_ITSELF = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
KINDS = (
    "configmaps,secrets,services,serviceaccounts,deployments,statefulsets,persistentvolumeclaims,"
    "prometheuses,alertmanagers,prometheusrules,servicemonitors"
)
CLUSTER_KINDS = "persistentvolumes,storageclasses"
# One custom resource, which no operator looks at, and a volume: enough to see what is applied.
PROMETHEUS: Values = {
    "size": "1Gi",
    "volumes": [{"node": "no-such-node", "local": "/mnt/no-such-disk"}],
}
PAUSED: Values = {"prometheus": {"prometheusSpec": {"paused": True}}}
DELETE = {"whenDeleted": "Delete", "whenScaled": "Retain"}
PATCH = {
    "target": {"kind": "Prometheus"},
    "patch": [{"op": "add", "path": "/spec/persistentVolumeClaimRetentionPolicy", "value": DELETE}],
}


@dataclass(frozen=True)
class Release:
    """A release in a namespace of its own."""

    cluster: Cluster
    major: int
    name: str
    values: Path

    def helm(
        self, *words: str, rendered: bool, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run Helm on the release, with the post-renderer or without it."""
        flags = post_renderer(self.major) if rendered else []
        action, *rest = words
        argv: Command = [binary(self.major), action, self.name, chart(), f"--namespace={self.name}"]
        kubeconfig = {"KUBECONFIG": str(self.cluster.kubeconfig)}
        env = {**environment(self.major), **kubeconfig, **variables}
        return answer(*argv, *flags, *rest, env=env, timeout=HELM_TIMEOUT)

    def uninstall(self) -> None:
        """Remove the release; none is fine."""
        argv: Command = [binary(self.major), "uninstall", self.name, f"--namespace={self.name}"]
        env = {**environment(self.major), "KUBECONFIG": str(self.cluster.kubeconfig)}
        run(*argv, "--ignore-not-found", env=env, timeout=HELM_TIMEOUT)

    def wishes(self) -> str:
        """Return the argument that gives the values."""
        return f"--values={self.values}"

    def objects(self) -> set[str]:
        """Return what is there of the release, Helm's own record of it included."""
        labelled = f"--selector=app.kubernetes.io/instance={self.name}"
        there = self.cluster.kubectl("get", KINDS, f"--namespace={self.name}", "--output=name")
        wide = self.cluster.kubectl("get", CLUSTER_KINDS, labelled, "--output=name")
        return {*there.split(), *wide.split()} - BY_ITSELF

    def revision(self) -> str:
        """Return the newest revision of the release and its state."""
        listed = self.cluster.objects("secrets", self.name, "owner=helm")
        labels = [each["metadata"]["labels"] for each in listed]
        newest = max(labels, key=lambda each: int(each["version"]))
        return f"{newest['version']} {newest['status']}"


@pytest.fixture(params=MAJORS)
def release(
    request: pytest.FixtureRequest, cluster: Cluster, crds: None, tmp_path: Path
) -> Iterator[Release]:
    """A release that is not installed yet, in a namespace that is there and empty."""
    assert crds is None
    name = f"e2e-closed-{uuid.uuid4().hex[:8]}"
    ours: Values = {
        "storageClasses": [{"name": name}],
        "persistence": {"prometheus": {**PROMETHEUS, "storageClassName": name}},
    }
    file = tmp_path / "values.json"
    file.write_text(json.dumps(merged(quiet(), for_stack(PAUSED), ours)))
    cluster.kubectl("create", "namespace", name)
    made = Release(cluster, request.param, name, file)
    cluster.wait("the namespace is furnished", lambda: furnished(cluster, name))
    yield made
    made.uninstall()
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    wide = (CLUSTER_KINDS, f"--selector=app.kubernetes.io/instance={name}", "--wait=false")
    cluster.kubectl("delete", *wide)


def furnished(cluster: Cluster, name: str) -> Object | None:
    """Return the last of what a new namespace gets by itself, once it is there."""
    return cluster.get("serviceaccount", "default", name) and cluster.get(
        "configmap", "kube-root-ca.crt", name
    )


COMMANDS = {
    "install": ("install",),
    "upgrade": ("upgrade", "--install"),
    "dry run": ("install", "--dry-run=server"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_post_renderer_nothing_is_applied(release: Release, command: str) -> None:
    """Helm fails, says what to do, and leaves no object and no record of a release."""
    answer = release.helm(*COMMANDS[command], release.wishes(), rendered=False)
    assert answer.returncode
    assert KIND in answer.stderr
    assert NAME in answer.stderr
    assert set() == release.objects()


def test_upgrade_without_the_post_renderer_changes_nothing(release: Release) -> None:
    """A release keeps its revision and objects when the flag is forgotten, also on a dry run."""
    done = release.helm("install", release.wishes(), rendered=True)
    assert not done.returncode, done.stderr
    before, revision = release.objects(), release.revision()
    assert "1 deployed" == revision
    assert f"configmap/{release.name}-persistence-plan" in before
    for flags in (["--reuse-values"], [release.wishes()], ["--reuse-values", "--dry-run=server"]):
        answer = release.helm("upgrade", *flags, rendered=False)
        assert answer.returncode
        assert KIND in answer.stderr
        assert NAME in answer.stderr
        assert before == release.objects()
        assert revision == release.revision()
    [server] = release.cluster.objects("prometheuses", release.name)
    assert "1Gi" == size(server)


def size(server: Object) -> str:
    """Return the size that a Prometheus asks for."""
    spec = server["spec"]["storage"]["volumeClaimTemplate"]["spec"]
    return str(spec["resources"]["requests"]["storage"])


def test_refused_release_is_not_applied(release: Release) -> None:
    """Both majors show which rule refuses, and apply nothing, on install and on upgrade."""
    refused = release.values.with_name("refused.json")
    refused.write_text(json.dumps({"persistence": {"patches": [PATCH]}}))
    wishes = (release.wishes(), f"--values={refused}")
    for words in (("install",), ("install", "--dry-run=server"), ("upgrade", "--install")):
        answer = release.helm(*words, *wishes, rendered=True)
        assert answer.returncode
        assert "[claims/never-deleted]" in answer.stderr or (
            "rule claims/never-deleted" in answer.stderr
        )
        assert "whenDeleted is Delete" in answer.stderr
        assert set() == release.objects()
    assert not release.helm("install", release.wishes(), rendered=True).returncode
    before, revision = release.objects(), release.revision()
    answer = release.helm("upgrade", *wishes, rendered=True)
    assert answer.returncode
    assert "claims/never-deleted" in answer.stderr
    assert (before, revision) == (release.objects(), release.revision())


def test_killed_post_renderer_applies_nothing(release: Release, tmp_path: Path) -> None:
    """A post-renderer that is killed in the middle of its output is no post-renderer."""
    killed = tmp_path / "python"
    killed.write_text('#!/bin/sh\nhead --bytes=4000\nkill -KILL "$$"\n')
    killed.chmod(0o755)
    answer = release.helm("install", release.wishes(), rendered=True, DURABLE_PYTHON=str(killed))
    assert answer.returncode
    assert "post" in answer.stderr
    assert set() == release.objects()

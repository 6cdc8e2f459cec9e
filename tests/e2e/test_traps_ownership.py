"""Who may write where: real containers on the node's folders, as the servers' users."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, Endpoint, Object
from tests.cluster.errors import CannotBeDoneHereError, ClusterError
from tests.e2e.samples import KNOWN, PORT, Prometheus
from tests.e2e.traps import (
    HOSTNAME,
    Place,
    claim,
    claim_of,
    claim_spec,
    on_claim,
    plan_of,
    pod,
    prometheus,
    reserved,
    template,
    tool,
    volume,
)
from tests.tools.documents import load, of_kind

pytestmark = pytest.mark.e2e

START_TIMEOUT = 150
POD = "prometheus-db-0"
SUB_PATH = "prometheus-db"
DATA = "/prometheus"
SERVER: Object = {"runAsUser": 1000, "runAsGroup": 2000, "fsGroup": 2000, "runAsNonRoot": True}
DENIED = re.compile(r"open /prometheus/queries.active: permission denied")
OPEN = f"exec 3> {DATA}/queries.active"


@pytest.fixture
def folder(cluster: Cluster, place: Place) -> Path:
    """A fresh folder of the node that belongs to root."""
    try:
        return cluster.disk(place.name)
    except CannotBeDoneHereError as error:
        pytest.skip(str(error))


def ended(place: Place, name: str) -> str:
    """Wait until a pod has ended, and return its phase and what it wrote."""
    wanted = ("Succeeded", "Failed")
    place.wait(f"pod {name} ends", lambda: place.phase("pod", name) in wanted)
    said = place.cluster.logs(name, place.name, "main").strip()
    return f"{place.phase('pod', name)} {said}".strip()


def on_host(place: Place, folder: Path) -> Object:
    """Return a hostPath volume, as the chart makes it, for the Prometheus `db`."""
    where = {"path": str(folder), "type": "Directory"}
    return volume(
        *(place.name, place.now),
        node=place.cluster.node_name,
        local=None,
        hostPath=where,
        claimRef=reserved(place, claim_of("db")),
    )


@pytest.mark.usefixtures("busybox")
def test_group_is_ignored_on_host_path(place: Place, folder: Path) -> None:
    """On hostPath fsGroup does nothing: the server may not write; on a local volume it may."""
    node = place.cluster.node_name
    host = on_host(place, folder)
    ours = claim(claim_of("db"), claim_spec(place.now))
    server = prometheus("db", template(place.now))
    place.refused("ownership/ignored", server, host, plan=plan_of(place.now))
    place.passes("ownership/ignored", server, host, plan=plan_of(place.now, fixOwnership=True))
    local = volume(
        f"{place.name}-l",
        place.now,
        node=node,
        local={"path": str(folder / "local")},
        claimRef=reserved(place, "local"),
    )
    (folder / "local").mkdir()
    place.apply(host, local, ours, claim("local", claim_spec(place.now)))
    mount = {"name": "data", "mountPath": DATA, "subPath": SUB_PATH}
    for name, owner in (("host", claim_of("db")), ("disk", "local")):
        place.apply(pod(name, OPEN, [on_claim(owner)], [mount], securityContext=SERVER))
    said = ended(place, "host")
    assert said.startswith("Failed")
    assert "Permission denied" in said
    assert "Succeeded" == ended(place, "disk")
    place.saw("ownership/ignored", "hostPath 0755 root, fsGroup 2000", said.partition(" ")[2])


@pytest.mark.usefixtures("busybox")
def test_init_container_at_the_volume_root_is_too_early(place: Place, folder: Path) -> None:
    """It changes the root before the kubelet makes the sub-directory, which is root's again."""
    place.apply(on_host(place, folder), claim(claim_of("db"), claim_spec(place.now)))
    mount = {"name": "data", "mountPath": DATA}
    spec = pod(
        "db",
        OPEN,
        [on_claim(claim_of("db"))],
        [{**mount, "subPath": SUB_PATH}],
        securityContext=SERVER,
    )
    init = {**spec["spec"]["containers"][0], "name": "own", "volumeMounts": [mount]}
    init["command"] = ["chown", "-R", "1000:2000", DATA]
    init["securityContext"] = {"runAsUser": 0, "runAsNonRoot": False}
    spec["spec"]["initContainers"] = [init]
    place.apply(spec)
    said = ended(place, "db")
    assert "Permission denied" in said
    assert (1000, 0) == (folder.stat().st_uid, (folder / SUB_PATH).stat().st_uid)
    seen = "volume root is 1000's, prometheus-db is root's: Permission denied"
    place.saw("-", "chown by an init container without the subPath", seen)


@pytest.mark.usefixtures("busybox")
def test_two_consumers_in_one_directory(place: Place, folder: Path) -> None:
    """On hostPath the change of ownership for Grafana takes Prometheus' files from it.

    On a local volume the kubelet gives them to Prometheus' group again when its pod is started.
    """
    os.chown(folder, 1000, 2000)
    where = {"path": str(folder), "type": "Directory"}
    common: Object = {"node": place.cluster.node_name, "local": None, "hostPath": where}
    names = {"prometheus": claim_of("db"), "grafana": "grafana"}
    volumes = [
        volume(
            *(f"{place.name}-{each}", place.now),
            consumer=each,
            claimRef=reserved(place, name),
            **common,
        )
        for each, name in names.items()
    ]
    bare = prometheus("db", {**template(place.now), "disableMountSubPath": True})
    place.refused("volumes/own-directory", bare, *volumes)
    place.passes("volumes/own-directory", bare, volumes[0])
    place.apply(*volumes, *(claim(name, claim_spec(place.now)) for name in names.values()))
    mount = {"name": "data", "mountPath": DATA}
    mine = [on_claim(names["prometheus"])]
    script = f"umask 077; {OPEN}"
    place.apply(pod("first", script, mine, [mount], securityContext=SERVER))
    assert "Succeeded" == ended(place, "first")
    root = {"runAsUser": 0}
    chown = pod(
        "chown", f"chown -R 472:472 {DATA}", [on_claim("grafana")], [mount], securityContext=root
    )
    place.apply(chown)
    assert "Succeeded" == ended(place, "chown")
    place.apply(pod("again", script, mine, [mount], securityContext=SERVER))
    said = ended(place, "again")
    assert "Permission denied" in said
    seen = f"after Grafana's chown -R 472: {said.partition(' ')[2]}"
    place.saw("volumes/own-directory", "Prometheus and Grafana in one directory", seen)


@pytest.mark.usefixtures("operator")
def test_fix_ownership_and_toggled_sub_path(place: Place, folder: Path, server_image: str) -> None:
    """A real Prometheus is denied, runs with fixOwnership, and starts empty without the sub-path.

    Its history is back when the sub-path is.
    """
    denied = real(place, server_image)
    host = on_host(place, folder)
    place.apply(host, denied)
    said = place.wait("Prometheus is denied", lambda: denial(place), START_TIMEOUT)
    place.apply(fixed(place, denied, host))
    started(place, SUB_PATH)
    assert 1000 == (folder / SUB_PATH).stat().st_uid
    seen = f"{said}; Ready after fixOwnership"
    place.saw("ownership/ignored", "real Prometheus on hostPath 0755 root", seen)
    server = Prometheus(place.cluster, POD, place.name)
    written = server.write(1)
    assert [written] == [*server.read(KNOWN).values()]
    for bare in (True, False):
        denied["spec"]["storage"]["disableMountSubPath"] = bare
        place.apply(fixed(place, denied, host))
        started(place, "" if bare else SUB_PATH)
        assert ([] if bare else [written]) == [*server.read(KNOWN).values()]
    seen = f"starts empty beside the data; toggled back: all {len(written)} samples are there"
    place.saw("-", "disableMountSubPath toggled", seen)


def fixed(place: Place, server: Object, host: Object) -> Object:
    """Return a Prometheus as the post-renderer gives it for a plan with fixOwnership."""
    text = tool("render", [server, host], plan_of(place.now, fixOwnership=True))
    [found] = of_kind(load(text), "Prometheus")
    return found


def real(place: Place, image: str) -> Object:
    """Return a Prometheus that really runs, as kube-prometheus-stack secures it."""
    return prometheus(
        *("db", template(place.now)),
        image=image,
        nodeSelector={HOSTNAME: place.cluster.node_name},
        tolerations=None,
        enableRemoteWriteReceiver=True,
        terminationGracePeriodSeconds=1,
    )


def denial(place: Place) -> str:
    """Return what Prometheus wrote when it could not open its data, empty before."""
    found = DENIED.search(place.cluster.logs(POD, place.name, "prometheus"))
    return found[0] if found else ""


def answers(place: Place) -> bool:
    """Whether the server is ready by its own words."""
    try:
        return place.cluster.http(Endpoint(POD, place.name, PORT), "/-/ready").status == 200
    except (ClusterError, KeyError):  # no pod, no address of it yet, or no answer
        return False


def started(place: Place, sub_path: str) -> None:
    """Wait until the server with this sub-path answers: its startup probe asks much later."""

    def serving() -> bool:
        pod = place.get("pod", POD)
        if not pod or "deletionTimestamp" in pod["metadata"]:
            return False
        containers = {each["name"]: each for each in pod["spec"]["containers"]}
        mounts = containers["prometheus"]["volumeMounts"]
        [data] = [each for each in mounts if each["mountPath"] == DATA]
        return str(data.get("subPath", "")) == sub_path and answers(place)

    place.wait(f"Prometheus runs with the sub-path {sub_path!r}", serving, START_TIMEOUT)

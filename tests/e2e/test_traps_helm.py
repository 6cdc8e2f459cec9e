"""What Helm itself does to bound volumes: replacing them, and a release of another name."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster, Object
from tests.cluster.commands import answer
from tests.e2e.install import HELM_TIMEOUT, Values, chart, for_stack, merged
from tests.e2e.quiet import quiet
from tests.e2e.traps import FAKE_NODES, OWNER, Place, on_fake_nodes
from tests.tools.helm import MAJORS, Command, binary, environment, post_renderer

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("operator", "fake_nodes")]

FORCE = {3: ("--force",), 4: ("--force-replace", "--server-side=false")}
NODE = FAKE_NODES[0]
PATH = "/mnt/disks/vol1"


def values(place: Place) -> Values:
    """Return the values of a release with one Prometheus on a reserved volume of a fake node."""
    wanted = {
        "size": "1Gi",
        "storageClassName": place.late,
        "volumes": [{"node": NODE, "local": PATH}],
    }
    spec: Object = {"prometheusSpec": on_fake_nodes()}
    ours: Values = {"persistence": {"prometheus": wanted}}
    # As all that is a trap's: the operator looks for the label.
    labels = {"commonLabels": {OWNER: place.name}}
    return merged(quiet(), ours, for_stack({"prometheus": spec, **labels}))


def name(place: Place, release: str) -> str:
    """Return a release's name that no other place has: it has objects of the whole cluster."""
    return f"{release}-{place.name.rpartition('-')[2]}"


def helm(
    place: Place, major: int, *words: str, release: str = "db", rendered: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Helm on a release of this place, its values on stdin."""
    action, *flags = words
    argv: Command = [binary(major), action, name(place, release), f"--namespace={place.name}"]
    if rendered:
        argv += [chart(), "--values=-", *post_renderer(major)]
    env = {**environment(major), "KUBECONFIG": str(place.cluster.kubeconfig)}
    text = json.dumps(values(place))
    return answer(*argv, *flags, stdin=text, env=env, timeout=HELM_TIMEOUT)


def installed(place: Place, major: int, release: str = "db") -> tuple[str, str]:
    """Install a release, wait until its claim is bound, and return claim and volume."""
    before = claims(place)
    done = helm(place, major, "install", release=release)
    assert not done.returncode, done.stderr
    [claim] = place.wait("the operator makes a claim", lambda: claims(place) - before)
    return claim, place.bound(claim)


def claims(place: Place) -> set[str]:
    """Return the names of the claims of this place."""
    found = place.cluster.objects("persistentvolumeclaims", place.name)
    return {each["metadata"]["name"] for each in found}


@pytest.fixture
def swept(cluster: Cluster, place: Place) -> Iterator[Place]:
    """The place, without releases and without the volumes that Helm keeps, after the test."""
    yield place
    for release in ("db", "two"):
        helm(place, 4, "uninstall", "--ignore-not-found", release=release, rendered=False)
    for each in cluster.objects("persistentvolumes"):
        if each["spec"].get("storageClassName") == place.late:
            cluster.kubectl("delete", "pv", each["metadata"]["name"], "--wait=false")


@pytest.mark.parametrize("major", MAJORS)
def test_force_cuts_a_bound_volume_loose(swept: Place, major: int) -> None:
    """Helm's replacing upgrade takes the claim's mark from its volume, and the claim is Lost."""
    claim, volume = installed(swept, major)
    unchanged = helm(swept, major, "upgrade")
    assert not unchanged.returncode, unchanged.stderr
    assert ("Bound", "Bound") == (swept.phase("pvc", claim), swept.phase("pv", volume))
    forced = helm(swept, major, "upgrade", *FORCE[major])
    swept.wait("the claim is lost", lambda: swept.phase("pvc", claim) == "Lost")
    seen = f"exit {forced.returncode}, claim Lost, volume {swept.phase('pv', volume)}"
    swept.saw("-", f"helm{major} upgrade {' '.join(FORCE[major])} (README: never)", seen)


def test_release_of_another_name_asks_for_other_claims(swept: Place) -> None:
    """The claims follow the release's name; a new volume on the same directory serves them."""
    old_claim, old_volume = installed(swept, 4, "one")
    done = helm(swept, 4, "uninstall", release="one", rendered=False)
    assert not done.returncode, done.stderr
    swept.wait("its pod is gone", lambda: not swept.cluster.objects("pods", swept.name))
    new_claim, new_volume = installed(swept, 4, "two")
    assert old_claim != new_claim
    assert old_volume != new_volume
    assert "Bound" == swept.phase("pvc", old_claim)
    assert [PATH, PATH] == [local(swept, each) for each in (old_volume, new_volume)]
    seen = "claim of the old name stays Bound, new claim on a new volume for the same directory"
    swept.saw("-", "release installed under another name (README)", seen)


def local(place: Place, volume: str) -> str:
    """Return the directory of a volume."""
    found = place.get("pv", volume)
    assert found
    return str(found["spec"]["local"]["path"])

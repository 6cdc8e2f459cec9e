"""What the API server and the binding controller do with volumes that the rules refuse."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import FOREIGN, Object
from tests.cluster.commands import answer
from tests.e2e.trap_report import NOT_LOST
from tests.e2e.traps import (
    Place,
    claim,
    claim_of,
    claim_spec,
    plan_of,
    prometheus,
    reserved,
    storage_class,
    template,
    volume,
)
from tests.tools.helm import ROOT

pytestmark = pytest.mark.e2e

OURS = claim_of("db")
WAITS = "no volume plugin matched name: kubernetes.io/no-provisioner"


def ours(place: Place, **spec: Any) -> Object:
    """Return the claim that the operator would make for the Prometheus `db`."""
    return claim(OURS, claim_spec(place.now, **spec))


def server(place: Place, **spec: Any) -> Object:
    """Return the Prometheus `db`."""
    return prometheus("db", template(place.now), **spec)


def waits(place: Place, name: str = OURS) -> None:
    """Expect that a claim finds no volume."""
    place.told("PersistentVolumeClaim", name, WAITS)
    assert "Pending" == place.phase("pvc", name)


def test_unreserved_volume_is_taken(place: Place) -> None:
    """A claim of somebody else takes an unreserved volume of its class, and no reserved one."""
    free, kept = f"{place.name}-free", f"{place.name}-kept"
    place.refused("volumes/reserved", server(place), volume(free, place.now))
    safe = volume(kept, place.now, claimRef=reserved(place, claim_of("other")))
    place.passes("volumes/reserved", prometheus("other", template(place.now)), safe)
    place.apply(safe, volume(free, place.now, size="50Gi"))
    thieves = [claim(f"thief-{n}", claim_spec(place.now)) for n in (1, 2)]
    place.apply(thieves[0])
    assert free == place.bound("thief-1")
    place.apply(thieves[1], ours(place))
    waits(place, "thief-2")
    waits(place)
    seen = "a 1Gi claim bound the 50Gi volume, ours Pending; a reserved one stayed Available"
    place.saw("volumes/reserved", "volume without claimRef, foreign claim of the class", seen)
    assert "Available" == place.phase("pv", kept)


def test_reservation_without_namespace(place: Place) -> None:
    """A claimRef that has no namespace matches no claim at all."""
    name = f"{place.name}-v"
    half = {key: value for key, value in reserved(place, OURS).items() if key != "namespace"}
    item = volume(name, place.now, claimRef=half)
    place.refused("volumes/reserved", server(place), item)
    place.apply(item, ours(place))
    waits(place)
    assert "Available" == place.phase("pv", name)
    seen = "the API takes it; volume stays Available, claim Pending"
    place.saw("volumes/reserved", "claimRef without namespace", seen)


def test_two_volumes_for_one_claim(place: Place) -> None:
    """Of two volumes that are reserved for one claim, one stays unused."""
    names = [f"{place.name}-{n}" for n in (1, 2)]
    sizes = dict(zip(names, ("1Gi", "2Gi"), strict=True))
    both = [volume(n, place.now, size=s, claimRef=reserved(place, OURS)) for n, s in sizes.items()]
    place.refused("volumes/reserved", server(place), *both)
    place.apply(*both, ours(place))
    taken = place.bound(OURS)
    [other] = set(names) - {taken}
    assert "Available" == place.phase("pv", other)
    seen = f"bound the one of {sizes[taken]}, the one of {sizes[other]} stays Available"
    place.saw("volumes/reserved", "two volumes (1Gi, 2Gi) reserved for one claim", seen)


MISFITS: dict[str, tuple[str, str, Object]] = {
    "small": ("volumes/fit", "reserved volume smaller than the claim", {"size": "512Mi"}),
    "modes": (
        *("volumes/fit", "reserved volume lacks the claim's access mode"),
        {"accessModes": ["ReadOnlyMany"]},
    ),
    "block": ("volumes/filesystem", "reserved volume of mode Block", {"volumeMode": "Block"}),
}


@pytest.mark.parametrize("name", MISFITS)
def test_volume_that_does_not_fit(place: Place, name: str) -> None:
    """A reserved volume of another size, access mode or volume mode leaves its claim Pending."""
    rule, trap, spec = MISFITS[name]
    item = volume(f"{place.name}-v", place.now, claimRef=reserved(place, OURS), **spec)
    fits = volume(f"{place.name}-v", place.now, claimRef=reserved(place, OURS))
    place.refused(rule, server(place), item)
    place.passes(rule, server(place), fits)
    place.apply(item, ours(place))
    waits(place)
    place.saw(rule, trap, f"claim Pending, and its event says only: {WAITS}")


def test_volume_of_another_class(place: Place) -> None:
    """A reserved volume of another class binds, even beside a free one of the claim's class."""
    item = volume(f"{place.name}-v", place.late, claimRef=reserved(place, OURS))
    place.refused("volumes/fit", server(place), item)
    place.apply(item, volume(f"{place.name}-free", place.now))
    place.apply(ours(place))
    assert f"{place.name}-v" == place.bound(OURS)
    seen = "it BINDS, beside a free volume of the right class too: against the documentation"
    place.saw("volumes/fit", "reserved volume of another class", seen, NOT_LOST)


def test_local_volume_without_node(place: Place) -> None:
    """The API server refuses a local volume that names no node."""
    item = volume(f"{place.name}-v", place.now, nodeAffinity=None)
    place.refused("volumes/pinned", item)
    said = place.refusal(item, dry_run=True)
    assert "Local volume requires node affinity" in said
    place.saw("volumes/pinned", "local volume without nodeAffinity", said.rpartition("spec.")[2])


def test_fewer_volumes_than_pods(place: Place) -> None:
    """The claim for which there is no volume stays Pending."""
    item = volume(f"{place.name}-v", place.now, claimRef=reserved(place, OURS))
    plan = plan_of(place.now)
    made = storage_class(place.now, place.name, "Immediate")
    place.refused("volumes/enough", server(place, replicas=2), item, made, plan=plan)
    place.passes("volumes/enough", server(place), item, made, plan=plan)
    second = claim(claim_of("db", 1), claim_spec(place.now))
    place.apply(item, ours(place), second)
    place.bound(OURS)
    waits(place, claim_of("db", 1))
    place.saw("volumes/enough", "two replicas, one volume", "claim of the second pod Pending")


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a file in the node's temporary directory, where the controller may delete."""
    if os.environ.get(FOREIGN):
        pytest.skip(f"{FOREIGN} is set: the node's folders cannot be seen")
    with tempfile.TemporaryDirectory(prefix="e2e-trap-", ignore_cleanup_errors=True) as folder:
        (Path(folder) / "data").mkdir()
        (Path(folder) / "data" / "block").write_text("history")
        yield Path(folder) / "data"


def test_delete_on_a_host_path_volume(place: Place, temporary: Path) -> None:
    """A hostPath volume with reclaim policy Delete goes with its claim, files and all."""
    name = f"{place.name}-v"
    delete: Object = {"persistentVolumeReclaimPolicy": "Delete"}
    item = volume(
        name,
        place.now,
        local=None,
        hostPath={"path": str(temporary)},
        claimRef=reserved(place, OURS),
        **delete,
    )
    place.refused("volumes/retained", server(place), item)
    place.apply(item, ours(place))
    place.bound(OURS)
    place.cluster.delete("pvc", OURS, place.name)
    place.wait("the folder is gone", lambda: not temporary.exists())
    place.saw("volumes/retained", "reclaim Delete on hostPath, claim deleted", "directory is gone")


def test_delete_on_a_local_volume(place: Place) -> None:
    """A local volume with reclaim policy Delete becomes Failed when its claim goes."""
    name = f"{place.name}-v"
    item = volume(
        name, place.now, claimRef=reserved(place, OURS), persistentVolumeReclaimPolicy="Delete"
    )
    kept = volume(name, place.now, claimRef=reserved(place, OURS))
    place.refused("volumes/retained", server(place), item)
    place.passes("volumes/retained", server(place), kept)
    place.apply(item, ours(place))
    place.bound(OURS)
    place.cluster.delete("pvc", OURS, place.name)
    place.wait("the volume failed", lambda: place.phase("pv", name) == "Failed")
    found = place.get("pv", name)
    assert found
    seen = f"volume Failed: {found['status']['message']}"
    place.saw("volumes/retained", "reclaim Delete on local, claim deleted", seen)


def readme(title: str) -> str:
    """Return the shell commands that the README gives below a title in bold."""
    text = (ROOT / "README.md").read_text()
    return text[text.index(f"**{title}") :].partition("```sh\n")[2].partition("```")[0]


def run_readme(place: Place, commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands of the README against the cluster."""
    kubectl = place.cluster.kubectl_program
    env = {**place.cluster.env, "PATH": f"{kubectl.parent}:{os.environ['PATH']}"}
    return answer("bash", "-ec", commands, env=env)


def test_released_volume_is_freed_as_the_readme_says(place: Place) -> None:
    """A new claim gets the Released volume when it is freed; a bound one is not cut loose."""
    name = f"{place.name}-v"
    commands = readme("Freeing a Released volume.")
    assert "PV=kps-grafana-dd25d771\n" in commands
    commands = commands.replace("PV=kps-grafana-dd25d771\n", f"PV={name}\n")
    place.apply(volume(name, place.now, claimRef=reserved(place, OURS)), ours(place))
    place.bound(OURS)
    assert run_readme(place, commands).returncode, "it must not cut a bound volume loose"
    assert "Bound" == place.phase("pv", name)
    place.cluster.delete("pvc", OURS, place.name)
    place.wait("the volume is released", lambda: place.phase("pv", name) == "Released")
    place.apply(ours(place))
    waits(place)
    freed = run_readme(place, commands)
    assert not freed.returncode, freed.stderr
    assert name == place.bound(OURS)
    seen = "Released, new claim Pending; README's patch: Bound; on a Bound volume it is refused"
    place.saw("-", "claim deleted and made anew (README)", seen)


def test_released_volume_is_moved_as_the_readme_says(place: Place) -> None:
    """A volume whose claim is gone serves a claim of another name after the README's patch."""
    name = f"{place.name}-v"
    commands = readme("Moving a claim").replace('"monitoring"', f'"{place.name}"')
    place.apply(
        volume(name, place.now, claimRef=reserved(place, "old")),
        claim("old", claim_spec(place.now)),
    )
    place.bound("old")
    place.cluster.delete("pvc", "old", place.name)
    place.wait("the volume is released", lambda: place.phase("pv", name) == "Released")
    moved = run_readme(place, f"PV={name}\n{commands.replace('NEW-CLAIM', OURS)}")
    assert not moved.returncode, moved.stderr
    place.apply(ours(place))
    assert name == place.bound(OURS)
    place.saw("-", "claim moved to another name (README)", "Bound under the new name")

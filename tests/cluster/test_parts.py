"""The parts of the cluster that need neither root nor a cluster."""

from __future__ import annotations

import hashlib
import json
import signal
import ssl
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import host, images, lab, mounts, state
from tests.cluster.api import Api
from tests.cluster.commands import CommandError, run
from tests.cluster.control_plane import fake_node
from tests.cluster.errors import ClusterError, MissingRequirementError, TimedOutError
from tests.cluster.host import needs_loader
from tests.cluster.images import Entry, Recipe
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.namespaces import Process
from tests.cluster.poll import wait_until
from tests.cluster.signals import hold_back

RECIPE = Recipe(
    "sample",
    (
        Entry("/bin/run", b"#!/bin/sh\n"),
        Entry("/bin"),
        Entry("/bin/other", link="run"),
        Entry("/data", mode=0o700, uid=472, gid=472),
    ),
    entrypoint=("/bin/run",),
    user="472",
    env={"B": "2", "A": "1"},
    volumes=("/data",),
)


def archive(folder: Path, name: str) -> Path:
    """Write the sample image."""
    target = folder / name
    images.write_archive(RECIPE, target, folder / "layer")
    return target


def test_wait_returns_what_the_predicate_found() -> None:
    """The first truthy value ends the wait and is its result."""
    values = iter(["", None, "found", "later"])
    assert "found" == wait_until("it is there", lambda: next(values), 10, interval=0)


def test_wait_asks_at_least_once() -> None:
    """Without any time to wait a condition that holds already is found."""
    assert wait_until("it holds", lambda: True, 0)


def test_failed_wait_names_condition_and_explains() -> None:
    """The error says what was waited for, how long, and what the caller knows about it."""
    with pytest.raises(TimedOutError, match=r"(?s)after 0 s .*: pigs fly\n.*no wings"):
        wait_until("pigs fly", lambda: False, 0, explain=lambda: "no wings")


def test_command_error_says_what_the_program_said() -> None:
    """A program that fails raises an error with its words, its exit code and its own message."""
    with pytest.raises(CommandError, match="sorry") as raised:
        run("sh", "-c", "echo sorry >&2; exit 3")
    assert 3 == raised.value.code


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.37.0", "docker.io/library/busybox:1.37.0"),
        ("grafana/grafana:13", "docker.io/grafana/grafana:13"),
        ("quay.io/prometheus/prometheus:v3", "quay.io/prometheus/prometheus:v3"),
        ("registry:5000/a", "registry:5000/a:latest"),
        ("localhost/a:1", "localhost/a:1"),
    ],
)
def test_image_names_are_those_of_the_kubelet(name: str, expected: str) -> None:
    """A short image name gets the registry, owner and tag that the kubelet adds."""
    assert expected == images.canonical(name)


def test_image_is_the_same_each_time(tmp_path: Path) -> None:
    """One recipe gives one archive, byte for byte, whenever it is written."""
    first, second = archive(tmp_path, "first"), archive(tmp_path, "second")
    assert first.read_bytes() == second.read_bytes()


def test_image_is_well_formed(tmp_path: Path) -> None:
    """Each blob has the name of its own hash, and index, manifest and layer lead to each other."""
    with tarfile.open(archive(tmp_path, "archive")) as opened:
        content = {
            each.name: handle.read()
            for each in opened.getmembers()
            if (handle := opened.extractfile(each))
        }
    blobs = {name: blob for name, blob in content.items() if name.startswith("blobs/")}
    assert {f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}" for blob in blobs.values()} == {
        *blobs
    }
    (named,) = json.loads(content["index.json"])["manifests"]
    assert images.local_name(RECIPE) == named["annotations"]["io.containerd.image.name"]
    manifest = json.loads(blobs["blobs/" + named["digest"].replace(":", "/")])
    config = json.loads(blobs["blobs/" + manifest["config"]["digest"].replace(":", "/")])
    (layer,) = manifest["layers"]
    assert [layer["digest"]] == config["rootfs"]["diff_ids"]
    assert ["A=1", "B=2"] == config["config"]["Env"]


def test_layer_keeps_modes_owners_and_links(tmp_path: Path) -> None:
    """Files come after their folder, with the mode, owner and link target of the recipe."""
    images.write_layer(RECIPE.entries, tmp_path / "layer")
    with tarfile.open(tmp_path / "layer") as layer:
        found = {each.name: each for each in layer.getmembers()}
    assert ["bin", "bin/other", "bin/run", "data"] == list(found)
    assert "run" == found["bin/other"].linkname
    assert (0o700, 472, 472) == (found["data"].mode, found["data"].uid, found["data"].gid)


def test_image_key_follows_content() -> None:
    """Another content, owner or command is another image."""
    entry = RECIPE.entries[0]
    changed = [
        Recipe(RECIPE.name, (Entry(entry.path, b"other"), *RECIPE.entries[1:])),
        Recipe(RECIPE.name, RECIPE.entries),
        Recipe(RECIPE.name, RECIPE.entries, entrypoint=("/bin/other",)),
    ]
    assert 4 == len({each.key() for each in (RECIPE, *changed)})


def test_images_of_manifests_have_recipes() -> None:
    """Each image of rendered manifests is found with its recipe, the reloader's in its flag too."""
    rendered = """
      image: "quay.io/prometheus/prometheus:v3.14.0-distroless"
      - image: docker.io/library/busybox:1.37.0
      - --prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1
      - --thanos-default-base-image=quay.io/thanos/thanos:v0.42.4
    """
    assert {
        "quay.io/prometheus/prometheus:v3.14.0-distroless": "prometheus",
        "docker.io/library/busybox:1.37.0": "busybox",
        "quay.io/prometheus-operator/prometheus-config-reloader:v0.93.1": (
            "prometheus-config-reloader"
        ),
    } == lab.images(rendered)


def test_image_without_recipe_is_named() -> None:
    """An image that cannot be made here is an error before anything is installed."""
    with pytest.raises(ClusterError, match=r"registry\.k8s\.io/ksm:v2"):
        lab.images("image: registry.k8s.io/ksm:v2")


def test_program_that_needs_a_loader_is_told_apart() -> None:
    """Python, linked dynamically, needs a loader: it could not run alone in an image."""
    assert needs_loader(Path(sys.executable).resolve().read_bytes())


def refused() -> str:
    """Return what the check of this machine says against it."""
    with pytest.raises(MissingRequirementError) as raised:
        host.check_system()
    return str(raised.value)


def test_missing_requirement_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Linux, root or control groups the message says which, and what else can be done."""
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert "needs Linux, this is Darwin: set E2E_KUBECONFIG" in refused()
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "needs root" in refused()
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(host, "CGROUPS", tmp_path)
    (tmp_path / "memory").mkdir()
    assert "no control group hierarchy for cpu, cpuset, devices" in refused()
    for each in host.CONTROLLERS:
        (tmp_path / each).mkdir(exist_ok=True)
    host.check_system()


def test_packages_that_cannot_be_installed_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where programs are missing and there is no apt, or it fails, the packages are named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(host, "CNI_PLUGINS", tmp_path)
    with pytest.raises(MissingRequirementError, match=r"containerd runc .* no apt-get here"):
        host.install_packages()
    apt = tmp_path / "apt-get"
    apt.write_text("#!/bin/sh\necho no network >&2\nexit 100\n")
    apt.chmod(0o755)
    with pytest.raises(MissingRequirementError, match=r"(?s)cannot install containerd.*no network"):
        host.install_packages()
    apt.write_text("#!/bin/sh\n")
    with pytest.raises(MissingRequirementError, match=r"containerd .* not on the PATH"):
        host.install_packages()


def test_state_is_read_as_written(tmp_path: Path) -> None:
    """What one process writes about its cluster another reads."""
    written = state.State(
        owner=state.this_process(),
        machine=Process(2, 3),
        node=Process(4, 5),
        boot_id="b",
        components={"etcd": Process(6, 7)},
        made=("/opt/x",),
    )
    state.write(tmp_path / "state.json", written)
    assert written == state.read(tmp_path / "state.json")
    assert state.read(tmp_path / "none.json") is None


def test_names_on_the_machine_are_one_layout_s(tmp_path: Path) -> None:
    """Two layouts share no name outside their folders, and the kernel takes the interface's."""
    one, other = (Layout(tmp_path / each, tmp_path / "logs") for each in ("one", "other"))
    assert not {one.link, one.group, one.lock} & {other.link, other.group, other.lock}
    assert (one.link, one.group) == (Layout(one.root, one.logs).link, one.group)
    assert len(one.link) <= 15


def test_second_request_to_end_waits() -> None:
    """What asks to end while a cluster is taken down is heard when that is done."""
    done: list[str] = []

    def take_down() -> None:
        with hold_back():
            signal.raise_signal(signal.SIGINT)
            done.append("to its end")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            take_down()
    finally:
        signal.signal(signal.SIGINT, before)
    assert ["to its end"] == done


GROUPS = {
    "/api": [("", "v1", [("pods", "pod", ["po"], "Namespaced"), ("nodes", "node", [], "Cluster")])],
    "/apis": [
        ("apps", "v1", [("deployments", "deployment", ["deploy"], "Namespaced")]),
        ("metrics.k8s.io", "v1", [("pods", "pod", ["po"], "Namespaced")]),
    ],
}


def discovery(path: str, _accept: str) -> dict[str, Any]:
    """Return what an API server answers about its resources."""
    fields = ("resource", "singularResource", "shortNames", "scope")
    return {
        "items": [
            {
                "metadata": {"name": name},
                "versions": [
                    {
                        "version": version,
                        "resources": [dict(zip(fields, each, strict=True)) for each in resources],
                    }
                ],
            }
            for name, version, resources in GROUPS[path]
        ]
    }


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("po", "/api/v1/namespaces/a/pods/x"),
        ("pod", "/api/v1/namespaces/a/pods/x"),
        ("nodes", "/api/v1/nodes/x"),
        ("deploy", "/apis/apps/v1/namespaces/a/deployments/x"),
        ("deployments.apps", "/apis/apps/v1/namespaces/a/deployments/x"),
        ("pods.metrics.k8s.io", "/apis/metrics.k8s.io/v1/namespaces/a/pods/x"),
    ],
)
def test_kinds_are_found_by_each_name(
    kind: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind is asked for at its place by any name that kubectl takes, the first group's first."""
    asked: list[str] = []

    def ask(_api: Api, where: str, accept: str = "") -> dict[str, Any]:
        asked.append(where)
        return discovery(where, accept) if where in GROUPS else {"metadata": {"managedFields": []}}

    monkeypatch.setattr(Api, "_ask", ask)
    api = Api("https://nowhere", "token", ssl.create_default_context())
    assert {"metadata": {}} == api.get(kind, "x", "a")
    assert ["/api", "/apis", path] == asked
    with pytest.raises(ClusterError, match="no resource type unicorns"):
        api.objects("unicorns", None, "")


def test_process_is_not_taken_for_a_later_one() -> None:
    """A process is alive until it ends, and another with its id at another time is not it."""
    with subprocess.Popen(["sleep", "60"]) as child:
        process = Process.of(child.pid)
        assert process.alive
        assert not Process(child.pid, process.started + 1).alive
        child.kill()
        wait_until("it is dead", lambda: not process.alive, 10)
    assert not process.alive


def test_no_cluster_is_said(tmp_path: Path) -> None:
    """Without a cluster its state is a clear error, and taking it down is fine."""
    machine = Machine(Layout(tmp_path / "run", tmp_path / "logs"))
    with pytest.raises(ClusterError, match="make cluster-up"):
        assert machine.state
    assert not machine.running
    machine.down()


def test_mounts_below_a_folder_are_found() -> None:
    """The machine's own mounts are found below the root, and a neighbour's name is not below."""
    assert Path("/proc") in mounts.mounted_below(Path("/"))
    assert [] == mounts.mounted_below(Path("/pro"))


def test_folder_with_a_mount_is_not_removed() -> None:
    """What is mounted in a folder is never deleted with it."""
    # A place that nothing can be deleted from, should the check be broken.
    with pytest.raises(ClusterError, match="mounted"):
        mounts.remove_tree(Path("/proc"))


def test_made_folders_are_removed_again(tmp_path: Path) -> None:
    """Only folders that were missing are made, and only those still empty are removed."""
    (tmp_path / "there").mkdir()
    wanted = tuple(str(tmp_path / each) for each in ("there", "a/b", "full"))
    made = mounts.make_missing(wanted)
    assert [str(tmp_path / each) for each in ("a", "a/b", "full")] == made
    (tmp_path / "full" / "file").touch()
    mounts.remove_made(made)
    assert ["full", "there"] == sorted(each.name for each in tmp_path.iterdir())


def test_fake_node_has_the_labels_of_a_node() -> None:
    """A fake node can be chosen by its host name and by the labels that a test gives it."""
    labels = fake_node("fake-1", {"zone": "b"})["metadata"]["labels"]
    assert ("fake-1", "b") == (labels["kubernetes.io/hostname"], labels["zone"])

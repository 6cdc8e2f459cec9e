"""The images of the cluster, by what is in them; callers say which names they are asked for by."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path, PurePath
from types import MappingProxyType

from tests.cluster import debian
from tests.cluster.commands import run
from tests.cluster.host import busybox
from tests.cluster.images import Entry, Recipe
from tests.cluster.programs import program

# `nobody`, as in the images of the Prometheus project; the kubelet cannot look a name up elsewhere.
USERS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUPS = b"root:x:0:\nnobody:x:65534:\n"
PROMETHEUS_CONFIG = b"global:\n  scrape_interval: 15s\n"
ALERTMANAGER_CONFIG = b"route:\n  receiver: none\nreceivers:\n  - name: none\n"
BASE = (
    Entry("/etc"),
    Entry("/etc/passwd", USERS, mode=0o644),
    Entry("/etc/group", GROUPS, mode=0o644),
    Entry("/tmp", mode=0o1777),  # noqa: S108 - of the image
    Entry("/bin"),
)
NOBODY = 65534
PROVISIONER = "DURABLE_LOCAL_PROVISIONER"
GRAFANA = 472
INFLUXDB = 1500
PATH = MappingProxyType({"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"})


def pause() -> Recipe:
    """The process that holds a pod's namespaces."""
    return Recipe(
        "pause", (Entry("/pause", program("pause")),), ("/pause",), user=f"{NOBODY}:{NOBODY}"
    )


def commands() -> tuple[Entry, ...]:
    """Debian's static busybox with a link for each of its commands."""
    names = run(busybox(), "--list").split()
    links = (Entry(f"/bin/{name}", link="busybox") for name in names if name != "busybox")
    return (Entry("/bin/busybox", busybox()), *links)


def shell() -> Recipe:
    """A shell and what goes with it."""
    files = (*BASE, *commands(), Entry("/root", mode=0o700), Entry("/var"))
    return Recipe("busybox", files, command=("sh",), env=PATH)


def influxdb() -> Recipe:
    """Debian's InfluxDB, server and client, with a shell and the libraries that they need.

    It is 1.6.7, in the place of the 1.12 that the chart names: later ones are in no registry of
    packages. That image has an entrypoint of its own, which the chart does not use.
    """
    found = {
        "influxd": debian.package("influxdb") / "usr" / "bin" / "influxd",
        "influx": debian.package("influxdb-client") / "usr" / "bin" / "influx",
    }
    needed = {
        path: file for each in found.values() for path, file in debian.libraries(each).items()
    }
    folders = {str(parent) for path in needed for parent in PurePath(path).parents} - {"/"}
    files = (
        *(Entry(path) for path in sorted({*folders, "/var", "/var/lib"})),
        *(Entry(path, file) for path, file in sorted(needed.items())),
        *(Entry(f"/bin/{name}", file) for name, file in found.items()),
        Entry("/var/lib/influxdb", uid=INFLUXDB, gid=INFLUXDB),
    )
    return Recipe(
        "influxdb", (*BASE, *commands(), *files), ("influxd",), user=str(INFLUXDB), env=PATH
    )


def prometheus() -> Recipe:
    """Prometheus and promtool where the project's own image has them."""
    files = (
        Entry("/bin/prometheus", program("prometheus")),
        Entry("/bin/promtool", program("promtool")),
        Entry("/etc/prometheus"),
        Entry("/etc/prometheus/prometheus.yml", PROMETHEUS_CONFIG, mode=0o644),
        Entry("/prometheus", uid=NOBODY, gid=NOBODY),
    )
    return Recipe(
        "prometheus",
        (*BASE, *files),
        ("/bin/prometheus",),
        ("--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"),
        user="nobody",
        workdir="/prometheus",
        volumes=("/prometheus",),
    )


def alertmanager() -> Recipe:
    """Alertmanager where the project's own image has it."""
    files = (
        Entry("/bin/alertmanager", program("alertmanager")),
        Entry("/etc/alertmanager"),
        Entry("/etc/alertmanager/alertmanager.yml", ALERTMANAGER_CONFIG, mode=0o644),
        Entry("/alertmanager", uid=NOBODY, gid=NOBODY),
    )
    return Recipe(
        "alertmanager",
        (*BASE, *files),
        ("/bin/alertmanager",),
        ("--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"),
        user="nobody",
        workdir="/alertmanager",
        volumes=("/alertmanager",),
    )


def single(name: str) -> Recipe:
    """Return an image of one program in /bin, run as nobody."""
    path = f"/bin/{name}"
    return Recipe(name, (*BASE, Entry(path, program(name))), (path,), user=str(NOBODY))


def local_path_provisioner() -> Recipe:
    """A provisioner of directories; its own image runs as root."""
    path = "/usr/bin/local-path-provisioner"
    files = (Entry("/usr"), Entry("/usr/bin"), Entry(path, program("local-path-provisioner")))
    return Recipe("local-path-provisioner", (*BASE, *files), (path,))


def local_provisioner() -> Recipe:
    """The local static provisioner of $DURABLE_LOCAL_PROVISIONER, a program taken from its image.

    Without it NOT that one: our program that makes the same volumes out of mount points
    (mod/local-provisioner-standin). Both run as root where the pod says nothing else.
    """
    given = os.environ.get(PROVISIONER)
    made = Path(given) if given else program("local-provisioner-standin")
    name = "local-provisioner" if given else "local-provisioner-standin"
    files = (Entry("/local-provisioner", made),)
    return Recipe(name, (*BASE, *files), ("/local-provisioner",))


def grafana_standin() -> Recipe:
    """NOT Grafana: our program that does to the disk what Grafana does (mod/grafana-standin)."""
    files = (
        Entry("/bin/grafana-standin", program("grafana-standin")),
        Entry("/var"),
        Entry("/var/lib"),
        Entry("/var/lib/grafana", uid=GRAFANA, gid=0, mode=0o777),
    )
    env = {"GF_PATHS_DATA": "/var/lib/grafana", "GF_PATHS_PLUGINS": "/var/lib/grafana/plugins"}
    return Recipe(
        "grafana-standin", (*BASE, *files), ("/bin/grafana-standin",), user=str(GRAFANA), env=env
    )


def nfs_provisioner_standin() -> Recipe:
    """NOT the provisioner: it asks the API for the same (mod/platform/nfs-provisioner-standin).

    The image that it stands for runs as root, where nothing else is said.
    """
    path = "/app/main"
    files = (Entry("/app"), Entry(path, program("nfs-provisioner-standin")))
    return Recipe("nfs-provisioner-standin", (*BASE, *files), (path,))


RECIPES: Mapping[str, Callable[[], Recipe]] = MappingProxyType(
    {
        "pause": pause,
        "busybox": shell,
        "prometheus": prometheus,
        "alertmanager": alertmanager,
        "prometheus-operator": functools.partial(single, "operator"),
        "prometheus-config-reloader": functools.partial(single, "prometheus-config-reloader"),
        "admission-webhook": functools.partial(single, "admission-webhook"),
        "local-path-provisioner": local_path_provisioner,
        "local-provisioner": local_provisioner,
        "grafana-standin": grafana_standin,
        "nfs-provisioner-standin": nfs_provisioner_standin,
        "thanos": functools.partial(single, "thanos"),
        "influxdb": influxdb,
    }
)
ON_DEMAND = ("thanos",)
"""What is there only where somebody has built it."""

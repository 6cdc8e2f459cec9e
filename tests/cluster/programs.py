"""Build the programs of the cluster out of pinned Go modules, each once.

`mod/<folder>/go.mod` says which packages at which versions, go.sum holds their checksums. What uses
the libraries of Kubernetes has one go.mod, mod/platform, so that these are compiled once: they are
most of what there is to compile. A module's programs lie in `<cache>/bin/<module>-<key>/`; the key
is a hash of all that decides what they are, so that a change builds again and an unchanged module
costs a few file reads.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import logging
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.errors import ClusterError, MissingRequirementError

log = logging.getLogger(__name__)

REPOSITORY = Path(__file__).resolve().parents[2]
MODULES = Path(__file__).resolve().parent / "mod"
BUILD_TIMEOUT = 3600
KEEP_SECONDS = 7 * 24 * 3600
SETTINGS = {
    "CGO_ENABLED": "0",
    "GOWORK": "off",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
}
# The linker leaves debugging data out, so the compiler need not make it.
COMPILER = "all=-dwarf=false"
# A tenth of the time goes into collecting the garbage of processes that end soon. They collect none
# while those that run at once, one for each processor, fit into half of the memory.
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
PACE = {"GOGC": "off", "GOMEMLIMIT": str(MEMORY // 2 // (os.cpu_count() or 1))}
MINIMUM_GO = "1.26"


@dataclass(frozen=True)
class Assets:
    """Files of a Go module that the cluster needs beside its programs."""

    folder: str
    module: str
    patterns: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """Programs that are built together, and what the go.mod of their folder cannot say."""

    name: str
    programs: tuple[str, ...]
    packages: tuple[str, ...] = ("tool",)
    shared: bool = False
    """Whether its go.mod is the one of all that uses the libraries of Kubernetes."""
    tags: tuple[str, ...] = ()
    stamps: tuple[str, ...] = ()
    renamed: tuple[str, str] | None = None
    assets: tuple[Assets, ...] = ()
    on_demand: bool = False
    """Built only when it is asked for by name: long, and for few tests."""

    @property
    def folder(self) -> Path:
        """Where its go.mod is."""
        return MODULES / (PLATFORM if self.shared else self.name)

    @property
    def linker_flags(self) -> str:
        """Without symbols and debugging data, with the versions that the programs are asked for."""
        return " ".join(("-s -w", *(f"-X {stamp}" for stamp in self.stamps)))


PLATFORM = "platform"
KUBERNETES = "k8s.io/component-base/version"
PROMETHEUS = "github.com/prometheus/common/version"
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
KUBERNETES_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)
OPERATOR_PROGRAMS = ("operator", "prometheus-config-reloader", "admission-webhook")

TABLE = (
    Module("pause", ("pause",), packages=(".",)),
    Module(
        "kubernetes",
        KUBERNETES_PROGRAMS,
        packages=tuple(f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES_PROGRAMS),
        shared=True,
        stamps=(
            f"{KUBERNETES}.gitVersion=v1.36.3",
            f"{KUBERNETES}.gitMajor=1",
            f"{KUBERNETES}.gitMinor=36",
            f"{KUBERNETES}.gitTreeState=clean",
        ),
    ),
    Module(
        "etcd",
        ("etcd",),
        packages=("go.etcd.io/etcd/server/v3",),
        shared=True,
        renamed=("server", "etcd"),
    ),
    Module("coredns", ("coredns",), packages=("./coredns",), shared=True),
    Module(
        "prometheus-operator",
        OPERATOR_PROGRAMS,
        packages=tuple(f"{OPERATOR}/cmd/{name}" for name in OPERATOR_PROGRAMS),
        shared=True,
        stamps=(f"{PROMETHEUS}.Version=0.93.1",),
        assets=(Assets("crds", OPERATOR, ("example/prometheus-operator-crd/*.yaml",)),),
    ),
    Module(
        "prometheus",
        ("prometheus", "promtool"),
        packages=(
            "github.com/prometheus/prometheus/cmd/prometheus",
            "github.com/prometheus/prometheus/cmd/promtool",
        ),
        shared=True,
        # Its own switches. Discovery in a dozen clouds is most of what there is to compile.
        tags=("remove_all_sd", "enable_dns_sd", "enable_kubernetes_sd"),
        stamps=(f"{PROMETHEUS}.Version=3.14.0",),
    ),
    # Apart: later ones lack the built pages in the module, and what uses them wants later ones.
    Module("alertmanager", ("alertmanager",), stamps=(f"{PROMETHEUS}.Version=0.28.1",)),
    Module(
        "kwok",
        ("kwok",),
        packages=("sigs.k8s.io/kwok/cmd/kwok",),
        shared=True,
        assets=(
            Assets(
                "stages",
                "sigs.k8s.io/kwok",
                (
                    "kustomize/stage/node/fast/node-initialize.yaml",
                    "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
                    "kustomize/stage/pod/fast/pod-*.yaml",
                ),
            ),
        ),
    ),
    Module(
        "local-path-provisioner",
        ("local-path-provisioner",),
        packages=("github.com/rancher/local-path-provisioner",),
        shared=True,
    ),
    Module("grafana-standin", ("grafana-standin",), packages=(".",)),
    Module(
        "nfs-provisioner-standin",
        ("nfs-provisioner-standin",),
        packages=("./nfs-provisioner-standin",),
        shared=True,
    ),
    Module("local-provisioner-standin", ("local-provisioner-standin",), packages=(".",)),
    Module(
        "thanos",
        ("thanos",),
        # As it builds itself: it reads labels by their layout, and dies of Prometheus' newer one.
        tags=("slicelabels",),
        stamps=(f"{PROMETHEUS}.Version=0.42.4",),
        on_demand=True,
    ),
)
OWNERS = {program: module for module in TABLE for program in module.programs}


def cache() -> Path:
    """Return the folder of everything that is made once."""
    return Path(os.environ.get("DURABLE_CLUSTER_CACHE") or REPOSITORY / ".tools" / "cluster")


@functools.cache
def go_version() -> str:
    """Return the compiler's version and target, which are part of every key."""
    try:
        told = run("go", "env", "-json", "GOVERSION", "GOOS", "GOARCH")
    except ClusterError as error:
        message = f"no Go: install Go {MINIMUM_GO} or newer and put it on the PATH ({error})"
        raise MissingRequirementError(message) from error
    return " ".join(json.loads(told).values())


def key(module: Module) -> str:
    """Return a hash of all that decides what the programs of a module are."""
    told = (module.packages, module.tags, module.linker_flags, module.renamed, module.assets)
    digest = hashlib.sha256(repr((told, SETTINGS, COMPILER, go_version())).encode())
    for path in sources(module):
        name = path.relative_to(module.folder)
        digest.update(f"\0{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def sources(module: Module) -> list[Path]:
    """Return our own files that decide what a module's programs are, in one order."""
    pinned = [each for each in module.folder.iterdir() if each.name in ("go.mod", "go.sum")]
    own = [module.folder / each for each in module.packages if each.startswith(".")]
    return sorted({*pinned, *(path for each in own for path in each.glob("*") if path.is_file())})


def home(module: Module) -> Path:
    """Return the folder that holds the module's programs once they are built."""
    return cache() / "bin" / f"{module.name}-{key(module)}"


def program(name: str) -> Path:
    """Return the path of a program that is built, or fail with what builds it."""
    path = home(OWNERS[name]) / name
    if not path.exists():
        target = f"cluster-{name}" if OWNERS[name].on_demand else "cluster-build"
        raise MissingRequirementError(f"{name} is not built: run `make {target}`")
    return path


def built(name: str) -> bool:
    """Whether a program is there."""
    return (home(OWNERS[name]) / name).exists()


def assets(module_name: str, folder: str) -> Path:
    """Return the folder of a module's data files."""
    (module,) = (each for each in TABLE if each.name == module_name)
    path = home(module) / folder
    if not path.exists():
        raise MissingRequirementError(f"{path} is missing: run `make cluster-build`")
    return path


def build_all(*names: str) -> None:
    """Build what is not built yet, one module at a time: each build uses every core.

    Modules on demand are built where they are named.
    """
    wanted = [module for module in TABLE if not module.on_demand or module.name in names]
    if all(home(module).exists() for module in wanted):
        return
    with lock(cache() / "build.lock"):
        for module in wanted:
            if not home(module).exists():
                build(module)


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let one process in at a time; the kernel releases the lock of one that dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(module: Module) -> None:
    """Build a module into a folder that gets its name once everything is in it."""
    started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    log.info("%s: building %s", module.name, ", ".join(module.programs))
    target = home(module)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".building-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir(mode=0o755)
        compile_programs(module, made)
        for each in module.assets:
            copy_assets(module, each, made / each.folder)
        remove_older(module)
        made.rename(target)
    log.info("%s: built in %.0f s%s", module.name, time.monotonic() - started, processors(before))


def processors(before: resource.struct_rusage) -> str:
    """Return how long the processors were at work since, which no neighbour makes longer."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
    return f" ({used:.0f} s of all processors)"


def compile_programs(module: Module, target: Path) -> None:
    """Compile and link; the only step that takes long."""
    run(
        *("nice", "-n", "10", "go", "build", "-tags", ",".join(module.tags)),
        *("-gcflags", COMPILER, "-ldflags", module.linker_flags),
        *("-o", f"{target}/", *module.packages),
        cwd=module.folder,
        env={**os.environ, **PACE, **SETTINGS},
        timeout=BUILD_TIMEOUT,
    )
    if module.renamed:
        built, wanted = module.renamed
        (target / built).rename(target / wanted)
    missing = [name for name in module.programs if not (target / name).exists()]
    if missing:
        raise ClusterError(f"{module.folder}/go.mod does not build {', '.join(missing)}")


def copy_assets(module: Module, wanted: Assets, target: Path) -> None:
    """Copy data files out of the module cache, which somebody may empty."""
    told = run(
        *("go", "list", "-m", "-f", "{{.Dir}}", wanted.module),
        cwd=module.folder,
        env={**os.environ, **SETTINGS, "GOFLAGS": "-mod=readonly"},
    )
    source = Path(told.strip())
    target.mkdir()
    for pattern in wanted.patterns:
        found = sorted(source.glob(pattern))
        if not found:
            raise ClusterError(f"{wanted.module} has no {pattern}")
        for path in found:
            shutil.copyfile(path, target / path.name)


def remove_older(module: Module) -> None:
    """Remove what earlier versions of the module left."""
    for path in outdated(home(module).parent, module.name):
        shutil.rmtree(path)


def outdated(folder: Path, name: str, suffix: str = "") -> list[Path]:
    """Return what other keys left a while ago; what is newer may be of another checkout in use."""
    since = time.time() - KEEP_SECONDS
    found = folder.glob(f"{name}-{'[0-9a-f]' * 16}{suffix}")
    return [path for path in found if path.stat().st_mtime < since]

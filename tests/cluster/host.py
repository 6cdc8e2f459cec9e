"""What the machine must have, and the Debian packages that it gets when they are missing."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import struct
from pathlib import Path

from tests.cluster.commands import CommandError, run
from tests.cluster.errors import MissingRequirementError

log = logging.getLogger(__name__)

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "memory", "devices", "freezer", "pids")
CNI_PLUGINS = Path("/usr/lib/cni")
APT_TIMEOUT = 900
APT_PATIENCE = ("--option=DPkg::Lock::Timeout=300", "--option=Acquire::Retries=3")
ELF_INTERPRETER = 3
# What one of its files or programs shows to be there -> the package that brings it.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    str(CNI_PLUGINS / "bridge"): "containernetworking-plugins",
    "busybox": "busybox-static",
    "iptables": "iptables",
    "ip": "iproute2",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.xfs": "xfsprogs",
    "openssl": "openssl",
    "sysctl": "procps",
    "unshare": "util-linux",
    "mount": "mount",
}


def prepare() -> None:
    """Install the missing packages; fail with a clear message where the cluster cannot run."""
    check_system()
    install_packages()
    check_busybox()
    check_namespaces()


def check_system() -> None:
    """Only Linux, only root, and only with the control groups that the kubelet asks for."""
    if platform.system() != "Linux":
        raise MissingRequirementError(
            f"the cluster needs Linux, this is {platform.system()}: set E2E_KUBECONFIG to a cluster"
        )
    if os.geteuid() != 0:
        raise MissingRequirementError(
            "the cluster needs root (containerd, mounts, network): "
            "run it as root, or set E2E_KUBECONFIG to a cluster"
        )
    if unified_cgroups():
        return
    missing = [each for each in CONTROLLERS if not (CGROUPS / each).is_dir()]
    if missing:
        raise MissingRequirementError(
            f"{CGROUPS} has no control group hierarchy for {', '.join(missing)}: mount them "
            "(or cgroup2), or set E2E_KUBECONFIG to a cluster"
        )


def unified_cgroups() -> bool:
    """Tell cgroup v2 from v1."""
    return (CGROUPS / "cgroup.controllers").exists()


def missing_packages() -> list[str]:
    """Return the packages whose programs are not there."""
    return [package for wanted, package in PACKAGES.items() if not shutil.which(wanted)]


def install_packages() -> None:
    """Install what is missing with apt, and say so."""
    missing = missing_packages()
    if not missing:
        return
    words = " ".join(missing)
    if not shutil.which("apt-get"):
        raise MissingRequirementError(
            f"the cluster needs what Debian calls {words}, and there is no apt-get here: "
            "install them by hand, or set E2E_KUBECONFIG to a cluster"
        )
    log.info("installing the Debian packages %s", words)
    # On a fresh machine the daily update may hold the lock.
    apt = ("apt-get", "--yes", "--no-install-recommends", "--quiet", *APT_PATIENCE)
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(*apt, "update", env=env, timeout=APT_TIMEOUT)
        run(*apt, "install", *missing, env=env, timeout=APT_TIMEOUT)
    except CommandError as error:
        raise MissingRequirementError(f"cannot install {words}: {error}") from error
    if left := missing_packages():
        raise MissingRequirementError(
            f"{' '.join(left)}: installed, but the programs are not on the PATH "
            f"({os.environ.get('PATH')})"
        )


def check_busybox() -> None:
    """Make sure that busybox runs alone in an image: Debian has a dynamic one too."""
    if needs_loader(busybox().read_bytes()):
        raise MissingRequirementError(
            f"{busybox()} needs shared libraries: apt-get install busybox-static"
        )


def needs_loader(program: bytes) -> bool:
    """Whether an ELF program of 64 bits names a loader, so is not complete in itself."""
    (start,) = struct.unpack_from("<Q", program, 32)
    size, count = struct.unpack_from("<HH", program, 54)
    types = (struct.unpack_from("<I", program, start + size * each)[0] for each in range(count))
    return ELF_INTERPRETER in types


def busybox() -> Path:
    """Return the static busybox."""
    found = shutil.which("busybox")
    if not found:
        raise MissingRequirementError("no busybox: apt-get install busybox-static")
    return Path(found)


def check_namespaces() -> None:
    """Make sure that this root may make namespaces and mounts: root of a container may not."""
    try:
        run(
            *("unshare", "--net", "--pid", "--mount", "--propagation", "slave", "--fork"),
            *("--mount-proc", "mount", "-t", "tmpfs", "tmpfs", "/run"),
        )
    except CommandError as error:
        raise MissingRequirementError(
            f"the cluster needs its own namespaces and mounts, which are not allowed here: {error}"
        ) from error

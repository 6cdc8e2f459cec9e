"""Where a running cluster keeps its files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cgroups, network, programs


@dataclass(frozen=True)
class Layout:
    """The folders of one cluster; all but the logs are removed with it."""

    root: Path
    logs: Path

    @staticmethod
    def default() -> Layout:
        """Return the layout of this checkout's cluster."""
        return Layout(programs.cache() / "run", programs.cache() / "logs")

    @property
    def mark(self) -> str:
        """What the cluster's names on the machine end with: no other layout's do."""
        return hashlib.sha256(str(self.root).encode()).hexdigest()[:8]

    @property
    def link(self) -> str:
        """The machine's interface to the cluster."""
        return f"{network.LINK}{self.mark}"

    @property
    def group(self) -> str:
        """The control group that holds the cluster's pods."""
        return f"{cgroups.NAME}-{self.mark}"

    @property
    def lock(self) -> Path:
        """Held while the cluster is brought up, and while what it consists of changes."""
        return self.root.with_suffix(".lock")

    @property
    def images_lock(self) -> Path:
        """Held while images are made known to the node."""
        return self.root.with_suffix(".images.lock")

    @property
    def state(self) -> Path:
        """Which processes the cluster consists of."""
        return self.root / "state.json"

    @property
    def kubeconfig(self) -> Path:
        """The cluster administrator's access."""
        return self.root / "kubeconfig"

    @property
    def access(self) -> dict[str, str]:
        """The environment in which kubectl and Helm use this cluster, with a cache of its own."""
        own = {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.root / "kubectl-cache")}
        return {**os.environ, **own}

    @property
    def keys(self) -> Path:
        """Keys, certificates and tokens."""
        return self.root / "keys"

    @property
    def etcd(self) -> Path:
        """What the API server stores."""
        return self.root / "etcd"

    @property
    def node(self) -> Path:
        """What the node keeps through a restart, below the path at which the node sees it."""
        return self.root / "node"

    @property
    def settings(self) -> Path:
        """The settings files of the node's programs."""
        return self.root / "settings"

    @property
    def disks(self) -> Path:
        """The node's disks, which tests look into."""
        return self.root / "disks"

    @property
    def disk_images(self) -> Path:
        """The files that hold the disks which are file systems of their own."""
        return self.root / "disk-images"

    def make(self) -> None:
        """Make the folders of a new cluster and empty the logs of the last one."""
        kept = (self.keys, self.etcd, self.node, self.settings, self.disks, self.disk_images)
        for folder in kept:
            folder.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        for old in self.logs.glob("*.log"):
            old.unlink()

    def log(self, name: str) -> Path:
        """Return the file that a program writes its messages to."""
        return self.logs / f"{name}.log"

    def tail(self, name: str, lines: int = 15) -> str:
        """Return the end of a program's log."""
        path = self.log(name)
        text = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(f"{name}: {line}" for line in text[-lines:])

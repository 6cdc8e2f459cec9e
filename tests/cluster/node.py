"""The real node: containerd, kubelet and kube-proxy, and the file system that they see.

The node has the machine's root file system, except for the folders where its programs keep things,
which are its own. Its /run is empty after each start and its boot id is new, as after a reboot.
"""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from tests.cluster.control_plane import DOMAIN, Component
from tests.cluster.host import CNI_PLUGINS
from tests.cluster.layout import Layout
from tests.cluster.namespaces import Process
from tests.cluster.network import BRIDGE, FIRST_POD, GATEWAY, LAST_POD, PODS
from tests.cluster.programs import program

NAME = "node-a"
PROGRAMS = frozenset({"containerd", "kubelet", "kube-proxy"})
SOCKET = "/run/containerd/containerd.sock"
BOOT_ID = "/proc/sys/kernel/random/boot_id"
# Kept through a restart of the node; the machine's own are untouched.
FOLDERS = (
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/lib/cni",
    "/var/log/pods",
    "/var/log/containers",
    "/opt/containerd",
    "/usr/libexec/kubernetes",
)
# What the kubelet wants to set for the whole kernel: it finds its wishes and sets nothing.
KERNEL = {
    "/proc/sys/vm/overcommit_memory": "1",
    "/proc/sys/vm/panic_on_oom": "0",
    "/proc/sys/kernel/panic": "10",
    "/proc/sys/kernel/panic_on_oops": "1",
    "/proc/sys/kernel/keys/root_maxkeys": "1000000",
    "/proc/sys/kernel/keys/root_maxbytes": "25000000",
}


def furnish(process: Process, layout: Layout) -> str:
    """Give the new node its own folders and settings; return its boot id."""
    boot_id = str(uuid.uuid4())
    process.run("mount", "--make-rshared", "/")
    process.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    for folder in FOLDERS:
        own = inside(layout, folder)
        own.mkdir(parents=True, exist_ok=True)
        process.run("mount", "--bind", own, folder)
    for path, value in {**KERNEL, BOOT_ID: boot_id}.items():
        if not Path(path).exists():
            continue
        file = layout.settings / path.strip("/").replace("/", ".")
        file.write_text(f"{value}\n")
        process.run("mount", "--bind", file, path)
    return boot_id


def inside(layout: Layout, path: str) -> Path:
    """Return where the machine keeps what the node sees at a path of `FOLDERS`."""
    return layout.node / path.lstrip("/")


def write_settings(layout: Layout, pause_image: str) -> None:
    """Write what containerd, kubelet and kube-proxy read."""
    network = layout.settings / "cni"
    network.mkdir(exist_ok=True)
    (network / "10-pods.conflist").write_text(json.dumps(pod_network()))
    (layout.settings / "containerd.toml").write_text(containerd_settings(network, pause_image))
    for name, settings in (
        ("kubelet", kubelet_settings(layout)),
        ("kube-proxy", kube_proxy_settings(layout)),
    ):
        (layout.settings / f"{name}.json").write_text(json.dumps(settings, indent=2))


def pod_network() -> dict[str, Any]:
    """Return the network that containerd gives to pods: our bridge, addresses by host-local."""
    addresses = {"subnet": PODS, "rangeStart": FIRST_POD, "rangeEnd": LAST_POD, "gateway": GATEWAY}
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[addresses]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}


def containerd_settings(network: Path, pause_image: str) -> str:
    """Return containerd's settings."""
    runc = shutil.which("runc")
    return f"""\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image}"
  # Lowering oom_score_adj needs CAP_SYS_RESOURCE, and without it runc dies.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI_PLUGINS}"
    conf_dir = "{network}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "{runc}"
      SystemdCgroup = false
"""


def kubelet_settings(layout: Layout) -> dict[str, Any]:
    """Return the kubelet's settings: everyone who reaches it may use it, its network is our own."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "0.0.0.0",  # noqa: S104 - of a network namespace of its own
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{layout.group}",
        "clusterDNS": [GATEWAY],
        "clusterDomain": DOMAIN,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "enforceNodeAllocatable": [],
        "evictionHard": {},
        "failCgroupV1": False,
        "failSwapOn": False,
        # A full disk of this machine is no reason to remove images that no registry gives back.
        "imageGCHighThresholdPercent": 100,
        "resolvConf": "",
        "volumeStatsAggPeriod": "10s",
    }


def kube_proxy_settings(layout: Layout) -> dict[str, Any]:
    """Return kube-proxy's settings; connection tracking is the machine's and left alone."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(layout.kubeconfig)},
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "hostnameOverride": NAME,
        # Its own default is 127.0.0.1, where no pod can ask.
        "metricsBindAddress": f"{GATEWAY}:10249",
        "mode": "iptables",
    }


def containerd(layout: Layout) -> Component:
    """The container runtime."""
    settings = layout.settings / "containerd.toml"
    return Component("containerd", ("containerd", f"--config={settings}", "--log-level=warn"))


def agents(layout: Layout) -> tuple[Component, ...]:
    """The kubelet and kube-proxy, which start once the API server answers."""
    kubelet = (
        str(program("kubelet")),
        f"--config={layout.settings / 'kubelet.json'}",
        f"--kubeconfig={layout.kubeconfig}",
        f"--hostname-override={NAME}",
        # The gateway: a loopback address is refused for a node.
        f"--node-ip={GATEWAY}",
    )
    kube_proxy = (
        str(program("kube-proxy")),
        f"--config={layout.settings / 'kube-proxy.json'}",
    )
    return (Component("kubelet", kubelet), Component("kube-proxy", kube_proxy))

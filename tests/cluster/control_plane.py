"""etcd, API server, controllers and cluster DNS: keys, access and command lines."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from tests.cluster.commands import run
from tests.cluster.layout import Layout
from tests.cluster.network import GATEWAY, SERVICES
from tests.cluster.programs import assets, program

API_SERVER = f"https://{GATEWAY}:6443"
ETCD = "http://127.0.0.1:2379"
ISSUER = "https://kubernetes.default.svc"
DOMAIN = "cluster.local"
FAKE = "kwok.x-k8s.io/node"


@dataclass(frozen=True)
class Component:
    """A program of the cluster and how it is started."""

    name: str
    argv: tuple[str, ...]


def write_keys(layout: Layout) -> None:
    """Write the key of the service account tokens and the administrator's token."""
    keys = layout.keys
    run("openssl", "genrsa", "-out", keys / "accounts.key", "2048")
    run("openssl", "rsa", "-in", keys / "accounts.key", "-pubout", "-out", keys / "accounts.pub")
    token = secrets.token_hex(16)
    (keys / "tokens.csv").write_text(f'{token},admin,admin,"system:masters"\n')
    layout.kubeconfig.touch(mode=0o600)
    layout.kubeconfig.write_text(kubeconfig(layout, token))


def kubeconfig(layout: Layout, token: str) -> str:
    """Return the administrator's access; JSON is YAML too."""
    cluster = {
        "server": API_SERVER,
        "certificate-authority": str(layout.keys / "apiserver.crt"),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "durable",
            "clusters": [{"name": "durable", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "durable", "context": {"cluster": "durable", "user": "admin"}}],
        },
        indent=2,
    )


def etcd(layout: Layout) -> Component:
    """A single member; it need not outlive the machine, so nothing waits for the disk."""
    return Component(
        "etcd",
        (
            str(program("etcd")),
            f"--data-dir={layout.etcd}",
            "--unsafe-no-fsync",
            f"--listen-client-urls={ETCD}",
            f"--advertise-client-urls={ETCD}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            f"--listen-metrics-urls=http://127.0.0.1:2381,http://{GATEWAY}:2381",
        ),
    )


def api_server(layout: Layout) -> Component:
    """The API server; pods reach it at the first service address, as everywhere."""
    keys = layout.keys
    return Component(
        "kube-apiserver",
        (
            str(program("kube-apiserver")),
            f"--etcd-servers={ETCD}",
            "--bind-address=0.0.0.0",
            f"--advertise-address={GATEWAY}",
            "--secure-port=6443",
            # It makes its own certificate there, for the advertised address and the service's.
            f"--cert-dir={keys}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={keys / 'accounts.pub'}",
            f"--service-account-signing-key-file={keys / 'accounts.key'}",
            f"--token-auth-file={keys / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
        ),
    )


def controllers(layout: Layout) -> tuple[Component, ...]:
    """The controller manager and the scheduler, alone, so without an election."""
    # The last two: they ask the API server who may read their metrics.
    access = (
        f"--kubeconfig={layout.kubeconfig}",
        "--leader-elect=false",
        f"--authentication-kubeconfig={layout.kubeconfig}",
        f"--authorization-kubeconfig={layout.kubeconfig}",
    )
    manager = (
        str(program("kube-controller-manager")),
        *access,
        f"--service-account-private-key-file={layout.keys / 'accounts.key'}",
        f"--root-ca-file={layout.keys / 'apiserver.crt'}",
        "--use-service-account-credentials=true",
        # It makes this folder; by itself it would do so on the machine.
        f"--flex-volume-plugin-dir={layout.node / 'flex-volume-plugins'}",
    )
    return (
        Component("kube-controller-manager", manager),
        Component("kube-scheduler", (str(program("kube-scheduler")), *access)),
    )


def dns(layout: Layout) -> Component:
    """CoreDNS, at the gateway's address; it answers for the cluster's own names only."""
    settings = layout.settings / "Corefile"
    settings.write_text(f"""\
. {{
    bind {GATEWAY}
    errors
    cache 5
    kubernetes {DOMAIN} {{
        kubeconfig {layout.kubeconfig}
        ttl 5
    }}
}}
""")
    return Component("coredns", (str(program("coredns")), f"-conf={settings}"))


def fake_nodes(layout: Layout) -> Component:
    """kwok, which plays the kubelet of every node that has its annotation."""
    stages = [f"--config={path}" for path in sorted(assets("kwok", "stages").iterdir())]
    return Component(
        "kwok",
        (
            str(program("kwok")),
            f"--kubeconfig={layout.kubeconfig}",
            f"--manage-nodes-with-annotation-selector={FAKE}=fake",
            "--server-address=127.0.0.1:10247",
            *stages,
        ),
    )


def fake_node(name: str, labels: dict[str, str], taint: str = "") -> dict[str, Any]:
    """Return a node that kwok plays; with a taint only pods that tolerate it are put there."""
    room = {"cpu": "8", "memory": "32Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {FAKE: "fake"},
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "type": "kwok",
                **labels,
            },
        },
        "spec": {"taints": [{"key": taint, "effect": "NoSchedule"}]} if taint else {},
        "status": {"allocatable": room, "capacity": room},
    }

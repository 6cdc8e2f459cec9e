"""The cluster's network: a bridge in a namespace, reached from the machine over one veth pair.

The machine's end has an address in the pods' network, so that tests and Helm reach pods, services
and the API server directly. It is all that the machine's own network sees, and it goes away with
the namespace. Its name is that of one layout: who removes it by name removes no other cluster's.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from typing import Any

from tests.cluster.commands import CommandError, run
from tests.cluster.errors import ClusterError, MissingRequirementError, TimedOutError
from tests.cluster.namespaces import Process
from tests.cluster.poll import wait_until

# What the names of the interfaces begin with; the kernel allows 15 characters.
LINK = "durable"
BRIDGE = "pods0"
# Without one of its own it takes that of a pod, and with each pod the machine may lose its way.
BRIDGE_ADDRESS = "02:00:0a:bc:00:01"
PODS = "10.188.0.0/16"
SERVICES = "10.189.0.0/16"
GATEWAY = "10.188.0.1"
MACHINE = "10.188.255.254"
FIRST_POD, LAST_POD = "10.188.1.0", "10.188.200.255"
REMOVE_TIMEOUT = 60
# How long the interface of a cluster that has just died may still be there.
LINGER_TIMEOUT = 10
# In the namespace only. Pods of one node reach each other's services through the bridge's hook.
SETTINGS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.bridge.bridge-nf-call-iptables": "1",
}


def links() -> list[str]:
    """Return the interfaces to clusters: those that run, and those that have just died."""
    return [name for each in ip("link", "show") if (name := str(each["ifname"])).startswith(LINK)]


def ip(*words: str) -> list[dict[str, Any]]:
    """Ask `ip` about the machine's network."""
    told: list[dict[str, Any]] = json.loads(run("ip", "-json", *words) or "[]")
    return told


def check_free() -> None:
    """Fail where the machine's routes use the cluster's addresses already."""
    ours = [ipaddress.ip_network(each) for each in (PODS, SERVICES)]
    for route in ip("-4", "route", "show"):
        if route["dst"] == "default":
            continue
        taken = ipaddress.ip_network(route["dst"])
        if any(taken.overlaps(each) for each in ours):
            raise MissingRequirementError(
                f"the machine has a route to {taken} (device {route.get('dev')}), "
                f"and the cluster needs {PODS} and {SERVICES}"
            )


def check_alone(link: str) -> None:
    """Fail where another cluster than the one of this interface runs: the addresses are the same.

    The kernel frees the network of a dead one a little later, so that is waited for.
    """

    def others() -> list[str]:
        return [each for each in links() if each != link]

    with contextlib.suppress(TimedOutError):
        wait_until("no other cluster is there", lambda: not others(), LINGER_TIMEOUT)
    if left := others():
        raise ClusterError(f"another cluster runs on this machine: it has the interface {left[0]}")


def make(machine: Process, link: str) -> None:
    """Connect the namespace of process `machine` with the machine, over an interface `link`."""
    check_free()
    for name, value in SETTINGS.items():
        machine.run("sysctl", "--quiet", "--write", f"{name}={value}")
    for words in (
        ("link", "set", "lo", "up"),
        ("link", "add", BRIDGE, "address", BRIDGE_ADDRESS, "type", "bridge"),
        ("address", "add", f"{GATEWAY}/16", "dev", BRIDGE),
        ("link", "set", BRIDGE, "up"),
    ):
        machine.run("ip", *words)
    run("ip", "link", "add", link, "type", "veth", "peer", "eth0", "netns", str(machine.pid))
    machine.run("ip", "link", "set", "eth0", "master", BRIDGE, "up")
    run("ip", "address", "add", f"{MACHINE}/16", "dev", link)
    run("ip", "link", "set", link, "up")
    run("ip", "route", "add", SERVICES, "via", GATEWAY, "dev", link)


def remove(link: str) -> None:
    """Remove the machine's end; the kernel frees the other with the namespace, a little later."""

    def gone() -> bool:
        # The kernel may be quicker than we are, where the namespace has just died.
        with contextlib.suppress(CommandError):
            run("ip", "link", "delete", link)
        return link not in links()

    wait_until(f"interface {link} is gone", gone, REMOVE_TIMEOUT)

"""What a test works with: one cluster, ours on this machine or the one of $E2E_KUBECONFIG."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster import mounts, programs, provisioner
from tests.cluster.api import Api
from tests.cluster.commands import CommandError, run
from tests.cluster.errors import CannotBeDoneHereError, ClusterError, MissingRequirementError
from tests.cluster.layout import Layout
from tests.cluster.machine import Machine
from tests.cluster.network import GATEWAY
from tests.cluster.node import NAME
from tests.cluster.poll import wait_until
from tests.cluster.state import this_process

T = TypeVar("T")
Object = dict[str, Any]

# A deadline is only met by what has failed: a slow machine gets all the time it may need.
WAIT_TIMEOUT = 120
KUBECTL_TIMEOUT = 120
CRD_TIMEOUT = 90
API_INTERVAL = 0.3
HTTP_TIMEOUT = 10
FOREIGN = "E2E_KUBECONFIG"
# Set for the processes of one run of tests, whose first process has the cluster.
SHARED_BY_RUN = "DURABLE_CLUSTER_SHARED"
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
EVENT_COLUMNS = (
    "custom-columns=TIME:.lastTimestamp,OBJECT:.involvedObject.name,REASON:.reason,MESSAGE:.message"
)


@dataclass(frozen=True)
class Response:
    """What an HTTP server answered."""

    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as a document."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Endpoint:
    """A port of a pod."""

    name: str
    namespace: str
    port: int


@dataclass(frozen=True)
class Cluster:
    """A cluster to test on. What only our own can do raises `CannotBeDoneHereError` elsewhere."""

    kubeconfig: Path
    kubectl_program: Path
    node_name: str
    machine: Machine | None = None
    api: Api | None = None

    @staticmethod
    def local(layout: Layout) -> Cluster:
        """Return the cluster that runs on this machine."""
        machine = Machine(layout)
        if not machine.running:
            raise ClusterError("no cluster is up: run `make cluster-up`")
        kubectl, api = programs.program("kubectl"), Api.of(layout.kubeconfig)
        return Cluster(layout.kubeconfig, kubectl, NAME, machine, api)

    @staticmethod
    def foreign(kubeconfig: Path) -> Cluster:
        """Return somebody else's cluster; the node is the first that takes pods."""
        if not kubeconfig.is_file():
            raise MissingRequirementError(f"{FOREIGN}={kubeconfig}: there is no such file")
        installed = shutil.which("kubectl")
        kubectl = Path(installed) if installed else programs.program("kubectl")
        nodes = Cluster(kubeconfig, kubectl, "").objects("nodes")
        free = [each for each in nodes if not each["spec"].get("taints")]
        if not free:
            raise MissingRequirementError(f"{FOREIGN}={kubeconfig}: no node takes pods")
        return Cluster(kubeconfig, kubectl, free[0]["metadata"]["labels"]["kubernetes.io/hostname"])

    @property
    def ends_with_run(self) -> bool:
        """Whether this run of tests takes it down at its end: what is on it then goes with it."""
        mine = self.machine and self.machine.state.owner == this_process()
        return bool(mine or os.environ.get(SHARED_BY_RUN))

    @property
    def env(self) -> dict[str, str]:
        """The environment in which kubectl, Helm and our own tool use this cluster."""
        if self.machine:
            return self.machine.layout.access
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    @property
    def node_address(self) -> str:
        """The address of the node, at which its NodePorts answer; only our own is reached."""
        self._own("reach a node")
        return GATEWAY

    def kubectl(
        self, *args: str, stdin: str | None = None, timeout: float = KUBECTL_TIMEOUT
    ) -> str:
        """Run kubectl and return what it printed; `CommandError` has what the API server said."""
        return run(self.kubectl_program, *args, stdin=stdin, timeout=timeout, env=self.env)

    def get(self, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Return an object, or nothing where there is none of that name."""
        if self.api:
            return self.api.get(kind, name, namespace)
        told = self.kubectl(
            *("get", kind, name, "--ignore-not-found", "--output=json"), *within(namespace)
        )
        found: Object | None = json.loads(told) if told else None
        return found

    def objects(self, kind: str, namespace: str | None = None, selector: str = "") -> list[Object]:
        """Return the objects of a kind; without a namespace those of all namespaces."""
        if self.api:
            return self.api.objects(kind, namespace, selector)
        where = within(namespace) or ["--all-namespaces"]
        told = self.kubectl("get", kind, f"--selector={selector}", "--output=json", *where)
        items: list[Object] = json.loads(told)["items"]
        return items

    def apply(self, text: str, *args: str) -> str:
        """Apply manifests on the server's side; a field that the API does not know is an error."""
        return self.kubectl(
            *("apply", "--server-side", "--force-conflicts", "--validate=strict", "-f", "-", *args),
            stdin=text,
        )

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete an object and wait until it is gone; one that is not there is fine."""
        self.kubectl("delete", kind, name, "--ignore-not-found", *within(namespace))

    def remove_namespace(self, name: str, timeout: float) -> None:
        """Delete a namespace with all that is in it, and wait until it is gone.

        First what runs there: while a namespace has pods, its controller looks again only after
        half of their grace (Kubernetes' pkg/controller/namespace/deletion).
        """
        if self.get("namespace", name):
            kinds = "daemonsets,deployments,statefulsets,pods"
            self.kubectl("delete", kinds, "--all", *within(name), timeout=timeout)
        self.kubectl("delete", "namespace", name, "--ignore-not-found", timeout=timeout)

    def wait(
        self,
        description: str,
        predicate: Callable[[], T | None],
        timeout: float = WAIT_TIMEOUT,
        namespace: str | None = None,
    ) -> T:
        """Wait until the predicate holds; a failure shows pods, events and logs (of a namespace).

        An error of kubectl, or no answer of a pod, counts as `not yet`: objects and servers come
        and go while something is under way.
        """
        refused: list[str] = []

        def checked() -> T | None:
            try:
                return predicate()
            except CannotBeDoneHereError:
                raise
            except ClusterError as error:
                refused.append(str(error))
                return None

        def explain() -> str:
            return "\n".join([*refused[-1:], self.describe(namespace)])

        return wait_until(description, checked, timeout, interval=API_INTERVAL, explain=explain)

    def wait_for_pod(self, name: str, namespace: str, timeout: float = WAIT_TIMEOUT) -> Object:
        """Wait until a pod is Ready, and return it."""

        def ready() -> Object | None:
            pod = self.get("pod", name, namespace)
            return pod if pod and is_true(pod, "Ready") else None

        return self.wait(f"pod {namespace}/{name} is Ready", ready, timeout, namespace)

    def logs(self, pod: str, namespace: str, container: str = "", *, previous: bool = False) -> str:
        """Return what a container wrote."""
        which = [f"--container={container}"] if container else ["--all-containers"]
        return self.kubectl(
            "logs", pod, *within(namespace), *which, *(["--previous"] if previous else [])
        )

    def exec(self, pod: str, namespace: str, *argv: str, container: str = "") -> str:
        """Run a program in a container and return its output."""
        which = [f"--container={container}"] if container else []
        return self.kubectl("exec", pod, *within(namespace), *which, "--", *argv)

    def describe(self, namespace: str | None = None) -> str:
        """Return what helps to see why something did not happen."""
        where = within(namespace) or ["--all-namespaces"]
        parts = [
            self._told(
                "get", "pods,persistentvolumeclaims,persistentvolumes", "--output=wide", *where
            ),
            self._told(
                "get", "events", "--sort-by=.lastTimestamp", f"--output={EVENT_COLUMNS}", *where
            ),
            *self._logs_of_troubled(namespace),
        ]
        return "\n\n".join(part.strip() for part in parts)

    @contextmanager
    def address(self, pod: Endpoint) -> Iterator[str]:
        """Give `host:port` at which a pod answers: its own address, or a forwarded port."""
        found = self.get("pod", pod.name, pod.namespace)
        own = found and found["status"].get("podIP")
        if not own:
            missing = "it has no address yet" if found else "there is none of that name"
            raise ClusterError(f"pod {pod.namespace}/{pod.name}: {missing}")
        if self.machine:
            yield f"{own}:{pod.port}"
            return
        with self._forwarded(pod) as port:
            yield f"127.0.0.1:{port}"

    @contextmanager
    def _forwarded(self, pod: Endpoint) -> Iterator[str]:
        argv = (self.kubectl_program, "port-forward", f"pod/{pod.name}", f":{pod.port}")
        with subprocess.Popen(
            [*argv, *within(pod.namespace)],
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as forwarder:
            try:
                said = forwarder.stdout.readline() if forwarder.stdout else ""
                match = FORWARDING.search(said)
                if not match:
                    raise ClusterError(f"{pod} is not forwarded: {said}")
                yield match.group(1)
            finally:
                forwarder.terminate()

    def http(
        self,
        pod: Endpoint,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Ask a pod over HTTP: GET, or POST where there is a body. An error status is an answer."""
        with self.address(pod) as where:
            return http(f"http://{where}{path}", body, headers or {})

    def install_crds(self) -> None:
        """Apply the operator's own resource definitions and wait until they are served."""
        folder = programs.assets("prometheus-operator", "crds")
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(folder))
        self.kubectl(
            *("wait", "--for=condition=Established", f"--timeout={CRD_TIMEOUT}s", "-f", str(folder))
        )

    def load_images(self, mapping: Mapping[str, str]) -> None:
        """Make images known under the given names (name -> recipe of `recipes`).

        Elsewhere the nodes pull what the names say, so there is nothing to do.
        """
        if self.machine:
            self.machine.load_images(mapping)

    def disk(self, name: str, size: str = "") -> Path:
        """Make a fresh folder on the node; with a size (`64M`) an ext4 file system of its own.

        The name may be a path below a folder that was made so before.
        """
        layout = self._own("make a disk").layout
        folder = layout.disks / name
        if size:
            mounts.make_disk(layout.disk_images / name.replace("/", "-"), folder, size)
        else:
            folder.mkdir()
        return folder

    def restart_node(self) -> None:
        """Kill kubelet, containerd and all containers at once; start them and wait for Ready."""
        self._own("restart the node").restart_node()

    def kill_container(self, pod: str, namespace: str, container: str) -> None:
        """Send SIGKILL to the container's first process."""
        machine = self._own("kill a container's process")
        found = self.get("pod", pod, namespace) or {"status": {}}
        for status in found["status"].get("containerStatuses", []):
            if status["name"] == container:
                identity = status["containerID"].rpartition("/")[2]
                machine.ctr("tasks", "kill", "--signal=SIGKILL", identity)
                return
        raise ClusterError(f"no container {container} in pod {namespace}/{pod}")

    def add_fake_nodes(
        self, names: Sequence[str], labels: Mapping[str, str] | None = None, taint: str = ""
    ) -> None:
        """Add nodes that exist for the scheduler only: pods there are `Running` and do nothing."""
        self._own("add fake nodes").add_fake_nodes([*names], {**(labels or {})}, taint)

    def add_provisioner(self) -> str:
        """Start a provisioner; return the name by which a StorageClass asks for it."""
        self._own("add a provisioner").add_provisioner()
        return provisioner.NAME

    def _own(self, action: str) -> Machine:
        if not self.machine:
            raise CannotBeDoneHereError(
                f"the cluster of {FOREIGN} is not ours: cannot {action} here"
            )
        return self.machine

    def _told(self, *args: str) -> str:
        try:
            return self.kubectl(*args)
        except CommandError as error:
            return str(error)

    def _logs_of_troubled(self, namespace: str | None) -> list[str]:
        try:
            pods = self.objects("pods", namespace)
        except ClusterError:
            return []
        logs = []
        for pod in pods:
            if restarts(pod) or not is_true(pod, "Ready"):
                logs.append(self._log(pod))
            if restarts(pod):
                logs.append(self._log(pod, "--previous"))
        return logs

    def _log(self, pod: Object, *options: str) -> str:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        told = self._told(
            *("logs", name, *within(namespace), *options),
            *("--all-containers", "--prefix", "--tail=15", "--ignore-errors"),
        )
        return f"{' '.join(('log of', name, *options))}:\n{told}"


def within(namespace: str | None) -> list[str]:
    """Return kubectl's arguments for a namespace."""
    return [f"--namespace={namespace}"] if namespace else []


def is_true(found: Object, condition: str) -> bool:
    """Whether an object's status says that a condition holds."""
    conditions = found.get("status", {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)


def restarts(pod: Object) -> int:
    """Return how often the kubelet started a container of the pod again."""
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", []))


def http(url: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
    """Ask an HTTP server; no answer at all is a `ClusterError`."""
    request = urllib.request.Request(url, data=body, headers=dict(headers))  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=HTTP_TIMEOUT) as answer:  # noqa: S310
            return Response(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.read())
    except (OSError, HTTPException) as error:
        raise ClusterError(f"{url}: {error}") from error

"""Local volumes by discovery: what the chart renders, with Helm 3 and Helm 4."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.local_provisioner import CONTAINER, DISKS, POD, REFUSED, VALUES, Value, on
from tests.rendering import ALONE, EACH_MAJOR, Settings, at, refused, render, rendered

DEVICES = {"name": "raw", "hostDir": "/data/raw", "volumeMode": "Block"}
FORMATTED = {"name": "formatted", "hostDir": "/data/devices", "fsType": "ext4"}
EMPTIED = {**DISKS, "reclaimPolicy": "Delete"}
DELETE = {"reclaimPolicy": "Delete"}
NAME = "kps-local-provisioner"
CLUSTERED = ("ClusterRole", "ClusterRoleBinding", "StorageClass")
SELECTOR = {
    "app.kubernetes.io/name": "durable-prometheus-stack",
    "app.kubernetes.io/instance": "kps",
    "app.kubernetes.io/component": "local-provisioner",
}
OURS = {
    *("ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "NetworkPolicy"),
    *("ServiceAccount", "StorageClass"),
}


def _render(major: int, settings: Settings, **where: str) -> dict[str, list[Any]]:
    return rendered(major, {**ALONE, **settings}, **where)


def _one(kind: str, settings: Settings, major: int = 4, **where: str) -> Any:
    (found,) = _render(major, settings, **where)[kind]
    return found


# ---- Values ----

EACH_VALUE = pytest.mark.parametrize(("path", "row"), VALUES.items(), ids=VALUES)


def _shown(major: int, row: Value, settings: Settings) -> Any:
    found = _render(major, settings).get(row.kind, [{}])
    return at(found[0], row.field)


@EACH_MAJOR
@EACH_VALUE
def test_default(major: int, path: str, row: Value) -> None:
    """Each value has the default that values.yaml tells."""
    settings = on() if path != "enabled" else {}
    assert row.default == _shown(major, row, settings)


@EACH_MAJOR
@EACH_VALUE
def test_given(major: int, path: str, row: Value) -> None:
    """Each value that is given reaches its object."""
    assert row.shown == _shown(major, row, on() | {f"localProvisioner.{path}": row.given})


@EACH_MAJOR
@EACH_VALUE
def test_null(major: int, path: str, row: Value) -> None:
    """Null empties what may be empty, and is refused by name where something is needed."""
    settings = on() | {f"localProvisioner.{path}": None}
    if row.null is REFUSED:
        assert path in refused(major, settings)
        return
    assert row.null == _shown(major, row, settings)


@EACH_MAJOR
def test_objects(major: int) -> None:
    """Switched on there is one of each, all with the labels of the component, and no Role more."""
    found = _render(major, on(podMonitor={"enabled": True}))
    assert OURS | {"PodMonitor", "PersistencePlan"} == set(found)
    for kind in OURS | {"PodMonitor"}:
        (one,) = found[kind]
        assert SELECTOR.items() <= one["metadata"]["labels"].items()
        assert one["metadata"].get("namespace") == (None if kind in CLUSTERED else "monitoring")
        name = f"monitoring-{NAME}" if kind in CLUSTERED else NAME
        assert one["metadata"]["name"] == ("disks" if kind == "StorageClass" else name)


@EACH_MAJOR
def test_nothing_without_the_switch(major: int) -> None:
    """Classes alone make nothing: neither provisioner nor StorageClass."""
    settings = {"localProvisioner.classes": [DISKS], "localProvisioner.podMonitor.enabled": True}
    assert {"PersistencePlan"} == set(_render(major, settings))


@pytest.mark.parametrize("release", ["r" * 53, "r" * 44 + ".r" * 4])
def test_name_fits(release: str) -> None:
    """A long release name is cut so that the name is a label's value too."""
    name = _one("DaemonSet", on(), release=release)["metadata"]["name"]
    assert len(name) <= 63
    assert re.fullmatch(r"r[r.]*r-local-provisioner", name)


# ---- What the pod may do on its node ----

NOBODY = {
    "privileged": False,
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "runAsUser": 65534,
    "runAsGroup": 65534,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CLEANER = {
    **NOBODY,
    "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "FOWNER"]},
    "runAsUser": 0,
    "runAsGroup": 0,
    "runAsNonRoot": False,
}
PRIVILEGED = {
    "privileged": True,
    "runAsUser": 0,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTEXTS: dict[str, tuple[tuple[Any, ...], Any]] = {
    "mount points, Retain": ((DISKS,), NOBODY),
    "mount points, Retain said": (({**DISKS, "reclaimPolicy": "Retain"},), NOBODY),
    "mount points, Filesystem said": (({**DISKS, "volumeMode": "Filesystem"},), NOBODY),
    "mount points, Delete": ((EMPTIED,), CLEANER),
    "mount points, both": (
        (DISKS, {"name": "scratch", "hostDir": "/scratch", **DELETE}),
        CLEANER,
    ),
    "devices, Block": ((DEVICES,), PRIVILEGED),
    "devices, Block, Delete": (({**DEVICES, **DELETE},), PRIVILEGED),
    "devices, file system": ((FORMATTED,), PRIVILEGED),
    "devices beside mount points": ((DISKS, EMPTIED | {"name": "e"}, DEVICES)[::2], PRIVILEGED),
}


@EACH_MAJOR
@pytest.mark.parametrize(("classes", "context"), CONTEXTS.values(), ids=CONTEXTS)
def test_security_context(major: int, classes: tuple[Any, ...], context: Any) -> None:
    """The pod has what the neediest of its classes takes, and no more."""
    pod = at(_one("DaemonSet", on(*classes), major), POD)
    (container,) = pod["containers"]
    assert context == container["securityContext"]
    assert not {"hostPID", "hostNetwork", "hostIPC", "initContainers"} & set(pod)


@EACH_MAJOR
@pytest.mark.parametrize(("classes", "context"), CONTEXTS.values(), ids=CONTEXTS)
def test_mounts(major: int, classes: tuple[Any, ...], context: Any) -> None:
    """It sees its settings, each class's directory at the same path, and /dev only for devices."""
    pod = at(_one("DaemonSet", on(*classes), major), POD)
    mounts = pod["containers"][0]["volumeMounts"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    assert sorted(volumes) == sorted(each["name"] for each in mounts)
    config, *others = mounts
    assert {"name": "config", "mountPath": "/etc/provisioner/config", "readOnly": True} == config
    assert {"name": NAME} == volumes["config"]["configMap"]
    if context is PRIVILEGED:
        dev, *others = others
        assert {"name": "dev", "mountPath": "/dev"} == dev
        assert {"path": "/dev", "type": "Directory"} == volumes["dev"]["hostPath"]
    assert [each["hostDir"] for each in classes] == [each["mountPath"] for each in others]
    for each in others:
        assert "HostToContainer" == each["mountPropagation"]
        disks = {"path": each["mountPath"], "type": "Directory"}
        assert disks == volumes[each["name"]]["hostPath"]


# ---- What the pod may do in the cluster ----

VERBS = {
    ("", "persistentvolumes"): {"get", "list", "watch", "create"},
    ("storage.k8s.io", "storageclasses"): {"get", "list", "watch"},
    ("", "nodes"): {"get"},
    ("", "events"): {"create", "patch"},
}


def _verbs(role: Any) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        assert {"apiGroups", "resources", "verbs"} == set(rule)
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                found.setdefault((group, resource), set()).update(rule["verbs"])
    return found


@EACH_MAJOR
@pytest.mark.parametrize(("classes", "context"), CONTEXTS.values(), ids=CONTEXTS)
def test_rights(major: int, classes: tuple[Any, ...], context: Any) -> None:
    """Verb by verb; volumes' objects are deleted only where a class says Delete."""
    assert context
    found = _verbs(_one("ClusterRole", on(*classes), major))
    deletes = any(each.get("reclaimPolicy") == "Delete" for each in classes)
    more = {("", "persistentvolumes"): VERBS["", "persistentvolumes"] | {"delete"}}
    assert VERBS | (more if deletes else {}) == found


@EACH_MAJOR
def test_rights_are_the_pods_own(major: int) -> None:
    """One account has that role and no other, and only these pods get its token."""
    found = _render(major, on(), namespace="123")
    (binding,), (account,) = found["ClusterRoleBinding"], found["ServiceAccount"]
    (daemon,) = found["DaemonSet"]
    group = "rbac.authorization.k8s.io"
    role = found["ClusterRole"][0]["metadata"]["name"]
    assert "123" in role, "of two releases of one name each has its own"
    assert {"apiGroup": group, "kind": "ClusterRole", "name": role} == binding["roleRef"]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": "123"}
    assert [subject] == binding["subjects"]
    assert account["automountServiceAccountToken"] is False
    assert at(daemon, f"{POD}.serviceAccountName") == NAME
    assert at(daemon, f"{POD}.automountServiceAccountToken") is True


# ---- The provisioner's settings ----

WHOLE = {
    **FORMATTED,
    **DELETE,
    "namePattern": "a*,b?",
    "mountOptions": ["noatime"],
    "blockCleanerCommand": ["/scripts/shred.sh", "2"],
}
MAPS: dict[str, tuple[Any, Any]] = {
    "least": (
        DISKS,
        {"hostDir": "/data/local", "mountDir": "/data/local", "volumeMode": "Filesystem"},
    ),
    "Block": (
        DEVICES,
        {"hostDir": "/data/raw", "mountDir": "/data/raw", "volumeMode": "Block"},
    ),
    "everything": (
        WHOLE,
        {
            "hostDir": "/data/devices",
            "mountDir": "/data/devices",
            "volumeMode": "Filesystem",
            "fsType": "ext4",
            "namePattern": "a*,b?",
            "blockCleanerCommand": ["/scripts/shred.sh", "2"],
        },
    ),
    "null": (
        {**DISKS, "fsType": None, "namePattern": None, "volumeMode": None, "reclaimPolicy": None},
        {"hostDir": "/data/local", "mountDir": "/data/local", "volumeMode": "Filesystem"},
    ),
}


def _told(data: dict[str, str]) -> Any:
    """Return the settings as the provisioner reads them: each text, indented, below its key."""
    lines = [
        line
        for key, text in data.items()
        for line in (f"{key}: ", *(f"   {each}" for each in text.split("\n")))
    ]
    return yaml.safe_load("\n".join(lines))


@EACH_MAJOR
@pytest.mark.parametrize(("entry", "settings"), MAPS.values(), ids=MAPS)
def test_settings(major: int, entry: Any, settings: Any) -> None:
    """A class's entry reaches the provisioner; what it cannot widen is not there."""
    if None in entry.values():
        assert "/localProvisioner/classes/0" in refused(major, on(entry))
        return
    told = _told(_one("ConfigMap", on(entry), major)["data"])
    assert {
        "storageClassMap": {entry["name"]: settings},
        "useNodeNameOnly": True,
        "setPVOwnerRef": False,
        "nodeLabelsForPV": ["kubernetes.io/hostname"],
    } == told


@EACH_MAJOR
def test_new_settings_make_new_pods(major: int) -> None:
    """The pods carry a hash of their settings, so that no pod goes on with old ones."""
    path = "spec.template.metadata.annotations"
    one, other = (
        at(_one("DaemonSet", on({**DISKS, "namePattern": name}), major), path) for name in "ab"
    )
    assert set(one) == {"checksum/config"}
    assert one != other


@EACH_MAJOR
def test_no_node_holds_the_others_back(major: int) -> None:
    """A node without a directory keeps its pod waiting; the other nodes get new settings."""
    strategy = at(_one("DaemonSet", on(), major), "spec.updateStrategy")
    assert {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "100%"}} == strategy


@EACH_MAJOR
def test_environment(major: int) -> None:
    """The program is told its node, which it cannot guess, and its namespace."""
    daemon = _one("DaemonSet", on(), major)
    told = {
        each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"]
        for each in at(daemon, f"{CONTAINER}.env")
    }
    assert {"MY_NODE_NAME": "spec.nodeName", "MY_NAMESPACE": "metadata.namespace"} == told
    assert "/ready" == at(daemon, f"{CONTAINER}.readinessProbe.httpGet.path")
    assert SELECTOR == at(daemon, "spec.selector.matchLabels")
    assert SELECTOR.items() <= at(daemon, "spec.template.metadata.labels").items()


# ---- Classes ----

KEEP = {"helm.sh/resource-policy": "keep"}
CLASSES = {
    "provisioner": ("kubernetes.io/no-provisioner",) * 2,
    "volumeBindingMode": ("WaitForFirstConsumer",) * 2,
    "reclaimPolicy": ("Retain", "Delete"),
    "allowVolumeExpansion": (False, False),
    "mountOptions": (None, ["noatime"]),
    "metadata.annotations": (KEEP, KEEP),
    "metadata.name": ("disks", "formatted"),
    "parameters": (None, None),
}


@EACH_MAJOR
@pytest.mark.parametrize(("path", "values"), CLASSES.items(), ids=CLASSES)
def test_class(major: int, path: str, values: tuple[Any, Any]) -> None:
    """Each entry is a StorageClass that is kept, that binds late, and that retains by default."""
    for entry, expected in zip((DISKS, WHOLE), values, strict=True):
        assert expected == at(_one("StorageClass", on(entry), major), path)


@EACH_MAJOR
def test_classes_beside_others(major: int) -> None:
    """Each class has its object, beside those of storageClasses; Argo CD keeps them too."""
    settings = on(DISKS, DEVICES) | {"storageClasses": [{"name": "c"}], "gitops.argocd": True}
    found = _render(major, settings)["StorageClass"]
    assert {"c", "disks", "raw"} == {each["metadata"]["name"] for each in found}
    for each in found:
        assert "argocd.argoproj.io/sync-options" in each["metadata"]["annotations"]


# ---- Who may ask it ----


@EACH_MAJOR
@pytest.mark.parametrize("monitored", [True, False])
def test_network_policy(major: int, *, monitored: bool) -> None:
    """Prometheus reaches the metrics port where it shall; nobody else reaches any."""
    settings = on(podMonitor={"enabled": monitored})
    settings |= {"kube-prometheus-stack.namespaceOverride": "elsewhere"}
    spec = _one("NetworkPolicy", settings, major)["spec"]
    assert SELECTOR == spec["podSelector"]["matchLabels"]
    assert ["Ingress"] == spec["policyTypes"]
    if not monitored:
        assert [] == spec["ingress"]
        return
    (rule,) = spec["ingress"]
    assert [{"port": "metrics", "protocol": "TCP"}] == rule["ports"]
    (peer,) = rule["from"]
    assert {"kubernetes.io/metadata.name": "elsewhere"} == peer["namespaceSelector"]["matchLabels"]
    (only,) = peer["podSelector"]["matchExpressions"]
    assert "app.kubernetes.io/name" == only["key"]
    assert ["prometheus", "prometheus-agent"] == only["values"]


@EACH_MAJOR
def test_pod_monitor(major: int) -> None:
    """The stack's Prometheus selects the monitor, the monitor the pods, by the port's name."""
    found = _render(major, on(podMonitor={"enabled": True}))
    (monitor,), (daemon,) = found["PodMonitor"], found["DaemonSet"]
    assert "kps" == monitor["metadata"]["labels"]["release"]
    assert SELECTOR == monitor["spec"]["selector"]["matchLabels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    (port,) = at(daemon, f"{CONTAINER}.ports")
    assert ("metrics", 8080) == (port["name"], port["containerPort"])
    assert (port["name"], "/metrics") == (endpoint["port"], endpoint["path"])


@EACH_MAJOR
def test_no_privilege_by_default(major: int) -> None:
    """Nothing of the old way is left: no role of the system's, no claim, no `latest`."""
    text = render(major, ALONE | on())
    for word in (" system:", "persistentvolumeclaims", "secrets", "latest", "privileged: true"):
        assert word not in text

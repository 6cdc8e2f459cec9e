"""The NFS provisioner of the chart: what it renders, what it may do, which values it refuses."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from tests.rendering import ALONE, EACH_MAJOR, Settings, at, leaves, refused, render, rendered
from tests.tools.stage import CHART

BLOCK = "nfsProvisioner"
EXPORT = {"server": "nfs.example.com", "path": "/exports/monitoring"}
ON: Settings = {**ALONE, f"{BLOCK}.enabled": True} | {
    f"{BLOCK}.{key}": value for key, value in EXPORT.items()
}
OPTIONS = ["nfsvers=4.1", "hard", "noatime"]
KINDS = {
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Deployment",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "StorageClass",
}
NAME = "kps-nfs-provisioner"
PROVISIONER = "kps.monitoring.durable-prometheus-stack/nfs"


@dataclass(frozen=True)
class Row:
    """One value: the field of an object that it reaches, by default and when given."""

    kind: str
    path: str
    default: Any
    given: Any
    also: Any = None  # where the field holds something else than the value


POD = "spec.template.spec"
CONTAINER = f"{POD}.containers.0"
TOLERATION = {"key": "storage", "operator": "Exists", "effect": "NoSchedule"}
ROWS: dict[str, Row] = {
    "image": Row(
        "Deployment",
        f"{CONTAINER}.image",
        "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2",
        "mirror.example.com/nfs@sha256:0",
    ),
    "server": Row("PersistentVolume", "spec.nfs.server", EXPORT["server"], "192.0.2.7"),
    "path": Row("PersistentVolume", "spec.nfs.path", EXPORT["path"], "/"),
    "storageClassName": Row("StorageClass", "metadata.name", "nfs", "prometheus-data-db"),
    "mountOptions": Row("StorageClass", "mountOptions", OPTIONS, ["nfsvers=4.2", "sec=krb5p"]),
    # More digits than a float keeps when it is written as 1.0007e+09.
    "runAsUser": Row("Deployment", f"{POD}.securityContext.runAsUser", 1000, 1000700001),
    "runAsGroup": Row("Deployment", f"{POD}.securityContext.runAsGroup", 2000, 1000700001),
    "nodeSelector": Row("Deployment", f"{POD}.nodeSelector", None, {"disk": "true"}),
    "tolerations": Row("Deployment", f"{POD}.tolerations", None, [TOLERATION]),
    "resources.requests": Row(
        "Deployment",
        f"{CONTAINER}.resources.requests",
        {"cpu": "10m", "memory": "32Mi"},
        {"cpu": "20m"},
        {"cpu": "20m", "memory": "32Mi"},
    ),
    "resources.limits": Row(
        "Deployment",
        f"{CONTAINER}.resources.limits",
        {"memory": "128Mi"},
        {"memory": "1Gi"},
    ),
}


def _one(major: int, kind: str, settings: Settings | None = None, **where: str) -> Any:
    (found,) = rendered(major, {**ON, **(settings or {})}, **where)[kind]
    return found


def test_every_value_has_a_row() -> None:
    """A key of values.yaml that no row sets is a key that may do nothing."""
    block = yaml.safe_load((CHART / "values.yaml").read_text())[BLOCK]
    known = tuple(f"{name}." for name in ROWS)
    paths = [path for path in leaves(block) if path not in ROWS]
    assert ["enabled"] == [path for path in paths if not path.startswith(known)]
    assert {"server": "", "path": "", "enabled": False} == {
        key: block[key] for key in ("server", "path", "enabled")
    }


@EACH_MAJOR
@pytest.mark.parametrize("name", ROWS)
def test_value_reaches_its_object(major: int, name: str) -> None:
    """By default, and when it is given."""
    row = ROWS[name]
    given = _one(major, row.kind, {f"{BLOCK}.{name}": row.given})
    assert row.default == at(_one(major, row.kind), row.path)
    assert (row.also or row.given) == at(given, row.path)


@EACH_MAJOR
def test_off_by_default(major: int) -> None:
    """Without `enabled` nothing of it is there, whatever else is set; with it all of it is."""
    off = rendered(major, {**ON, f"{BLOCK}.enabled": False})
    assert ["PersistencePlan"] == list(off)
    assert {"PersistencePlan", *KINDS} == set(rendered(major, ON))


@EACH_MAJOR
def test_rights(major: int) -> None:
    """It reads claims and classes, makes volumes, writes events: nothing is changed or deleted."""
    role = _one(major, "ClusterRole")
    rights = {
        (group, resource): rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert rights == {
        ("", "persistentvolumes"): ["get", "list", "watch", "create"],
        ("", "persistentvolumeclaims"): ["list", "watch"],
        ("storage.k8s.io", "storageclasses"): ["list", "watch"],
        ("", "events"): ["create", "patch"],
    }
    assert all({"apiGroups", "resources", "verbs"} == set(rule) for rule in role["rules"])


@EACH_MAJOR
def test_rights_are_its_own(major: int) -> None:
    """The role is bound to the account of the pod, which alone has a token; no other role is."""
    found = rendered(major, ON)
    (account,), (binding,) = found["ServiceAccount"], found["ClusterRoleBinding"]
    pod = _one(major, "Deployment")["spec"]["template"]["spec"]
    subject = {"kind": "ServiceAccount", "name": NAME, "namespace": "monitoring"}
    assert [subject] == binding["subjects"]
    assert ("ClusterRole", f"monitoring-{NAME}") == (
        binding["roleRef"]["kind"],
        binding["roleRef"]["name"],
    )
    assert NAME == account["metadata"]["name"] == pod["serviceAccountName"]
    assert (False, True) == (
        account["automountServiceAccountToken"],
        pod["automountServiceAccountToken"],
    )
    assert not {"Secret", "Role", "RoleBinding"} & set(found)


@EACH_MAJOR
def test_pod_is_hardened(major: int) -> None:
    """What the Pod Security level `restricted` asks for, and a root that nobody writes to."""
    pod = _one(major, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "runAsGroup": 2000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "initContainers"} & set(pod)
    # `restricted` knows claims, and no nfs volumes in a pod.
    assert [{"name", "persistentVolumeClaim"}] == [set(volume) for volume in pod["volumes"]]
    assert [{"name": "export", "mountPath": "/persistentvolumes"}] == container["volumeMounts"]


@EACH_MAJOR
def test_one_at_a_time(major: int) -> None:
    """One replica, ended before the next starts, in place of an election."""
    spec = _one(major, "Deployment")["spec"]
    env = {each["name"]: each["value"] for each in spec["template"]["spec"]["containers"][0]["env"]}
    assert (1, {"type": "Recreate"}) == (spec["replicas"], spec["strategy"])
    assert env == {
        "PROVISIONER_NAME": PROVISIONER,
        "NFS_SERVER": EXPORT["server"],
        "NFS_PATH": EXPORT["path"],
        "ENABLE_LEADER_ELECTION": "false",
    }
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert "nfs-provisioner" == labels["app.kubernetes.io/component"]


@EACH_MAJOR
def test_image_is_pinned(major: int) -> None:
    """No image of the chart follows a tag that moves, and none is pulled at each start."""
    text = render(major, ON)
    assert ":latest" not in text
    assert ["IfNotPresent"] == re.findall(r"imagePullPolicy: (\w+)", text)


@EACH_MAJOR
@pytest.mark.parametrize("argocd", [False, True])
def test_class(major: int, *, argocd: bool) -> None:
    """The class keeps volume, directory and itself, and finds a claim's directory again by name."""
    found = _one(major, "StorageClass", {"gitops.argocd": argocd})
    kept = {"helm.sh/resource-policy": "keep"}
    if argocd:
        kept["argocd.argoproj.io/sync-options"] = "Prune=false,Delete=false"
    assert kept == found["metadata"]["annotations"]
    assert found["parameters"] == {
        "onDelete": "retain",
        "pathPattern": "${.PVC.namespace}/${.PVC.name}",
    }
    assert (PROVISIONER, "Retain", "Immediate", False, OPTIONS) == tuple(
        found[key]
        for key in (
            "provisioner",
            "reclaimPolicy",
            "volumeBindingMode",
            "allowVolumeExpansion",
            "mountOptions",
        )
    )


@EACH_MAJOR
def test_export_is_mounted_as_its_volumes_are(major: int) -> None:
    """Volume and claim of the export name each other, have the mount options, and are not kept."""
    found = rendered(major, {**ON, "gitops.argocd": True})
    (volume,), (claim,) = found["PersistentVolume"], found["PersistentVolumeClaim"]
    name, reference = claim["metadata"]["name"], volume["spec"]["claimRef"]
    assert (name, "monitoring") == (reference["name"], reference["namespace"])
    assert name == volume["metadata"]["name"] == claim["spec"]["volumeName"]
    assert EXPORT == volume["spec"]["nfs"]
    assert (OPTIONS, "Retain") == (
        volume["spec"]["mountOptions"],
        volume["spec"]["persistentVolumeReclaimPolicy"],
    )
    assert {""} == {each["spec"]["storageClassName"] for each in (volume, claim)}
    assert not [each for each in (volume, claim) if "annotations" in each["metadata"]]
    pod = found["Deployment"][0]["spec"]["template"]["spec"]
    assert name == pod["volumes"][0]["persistentVolumeClaim"]["claimName"]


ANEW: dict[str, Any] = {"server": "other", "path": "/other", "mountOptions": ["nfsvers=4.2"]}


@pytest.mark.parametrize("key", ANEW)
def test_export_is_made_anew(key: str) -> None:
    """A source is immutable, and a mount that exists keeps its options: both get a new name."""
    kinds = ("PersistentVolume", "PersistentVolumeClaim")
    before, after = (rendered(4, {**ON, **more}) for more in ({}, {f"{BLOCK}.{key}": ANEW[key]}))
    for kind in kinds:
        assert before[kind][0]["metadata"]["name"] != after[kind][0]["metadata"]["name"]
    same = rendered(4, {**ON, f"{BLOCK}.image": "other:1"})
    assert before["PersistentVolume"] == same["PersistentVolume"]


@EACH_MAJOR
def test_options_may_be_left_out(major: int) -> None:
    """Null empties what may be empty."""
    empty = {
        f"{BLOCK}.{key}": None
        for key in ("mountOptions", "nodeSelector", "tolerations", "resources")
    }
    found = rendered(major, {**ON, **empty})
    for kind in ("PersistentVolume", "StorageClass", "Deployment"):
        text = json.dumps(found[kind])
        assert not [word for word in ("mountOptions", "tolerations", "resources") if word in text]


def test_two_releases_do_not_meet() -> None:
    """Of one name in two namespaces: provisioner, role, binding and export are apart."""
    one, other = (rendered(4, ON, namespace=namespace) for namespace in ("a", "b"))
    for kind in ("ClusterRole", "ClusterRoleBinding", "PersistentVolume"):
        assert one[kind][0]["metadata"]["name"] != other[kind][0]["metadata"]["name"]
    assert one["StorageClass"][0]["provisioner"] != other["StorageClass"][0]["provisioner"]


@pytest.mark.parametrize("release", ["r" * 53, "r" * 46 + "." + "r" * 6])
def test_names_fit(release: str) -> None:
    """A long release name: labels have 63 characters at most, the provisioner's name is one."""
    found = rendered(4, ON, release=release, namespace="n" * 63)
    name = found["Deployment"][0]["metadata"]["name"]
    assert len(name) <= 63
    assert re.fullmatch(r"r+-nfs-provisioner", name)
    prefix, _, last = found["StorageClass"][0]["provisioner"].partition("/")
    assert (len(prefix) <= 253, "nfs") == (True, last)
    for kind in KINDS:
        assert len(found[kind][0]["metadata"]["name"]) <= 253


WRONG: dict[str, tuple[Settings, str]] = {
    "unknown": ({f"{BLOCK}.share": "/x"}, "additional properties 'share' not allowed"),
    "enabled": ({f"{BLOCK}.enabled": "yes"}, f"/{BLOCK}/enabled"),
    "no image": ({f"{BLOCK}.image": None}, "missing property 'image'"),
    "no class": ({f"{BLOCK}.storageClassName": None}, "missing property 'storageClassName'"),
    "empty class": ({f"{BLOCK}.storageClassName": ""}, f"/{BLOCK}/storageClassName"),
    "no user": ({f"{BLOCK}.runAsUser": None}, "missing property 'runAsUser'"),
    "untagged": ({f"{BLOCK}.image": "r:5000/nfs"}, f"/{BLOCK}/image"),
    "with path": ({f"{BLOCK}.server": "nfs.example.com:/exports"}, f"/{BLOCK}/server"),
    "root": ({f"{BLOCK}.runAsUser": 0}, f"/{BLOCK}/runAsUser"),
    "root group": ({f"{BLOCK}.runAsGroup": 0}, f"/{BLOCK}/runAsGroup"),
    "options": ({f"{BLOCK}.mountOptions": "hard"}, f"/{BLOCK}/mountOptions"),
    "selector": ({f"{BLOCK}.nodeSelector": {"disk": True}}, f"/{BLOCK}/nodeSelector/disk"),
    "toleration": ({f"{BLOCK}.tolerations": [{"effect": "No"}]}, f"/{BLOCK}/tolerations/0/effect"),
    "resources": ({f"{BLOCK}.resources.cpu": "1"}, "additional properties 'cpu' not allowed"),
    "quantity": (
        {f"{BLOCK}.resources.limits": {"memory": "1GB"}},
        f"/{BLOCK}/resources/limits/memory",
    ),
}


@EACH_MAJOR
@pytest.mark.parametrize(("settings", "says"), WRONG.values(), ids=WRONG)
def test_wrong_value_is_named(major: int, settings: Settings, says: str) -> None:
    """A value of a wrong type or form is refused with its place."""
    assert says in refused(major, {**ON, **settings})


@EACH_MAJOR
@pytest.mark.parametrize("server", ["k8s-node2", "192.0.2.7", "2001:db8::7", "[2001:db8::7]"])
def test_server_is_taken(major: int, server: str) -> None:
    """A name or an address, of either kind, reaches volume and provisioner alike."""
    found = rendered(major, {**ON, f"{BLOCK}.server": server})
    env = found["Deployment"][0]["spec"]["template"]["spec"]["containers"][0]["env"]
    assert server == found["PersistentVolume"][0]["spec"]["nfs"]["server"]
    assert {"name": "NFS_SERVER", "value": server} in env

"""The plan: what must last, checked, with the path of whatever is wrong."""

from __future__ import annotations

import re

from durable.errors import DocumentError, PlanError
from durable.patch import check_operations
from durable.pattern import pattern
from durable.quantity import parse_quantity, parse_retention_size
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

API_VERSION = "durable-prometheus-stack/v1"
KIND = "PersistencePlan"
SMALLEST = 1024**2  # bytes; less is a unit that was forgotten
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany")
SOURCES = ("local", "hostPath", "nfs", "csi")
# What a source must say; local and hostPath are a path and no more.
REQUIRED = {"nfs": ("server", "path"), "csi": ("driver", "volumeHandle")}
# The same values as chart/values.yaml has; a test holds the two together.
COMMON: dict[str, Any] = {
    "enabled": True,
    "storageClassName": "",
    "accessModes": ["ReadWriteOnce"],
    "volumes": [],
    "nodes": [],
    "fixOwnership": False,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "prometheus": COMMON | {"size": "50Gi", "fsGroup": 2000, "retentionSize": "auto"},
    "alertmanager": COMMON | {"size": "5Gi", "fsGroup": 2000},
    "thanosRuler": COMMON | {"enabled": "auto", "size": "10Gi", "fsGroup": 2000},
    "grafana": COMMON | {"size": "10Gi", "fsGroup": 472, "subPath": "grafana-db"},
}
DEFAULT_IMAGE = "docker.io/library/busybox:1.37.0"
GENERAL = ("image", "accept", "patches")
SPEC = ("release", "namespace", "chart", "gitops", "influxdb", "persistence")
STORE = ("url", "database", "namespace", "secret", "remoteWrite", "remoteRead")
# No path, and no user with a password, which the record of the plan would tell everybody.
SERVER = pattern(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?", re.ASCII)
DATABASE = pattern(r"[A-Za-z][A-Za-z0-9_-]*", re.ASCII)


@record
class Volume:
    """A static volume: one source and where it is; sizes as Kubernetes quantities."""

    kind: str
    source: Any
    node: str = ""
    size: str = ""
    shard: int | None = None


@record
class ConsumerPlan:
    """What the plan says of one consumer (see chart/values.yaml for each key)."""

    name: str
    enabled: bool
    expected: bool  # false: 'auto', so its absence is no surprise
    size: str
    storage_class: str
    access_modes: tuple[str, ...]
    volumes: tuple[Volume, ...]
    nodes: tuple[str, ...]
    fs_group: int
    fix_ownership: bool
    retention_size: str
    sub_path: str

    @property
    def pinned_nodes(self) -> tuple[str, ...]:
        """The nodes that pods must stay on: said, or the volumes' where each volume names one."""
        if self.nodes:
            return self.nodes
        named = [v.node for v in self.volumes]
        return tuple(dict.fromkeys(named)) if all(named) else ()


@record
class Patch:
    """A patch of the user's own: RFC 6902 operations for each object that fits the target."""

    kind: str
    name: str
    namespace: str
    operations: Any


@record
class Store:
    """The long-term store: a server, its database, and the Secret that has its users.

    ``remote_write`` and ``remote_read`` are further fields of the entries in the Prometheus object.
    """

    url: str
    database: str
    namespace: str
    secret: str
    remote_write: Any
    remote_read: Any


@record
class Plan:
    """The whole plan; ``raw`` is the plan's spec as it was read, for the record."""

    release: str
    namespace: str
    argocd: bool
    image: str
    consumers: Any  # name -> ConsumerPlan, for the consumers that the plan names
    accept: tuple[str, ...]
    patches: tuple[Patch, ...]
    store: Store | None
    raw: Any


def parse_plan(value: Any, origin: str) -> Plan:
    """Make a plan of a PersistencePlan document or of a values file with a ``persistence`` block.

    Raises PlanError; the text starts with ``origin`` and the path of what is wrong.
    """
    try:
        return _plan(value)
    except (PlanError, DocumentError) as error:
        raise PlanError(f"{origin}: {error}") from None


def _plan(value: Any) -> Plan:
    spec, where = _spec(_mapping(value, "the plan"))
    path = where + "persistence"
    persistence = _mapping(spec.get("persistence"), path)
    _known(persistence, (*DEFAULTS, *GENERAL), path)
    gitops = _mapping(_or(spec.get("gitops"), {}), where + "gitops")
    _known(gitops, ("argocd",), where + "gitops")
    named = [name for name in DEFAULTS if persistence.get(name) is not None]
    return Plan(
        release=_string(_or(spec.get("release"), ""), where + "release"),
        namespace=_string(_or(spec.get("namespace"), ""), where + "namespace"),
        argocd=_flag(_or(gitops.get("argocd"), default=False), where + "gitops.argocd"),
        image=_string(_or(persistence.get("image"), DEFAULT_IMAGE), path + ".image", empty=False),
        consumers={n: _consumer(n, persistence[n], f"{path}.{n}") for n in named},
        accept=tuple(_strings(_or(persistence.get("accept"), []), path + ".accept")),
        patches=tuple(_each(_or(persistence.get("patches"), []), path + ".patches", _patch)),
        store=_store(spec["influxdb"], where + "influxdb") if spec.get("influxdb") else None,
        raw=spec,
    )


def _spec(top: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The plan itself and the path that it has in the file."""
    if top.get("kind") == KIND or top.get("apiVersion") == API_VERSION:
        if top.get("apiVersion") != API_VERSION or top.get("kind") != KIND:
            raise PlanError(f"apiVersion and kind must be {API_VERSION} and {KIND}")
        spec = _mapping(top.get("spec"), "spec")
        _known(spec, SPEC, "spec")
        return spec, "spec."
    if "persistence" in top:
        if isinstance(top.get("influxdb"), dict) and top["influxdb"].get("enabled"):
            raise PlanError(
                "influxdb.enabled needs the chart, which renders the store: "
                "give its rendered output as the stream, with the plan in it"
            )
        return {key: top[key] for key in ("persistence", "gitops") if key in top}, ""
    raise PlanError(f"neither a {KIND} document nor a values file with a 'persistence' block")


def _consumer(name: str, value: Any, path: str) -> ConsumerPlan:
    given = {k: v for k, v in _mapping(value, path).items() if v is not None}
    _known(given, tuple(DEFAULTS[name]), path)
    said = {"retentionSize": "", "subPath": ""} | DEFAULTS[name] | given
    also = ", or auto" if DEFAULTS[name]["enabled"] == "auto" else ""
    auto = bool(also) and said["enabled"] == "auto"
    enabled = auto or _flag(said["enabled"], path + ".enabled", also=also)
    volumes = _each(said["volumes"], path + ".volumes", _volume)
    _refuse_shards(name, volumes, path + ".volumes")
    return ConsumerPlan(
        name=name,
        enabled=enabled,
        expected=not auto,
        # Only a consumer that is switched off may have an empty size; the chart says so too.
        size=_size(said["size"], path + ".size") if enabled or said["size"] else "",
        storage_class=_string(said["storageClassName"], path + ".storageClassName"),
        access_modes=_access_modes(said["accessModes"], path + ".accessModes"),
        volumes=tuple(volumes),
        nodes=tuple(_strings(said["nodes"], path + ".nodes")),
        fs_group=_id(said["fsGroup"], path + ".fsGroup"),
        fix_ownership=_flag(said["fixOwnership"], path + ".fixOwnership"),
        retention_size=_retention(said["retentionSize"], path + ".retentionSize"),
        sub_path=_sub_path(said["subPath"], path + ".subPath"),
    )


def _volume(value: Any, path: str) -> Volume:
    said = {k: v for k, v in _mapping(value, path).items() if v is not None}
    _known(said, (*SOURCES, "node", "size", "shard", "mountOptions"), path)
    kinds = [kind for kind in SOURCES if kind in said]
    if len(kinds) != 1:
        raise PlanError(f"{path} must have exactly one of {', '.join(SOURCES)}")
    kind = kinds[0]
    node = _string(said.get("node", ""), path + ".node")
    _source(kind, said[kind], f"{path}.{kind}")
    if kind in ("local", "hostPath") and not node:
        raise PlanError(
            f"{path}.node is missing: a {kind} volume is on one node, "
            "name it as its label kubernetes.io/hostname does"
        )
    if kind == "nfs" and node:
        raise PlanError(f"{path}.node is one too many: every node reaches an nfs volume")
    shard = said.get("shard")
    if shard is not None and (type(shard) is not int or shard < 0):
        raise PlanError(f"{path}.shard must be a whole number from 0")
    _strings(said.get("mountOptions", []), path + ".mountOptions")
    size = _size(said["size"], path + ".size") if "size" in said else ""
    return Volume(kind, said[kind], node, size, shard)


def _source(kind: str, value: Any, path: str) -> None:
    if kind not in REQUIRED:
        _absolute(value, path)
        return
    source = _mapping(value, path)
    for key in REQUIRED[kind]:
        _string(_or(source.get(key), ""), f"{path}.{key}", empty=False)


def _refuse_shards(name: str, volumes: list[Volume], path: str) -> None:
    for index, volume in enumerate(volumes):
        if volume.shard is not None and name != "prometheus":
            raise PlanError(f"{path}[{index}].shard is unknown: only Prometheus has shards")


def _patch(value: Any, path: str) -> Patch:
    said = _mapping(value, path)
    _known(said, ("target", "patch"), path)
    target = _mapping(said.get("target"), path + ".target")
    _known(target, ("kind", "name", "namespace"), path + ".target")
    kind, name, namespace = (
        _string(_or(target.get(k), ""), f"{path}.target.{k}") for k in ("kind", "name", "namespace")
    )
    if not kind:
        raise PlanError(f"{path}.target.kind is missing")
    check_operations(said.get("patch"), path + ".patch")
    return Patch(kind, name, namespace, said["patch"])


def _store(value: Any, path: str) -> Store:
    said = {k: v for k, v in _mapping(value, path).items() if v is not None}
    _known(said, STORE, path)
    url, database, secret = (
        _string(said.get(key, ""), f"{path}.{key}", empty=False)
        for key in ("url", "database", "secret")
    )
    if not SERVER.fullmatch(url):
        # The value is not shown, as it may hold a password.
        raise PlanError(f"{path}.url must be http://HOST:PORT, without path, user and password")
    if not DATABASE.fullmatch(database):
        raise PlanError(f"{path}.database is {database!r}: it must be letters, digits, '_' and '-'")
    write = _mapping(said.get("remoteWrite", {}), path + ".remoteWrite")
    _known(write, ("queueConfig", "writeRelabelConfigs"), path + ".remoteWrite")
    _mapping(write.get("queueConfig", {}), path + ".remoteWrite.queueConfig")
    relabel = path + ".remoteWrite.writeRelabelConfigs"
    _each(write.get("writeRelabelConfigs", []), relabel, _mapping)
    read = _mapping(said.get("remoteRead", {}), path + ".remoteRead")
    _known(read, ("readRecent",), path + ".remoteRead")
    _flag(read.get("readRecent", False), path + ".remoteRead.readRecent")
    namespace = _string(said.get("namespace", ""), path + ".namespace")
    return Store(url, database, namespace, secret, write, read)


def _known(value: dict[str, Any], keys: tuple[str, ...], path: str) -> None:
    for key in value:
        if key in keys:
            continue
        from difflib import get_close_matches  # only a wrong plan pays for it

        near = get_close_matches(str(key), keys, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(keys)}"
        raise PlanError(f"{path}.{key} is unknown: {hint}")


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value


def _mapping(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlanError(f"{path} must be a mapping")
    return value


def _each(value: Any, path: str, read: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise PlanError(f"{path} must be a list")
    return [read(item, f"{path}[{index}]") for index, item in enumerate(value)]


def _strings(value: Any, path: str) -> list[str]:
    return _each(value, path, lambda item, where: _string(item, where, empty=False))


def _string(value: Any, path: str, *, empty: bool = True) -> str:
    if not isinstance(value, str) or (not empty and not value):
        raise PlanError(f"{path} must be a string" + ("" if empty else " that is not empty"))
    return value


def _flag(value: Any, path: str, also: str = "") -> bool:
    if not isinstance(value, bool):
        raise PlanError(f"{path} must be true or false{also}")
    return value


def _id(value: Any, path: str) -> int:
    if type(value) is not int or not 0 <= value < 2**31:
        raise PlanError(f"{path} must be a group id, a whole number from 0 to 2147483647")
    return value


def _size(value: Any, path: str) -> str:
    text = str(value) if type(value) is int else value
    size = parse_quantity(text) if isinstance(text, str) else None
    if size is None:
        raise PlanError(f"{path} is {value!r}: it must be a Kubernetes quantity such as 50Gi")
    if size <= 0:
        raise PlanError(f"{path} is {value!r}: it must be more than nothing")
    if size < SMALLEST:
        hint = f": did you mean {text}Gi?" if str(text).isdigit() else ""
        raise PlanError(f"{path} is {value!r}, which is less than 1Mi{hint}")
    return str(text)


def _retention(value: Any, path: str) -> str:
    text = _string(value, path)
    if text not in ("", "auto") and parse_retention_size(text) is None:
        raise PlanError(
            f'{path} is {text!r}: it must be auto, "" or a Prometheus size such as 40GB '
            "(not a Kubernetes quantity)"
        )
    return text


def _access_modes(value: Any, path: str) -> tuple[str, ...]:
    modes = _strings(value, path)
    if not modes or not set(modes) <= set(ACCESS_MODES):
        raise PlanError(f"{path} must be a list of {', '.join(ACCESS_MODES)}")
    return tuple(modes)


def _absolute(value: Any, path: str) -> None:
    text = _string(value, path)
    if not text.startswith("/") or not _clean(text[1:]):
        raise PlanError(
            f"{path} is {text!r}: it must be an absolute path below / without '.', '..', '//' "
            "or a final '/'"
        )


def _sub_path(value: Any, path: str) -> str:
    text = _string(value, path)
    if text and not _clean(text):
        raise PlanError(
            f"{path} is {text!r}: it must be a path inside the volume, relative, without '.', "
            "'..', '//' or a final '/'"
        )
    return text


def _clean(path: str) -> bool:
    """Whether a relative path is written in the shortest way and stays inside."""
    return not {"", ".", ".."} & set(path.split("/"))

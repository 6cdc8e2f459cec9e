"""The plan: what must last, checked, with the path of whatever is wrong."""

from __future__ import annotations

import re

from durable.document import check_operations
from durable.errors import DocumentError, PlanError
from durable.quantity import parse_quantity, parse_retention_size
from durable.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

API_VERSION = "durable-prometheus-stack/v1"
KIND = "PersistencePlan"
ACCESS_MODES = ("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany")
SOURCES = ("local", "hostPath", "nfs", "csi")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
# The same values as chart/values.yaml has; a test holds the two together.
DEFAULTS: dict[str, dict[str, Any]] = {
    "prometheus": {"size": "50Gi", "fsGroup": 2000, "retentionSize": "auto"},
    "alertmanager": {"size": "5Gi", "fsGroup": 2000},
    "thanosRuler": {"size": "10Gi", "fsGroup": 2000},
    "grafana": {"size": "10Gi", "fsGroup": 472, "subPath": "grafana-db"},
}
DEFAULT_IMAGE = "docker.io/library/busybox:1.37.0"
GENERAL = ("image", "accept", "patches")
COMMON = ("enabled", "size", "storageClassName", "accessModes", "volumes", "nodes", "fsGroup", "fixOwnership")


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
    fs_group: int | None
    fix_ownership: bool
    retention_size: str
    sub_path: str

    @property
    def pinned_nodes(self) -> tuple[str, ...]:
        """The nodes that pods must stay on: said, or those of the volumes when each volume names one."""
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
class Plan:
    """The whole plan; ``raw`` is the plan's spec as it was read, for the record."""

    release: str
    namespace: str
    argocd: bool
    image: str
    consumers: Any  # name -> ConsumerPlan, for the consumers that the plan names
    accept: tuple[str, ...]
    patches: tuple[Patch, ...]
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
    top = _mapping(value, "the plan")
    if top.get("kind") == KIND or top.get("apiVersion") == API_VERSION:
        if top.get("apiVersion") != API_VERSION or top.get("kind") != KIND:
            raise PlanError(f"apiVersion and kind must be {API_VERSION} and {KIND}")
        spec, where = _mapping(top.get("spec"), "spec"), "spec."
        _known(spec, ("release", "namespace", "chart", "gitops", "persistence"), "spec")
    elif "persistence" in top:
        spec, where = {k: top[k] for k in ("persistence", "gitops") if k in top}, ""
    else:
        raise PlanError(f"neither a {KIND} document nor a values file with a 'persistence' block")
    persistence = _mapping(spec.get("persistence"), where + "persistence")
    path = where + "persistence"
    _known(persistence, (*DEFAULTS, *GENERAL), path)
    gitops = _mapping(spec.get("gitops") or {}, where + "gitops")
    _known(gitops, ("argocd",), where + "gitops")
    return Plan(
        release=_string(spec.get("release", ""), where + "release"),
        namespace=_string(spec.get("namespace", ""), where + "namespace"),
        argocd=_flag(gitops.get("argocd", False), where + "gitops.argocd"),
        image=_string(_or(persistence.get("image"), DEFAULT_IMAGE), path + ".image"),
        consumers={n: _consumer(n, persistence[n], f"{path}.{n}") for n in DEFAULTS if persistence.get(n) is not None},
        accept=tuple(_strings(_or(persistence.get("accept"), []), path + ".accept")),
        patches=tuple(_patches(_or(persistence.get("patches"), []), path + ".patches")),
        raw=spec,
    )


def _consumer(name: str, value: Any, path: str) -> ConsumerPlan:
    given = {k: v for k, v in _mapping(value, path).items() if v is not None}
    own = [k for k in DEFAULTS[name] if k not in COMMON]
    _known(given, (*COMMON, *own), path)
    said = DEFAULTS[name] | given
    enabled = said.get("enabled", True)
    auto = enabled == "auto"
    return ConsumerPlan(
        name=name,
        enabled=auto or _flag(enabled, path + ".enabled", also=", or auto"),
        expected=not auto,
        size=_size(said["size"], path + ".size"),
        storage_class=_string(said.get("storageClassName", ""), path + ".storageClassName"),
        access_modes=_access_modes(said.get("accessModes", ["ReadWriteOnce"]), path + ".accessModes"),
        volumes=tuple(_each(said.get("volumes", []), path + ".volumes", _volume)),
        nodes=tuple(_strings(said.get("nodes", []), path + ".nodes")),
        fs_group=_id(said.get("fsGroup"), path + ".fsGroup"),
        fix_ownership=_flag(said.get("fixOwnership", False), path + ".fixOwnership"),
        retention_size=_retention(said.get("retentionSize", ""), path + ".retentionSize"),
        sub_path=_sub_path(said.get("subPath", ""), path + ".subPath"),
    )


def _volume(value: Any, path: str) -> Volume:
    said = {k: v for k, v in _mapping(value, path).items() if v is not None}
    _known(said, (*SOURCES, "node", "size", "shard", "mountOptions"), path)
    kinds = [kind for kind in SOURCES if kind in said]
    if len(kinds) != 1:
        raise PlanError(f"{path} must have exactly one of {', '.join(SOURCES)}")
    kind = kinds[0]
    node = _string(said.get("node", ""), path + ".node")
    if kind in ("local", "hostPath"):
        _absolute(said[kind], f"{path}.{kind}")
        if not node:
            raise PlanError(f"{path}.node is missing: a {kind} volume is on one node, name it as kubectl get nodes does")
    else:
        _mapping(said[kind], f"{path}.{kind}")
    shard = said.get("shard")
    if shard is not None and (type(shard) is not int or shard < 0):
        raise PlanError(f"{path}.shard must be a whole number from 0")
    size = _size(said["size"], path + ".size") if "size" in said else ""
    return Volume(kind, said[kind], node, size, shard)


def _patches(value: Any, path: str) -> list[Patch]:
    return _each(value, path, _patch)


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


def _known(value: dict[str, Any], keys: tuple[str, ...], path: str) -> None:
    for key in value:
        if key in keys:
            continue
        from difflib import get_close_matches  # noqa: PLC0415  only a wrong plan pays for it

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


def _id(value: Any, path: str) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value < 2**31):
        raise PlanError(f"{path} must be a group id, a whole number from 0")
    return value


def _size(value: Any, path: str) -> str:
    text = str(value) if type(value) is int else value
    size = parse_quantity(text) if isinstance(text, str) else None
    if size is None:
        raise PlanError(f"{path} is {value!r}: it must be a Kubernetes quantity such as 50Gi")
    if size <= 0:
        raise PlanError(f"{path} is {value!r}: it must be more than nothing")
    return str(text)


def _retention(value: Any, path: str) -> str:
    text = _string(value, path)
    if text not in ("", "auto") and parse_retention_size(text) is None:
        msg = f"{path} is {text!r}: it must be auto, \"\" or a Prometheus size such as 40GB (not a Kubernetes quantity)"
        raise PlanError(msg)
    return text


def _access_modes(value: Any, path: str) -> tuple[str, ...]:
    modes = _strings(value, path)
    if not modes or not set(modes) <= set(ACCESS_MODES):
        raise PlanError(f"{path} must be a list of {', '.join(ACCESS_MODES)}")
    return tuple(modes)


def _absolute(value: Any, path: str) -> None:
    text = _string(value, path)
    if not text.startswith("/") or ".." in text.split("/"):
        raise PlanError(f"{path} is {text!r}: it must be an absolute path without '..'")


def _sub_path(value: Any, path: str) -> str:
    text = _string(value, path)
    if text.startswith("/") or ".." in text.split("/"):
        raise PlanError(f"{path} is {text!r}: it must be a path inside the volume, without '..'")
    return text

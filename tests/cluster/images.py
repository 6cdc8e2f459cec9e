"""Write OCI images: one layer of static programs, the same bytes from the same programs each time.

An archive is kept in the cache under a hash of its recipe. The image in it is named after that
hash, so that containerd tells whether it has it; the names that a chart asks for are tags on it.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import programs

FORMAT = 1
OCI = "application/vnd.oci.image"
DEFAULT_REGISTRY = "docker.io"
DEFAULT_OWNER = "library"


@dataclass(frozen=True)
class Entry:
    """One thing in an image: a file, a symbolic link, or a folder when it has neither content."""

    path: str
    source: Path | bytes | None = None
    link: str = ""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0

    def identity(self) -> list[Any]:
        """Return what decides the entry's bytes; the programs' paths hold a hash already."""
        content: Any = self.source
        if isinstance(self.source, Path):
            stat = self.source.stat()
            content = [str(self.source), stat.st_size, stat.st_mtime_ns]
        elif self.source is not None:
            content = hashlib.sha256(self.source).hexdigest()
        return [self.path, content, self.link, self.mode, self.uid, self.gid]


@dataclass(frozen=True)
class Recipe:
    """What an image holds and how it is run."""

    name: str
    entries: tuple[Entry, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    workdir: str = "/"
    env: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()

    def config(self) -> dict[str, Any]:
        """Return the part of the image's configuration that says how to run it."""
        return {
            "User": self.user,
            "WorkingDir": self.workdir,
            "Entrypoint": list(self.entrypoint),
            "Cmd": list(self.command),
            "Env": [f"{name}={value}" for name, value in sorted(self.env.items())],
            "Volumes": {path: {} for path in self.volumes},
        }

    def key(self) -> str:
        """Return a hash of all that decides the image's bytes."""
        told = [FORMAT, self.name, self.config(), [each.identity() for each in self.entries]]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Image:
    """An archive in the cache and the name of the image in it."""

    archive: Path
    name: str


def canonical(name: str) -> str:
    """Return an image name as the kubelet asks containerd for it: with registry, owner and tag."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"{DEFAULT_REGISTRY}/{DEFAULT_OWNER}/{name}"
    elif "." not in first and ":" not in first and first != "localhost":
        name = f"{DEFAULT_REGISTRY}/{name}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def image(recipe: Recipe) -> Image:
    """Return the recipe's image; write its archive when the cache has none."""
    folder = programs.cache() / "images"
    target = folder / f"{recipe.name}-{recipe.key()}.tar"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for older in programs.outdated(folder, recipe.name, ".tar"):
            older.unlink()
        with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as scratch:
            made = Path(scratch) / "archive"
            write_archive(recipe, made, Path(scratch) / "layer")
            made.rename(target)
    return Image(target, local_name(recipe))


def local_name(recipe: Recipe) -> str:
    """Return the name under which the image is imported: it changes with its content."""
    return f"durable.local/{recipe.name}:{recipe.key()}"


def write_archive(recipe: Recipe, target: Path, scratch: Path) -> None:
    """Write layer, configuration, manifest and index as one archive."""
    write_layer(recipe.entries, scratch)
    with scratch.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    layer = descriptor("layer.v1.tar", digest, scratch.stat().st_size)
    config = packed(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": recipe.config(),
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }
    )
    manifest = packed(
        {
            "schemaVersion": 2,
            "mediaType": f"{OCI}.manifest.v1+json",
            "config": described("config.v1+json", config),
            "layers": [layer],
        }
    )
    named = described("manifest.v1+json", manifest)
    named["annotations"] = {"io.containerd.image.name": local_name(recipe)}
    index = packed({"schemaVersion": 2, "manifests": [named]})
    with tarfile.open(target, "w") as archive:
        add_bytes(archive, "oci-layout", packed({"imageLayoutVersion": "1.0.0"}))
        add_bytes(archive, "index.json", index)
        for blob in (config, manifest):
            add_bytes(archive, f"blobs/sha256/{hashlib.sha256(blob).hexdigest()}", blob)
        add(archive, Entry(f"blobs/sha256/{digest}", scratch, mode=0o644))


def packed(value: Any) -> bytes:
    """Return a document's bytes, the same ones each time."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def described(kind: str, blob: bytes) -> dict[str, Any]:
    """Return the descriptor of a blob."""
    return descriptor(kind, hashlib.sha256(blob).hexdigest(), len(blob))


def descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    """Return a reference to content by its hash."""
    return {"mediaType": f"{OCI}.{kind}", "digest": f"sha256:{digest}", "size": size}


def write_layer(entries: Iterable[Entry], target: Path) -> None:
    """Write the image's files, sorted, so that a folder comes before what is in it."""
    with tarfile.open(target, "w") as layer:
        for entry in sorted(entries, key=lambda each: each.path):
            add(layer, entry)


def add_bytes(archive: tarfile.TarFile, path: str, content: bytes) -> None:
    """Add a small file."""
    add(archive, Entry(path, content, mode=0o644))


def add(archive: tarfile.TarFile, entry: Entry) -> None:
    """Add an entry; no time and no user name of this machine gets into the archive."""
    info = tarfile.TarInfo(entry.path.lstrip("/"))
    info.mode, info.uid, info.gid = entry.mode, entry.uid, entry.gid
    if entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        archive.addfile(info)
    elif isinstance(entry.source, bytes):
        info.size = len(entry.source)
        archive.addfile(info, io.BytesIO(entry.source))
    elif entry.source:
        info.size = entry.source.stat().st_size
        with entry.source.open("rb") as handle:
            archive.addfile(info, handle)
    else:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)

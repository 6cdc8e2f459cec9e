"""A Kubernetes object in the stream: a document, or an item of a List or a ResourceList."""

from __future__ import annotations

import re

from durable.errors import DocumentError
from durable.patch import pointer
from durable.pattern import pattern

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from durable.document import Document
    from durable.patch import Operation, Path
    from durable.stream import Chunk

TYPES = {
    dict: "a mapping",
    list: "a list",
    str: "a string",
    int: "a whole number",
    bool: "true or false",
}
SOURCE = pattern(r"^# Source: (\S+)", re.MULTILINE)
# Helm 4 writes it into each document that it sends.
FILENAME = "postrenderer.helm.sh/postrender-filename"
HOOK = "helm.sh/hook"


class Object:
    """An object by its place: a document and the path of the object in it.

    The readers give an empty value for what is absent or null, and raise DocumentError, naming
    object and field, for what has the wrong type.
    """

    __slots__ = ("base", "chunk", "document")

    def __init__(self, chunk: Chunk | None, document: Document, base: Path = ()) -> None:
        self.chunk = chunk
        self.document = document
        self.base = base

    @property
    def value(self) -> dict[str, Any]:
        """The object as plain data; not to be changed by the reader."""
        value: Any = self.document.value
        for token in self.base:
            value = value[int(token)] if isinstance(value, list) else value[token]
        if not isinstance(value, dict):
            raise DocumentError(f"{pointer(self.base)} is no Kubernetes object")
        return value

    def get(self, *path: str) -> Any:
        """The value at a path, or None where it (or a parent) is absent."""
        value: Any = self.value
        for depth, token in enumerate(path):
            if isinstance(value, list) and token.isdigit():
                value = value[int(token)] if int(token) < len(value) else None
            elif isinstance(value, dict):
                value = value.get(token)
            elif value is None:
                return None
            else:
                raise self.wrong(path[:depth], value, dict)
        return value

    def _typed(self, path: tuple[str, ...], kind: type) -> Any:
        value = self.get(*path)
        if value is None:
            return kind()
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(path, value, kind)
        return value

    def mapping(self, *path: str) -> dict[str, Any]:
        """The mapping at a path."""
        found: dict[str, Any] = self._typed(path, dict)
        return found

    def items(self, *path: str) -> list[dict[str, Any]]:
        """The list of mappings at a path."""
        found: list[dict[str, Any]] = self._typed(path, list)
        for index, item in enumerate(found):
            if not isinstance(item, dict):
                raise self.wrong((*path, str(index)), item, dict)
        return found

    def strings(self, *path: str) -> list[str]:
        """The list of strings at a path."""
        found: list[str] = self._typed(path, list)
        for index, item in enumerate(found):
            if not isinstance(item, str):
                raise self.wrong((*path, str(index)), item, str)
        return found

    def string(self, *path: str) -> str:
        """The string at a path."""
        found: str = self._typed(path, str)
        return found

    def flag(self, *path: str) -> bool:
        """The boolean at a path."""
        found: bool = self._typed(path, bool)
        return found

    def number(self, *path: str, default: int = 0) -> int:
        """The whole number at a path."""
        value = self.get(*path)
        found: int = default if value is None else self._typed(path, int)
        return found

    def wrong(self, path: tuple[str, ...], value: Any, kind: type) -> DocumentError:
        """The error for a field of the wrong type."""
        is_a = next((text for t, text in TYPES.items() if type(value) is t), repr(value))
        field = ".".join(path) or "the document"
        line = self.document.line_of((*self.base, *path))
        return self.placed(DocumentError(f"{field} is {is_a}, it must be {TYPES[kind]}", line))

    def placed(self, error: DocumentError) -> DocumentError:
        """The error with the object's name and its place in the stream."""
        if self.chunk is None or not self.chunk.owns(self.document):
            return DocumentError(f"{self}: {error}")
        place = self.chunk.placed(error)
        return DocumentError(f"{self}: {place}" if self.base else place)

    @property
    def kind(self) -> str:
        """The object's kind."""
        return str(self.value.get("kind") or "")

    @property
    def name(self) -> str:
        """The object's name."""
        return self.string("metadata", "name")

    @property
    def namespace(self) -> str:
        """The object's namespace; empty where the document does not say."""
        return self.string("metadata", "namespace")

    @property
    def labels(self) -> dict[str, Any]:
        """The object's labels."""
        return self.mapping("metadata", "labels")

    @property
    def annotations(self) -> dict[str, Any]:
        """The object's annotations."""
        return self.mapping("metadata", "annotations")

    @property
    def hook(self) -> bool:
        """Whether Helm runs this object as a hook."""
        metadata = self.value.get("metadata")
        annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
        return isinstance(annotations, dict) and HOOK in annotations

    @property
    def source(self) -> str:
        """The template that the object came from, where Helm says it."""
        told = self.annotations.get(FILENAME)
        found = SOURCE.search(self.document.text) if told is None else None
        return str(told) if told is not None else found[1] if found else ""

    def apply(self, operations: list[Operation]) -> None:
        """Apply a JSON Patch whose paths start at the object; a DocumentError names the object."""
        prefix = pointer(self.base)
        moved = [o | {m: prefix + o[m] for m in ("path", "from") if m in o} for o in operations]
        try:
            self.document.apply(moved)
        except DocumentError as error:
            raise self.placed(error) from None

    def __str__(self) -> str:
        """Kind, namespace and name as kubectl's users write them."""
        value = self.value
        metadata = value.get("metadata")
        names: dict[str, Any] = metadata if isinstance(metadata, dict) else {}
        place = "/".join(str(names[key]) for key in ("namespace", "name") if names.get(key))
        return f"{value.get('kind')} {place}"

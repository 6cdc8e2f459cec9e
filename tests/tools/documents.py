"""Read a stream plainly, without the code of the post-renderer, for a test or for a person."""

from __future__ import annotations

from typing import Any

import yaml

Document = dict[str, Any]
Key = tuple[str, str, str, str]


class Loader(yaml.CSafeLoader):
    """A safe loader that takes the plain scalar `=`, which the operator's CRDs hold, as text."""


Loader.add_constructor("tag:yaml.org,2002:value", lambda _loader, node: str(node.value))


def load(stream: bytes | str) -> list[Document]:
    """Return the objects of a stream, the items of each List in its place."""
    documents = [each for each in yaml.load_all(stream, Loader) if each]
    return [item for each in documents for item in items(each)]


def items(document: Document) -> list[Document]:
    """Return what a List holds, or the document itself."""
    return document.get("items") or [] if document.get("kind") == "List" else [document]


def key(document: Document) -> Key:
    """Return what names an object in a cluster."""
    metadata = document.get("metadata") or {}
    return (
        document.get("apiVersion", ""),
        document.get("kind", ""),
        metadata.get("namespace") or "",
        metadata.get("name", ""),
    )


def is_hook(document: Document) -> bool:
    """Say whether Helm runs this object as a hook."""
    return "helm.sh/hook" in ((document.get("metadata") or {}).get("annotations") or {})


def of_kind(documents: list[Document], *kinds: str) -> list[Document]:
    """Return the objects of these kinds, in the stream's order."""
    return [each for each in documents if each.get("kind") in kinds]

"""Rule cases, the forms in which a stream may come, and a run of the pipeline over them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from durable import pipeline, stream
from durable.findings import REFUSE, Finding
from durable.stream import Stream
from tests.tools.documents import Document, Loader

CASES = Path(__file__).resolve().parent / "cases" / "checks"
FILENAME = "postrenderer.helm.sh/postrender-filename"
SOURCE = re.compile(r"^# Source: (\S+)", re.MULTILINE)
EXPECT = re.compile(r"\A# expect: (.+)\n")
PLAN = "PersistencePlan"

# Rules that compare with what was there before any edit, so that a second run has nothing to say.
ONCE = {"grafana/data-seen"}
Place = tuple[str, str, str, str]


@dataclass(frozen=True)
class Case:
    """A stream that a rule refuses or warns of (bad), or one near it that it does not (good)."""

    path: Path

    @property
    def rule(self) -> str:
        """Return the rule's id: the two folders."""
        return "/".join(self.path.relative_to(CASES).parts[:2])

    @property
    def bad(self) -> bool:
        """Say whether the rule must find something."""
        return self.path.stem.split("-")[0] == "bad"

    @property
    def text(self) -> str:
        """Return the stream."""
        return self.path.read_text()

    @property
    def expected(self) -> set[str]:
        """Return the rules besides its own that cannot but refuse this case too."""
        found = EXPECT.match(self.text)
        return set(found[1].split()) if found else set()


def cases() -> list[Case]:
    """Return all cases."""
    return [Case(path) for path in sorted(CASES.rglob("*.yaml"))]


def name(case: Case) -> str:
    """Return what pytest calls a case."""
    return f"{case.rule}/{case.path.stem}"


def read(data: str | bytes) -> Stream:
    """Return the stream of a text."""
    return stream.read(data.encode() if isinstance(data, str) else data)


def findings(data: str | bytes) -> tuple[Finding, ...]:
    """Return what the rules find in a stream that brings its plan."""
    return pipeline.run(read(data), None).findings


def places(found: tuple[Finding, ...]) -> set[Place]:
    """Return what was found where: what does not depend on the stream's form."""
    return {(each.severity, each.rule, each.object, each.field) for each in found}


def refusing(found: tuple[Finding, ...]) -> set[str]:
    """Return the ids of the rules that refuse."""
    return {each.rule for each in found if each.severity == REFUSE}


def documents(text: str) -> list[Document]:
    """Return the documents; where each came from stands in an annotation, as Helm 4 writes it."""
    found = []
    for part in re.split(r"^---\n", text, flags=re.MULTILINE):
        document = yaml.load(part, Loader)  # noqa: S506  a subclass of the safe loader
        source = SOURCE.search(part)
        if not document:
            continue
        if source:
            metadata = document.setdefault("metadata", {})  # a ConfigMapList may have none
            metadata["annotations"] = {**(metadata.get("annotations") or {}), FILENAME: source[1]}
        found.append(document)
    return found


def _dump(document: Document, **style: Any) -> str:
    said = {"sort_keys": False, "width": 100, "allow_unicode": True, **style}
    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, **said))


def helm_4(text: str) -> str:
    """Return what a plugin of Helm 4 reads: annotations, no first separator."""
    return "---\n".join(map(_dump, documents(text)))


def flow(text: str) -> str:
    """Return the documents in flow style."""
    return "---\n".join(_dump(each, default_flow_style=True) for each in documents(text))


def as_json(text: str) -> str:
    """Return the documents as JSON."""
    return "---\n".join(json.dumps(each, indent=1) + "\n" for each in documents(text))


def backwards(text: str) -> str:
    """Return the documents in the opposite order."""
    return "---\n".join(map(_dump, reversed(documents(text))))


def listed(text: str) -> str:
    """Return one List of all documents."""
    return _dump({"apiVersion": "v1", "kind": "List", "items": documents(text)})


def resource_list(text: str) -> str:
    """Return what a KRM function reads, with the plan as its configuration."""
    found = documents(text)
    plan = next(each for each in found if each["kind"] == PLAN)
    rest = [copy.deepcopy(each) for each in found if each is not plan]
    head = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"}
    return _dump({**head, "items": rest, "functionConfig": plan})


def windows(text: str) -> str:
    """Return the text with Windows' line ends and a byte order mark."""
    return "\ufeff" + text.replace("\n", "\r\n")


FORMS: dict[str, Callable[[str], str]] = {
    "helm 4": helm_4,
    "flow style": flow,
    "json": as_json,
    "backwards": backwards,
    "List": listed,
    "ResourceList": resource_list,
    "Windows": windows,
}

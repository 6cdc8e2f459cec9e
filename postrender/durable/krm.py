"""KRM functions: a ResourceList comes in and goes out, findings are its results.

Facts: kustomize cmd/config/docs/api-conventions/functions-spec.md. The list is put out on a refusal
too, as it came in, since orchestrators read the results of a function that fails.
"""

from __future__ import annotations

from durable.findings import REFUSE, one_line
from durable.stream import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from durable.findings import Finding
    from durable.stream import Stream

KIND = "ResourceList"
REFERENCE = ("apiVersion", "kind", "namespace", "name")


def is_resource_list(stream: Stream) -> bool:
    """Whether the first object of the stream is a ResourceList."""
    return next((c.kind for c in stream.chunks if c.kind), "") == KIND


def answered(stream: Stream, findings: Sequence[Finding], *, refused: bool) -> Stream:
    """The stream with the findings as results: edited, or as it was read where a rule refuses."""
    told = read(stream.data) if refused else stream
    chunk = next(c for c in told.chunks if c.kind == KIND)
    if findings or chunk.document.value.get("results") is not None:
        chunk.document.apply(
            [{"op": "add", "path": "/results", "value": [_result(f) for f in findings]}]
        )
    return told


def _result(finding: Finding) -> dict[str, Any]:
    """One finding as functions-spec.md has it: resourceRef and field say where, tags which rule."""
    reference = {
        key: value for key, value in zip(REFERENCE, finding.reference, strict=False) if value
    }
    says = finding.what() if reference else f"{finding.object}: {finding.what()}"
    result: dict[str, Any] = {
        "message": f"{one_line(says)}; fix: {one_line(finding.fix)}",
        "severity": "error" if finding.severity == REFUSE else "warning",
        "tags": {"rule": finding.rule},
    }
    if reference:
        result["resourceRef"] = reference
    if reference and finding.field:
        result["field"] = {"path": finding.field}
    if finding.source:
        result["file"] = {"path": finding.source}
    return result

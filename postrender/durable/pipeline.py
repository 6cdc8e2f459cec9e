"""The order of things: two tuples are the design, the rest runs them."""

from __future__ import annotations

from durable.checks import (
    agent,
    claims,
    classes,
    consumers,
    grafana,
    helm,
    ownership,
    pods,
    registry,
    remote,
    retention,
    volumes,
)
from durable.document import Document
from durable.errors import DocumentError, PlanError
from durable.nodes import SECOND
from durable.objects import Object
from durable.plan import KIND, parse_plan
from durable.record import record
from durable.stack import RECORD_LABEL, Stack, find_consumers, objects, operator_version
from durable.steps.apply_patches import apply_patches, overruled
from durable.steps.bind_volumes import bind_volumes
from durable.steps.claim_storage import claim_storage
from durable.steps.fix_ownership import fix_ownership
from durable.steps.keep_claims import keep_claims
from durable.steps.limit_retention import limit_retention
from durable.steps.mount_grafana import mount_grafana
from durable.steps.pin_nodes import pin_nodes
from durable.steps.record_plan import plan_text, record_plan
from durable.steps.send_remote import send_remote
from durable.steps.set_fs_group import set_fs_group
from durable.stream import cure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from durable.edits import Edit
    from durable.findings import Finding
    from durable.plan import Plan
    from durable.stream import Chunk, Stream

RESOURCE_LIST = "ResourceList"

STEPS = (
    claim_storage,
    keep_claims,
    mount_grafana,
    set_fs_group,
    pin_nodes,
    fix_ownership,
    limit_retention,
    bind_volumes,
    send_remote,
    apply_patches,
)


CHECKS = (
    claims,
    volumes,
    retention,
    grafana,
    agent,
    pods,
    consumers,
    classes,
    ownership,
    remote,
    helm,
)


@record
class PlanFile:
    """A plan that comes from a file: its name for messages, and its text."""

    name: str
    text: str


@record
class Result:
    """What a run did: the edits in their order, and what the rules found."""

    edits: tuple[Edit, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether a rule refuses the stream."""
        return any(f.severity == "refuse" for f in self.findings)


def run(stream: Stream, plan_file: PlanFile | None, *, hooks: bool = False) -> Result:
    """Edit the stream's documents by the plan, and check what came out.

    Raises PlanError, DocumentError or StreamError; the stream must then not be put out.
    """
    stack = build_stack(stream, plan_file, hooks=hooks)
    edits: list[Edit] = []
    for step in STEPS:
        for edit in step(stack):
            if overruled(stack, edit):
                continue
            edit.apply()
            edits.append(edit)
    found = registry.find(stack)
    record_plan(stack, edits, [f.line() for f in found if f.severity == "warn"])
    return Result(tuple(edits), tuple(found))


def build_stack(stream: Stream, plan_file: PlanFile | None, *, hooks: bool = False) -> Stack:
    """Find the plan and the consumers in the stream."""
    found = objects(stream, hooks=hooks)
    plan, plan_object, record_object = find_plan(found, stream.chunks, plan_file)
    stack = Stack(
        stream=stream,
        plan=plan,
        objects=found,
        consumers=find_consumers(found, plan),
        operator=operator_version(stream),
        plan_object=plan_object,
        record_object=record_object,
        recorded=False,
        hooks=hooks,
    )
    refuse_other_release(stack)
    known = record_object.get("data", "plan.yaml") if record_object else None
    return Stack(**vars(stack) | {"recorded": known == plan_text(stack)})


def find_plan(
    found: dict[str, list[Object]], chunks: list[Chunk], plan_file: PlanFile | None
) -> tuple[Plan, Object | None, Object | None]:
    """The plan: of the file, of the stream's plan document, or of the record of an earlier run."""
    documents = found.get(KIND, []) + function_configs(chunks)
    records = [c for c in found.get("ConfigMap", []) if c.labels.get(RECORD_LABEL)]
    if len(documents) + bool(plan_file) > 1:
        places = [str(d.chunk.label()) if d.chunk else str(d) for d in documents]
        if plan_file:
            places.append(f"--plan {plan_file.name}")
        raise PlanError(f"two plans: {' and '.join(places)}; keep one")
    record_object = records[0] if records else None
    if plan_file:
        return parse_plan(_file_value(plan_file), plan_file.name), None, record_object
    if documents:
        plan = documents[0]
        _refuse_duplicate(plan.document, str(plan))
        return (
            parse_plan(plan.value, plan.chunk.label() if plan.chunk else str(plan)),
            plan,
            record_object,
        )
    if record_object:
        text = record_object.string("data", "plan.yaml")
        value = _file_value(PlanFile(str(record_object), text))
        named = {"apiVersion": "durable-prometheus-stack/v1", "kind": KIND, "spec": value}
        return parse_plan(named, str(record_object)), None, record_object
    raise PlanError(
        f"no plan: the stream has no {KIND} document; render the chart durable-prometheus-stack, "
        "or give --plan FILE (a values file with a 'persistence' block)"
    )


def function_configs(chunks: list[Chunk]) -> list[Object]:
    """The plans that ResourceLists carry as functionConfig: how KRM functions are told."""
    lists = [Object(chunk, chunk.document) for chunk in chunks if chunk.kind == RESOURCE_LIST]
    return [
        Object(item.chunk, item.document, ("functionConfig",))
        for item in lists
        if item.mapping("functionConfig").get("kind") == KIND
    ]


def _file_value(plan_file: PlanFile) -> object:
    document = Document(plan_file.text.removeprefix("\ufeff"))
    try:
        value = document.value
    except DocumentError as error:
        if error.says == SECOND:
            error = DocumentError("a second document: a plan is one, keep one", error.line)
        lines = plan_file.text.encode().split(b"\n")
        told = cure(error, b"".join(lines[max(0, error.line - 1) : error.line]))
        raise PlanError(f"{plan_file.name}: {error}{told}") from None
    _refuse_duplicate(document, plan_file.name)
    return value


def _refuse_duplicate(document: Document, origin: str) -> None:
    twice = document.tree.duplicate_key()
    if twice:
        raise PlanError(
            f"{origin}: line {twice[1] + 1}: the key {twice[0]!r} stands twice: remove one"
        )


def refuse_other_release(stack: Stack) -> None:
    """Raise PlanError where Helm says that the consumers belong to other releases only."""
    release = stack.plan.release
    told = [(c, _release_of(c.object)) for c in stack.consumers]
    others = [(c, name) for c, name in told if name and name != release]
    if release and others and all(name != release for _, name in told):
        consumer, owner = others[0]
        msg = (
            f"the plan is for the release {release!r}, but {consumer} belongs to {owner!r}: "
            "render both with one release name, or take spec.release out of the plan file"
        )
        raise PlanError(msg)


def _release_of(item: Object) -> str:
    """The Helm release that an object says it is of; '' for what Helm did not render."""
    labels = item.labels
    helm = "Helm" in (labels.get("heritage"), labels.get("app.kubernetes.io/managed-by"))
    if not helm and "helm.sh/chart" not in labels:
        return ""
    return str(labels.get("release") or labels.get("app.kubernetes.io/instance") or "")

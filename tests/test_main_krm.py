"""KRM functions: a ResourceList comes in, and one with the findings as its results goes out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.running import PLAN, PROMETHEUS, Answer, assert_failed, run, stream
from tests.tools.documents import load

# Each finding of a result has a place; the plan is told as the function's configuration.
PLANNED = load(PLAN)[0]
OBJECT = load(PROMETHEUS)[0]
AGENT = OBJECT | {"kind": "PrometheusAgent", "spec": {"mode": "DaemonSet"}}


def resource_list(*items: Any, persistence: Any = None, **more: Any) -> bytes:
    """Return a ResourceList as an orchestrator writes it."""
    spec = {"persistence": persistence or PLANNED["spec"]["persistence"]}
    head = {"apiVersion": "config.kubernetes.io/v1", "kind": "ResourceList"}
    body = {"items": list(items), "functionConfig": PLANNED | {"spec": spec}}
    return json.dumps(head | body | more).encode()


def answered(answer: Answer) -> Any:
    """Return the one document that went out."""
    (found,) = load(answer.out)
    return found


def test_items_are_edited_in_their_list() -> None:
    """The items come out as the documents of a stream do, in a ResourceList without results."""
    answer = run(resource_list(OBJECT))
    assert (0, "") == (answer.code, answer.said)
    found = answered(answer)
    assert "results" not in found
    expected = [d for d in load(run(stream(PLAN, PROMETHEUS)).out) if d["kind"] == "Prometheus"]
    assert expected == [item for item in found["items"] if item["kind"] == "Prometheus"]


def test_a_warning_is_a_result() -> None:
    """A warning goes out as a result; those of an earlier run are gone."""
    old = [{"message": "old"}]
    both = {"prometheus": {"size": "5Gi"}, "alertmanager": {}}
    answer = run(resource_list(OBJECT, persistence=both, results=old))
    assert 0 == answer.code
    (result,) = answered(answer)["results"]
    assert ("warning", "consumers/present") == (result["severity"], result["tags"]["rule"])
    assert "persistence.alertmanager" in result["message"]
    assert [] == answered(run(resource_list(OBJECT, results=old)))["results"]


def test_a_refusal_is_a_result() -> None:
    """A refusal is exit code 1 with the list as it came in, so that an orchestrator shows why."""
    answer = run(resource_list(AGENT))
    assert 1 == answer.code
    assert answer.said.startswith("refused  PrometheusAgent mon/kps: ")
    found = answered(answer)
    assert [AGENT] == found["items"]
    (result,) = found["results"]
    assert "error" == result["severity"]
    reference = {"kind": "PrometheusAgent", "namespace": "mon", "name": "kps"}
    assert reference == {name: result["resourceRef"][name] for name in reference}
    assert "; fix: " in result["message"]


WRONG = (
    (resource_list("text"), "items must be a list of objects"),
    (resource_list(OBJECT, items={}), "items must be a list of objects"),
    (resource_list(OBJECT, functionConfig=None), "no plan: "),
    (
        resource_list(OBJECT, persistence={"prometheus": {"sise": "1Gi"}}),
        "prometheus.sise is unknown: did you mean 'size'?",
    ),
    (
        resource_list(OBJECT | {"spec": {"replicas": "two"}}),
        "spec.replicas is a string, it must be a whole number",
    ),
)


@pytest.mark.parametrize(("data", "told"), WRONG)
def test_a_wrong_list_is_refused(data: bytes, told: str) -> None:
    """A list that cannot be worked on is exit code 2, with an empty stdout."""
    assert_failed(run(data), told)

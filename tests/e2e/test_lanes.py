"""How the scenarios are spread over processes, without a cluster."""

from __future__ import annotations

import fcntl
import itertools
import threading
from collections.abc import Collection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cluster.poll import wait_until
from tests.e2e.__main__ import main, worst
from tests.e2e.lanes import LANES, in_order, lane_of
from tests.e2e.reports import told
from tests.e2e.turns import ALONE, OFF_NODE, Turns

TESTS = Path(__file__).resolve().parents[1]
TIMEOUT = 10


def item(file: str, name: str = "test", *fixtures: str, marks: Collection[str] = ()) -> Any:
    """Return what of a test lanes and turns look at."""
    return SimpleNamespace(
        nodeid=f"tests/{file}.py::{name}",
        path=Path(f"tests/{file}.py"),
        fixturenames=fixtures,
        get_closest_marker=lambda name: name if name in marks else None,
    )


def test_lanes_name_files() -> None:
    """Each file of a lane is there, and is named once."""
    named = [name if "/" in name else f"e2e/{name}" for lane in LANES for name in lane]
    assert [] == [name for name in named if not (TESTS / f"{name}.py").is_file()]
    assert len(named) == len({*named})


def test_tests_are_sorted_by_lane() -> None:
    """The lanes come in their order, other files last, and a file's tests as they stand in it."""
    earliest = item("cluster/test_harness")
    first = item(f"e2e/{LANES[0][0]}", "test_b")
    again, second = item(f"e2e/{LANES[0][0]}", "test_a"), item(f"e2e/{LANES[0][1]}")
    other, later = item("e2e/test_scenario_d"), item(f"e2e/{LANES[-1][0]}")
    mixed = [other, later, second, first, again, earliest]
    in_order(mixed)
    assert [earliest, first, again, second, later, other] == mixed
    assert lane_of("tests/e2e/test_scenario_d.py") != lane_of("tests/e2e/test_reach.py")
    # Two files of one name.
    assert lane_of("tests/cluster/test_influxdb.py") != lane_of("tests/e2e/test_influxdb.py")


def test_what_is_made_once_has_one_lane() -> None:
    """A fixture that makes what has one name on the cluster is used in one lane only."""
    same = [item(f"e2e/{name}", "test", "operator") for name in LANES[0][:2]]
    in_order(same)
    with pytest.raises(pytest.UsageError, match="operator is used in more than one lane"):
        in_order([*same, item("e2e/test_reach", "test", "cluster", "operator")])


def test_turns_are_shared_until_one_wants_to_be_alone(tmp_path: Path) -> None:
    """Who wants the node for itself waits for all others, and nobody gets a turn before it."""
    first, second, alone, late = (Turns(tmp_path) for _ in range(4))
    first.take()
    second.take()
    order: list[str] = []

    def take(turns: Turns, name: str, **how: bool) -> threading.Thread:
        def run() -> None:
            turns.take(**how)
            order.append(name)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    waiting = take(alone, "alone", alone=True)
    wait_until("it stands in the door", lambda: closed(tmp_path / "door.lock"), TIMEOUT)
    behind = take(late, "late")
    first.leave()
    assert not order
    second.leave()
    waiting.join(TIMEOUT)
    wait_until("the next one stands in the door", lambda: closed(tmp_path / "door.lock"), TIMEOUT)
    assert ["alone"] == order
    alone.leave()
    behind.join(TIMEOUT)
    assert ["alone", "late"] == order
    assert late.held
    late.leave()
    assert not late.held


def closed(path: Path) -> bool:
    """Whether somebody holds a lock."""
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_one_turn_at_a_time(tmp_path: Path) -> None:
    """Who has a turn and waits for another would wait for itself: that is an error."""
    turns = Turns(tmp_path)
    turns.take()
    with pytest.raises(AssertionError, match="one turn"):
        turns.take(alone=True)
    turns.leave()


def test_file_keeps_its_turn(tmp_path: Path) -> None:
    """A file has a turn from its first test to its last, and tests alone one of their own."""
    turns = Turns(tmp_path)
    marks = [("e2e",), ("e2e", ALONE), ("e2e", ALONE), ("e2e",)]
    run = [item("e2e/test_a", marks=each) for each in marks]
    run += [item("e2e/test_b", marks=("e2e", OFF_NODE)), item("test_plan"), run[0]]
    held = []
    for test, following in itertools.zip_longest(run, run[1:]):
        turns.before(test)
        during = (turns.held, turns.held and turns.alone)
        turns.after(test, following)
        held.append((*during, turns.held))
    shared, alone, none = (True, False), (True, True), (False, False)
    assert [
        *((*shared, False), (*alone, True), (*alone, False), (*shared, False)),
        *((*none, False), (*none, False), (*shared, False)),
    ] == held


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([0, 0], 0),
        ([5, 0], 0),
        ([0, 5], 0),
        ([5, 5], 5),
        ([1, 0], 1),
        ([5, 1], 1),
        # Whoever tries failed tests again must not take these for failed tests only.
        ([1, 3], 3),
        ([2], 2),
        ([1], 1),
    ],
)
def test_exit_code_of_both_parts(codes: list[int], expected: int) -> None:
    """What keeps tests from running outweighs failed ones, and no tests in one part is fine."""
    assert expected == worst(iter(codes))


def test_files_are_not_for_both_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """A path would be run by both parts, so it is refused before anything is done."""
    assert pytest.ExitCode.USAGE_ERROR == main(["tests/e2e/test_lanes.py::test_x"])
    assert "say -k NAME, or run pytest with -m e2e on the file" in capsys.readouterr().err


def test_findings_are_told_once() -> None:
    """What a test leaves is repeated by each of its phases, and told once; others' is not."""

    def phase(when: Any, outcome: Any, *left: tuple[str, object]) -> pytest.TestReport:
        where = ("tests/x.py", 1, "test")
        return pytest.TestReport("x", where, {}, outcome, None, when, user_properties=left)

    row = ("trap", {"rule": "a"})
    stats = {
        "passed": [phase("call", "passed", row, ("other", {"rule": "b"}))],
        "": [phase("setup", "passed"), phase("teardown", "passed", row)],
        "failed": [phase("call", "failed", ("trap", {"rule": "c"}))],
        "deselected": [item("e2e/test_reach")],
    }
    reporter: Any = SimpleNamespace(stats=stats)
    assert [{"rule": "a"}, {"rule": "c"}] == told(reporter, "trap")

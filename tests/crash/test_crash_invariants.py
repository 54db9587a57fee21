"""The judge itself: an honest record passes, and every kind of fault in it is found."""

from __future__ import annotations

import random  # noqa: TID251 - seeded
from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.model.run import Event, Kind, RunLine, RunStatus
from controller.model.text import text
from controller.store.journal import StoredRun
from tests.crash import flow
from tests.crash.flow import Errand
from tests.crash.invariants import Ended, violations
from tests.crash.service import Asked, What

RUN = "run_1"
Case = tuple[list[Ended], list[StoredRun], list[Asked]]


def errand(*, refused_at: str | None) -> Errand:
    made = flow.errand(1, random.Random(1), fails=False)
    does = {step: {**how, "busy": 0, "undo_busy": 0} for step, how in made.given["does"].items()}
    return Errand(made.key, {**made.given, "does": does}, refused_at)


def case(status: RunStatus, one: Errand, events: list[Event], record: list[Asked]) -> Case:
    line = RunLine(RUN, flow.NAME, status, 0.0, 1.0, 9.0, "test", flow.definition().hash)
    given = {"input": one.given, "by": "test", "key": one.key}
    first = [Event(Kind.CREATED, 0.0, data=given), Event(Kind.STARTED, 1.0)]
    stored = StoredRun(line, "{}", one.key, "", 3, (*first, *events))
    return [Ended(one, frozenset({RUN}), status)], [stored], record


def did(step: str, at: int, what: What = What.EXECUTED) -> Asked:
    return Asked(f"{RUN}:{step}", f"digest of {step}", False, at, at + 1, what)


def undid(step: str, at: int, what: What = What.UNDONE) -> Asked:
    return Asked(f"{RUN}:{step}", f"digest of the undo of {step}", True, at, at + 1, what)


def well() -> Case:
    """a to f, each once."""
    one = errand(refused_at=None)
    events, record = [], []
    for at, step in enumerate(flow.NEEDS):
        output = {"output": {"value": one.output()[step]}}
        events.append(Event(Kind.STEP_STARTED, 2.0 + at, step))
        events.append(Event(Kind.STEP_SUCCEEDED, 2.0 + at, step, output))
        record.append(did(step, 2 * at))
    end = {"status": RunStatus.SUCCEEDED, "output": one.output()}
    events.append(Event(Kind.ENDED, 9.0, data=end))
    return case(RunStatus.SUCCEEDED, one, events, record)


def undone() -> Case:
    """a and then b, c, d; d refuses; d, c, b and a are undone."""
    one = errand(refused_at="d")
    events, record, tick = [], [], 0
    for step in "abcd":
        events.append(Event(Kind.STEP_STARTED, 2.0, step))
        if step != "d":
            output = {"output": {"value": one.output()[step]}}
            events.append(Event(Kind.STEP_SUCCEEDED, 3.0, step, output))
        record.append(did(step, tick, What.REFUSED if step == "d" else What.EXECUTED))
        tick += 2
    why = {"reason": text("run.http", status=422).to_json(), "status": 422}
    events.append(Event(Kind.STEP_FAILED, 4.0, "d", {"error": why}))
    failed = {"reason": text("run.step_failed", step="d", why="").to_json(), "status": 422}
    data = {"end": RunStatus.COMPENSATED, "error": failed}
    events.append(Event(Kind.COMPENSATING, 5.0, data=data))
    for step in "dcba":
        events.append(Event(Kind.UNDO_STARTED, 6.0, step))
        events.append(Event(Kind.UNDO_DONE, 6.0, step))
        record.append(undid(step, tick, What.TOMBSTONE if step == "d" else What.UNDONE))
        tick += 2
    events.append(Event(Kind.ENDED, 9.0, data={"status": RunStatus.COMPENSATED}))
    return case(RunStatus.COMPENSATED, one, events, record)


def lost(made: Case) -> None:
    made[1].clear()


def executed_twice(made: Case) -> None:
    made[2].append(did("a", 100))


def another_body(made: Case) -> None:
    made[2].append(replace(did("a", 100, What.REPLAYED), digest="another"))


def asked_after_its_end(made: Case) -> None:
    made[2].append(did("f", 100, What.REPLAYED))


def never_done(made: Case) -> None:
    del made[2][0]


def begun_by_nobody(made: Case) -> None:
    made[1].append(replace(made[1][0], line=replace(made[1][0].line, id="run_2")))


def made_twice(made: Case) -> None:
    made[0][0] = replace(made[0][0], acknowledged=frozenset({RUN, "run_2"}))


def does_not_fold(made: Case) -> None:
    events = made[1][0].events
    made[1][0] = replace(made[1][0], events=(*events, events[-1]))


def unlike_its_line(made: Case) -> None:
    made[0][0] = replace(made[0][0], status="running")


def undone_though_well(made: Case) -> None:
    made[2].append(undid("f", 100))


def not_undone(made: Case) -> None:
    del made[2][-1]


def undone_twice(made: Case) -> None:
    made[2].append(undid("a", 100))


def undone_in_order(made: Case) -> None:
    """b before c, though c was completed later."""
    record = made[2]
    record[5], record[6] = undid("b", record[5].began), undid("c", record[6].began)


def undone_at_once(made: Case) -> None:
    made[2][-1].began = made[2][-2].ended - 1


def undone_though_never_asked(made: Case) -> None:
    made[2].append(undid("f", 100))


@pytest.mark.parametrize("make", [well, undone])
def test_an_honest_record_passes(make: Callable[[], Case]) -> None:
    assert violations(*make(), kills=1) == []


_ALWAYS = [
    *(lost, executed_twice, another_body, asked_after_its_end, never_done),
    *(begun_by_nobody, made_twice, does_not_fold, unlike_its_line),
]


@pytest.mark.parametrize(
    ("make", "spoil"),
    [
        *((well, spoil) for spoil in (*_ALWAYS, undone_though_well)),
        *((undone, spoil) for spoil in (lost, executed_twice, another_body, does_not_fold)),
        *((undone, spoil) for spoil in (not_undone, undone_twice, undone_in_order)),
        *((undone, spoil) for spoil in (undone_at_once, undone_though_never_asked)),
    ],
)
def test_a_spoilt_record_is_found(make: Callable[[], Case], spoil: Callable[[Case], None]) -> None:
    made = make()
    spoil(made)
    assert violations(*made, kills=1)

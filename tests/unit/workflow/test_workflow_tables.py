"""Every pair of a status and an event: either the tables allow it, or it is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from controller.model.run import (
    Error,
    Event,
    Hold,
    Kind,
    Run,
    RunStatus,
    StepRun,
    StepStatus,
    Undo,
    UndoStatus,
)
from controller.model.text import text
from controller.workflow import fold as folding
from controller.workflow.fold import RUN, STEP, UNDO, ForbiddenTransitionError, apply, fold
from tests.unit.workflow.workflow_builders import line

NOW = 2000.0
ERROR = Error(text("run.http", status=503), 503, "busy")
HOLD = Hold(text("run.waits_healing", service="a"), NOW - 5, "inc_1")

RUN_KINDS = (Kind.CREATED, Kind.STARTED, Kind.CANCEL_ASKED, Kind.COMPENSATING, Kind.RESUMED)
STEP_KINDS = tuple(kind for kind in Kind if kind.startswith("step_"))
UNDO_KINDS = tuple(kind for kind in Kind if kind.startswith("undo_"))

DATA: dict[Kind, dict[str, Any]] = {
    Kind.CREATED: {"by": "ann"},
    Kind.CANCEL_ASKED: {"by": "ann"},
    Kind.RESUMED: {"by": "ann"},
    Kind.COMPENSATING: {"end": "compensated", "error": ERROR.to_json()},
    Kind.STEP_SUCCEEDED: {"output": {"n": 1}},
    Kind.STEP_RETRYING: {"error": ERROR.to_json(), "retry_at": NOW + 1},
    Kind.STEP_FAILED: {"error": ERROR.to_json()},
    Kind.STEP_HELD: {"reason": HOLD.reason.to_json(), "incident": "inc_1"},
    Kind.UNDO_RETRYING: {"error": ERROR.to_json(), "retry_at": NOW + 1},
    Kind.UNDO_FAILED: {"error": ERROR.to_json()},
    Kind.UNDO_HELD: {"reason": HOLD.reason.to_json(), "incident": "inc_1"},
}


def event(kind: Kind, step: str = "", **data: Any) -> Event:
    return Event(kind, NOW, step, DATA.get(kind, {}) | data)


def a_run(status: RunStatus, *steps: StepRun) -> Run:
    found = {step.id: step for step in steps or (StepRun("a", "a"),)}
    return Run("run_1", "w", "hash", status, None, 1000.0, "ann", found, started_at=1001.0)


def a_step(
    status: StepStatus, undo: UndoStatus = UndoStatus.NONE, *, asked: bool = True
) -> StepRun:
    return StepRun(
        "a",
        "a",
        status,
        started_at=1001.0 if asked else None,
        attempt_at=1001.0 if asked else None,
        retry_at=NOW if status is StepStatus.RETRYING else None,
        hold=HOLD if status is StepStatus.HELD else None,
        asked=asked,
        undo=Undo(
            undo,
            retry_at=NOW if undo is UndoStatus.RETRYING else None,
            hold=HOLD if undo is UndoStatus.HELD else None,
        ),
    )


def refused(run: Run, happened: Event) -> None:
    """It cannot be, and the refusal names what cannot be."""
    with pytest.raises(ForbiddenTransitionError, match=f"{happened.kind.value} cannot be"):
        apply(run, happened)


# Runs


def run_pairs() -> Iterator[tuple[RunStatus, Event]]:
    for status, kind in product(RunStatus, RUN_KINDS):
        yield status, event(kind)
    for status, target in product(RunStatus, RunStatus):
        yield status, event(Kind.ENDED, status=target)


@pytest.mark.parametrize(
    ("status", "happened"),
    [
        pytest.param(status, happened, id=f"{status}-{happened.kind}-{happened.data.get('status')}")
        for status, happened in run_pairs()
    ],
)
def test_a_run_changes_as_its_table_says(status: RunStatus, happened: Event) -> None:
    allowed = RUN.get((status, happened.kind), frozenset())
    target = happened.data.get("status") or next(iter(allowed), None)
    if target not in allowed:
        refused(a_run(status), happened)
        return
    after = apply(a_run(status), happened)
    assert after.status is target
    assert (after.ended_at == NOW) is (happened.kind is Kind.ENDED)


def test_the_table_of_runs() -> None:
    """Spelled out: a change of the table is a change of what every journal on a disk may say."""
    assert _as_text(RUN) == [
        "pending: started -> running",
        "pending: cancel_asked -> pending",
        "pending: ended -> cancelled",
        "running: cancel_asked -> running",
        "running: compensating -> compensating",
        "running: ended -> succeeded",
        "compensating: cancel_asked -> compensating",
        "compensating: ended -> cancelled, compensated, compensation_failed, failed",
        "compensation_failed: resumed -> compensating",
    ]


def _as_text(table: Any) -> list[str]:
    return [
        f"{status}: {kind} -> {', '.join(sorted(to)) if isinstance(to, frozenset) else to}"
        for (status, kind), to in table.items()
    ]


@pytest.mark.parametrize("data", [{}, {"status": None}, {"status": "done"}, {"status": "waiting"}])
@pytest.mark.parametrize("status", RunStatus)
def test_an_end_must_name_an_end(status: RunStatus, data: dict[str, Any]) -> None:
    refused(a_run(status), Event(Kind.ENDED, NOW, data=data))


# Steps


@pytest.mark.parametrize("kind", STEP_KINDS)
@pytest.mark.parametrize("status", StepStatus)
def test_a_step_of_a_running_run_changes_as_its_table_says(status: StepStatus, kind: Kind) -> None:
    run, happened = a_run(RunStatus.RUNNING, a_step(status)), event(kind, "a")
    target = STEP.get((status, kind))
    if target is None:
        refused(run, happened)
        return
    after = apply(run, happened).steps["a"]
    assert after.status is target
    assert (after.hold is not None) is (target is StepStatus.HELD)
    assert (after.retry_at is not None) is (target is StepStatus.RETRYING)
    assert (after.ended_at == NOW) is target.over
    assert after.held_s == (5.0 if status is StepStatus.HELD and target is not status else 0.0)


@pytest.mark.parametrize("kind", STEP_KINDS)
@pytest.mark.parametrize("status", StepStatus)
@pytest.mark.parametrize("of_run", [s for s in RunStatus if s is not RunStatus.RUNNING])
def test_a_step_stands_still_unless_its_run_is_running(
    of_run: RunStatus, status: StepStatus, kind: Kind
) -> None:
    refused(a_run(of_run, a_step(status)), event(kind, "a"))


def test_the_table_of_steps() -> None:
    assert _by_kind(STEP) == {
        "step_started -> running": "held, pending, retrying",
        "step_held -> held": "held, pending, retrying, running",
        "step_succeeded -> succeeded": "running",
        "step_retrying -> retrying": "running",
        "step_failed -> failed": "held, pending, retrying, running",
        "step_skipped -> skipped": "pending",
        "step_cancelled -> cancelled": "held, retrying, running",
    }


def _by_kind(table: Any) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for (status, kind), to in table.items():
        found.setdefault(f"{kind} -> {to}", []).append(status)
    return {kind: ", ".join(sorted(statuses)) for kind, statuses in found.items()}


@pytest.mark.parametrize("status", [StepStatus.PENDING, StepStatus.HELD, StepStatus.RETRYING])
def test_only_what_is_under_way_is_charged(status: StepStatus) -> None:
    run = a_run(RunStatus.RUNNING, a_step(status))
    assert apply(run, event(Kind.STEP_FAILED, "a")).steps["a"].failures == 0


@pytest.mark.parametrize("kind", [Kind.STEP_FAILED, Kind.STEP_RETRYING])
def test_an_attempt_that_failed_is_charged(kind: Kind) -> None:
    run = a_run(RunStatus.RUNNING, a_step(StepStatus.RUNNING))
    after = apply(run, event(kind, "a")).steps["a"]
    assert (after.failures, after.error) == (1, ERROR)


def test_what_is_done_gets_its_place_in_the_order_of_completion() -> None:
    steps = [replace(a_step(StepStatus.RUNNING), id=name) for name in "abc"]
    run = a_run(RunStatus.RUNNING, *steps)
    for name in "bca":
        run = apply(run, event(Kind.STEP_SUCCEEDED, name))
    assert {name: step.place for name, step in run.steps.items()} == {"b": 0, "c": 1, "a": 2}


# Compensations


def test_the_table_of_compensations() -> None:
    assert _by_kind(UNDO) == {
        "undo_started -> running": "held, none, retrying",
        "undo_held -> held": "held, none, retrying, running",
        "undo_done -> done": "running",
        "undo_retrying -> retrying": "running",
        "undo_failed -> failed": "held, none, retrying, running",
    }


@pytest.mark.parametrize("kind", UNDO_KINDS)
@pytest.mark.parametrize("status", UndoStatus)
@pytest.mark.parametrize("of_step", [s for s in StepStatus if s.over])
def test_the_undo_of_what_was_asked_changes_as_its_table_says(
    of_step: StepStatus, status: UndoStatus, kind: Kind
) -> None:
    run, happened = a_run(RunStatus.COMPENSATING, a_step(of_step, status)), event(kind, "a")
    target = UNDO.get((status, kind))
    if target is None:
        refused(run, happened)
        return
    after = apply(run, happened).steps["a"]
    assert after.status is of_step
    assert after.undo.status is target
    assert (after.undo.hold is not None) is (target is UndoStatus.HELD)
    assert (after.undo.retry_at is not None) is (target is UndoStatus.RETRYING)
    assert (after.undo.ended_at == NOW) is (target in (UndoStatus.DONE, UndoStatus.FAILED))
    fails = kind in (Kind.UNDO_FAILED, Kind.UNDO_RETRYING)
    assert after.undo.failures == (status is UndoStatus.RUNNING and fails)


@pytest.mark.parametrize("kind", UNDO_KINDS)
@pytest.mark.parametrize("status", UndoStatus)
@pytest.mark.parametrize("of_run", [s for s in RunStatus if s is not RunStatus.COMPENSATING])
def test_nothing_is_undone_unless_the_run_compensates(
    of_run: RunStatus, status: UndoStatus, kind: Kind
) -> None:
    refused(a_run(of_run, a_step(StepStatus.SUCCEEDED, status)), event(kind, "a"))


@pytest.mark.parametrize("kind", UNDO_KINDS)
@pytest.mark.parametrize("status", UndoStatus)
@pytest.mark.parametrize("of_step", StepStatus)
def test_what_was_never_asked_is_not_undone(
    of_step: StepStatus, status: UndoStatus, kind: Kind
) -> None:
    step = a_step(of_step, status, asked=False)
    refused(a_run(RunStatus.COMPENSATING, step), event(kind, "a"))


@pytest.mark.parametrize("kind", UNDO_KINDS)
@pytest.mark.parametrize("status", UndoStatus)
@pytest.mark.parametrize("of_step", [s for s in StepStatus if not s.over])
def test_what_is_not_over_is_not_undone(
    of_step: StepStatus, status: UndoStatus, kind: Kind
) -> None:
    refused(a_run(RunStatus.COMPENSATING, a_step(of_step, status)), event(kind, "a"))


def test_to_resume_gives_failed_undos_all_their_attempts_again() -> None:
    bad = replace(a_step(StepStatus.SUCCEEDED), undo=Undo(UndoStatus.FAILED, 5, 1.0, 2.0))
    good = replace(a_step(StepStatus.SUCCEEDED), id="b", undo=Undo(UndoStatus.DONE, 3, 1.0, 2.0))
    run = replace(a_run(RunStatus.COMPENSATION_FAILED, bad, good), ended_at=NOW - 1)
    after = apply(run, event(Kind.RESUMED))
    assert after.ended_at is None
    assert after.steps["a"].undo == Undo(UndoStatus.RETRYING, 0, 1.0, None, NOW)
    assert after.steps["b"] == good


# Times


def test_a_hold_lasts_from_its_first_moment_though_its_reason_changes() -> None:
    other = {"reason": text("run.waits_starting", service="a").to_json(), "incident": None}
    step = a_step(StepStatus.HELD)
    after = apply(a_run(RunStatus.RUNNING, step), Event(Kind.STEP_HELD, NOW, "a", other))
    held = after.steps["a"].hold
    assert held == Hold(text("run.waits_starting", service="a"), HOLD.since)
    step = a_step(StepStatus.SUCCEEDED, UndoStatus.HELD)
    after = apply(a_run(RunStatus.COMPENSATING, step), Event(Kind.UNDO_HELD, NOW, "a", other))
    assert after.steps["a"].undo.hold == held


def test_it_began_with_its_first_attempt_and_took_as_long_as_its_last() -> None:
    step = a_step(StepStatus.RETRYING)
    run = apply(a_run(RunStatus.RUNNING, step), event(Kind.STEP_STARTED, "a"))
    run = apply(run, Event(Kind.STEP_SUCCEEDED, NOW + 0.25, "a"))
    after = run.steps["a"]
    assert (after.started_at, after.attempt_at, after.latency_ms) == (1001.0, NOW, 250.0)
    undo = Undo(UndoStatus.RETRYING, 1, 1500.0, retry_at=NOW)
    step = replace(a_step(StepStatus.SUCCEEDED), undo=undo)
    run = apply(a_run(RunStatus.COMPENSATING, step), event(Kind.UNDO_STARTED, "a"))
    assert run.steps["a"].undo.started_at == 1500.0


# What is not about one status


@pytest.mark.parametrize("kind", [*STEP_KINDS, *UNDO_KINDS])
@pytest.mark.parametrize("status", RunStatus)
def test_an_event_of_a_step_names_one(status: RunStatus, kind: Kind) -> None:
    refused(a_run(status, a_step(StepStatus.RUNNING, UndoStatus.RUNNING)), event(kind))
    with pytest.raises(ForbiddenTransitionError, match="no step x"):
        apply(a_run(status), event(kind, "x"))


@pytest.mark.parametrize("kind", [*RUN_KINDS, Kind.ENDED])
@pytest.mark.parametrize("status", RunStatus)
def test_an_event_of_the_run_names_no_step(status: RunStatus, kind: Kind) -> None:
    for step in StepStatus:
        refused(a_run(status, a_step(step)), event(kind, "a", status="succeeded"))


@pytest.mark.parametrize("events", [[], [event(Kind.STARTED)]], ids=["nothing", "no creation"])
def test_a_run_begins_with_its_creation(events: list[Event]) -> None:
    with pytest.raises(ForbiddenTransitionError, match="run_1 does not begin with its creation"):
        fold("run_1", line("a"), events)


def test_every_kind_has_its_place() -> None:
    """A new kind must be put in a table, or nobody can ever write it."""
    of_runs = {Kind.CREATED, *(kind for _, kind in RUN)}
    assert of_runs == {*RUN_KINDS, Kind.ENDED}
    assert {kind for _, kind in STEP} == set(STEP_KINDS) == set(folding._STEPPING)
    assert {kind for _, kind in UNDO} == set(UNDO_KINDS) == set(folding._UNDOING)
    assert of_runs.isdisjoint({*STEP_KINDS, *UNDO_KINDS})
    assert {*of_runs, *STEP_KINDS, *UNDO_KINDS} == set(Kind)

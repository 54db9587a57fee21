"""What an attempt comes to: what is asked again and when, what is charged, and what is final."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.model.run import Error, Event, Kind, StepRun, StepStatus, Undo, UndoStatus
from controller.model.text import text
from controller.model.workflow import Retry
from controller.workflow.outcome import Ending, Outcome, ending_of, forward_event, undo_event
from tests.unit.workflow.workflow_builders import HEALING, busy, failing, step
from tests.unit.workflow.workflow_play import exactly

NOW = 2000.0
RUNNING = StepRun("a", "a", StepStatus.RUNNING, asked=True)
UNDOING = replace(RUNNING, status=StepStatus.SUCCEEDED, undo=Undo(UndoStatus.RUNNING))
RETRY = Retry(attempts=3, backoff_s=2.0, max_backoff_s=10.0)
ENDLESS = Retry(attempts=10**6, backoff_s=2.0, max_backoff_s=10.0)
DONE = Outcome(Ending.DONE, output=[1, {"n": None}])
OUTAGE = Outcome(Ending.OUTAGE, hold=HEALING)


def forward(outcome: Outcome, failures: int = 0, retry: Retry = RETRY) -> Event:
    state = replace(RUNNING, failures=failures)
    return forward_event(step("a", retry=retry), state, outcome, NOW, exactly)


def backward(outcome: Outcome, failures: int = 0, retry: Retry = RETRY) -> Event:
    state = replace(UNDOING, undo=replace(UNDOING.undo, failures=failures))
    return undo_event(step("a", retry=retry), state, outcome, NOW, exactly)


@pytest.mark.parametrize(
    ("status", "ending"),
    [
        (200, Ending.DONE),
        (201, Ending.DONE),
        (204, Ending.DONE),
        (299, Ending.DONE),
        (199, Ending.PERMANENT),
        (301, Ending.PERMANENT),
        (304, Ending.PERMANENT),
        (400, Ending.PERMANENT),
        (401, Ending.PERMANENT),
        (404, Ending.PERMANENT),
        (408, Ending.TEMPORARY),
        (409, Ending.PERMANENT),
        (410, Ending.PERMANENT),
        (422, Ending.PERMANENT),
        (425, Ending.TEMPORARY),
        (429, Ending.TEMPORARY),
        (500, Ending.TEMPORARY),
        (501, Ending.TEMPORARY),
        (503, Ending.TEMPORARY),
        (504, Ending.TEMPORARY),
        (599, Ending.TEMPORARY),
    ],
)
def test_what_a_status_says(status: int, ending: Ending) -> None:
    assert ending_of(status, may_retry_conflict=False) is ending


@pytest.mark.parametrize("status", [200, 400, 404, 422, 503])
def test_a_time_to_ask_again_matters_to_a_conflict_only(status: int) -> None:
    assert ending_of(409, may_retry_conflict=True) is Ending.TEMPORARY
    again = ending_of(status, may_retry_conflict=True)
    assert again is ending_of(status, may_retry_conflict=False)


def test_done() -> None:
    assert forward(DONE) == Event(Kind.STEP_SUCCEEDED, NOW, "a", {"output": [1, {"n": None}]})
    assert backward(DONE) == Event(Kind.UNDO_DONE, NOW, "a")


def test_an_outage_waits_and_is_no_failure_however_many_there_were() -> None:
    data = {"reason": HEALING.reason.to_json(), "incident": "inc_1"}
    for failures in (0, 2, 99):
        assert forward(OUTAGE, failures) == Event(Kind.STEP_HELD, NOW, "a", data)
        assert backward(OUTAGE, failures) == Event(Kind.UNDO_HELD, NOW, "a", data)


def test_a_refusal_is_final_at_the_first_attempt() -> None:
    error = {"error": Error(text("run.http", status=422), 422).to_json()}
    assert forward(failing(), retry=ENDLESS) == Event(Kind.STEP_FAILED, NOW, "a", error)
    assert backward(failing(), retry=ENDLESS) == Event(Kind.UNDO_FAILED, NOW, "a", error)


@pytest.mark.parametrize(
    ("failures", "pause"), [(0, 2.0), (1, 4.0), (2, 8.0), (3, 10.0), (9, 10.0), (10**5, 10.0)]
)
def test_pauses_double_up_to_the_longest(failures: int, pause: float) -> None:
    after = forward(busy(), failures, ENDLESS)
    assert (after.kind, after.data["retry_at"]) == (Kind.STEP_RETRYING, NOW + pause)
    after = backward(busy(), failures, ENDLESS)
    assert (after.kind, after.data["retry_at"]) == (Kind.UNDO_RETRYING, NOW + pause)
    assert after.data["error"]["status"] == 503


@pytest.mark.parametrize(
    ("attempts", "failures", "kind"),
    [
        (1, 0, Kind.STEP_FAILED),
        (2, 0, Kind.STEP_RETRYING),
        (2, 1, Kind.STEP_FAILED),
        (3, 1, Kind.STEP_RETRYING),
        (3, 2, Kind.STEP_FAILED),
        (3, 7, Kind.STEP_FAILED),
    ],
)
def test_a_step_has_so_many_attempts(attempts: int, failures: int, kind: Kind) -> None:
    assert forward(busy(), failures, Retry(attempts)).kind is kind


@pytest.mark.parametrize(
    ("attempts", "failures", "kind"),
    [
        (1, 3, Kind.UNDO_RETRYING),
        (1, 4, Kind.UNDO_FAILED),
        (3, 4, Kind.UNDO_FAILED),
        (7, 5, Kind.UNDO_RETRYING),
        (7, 6, Kind.UNDO_FAILED),
    ],
)
def test_an_undo_has_five_at_least(attempts: int, failures: int, kind: Kind) -> None:
    assert backward(busy(), failures, Retry(attempts)).kind is kind


@pytest.mark.parametrize(("wish", "pause"), [(None, 2.0), (0.0, 2.0), (1.5, 2.0), (60.0, 60.0)])
def test_the_wish_of_the_service_can_only_make_it_wait_longer(
    wish: float | None, pause: float
) -> None:
    asked = replace(busy(429), retry_after_s=wish)
    assert forward(asked).data["retry_at"] == NOW + pause
    assert backward(asked).data["retry_at"] == NOW + pause


def test_a_pause_is_moved_by_a_quarter_at_most() -> None:
    asked: list[tuple[float, float]] = []

    def noted(base_s: float, fraction: float) -> float:
        asked.append((base_s, fraction))
        return base_s * (1 + fraction)

    after = forward_event(step("a", retry=RETRY), RUNNING, busy(), NOW, noted)
    assert asked == [(2.0, 0.25)]
    assert after.data["retry_at"] == NOW + 2.5


def test_without_backoff_it_is_asked_again_at_once() -> None:
    assert forward(busy(), retry=Retry(3, 0.0, 0.0)).data["retry_at"] == NOW


@pytest.mark.parametrize("ending", [Ending.TEMPORARY, Ending.PERMANENT, Ending.OUTAGE])
def test_what_said_nothing_still_has_a_reason(ending: Ending) -> None:
    for event in (forward(Outcome(ending)), backward(Outcome(ending))):
        assert event.data["error"]["reason"]["key"] == "run.no_answer"

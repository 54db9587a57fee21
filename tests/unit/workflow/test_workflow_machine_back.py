"""How a run turns back and ends, as text: cancelled, timed out, undone, resumed, taken over."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.run import RunStatus, UndoStatus
from controller.model.text import text
from controller.model.workflow import Retry
from controller.workflow.machine import Access, Readiness, undo_order
from controller.workflow.outcome import Ending, Outcome
from tests.unit.workflow.workflow_builders import (
    HEALING,
    STOPPED,
    WELL,
    busy,
    definition,
    failing,
    line,
    step,
)
from tests.unit.workflow.workflow_play import OUTAGE, START, Play, begun

GONE = Readiness(Access.GONE, text("run.given_up", service="a"))
BAD = "${{ abs(run.id) }}"
SLOW = Retry(attempts=3, backoff_s=10.0, max_backoff_s=60.0)


# People and time


def pending(play: Play) -> None:
    assert play.decide(may_start=False) == ""


def running(play: Play) -> None:
    play.decide()


def held(play: Play) -> None:
    play.how["a"] = HEALING
    play.decide()


def retrying(play: Play) -> None:
    play.decide()
    play.answer("a", busy())


def between(play: Play) -> None:
    play.decide()
    play.answer("a")


def all_done(play: Play) -> None:
    play.decide()
    play.answers("a")
    play.answer("b")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (pending, "ended cancelled run.cancelled"),
        (running, "step_cancelled a; compensating cancelled run.cancelled; undo_started a"),
        (held, "step_cancelled a; compensating cancelled run.cancelled; ended cancelled"),
        (retrying, "step_cancelled a; compensating cancelled run.cancelled; undo_started a"),
        (between, "compensating cancelled run.cancelled; undo_started a"),
        (all_done, "compensating cancelled run.cancelled; undo_started b"),
    ],
)
def test_a_person_cancels_at_any_stage(stage: Any, said: str) -> None:
    play = Play(line("a", "b"))
    stage(play)
    play.cancel()
    assert play.decide() == said
    assert play.run.error is not None
    assert play.run.error.reason == text("run.cancelled", by="ann")


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        (running, "step_cancelled a; compensating compensated run.timed_out; undo_started a"),
        (held, "step_cancelled a; compensating failed run.timed_out; ended failed"),
        (retrying, "step_cancelled a; compensating compensated run.timed_out; undo_started a"),
        (between, "compensating compensated run.timed_out; undo_started a"),
        (all_done, "compensating compensated run.timed_out; undo_started b"),
    ],
)
def test_a_run_takes_too_long_at_any_stage(stage: Any, said: str) -> None:
    play = Play(definition(step("a"), step("b", "a"), timeout_s=60.0))
    stage(play)
    play.now = START + 60
    if stage is held:
        play.how["a"] = WELL
    assert play.decide() == said
    assert play.run.error is not None
    assert play.run.error.reason == text("run.timed_out", seconds="60")


def test_a_run_is_in_time_until_the_very_end() -> None:
    play = begun(definition(step("a"), timeout_s=60.0))
    play.now = START + 59.999
    assert play.answers("a") == "ended succeeded"


def test_time_in_the_queue_does_not_count() -> None:
    play = Play(definition(step("a"), timeout_s=60.0))
    pending(play)
    play.now = START + 600
    assert play.decide() == "started; step_started a"
    assert play.turn().wake_at == START + 660


def test_a_sibling_that_never_ends_is_left_when_time_is_up() -> None:
    play = begun(definition(step("a"), step("b"), timeout_s=60.0))
    play.answer("a", failing())
    assert play.turn().wake_at == START + 60
    play.now = START + 60
    assert play.decide() == (
        "step_cancelled b; compensating compensated run.timed_out; undo_started a"
    )


def test_whoever_cancels_first_is_named_and_a_second_changes_nothing() -> None:
    play = begun(line("a"))
    play.cancel("ann")
    play.cancel("bob")
    assert play.decide() == "step_cancelled a; compensating cancelled run.cancelled; undo_started a"
    play.cancel("cho")
    assert play.decide() == ""
    assert play.answers("a") == "ended cancelled"
    assert play.run.error is not None
    assert play.run.error.reason == text("run.cancelled", by="ann")


def test_to_cancel_what_turns_back_already_changes_no_end() -> None:
    play = begun(line("a"))
    play.answer("a", failing())
    play.decide()
    play.cancel()
    assert play.answers("a") == "ended compensated"


# Backward


def test_the_latest_of_the_unknown_first_then_in_reverse_of_completion() -> None:
    flow = definition(*(step(name) for name in "abcd"), step("e", "d"), step("f", "d"))
    play = Play(flow)
    play.decide()
    for name in "cad":
        play.now += 1
        play.answers(name)
    play.cancel()
    play.decide()
    order = [state.id for state in undo_order(play.run, flow)]
    assert order == ["e", "f", "b", "d", "a", "c"]


def test_only_what_was_asked_and_has_an_undo_is_undone() -> None:
    flow = definition(
        step("a", undo=None), step("b", "a"), step("c", "b", when="${{ `false` }}"), step("d", "c")
    )
    play = begun(flow, "a")
    play.how["d"] = STOPPED
    assert play.answers("b") == (
        "step_skipped c; step_failed d run.stopped; "
        "compensating compensated run.step_failed; undo_started b"
    )
    assert play.answers("b") == "ended compensated"


def test_an_undo_waits_for_its_service_whoever_must_act_first() -> None:
    play = begun(line("a", "b"), "a")
    play.answer("b", failing())
    play.how["b"] = STOPPED
    assert play.decide() == "compensating compensated run.step_failed; undo_held b run.stopped"
    assert play.decide() == ""
    play.how["b"] = GONE
    assert play.decide() == "undo_held b run.given_up"
    play.how["b"] = WELL
    assert play.decide() == "undo_started b"
    play.answer("b", OUTAGE)
    assert play.run.steps["b"].undo.failures == 0
    assert play.decide() == "undo_started b"
    assert play.answers("b", "a") == "ended compensated"


def test_an_undo_is_asked_again_when_it_is_time() -> None:
    play = begun(definition(step("a", retry=SLOW)))
    play.answer("a", failing())
    play.decide()
    for pause in (10, 20, 40, 60):
        play.answer("a", busy())
        assert play.turn().wake_at == play.now + pause
        assert play.decide() == ""
        play.now += pause
        assert play.decide() == "undo_started a"
    play.answer("a", busy())
    assert play.decide() == "ended compensation_failed"


def test_an_undo_has_no_timeout_of_the_run() -> None:
    play = begun(definition(step("a"), timeout_s=1.0))
    play.answer("a", failing())
    play.decide()
    play.now += 1000
    assert play.decide() == ""
    assert play.answers("a") == "ended compensated"


def test_a_failed_undo_stops_the_rest_until_a_person_resumes() -> None:
    play = begun(line("a", "b"), "a")
    play.answer("b", failing())
    play.decide()
    play.answers("b")
    play.answer("a", failing())
    assert play.decide() == "ended compensation_failed"
    assert play.decide() == ""
    play.now += 100
    play.resume()
    assert play.run.status is RunStatus.COMPENSATING
    assert play.decide() == "undo_started a"
    assert play.answers("a") == "ended compensated"
    assert play.run.steps["b"].undo.status is UndoStatus.DONE
    assert play.run.error is not None
    assert play.run.error.reason.key == "run.step_failed"


def test_a_cancelled_run_is_cancelled_in_the_end_though_its_undo_failed_once() -> None:
    play = begun(line("a"))
    play.cancel()
    play.decide()
    play.answer("a", failing())
    assert play.decide() == "ended compensation_failed"
    play.resume()
    play.decide()
    assert play.answers("a") == "ended cancelled"


# Outputs


def test_reused_steps_are_neither_asked_nor_undone() -> None:
    play = Play(line("a", "b", "c"), {"a": {"n": 7}})
    assert play.decide() == "started; step_started b"
    assert play.run.steps["a"].output == {"n": 7}
    play.answers("b")
    play.answer("c", failing())
    assert play.decide() == "compensating compensated run.step_failed; undo_started c"
    assert play.answers("c") == "undo_started b"
    assert play.answers("b") == "ended compensated"


def test_a_run_of_which_everything_is_reused_ends_at_once() -> None:
    flow = definition(step("a"), output="${{ steps.a.output.n }}")
    play = Play(flow, {"a": {"n": 7}})
    assert play.decide() == "started; ended succeeded"
    assert play.run.output == 7


def test_an_output_that_cannot_be_made_turns_the_run_back() -> None:
    play = begun(definition(step("a"), output=BAD))
    assert play.answers("a") == "compensating compensated run.bad_output; undo_started a"
    assert play.answers("a") == "ended compensated"


def test_the_output_of_a_run_is_made_of_all_its_steps() -> None:
    output = {"all": "${{ steps.*.output | [].n }}", "said": "n is ${{ steps.a.output.n }}"}
    play = begun(definition(step("a"), step("b"), output=output), "a", "b")
    assert play.run.output == {"all": [1, 1], "said": "n is 1"}


# Turns and take-overs


def test_a_pending_run_waits_for_its_turn() -> None:
    play = Play(line("a"))
    for _ in range(3):
        decision = play.turn(may_start=False)
        assert (decision.events, decision.wake_at) == ((), None)
    assert play.decide() == "started; step_started a"
    assert play.answers("a") == "ended succeeded"


def test_a_pending_run_is_cancelled_though_it_has_no_turn() -> None:
    play = Play(line("a"))
    play.cancel()
    assert play.decide(may_start=False) == "ended cancelled run.cancelled"
    assert not play.run.steps["a"].asked


def test_what_was_under_way_in_a_dead_hub_is_asked_again_and_charged_nothing() -> None:
    play = begun(definition(step("a", retry=Retry(attempts=1)), step("b")), "b")
    assert play.take_over() == "step_held a run.hub_restarted"
    play.how["a"] = HEALING
    assert play.decide() == "step_held a run.waits_healing"
    play.how["a"] = WELL
    assert play.decide() == "step_started a"
    assert play.run.steps["a"].attempts == 1
    assert play.answers("a") == "ended succeeded"


def test_a_take_over_beside_a_failure_leaves_what_was_under_way() -> None:
    play = begun(definition(step("a"), step("b")))
    play.answer("a", failing())
    assert play.take_over() == "step_held b run.hub_restarted"
    assert play.decide() == (
        "step_cancelled b; compensating compensated run.step_failed; undo_started a"
    )
    assert play.answers("a") == "undo_started b"


def test_a_take_over_in_mid_undo() -> None:
    play = begun(line("a", "b"), "a")
    play.answer("b", failing())
    play.decide()
    assert play.take_over() == "undo_held b run.hub_restarted"
    assert play.decide() == "undo_started b"
    assert play.answers("b", "a") == "ended compensated"


def test_a_take_over_of_what_waits_or_has_ended_writes_nothing() -> None:
    play = Play(line("a"))
    assert play.take_over() == ""
    play.how["a"] = HEALING
    play.decide()
    assert play.take_over() == ""
    play.how["a"] = WELL
    play.decide()
    play.answers("a")
    assert play.take_over() == ""
    assert play.decide() == ""


def test_an_answer_without_a_sentence_still_has_one() -> None:
    play = begun(line("a"))
    play.answer("a", Outcome(Ending.PERMANENT))
    assert play.run.steps["a"].error is not None
    assert play.run.steps["a"].error.reason == text("run.no_answer")

"""What the machine decides on the way forward, as text: the events it writes, in order."""

from __future__ import annotations

from typing import Any

import pytest

from controller.model.run import Kind, RunStatus, StepStatus
from controller.model.text import text
from controller.model.workflow import Retry
from controller.workflow.machine import Access, Readiness
from tests.unit.workflow.workflow_builders import (
    HEALING,
    STOPPED,
    WELL,
    busy,
    definition,
    diamond,
    failing,
    line,
    step,
)
from tests.unit.workflow.workflow_play import OUTAGE, START, Play, begun

GONE = Readiness(Access.GONE, text("run.given_up", service="a"))
BAD = "${{ abs(run.id) }}"
SLOW = Retry(attempts=3, backoff_s=10.0, max_backoff_s=60.0)


# Forward


def test_steps_one_after_another() -> None:
    play = Play(line("a", "b", "c"))
    assert play.decide() == "started; step_started a"
    assert play.decide() == ""
    assert play.answers("a") == "step_started b"
    assert play.answers("b") == "step_started c"
    assert play.answers("c") == "ended succeeded"
    assert play.decide() == ""


def test_a_diamond_opens_and_closes() -> None:
    play = begun(diamond())
    assert play.answers("a") == "step_started b; step_started c; step_started d"
    assert play.answers("d") == ""
    assert play.answers("b") == ""
    assert play.answers("c") == "step_started e"
    assert play.answers("e") == "step_started f"
    assert play.answers("f") == "ended succeeded"


def test_a_line_does_not_wait_for_the_one_beside_it() -> None:
    flow = definition(step("a"), step("b", "a"), step("x"), step("y", "x"), step("z", "b", "y"))
    play = Play(flow)
    assert play.decide() == "started; step_started a; step_started x"
    assert play.answers("a") == "step_started b"
    assert play.answers("b") == ""
    assert play.answers("x") == "step_started y"
    assert play.answers("y") == "step_started z"


def test_a_run_without_steps_ends_at_once() -> None:
    assert Play(definition()).decide() == "started; ended succeeded"


# Conditions


def test_skipped_steps_set_others_free_in_the_same_decision() -> None:
    no: dict[str, Any] = {"when": "${{ input.missing }}"}
    flow = definition(
        step("d", "c", **no), step("c", "b", **no), step("b", "a", **no), step("a"), step("e", "d")
    )
    play = begun(flow)
    assert play.answers("a") == "step_skipped b; step_skipped c; step_skipped d; step_started e"
    assert play.answers("e") == "ended succeeded"


def test_a_run_of_which_everything_is_skipped_succeeds() -> None:
    flow = definition(step("a", when="${{ `false` }}"), step("b", "a", when="${{ `[]` }}"))
    assert Play(flow).decide() == "started; step_skipped a; step_skipped b; ended succeeded"


def test_a_condition_sees_the_steps_before() -> None:
    flow = definition(
        step("a"),
        step("b", "a", when="${{ steps.a.output.n == `1` }}"),
        step("c", "a", when="${{ steps.a.output.n == `2` }}"),
    )
    assert begun(flow).answers("a") == "step_started b; step_skipped c"


def test_a_condition_is_not_asked_again_of_what_waits() -> None:
    play = Play(definition(step("a", when="${{ `true` }}")))
    play.how["a"] = HEALING
    assert play.decide() == "started; step_held a run.waits_healing"
    play.how["a"] = WELL
    assert play.decide() == "step_started a"


def test_a_condition_that_cannot_be_told_fails_its_step() -> None:
    play = Play(definition(step("a"), step("b", "a", when=BAD)))
    play.decide()
    assert play.answers("a") == (
        "step_failed b run.bad_expression; compensating compensated run.step_failed; undo_started a"
    )
    assert play.run.error is not None
    assert "abs" in (play.run.error.detail or "")


# Failures


def test_a_refusal_turns_the_run_back() -> None:
    play = begun(line("a", "b", "c"), "a")
    play.answer("b", failing())
    assert play.decide() == "compensating compensated run.step_failed; undo_started b"
    assert play.answers("b") == "undo_started a"
    assert play.answers("a") == "ended compensated"
    assert play.run.error is not None
    assert play.run.error.status == 422
    assert play.run.steps["c"].status is StepStatus.PENDING


def test_nothing_was_done_that_could_be_undone() -> None:
    play = begun(definition(step("a", undo=None)))
    play.answer("a", failing())
    assert play.decide() == "compensating failed run.step_failed; ended failed"


def test_siblings_under_way_finish_and_those_that_wait_are_left() -> None:
    flow = definition(
        step("a"), step("b"), step("c"), step("d", retry=SLOW), step("e", "b"), step("f")
    )
    play = Play(flow)
    play.how["c"] = HEALING
    play.decide()
    play.answer("d", busy())
    play.answer("a", failing())
    assert play.decide() == "step_cancelled c; step_cancelled d"
    assert play.answers("b") == ""
    play.answer("f", busy())
    assert play.decide() == (
        "step_cancelled f; compensating compensated run.step_failed; undo_started a"
    )
    # All three began in the same moment, so they are taken as they stand in the definition.
    assert [play.answers(name) for name in "adfb"] == [
        "undo_started d",
        "undo_started f",
        "undo_started b",
        "ended compensated",
    ]


def test_nothing_is_begun_beside_what_fails_in_the_same_decision() -> None:
    play = Play(definition(step("a"), step("b"), step("c")))
    play.how["a"] = STOPPED
    assert play.decide() == (
        "started; step_failed a run.stopped; compensating failed run.step_failed; ended failed"
    )
    play = Play(definition(step("a"), step("b", when=BAD), step("c")))
    assert play.decide() == "started; step_started a; step_failed b run.bad_expression"


def test_the_second_failure_of_two_does_not_hide_the_first_in_the_definition() -> None:
    play = begun(definition(step("a"), step("b")))
    play.answer("b", failing(404))
    assert play.decide() == ""
    play.answer("a", failing(400))
    assert play.decide().startswith("compensating compensated run.step_failed; undo_started a")
    assert play.run.error is not None
    assert play.run.error.status == 400


# Retries


def test_it_is_asked_again_when_it_is_time_and_not_before() -> None:
    play = begun(definition(step("a", retry=SLOW)))
    play.answer("a", busy())
    decision = play.turn()
    assert (decision.events, decision.wake_at) == ((), START + 10)
    play.now = START + 9.999
    assert play.decide() == ""
    play.now = START + 10
    assert play.decide() == "step_started a"
    play.answer("a", busy())
    assert play.turn().wake_at == START + 30
    play.now = START + 30
    assert play.decide() == "step_started a"
    play.answer("a", busy())
    assert play.decide() == "compensating compensated run.step_failed; undo_started a"
    assert play.run.steps["a"].failures == 3


def test_it_wakes_for_whatever_is_due_first() -> None:
    play = begun(definition(step("a", retry=SLOW), step("b", retry=SLOW), timeout_s=12.0))
    assert play.turn().wake_at == START + 12
    play.answer("b", busy())
    assert play.turn().wake_at == START + 10
    play.now = START + 5
    play.answer("a", busy())
    assert play.turn().wake_at == START + 10
    play.now = START + 10
    assert play.decide() == "step_started b"
    assert play.turn().wake_at == START + 12


def test_pauses_and_attempts_outlast_the_hub() -> None:
    play = begun(definition(step("a", retry=SLOW)))
    play.answer("a", busy())
    assert play.take_over() == ""
    assert play.turn().wake_at == START + 10
    play.now = START + 10
    assert play.decide() == "step_started a"
    assert play.run.steps["a"].attempts == 2


# Services


def test_a_step_whose_service_is_not_ready_waits_and_says_why_once() -> None:
    play = Play(line("a", "b"))
    play.how["a"] = HEALING
    assert play.decide() == "started; step_held a run.waits_healing"
    assert play.run.shown is RunStatus.WAITING
    assert play.decide() == ""
    play.how["a"] = Readiness(Access.HOLD, HEALING.reason, "inc_2")
    assert play.decide() == "step_held a run.waits_healing"
    play.now += 7
    play.how["a"] = WELL
    assert play.decide() == "step_started a"
    assert play.run.steps["a"].held_s == 7
    assert play.run.steps["a"].failures == 0


def test_an_outage_in_mid_step_charges_nothing() -> None:
    play = begun(definition(step("a", retry=Retry(attempts=1))))
    for _ in range(5):
        play.answer("a", OUTAGE)
        assert play.run.steps["a"].failures == 0
        assert play.decide() == "step_started a"


def test_one_step_waits_while_another_goes_on() -> None:
    play = Play(definition(step("a"), step("b"), step("c", "b")))
    play.how["a"] = HEALING
    assert play.decide() == "started; step_held a run.waits_healing; step_started b"
    assert play.run.shown is RunStatus.RUNNING
    assert play.answers("b", "c") == ""
    assert play.run.shown is RunStatus.WAITING


@pytest.mark.parametrize(
    ("found", "reason"), [(STOPPED, "run.stopped"), (GONE, "run.given_up")], ids=["stopped", "gone"]
)
def test_what_nobody_will_heal_fails_the_step(found: Readiness, reason: str) -> None:
    fails = "compensating compensated run.step_failed; undo_started a"
    play = begun(line("a", "b"))
    play.how["b"] = found
    assert play.answers("a") == f"step_failed b {reason}; {fails}"
    held = begun(line("a", "b"))
    held.how["b"] = HEALING
    assert held.answers("a") == "step_held b run.waits_healing"
    held.how["b"] = found
    assert held.decide() == f"step_failed b {reason}; {fails}"
    retrying = begun(line("a", "b"), "a")
    retrying.answer("b", busy())
    retrying.now += 1
    retrying.how["b"] = found
    assert retrying.decide() == (
        f"step_failed b {reason}; compensating compensated run.step_failed; undo_held b {reason}"
    )


def test_a_step_may_start_what_a_person_stopped() -> None:
    play = Play(definition(step("a", start=True)))
    play.how["a"] = STOPPED
    decision = play.turn()
    assert decision.start == {"a"}
    assert play.run.steps["a"].hold is not None
    assert play.run.steps["a"].hold.reason == text("run.starts_service", service="a")
    play.how["a"] = HEALING
    decision = play.turn()
    assert decision.start == set()
    assert [event.kind for event in decision.events] == [Kind.STEP_HELD]
    play.how["a"] = WELL
    assert play.decide() == "step_started a"


def test_a_step_may_not_start_what_the_hub_has_given_up() -> None:
    play = Play(definition(step("a", start=True)))
    play.how["a"] = GONE
    decision = play.turn()
    assert decision.start == set()
    assert play.run.status is RunStatus.FAILED

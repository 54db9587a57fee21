"""The machine against a reference, over random definitions, answers, outages, crashes and people.

`HEAL7_MODEL_EXAMPLES=20000 pytest …/test_workflow_model.py` looks longer, and elsewhere each time.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random  # noqa: TID251 - seeded, so that a seed replays
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from controller.workflow.machine import Access
from tests.unit.workflow.workflow_play import ENDINGS, Game, random_flow, random_reuse

LONG = int(os.environ.get("HEAL7_MODEL_EXAMPLES", "0"))
RETRY_AFTER = (0.0, 0.0, 0.0, 5.0)
ACCESSES = (Access.READY,) * 3 + (Access.HOLD,) * 3 + (Access.STOPPED, Access.GONE)
PAUSES = (0.01, 0.4, 0.5, 1.0, 1.0, 5.0, 40.0)


def is_under_way(machine: Any) -> bool:
    return machine.game.reference.ended is None


def is_asking(machine: Any) -> bool:
    return bool(machine.game.in_flight())


class RunMachine(RuleBasedStateMachine):
    game: Game

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        def pick(options: Any) -> Any:
            return data.draw(st.sampled_from(options))

        flow = random_flow(pick)
        self.game = Game(flow, random_reuse(flow, pick))

    @precondition(is_under_way)
    @rule(may_start=st.sampled_from((True, True, True, False)))
    def decide(self, may_start: bool) -> None:
        self.game.turn(may_start=may_start)

    @precondition(is_asking)
    @rule(data=st.data(), ending=st.sampled_from(ENDINGS), after=st.sampled_from(RETRY_AFTER))
    def answer(self, data: st.DataObject, ending: str, after: float) -> None:
        self.game.answer(data.draw(st.sampled_from(self.game.in_flight())), ending, after)

    @precondition(is_asking)
    @rule()
    def all_are_done(self) -> None:
        for step in self.game.in_flight():
            self.game.answer(step, "done", 0.0)
        self.game.turn()

    @rule(data=st.data(), access=st.sampled_from(ACCESSES))
    def a_service_changes(self, data: st.DataObject, access: Access) -> None:
        self.game.change(data.draw(st.sampled_from(sorted(self.game.how))), access)

    @rule(seconds=st.sampled_from(PAUSES))
    def time_passes(self, seconds: float) -> None:
        self.game.wait(seconds)

    @precondition(is_under_way)
    @rule(really=st.sampled_from((True, False, False, False)))
    def a_person_cancels(self, really: bool) -> None:
        if really:
            self.game.cancel()

    @precondition(is_under_way)
    @rule()
    def the_hub_dies(self) -> None:
        self.game.crash()

    @precondition(lambda self: self.game.reference.ended == "compensation_failed")
    @rule()
    def a_person_resumes(self) -> None:
        self.game.resume()

    def teardown(self) -> None:
        if not hasattr(self, "game"):
            return
        if self.game.reference.ended is None:
            self.game.finish()
        event(f"ended {self.game.reference.ended}")


RunMachine.TestCase.settings = settings(
    max_examples=LONG or 100,
    stateful_step_count=60,
    derandomize=not LONG,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    # To explain a failure takes minutes, and the text of the moves says enough.
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


TestRun = RunMachine.TestCase


def walk(seed: int) -> Game:
    """A run played by chance to its end."""
    chance = Random(seed)
    flow = random_flow(chance.choice)
    game = Game(flow, random_reuse(flow, chance.choice))
    for _ in range(80):
        if game.reference.ended == "compensation_failed" and chance.random() < 0.5:
            game.resume()
        if game.reference.ended is not None:
            return game
        move(game, chance)
    game.finish()
    return game


def move(game: Game, chance: Random) -> None:
    """Something happens; mostly an answer and a decision."""
    what = chance.random()
    if what < 0.45:
        game.turn(may_start=chance.random() < 0.9)
    elif what < 0.80:
        if asking := game.in_flight():
            ending = chance.choice(ENDINGS)
            game.answer(chance.choice(asking), ending, chance.choice(RETRY_AFTER))
    elif what < 0.88:
        game.change(chance.choice(sorted(game.how)), chance.choice(ACCESSES))
    elif what < 0.95:
        game.wait(chance.choice(PAUSES))
    elif what < 0.99:
        game.crash()
    else:
        game.cancel()


@pytest.fixture(scope="module")
def games() -> list[Game]:
    return [walk(seed) for seed in range(LONG or 500)]


@pytest.mark.parametrize(
    ("status", "least"),
    [
        ("succeeded", 100),
        ("compensated", 100),
        ("failed", 40),
        ("cancelled", 40),
        ("compensation_failed", 5),
    ],
)
def test_every_end_is_reached_often(games: list[Game], status: str, least: int) -> None:
    ends = Counter(game.reference.ended for game in games)
    assert ends[status] >= least, ends


def test_what_is_hard_to_reach_is_reached(games: list[Game]) -> None:
    seen = Counter(name for game in games for name in _feats(game))
    names = (
        *("undid several", "undid all but one", "resumed", "reused", "skipped", "step taken over"),
        *("undo taken over", "step held", "undo held", "asked again", "undo asked again"),
        *("left a sibling", "several under way", "started on demand", "bad output", "timed out"),
    )
    assert {name: seen[name] for name in names if seen[name] < 5} == {}


def _feats(game: Game) -> list[str]:
    """What of interest happened in a game."""
    reference, kinds = game.reference, Counter(e.kind.value for e in game.play.journal)
    reasons = {
        e.data["error"]["reason"]["key"]
        for e in game.play.journal
        if e.kind.value == "compensating"
    }
    found = {
        "undid several": len(reference.undone) > 2,
        "undid all but one": 0 < len(reference.undone) == len(reference.asked) - 1,
        "resumed": kinds["resumed"] > 0 and reference.ended == reference.end,
        "reused": bool(reference.reused) and reference.ended == "succeeded",
        "skipped": bool(reference.skipped) and reference.ended == "succeeded",
        "step taken over": "step" in game.taken_over,
        "undo taken over": "undo" in game.taken_over,
        "step held": kinds["step_held"] > 0,
        "undo held": kinds["undo_held"] > 0,
        "asked again": kinds["step_retrying"] > 1,
        "undo asked again": kinds["undo_retrying"] > 1,
        "left a sibling": bool(reference.left & reference.asked),
        "several under way": _most_under_way(game) > 2,
        "started on demand": game.started > 0,
        "bad output": "run.bad_output" in reasons,
        "timed out": "run.timed_out" in reasons,
    }
    return [name for name, is_so in found.items() if is_so]


def _most_under_way(game: Game) -> int:
    most = under_way = 0
    for happened in game.play.journal:
        if happened.kind.value == "step_started":
            under_way += 1
        elif happened.kind.value in ("step_succeeded", "step_retrying"):
            under_way -= 1
        most = max(most, under_way)
    return most

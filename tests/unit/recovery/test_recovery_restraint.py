"""What healing does not do, and why: people, pauses, storms, an ill hub."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from controller.model.incident import Act, Ending, Kind
from controller.model.observation import State
from controller.model.recovery import Record
from controller.model.spec import (
    HealingLimits,
    RecoveryPolicy,
)
from controller.model.text import text
from controller.model.view import Desired, Health, Verdict
from controller.recovery.healer import exempt
from controller.recovery.scene import Busy
from tests.unit.core.core_builders import NOW, service
from tests.unit.recovery.ward import (
    AWAY,
    ILL,
    PAUSE,
    Ward,
    by_hand,
    hold_of,
    lines,
    probed,
    shown,
)

ONE = (probed("web"),)
PAIR = (probed("web", "db"), probed("db"))


@pytest.mark.parametrize(
    ("how", "state"),
    [("stopped", State.EXITED), ("removed", State.MISSING), ("paused", State.PAUSED)],
)
def test_what_a_person_took_down_beside_the_hub_is_held_until_a_person_brings_it_back(
    how: str, state: State
) -> None:
    ward = Ward(ONE)
    if state is State.MISSING:
        ward.vanishes("web", **by_hand(how))
    elif state is State.EXITED:
        ward.dies("web", 143, **by_hand(how))
    else:
        ward.see("web", state=state, verdict=Verdict(Health.HELD, text("health.paused")))
    turn = ward.turn()
    assert turn.orders == ()
    assert shown(turn) == {"web": Health.HELD}
    assert hold_of(ward) == f"incident.{how}_outside"
    incident = ward.incident("web")
    assert incident is not None
    assert incident.kind is Kind.STOPPED_OUTSIDE
    assert exempt(ward.memory) == {"web"}
    ward.hub_dies()
    ward.see("web", by_hand=None)
    ward.later(3600)
    assert ward.turn().orders == (), "it is remembered longer than the engine remembers"
    assert ward.turn(arrival=AWAY).orders == ()
    ward.starts("web")
    ward.turn()
    assert ward.record("web").held is None
    ward.is_well("web")
    ward.turn()
    (closed,) = ward.closed
    assert closed.outcome is Ending.EXTERNAL


def test_what_was_stopped_and_then_removed_stays_held() -> None:
    ward = Ward(ONE)
    ward.dies("web", 143, **by_hand("stopped"))
    ward.turn()
    ward.vanishes("web", by_hand=None)
    assert ward.turn().orders == ()
    ward.see("web", state=State.CREATED, life="web@never")
    assert ward.turn().orders == ()


@pytest.mark.parametrize(("seconds", "kind"), [(0.07, Kind.STOPPED_OUTSIDE), (5, Kind.CRASH)])
def test_a_removal_that_is_told_after_the_death_was_none_of_a_fault(
    seconds: float, kind: Kind
) -> None:
    ward = Ward(ONE)
    ward.dies("web", 137)
    ward.turn()
    ward.later(seconds)
    ward.vanishes("web", **by_hand("removed"))
    assert ward.turn().orders == ()
    incident = ward.incident("web")
    assert incident is not None
    assert incident.kind is kind
    assert (incident.cause.key == "incident.removed_outside") is (kind is Kind.STOPPED_OUTSIDE)
    assert ward.timeline("web")[-1] == "hold"


def test_what_was_paused_and_then_died_stays_held() -> None:
    ward = Ward(ONE)
    ward.see("web", state=State.PAUSED, verdict=Verdict(Health.HELD, text("health.paused")))
    ward.turn()
    ward.dies("web", 137)
    assert ward.turn().orders == ()
    assert exempt(ward.memory) == {"web"}


def test_a_person_who_started_it_again_wants_it_even_if_it_died_before_anyone_looked() -> None:
    ward = Ward(ONE)
    ward.dies("web", 143, **by_hand("stopped"))
    ward.turn()
    ward.dies("web", 1, life="web@2", by_hand=None)
    assert ward.heal().act is Act.START
    assert ward.record("web").held is None


def test_a_stop_beside_the_hub_ends_the_healing_that_was_planned() -> None:
    ward = Ward((probed("web", backoff_s=60),))
    ward.dies("web")
    ward.ends(ward.heal(), "failed")
    turn = ward.turn()
    assert turn.look_again_at is not None
    ward.see("web", **by_hand("stopped"))
    turn = ward.turn()
    assert (turn.orders, turn.look_again_at) == ((), None)
    assert ward.record("web").next_at is None


def test_a_stop_through_the_hub_ends_everything() -> None:
    ward = Ward((probed("web", max_restarts=1),))
    ward.dies("web")
    ward.ends(ward.heal(), "failed")
    ward.see("web", desired=Desired.STOPPED)
    turn = ward.turn()
    assert turn.orders == ()
    (closed,) = ward.closed
    assert (closed.outcome, lines(closed.timeline)) == (
        Ending.OPERATOR,
        ["start failed", "operator"],
    )
    assert ward.record("web") == Record(total=1)
    assert exempt(ward.memory) == frozenset()


def test_while_a_person_acts_nothing_is_done_and_what_was_tried_no_longer_counts() -> None:
    ward = Ward((probed("web", max_restarts=1),))
    ward.dies("web")
    ward.ends(ward.heal(), "failed")
    ward.see("web", busy=Busy.PERSON)
    assert ward.turn().orders == ()
    assert ward.timeline("web") == ["start failed", "operator"]
    ward.see("web", busy=Busy.NO)
    assert ward.heal().cause == text("incident.at_once")
    ward.ends(ward.heal(), life=2)
    ward.turn()
    assert [i.outcome for i in ward.closed] == [Ending.RECOVERED]


def test_a_person_who_mends_it_through_the_hub_is_named() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    ward.turn(pause=PAUSE)
    ward.see("web", busy=Busy.PERSON)
    ward.turn(pause=PAUSE)
    ward.see("web", busy=Busy.NO)
    ward.is_well("web", 2)
    ward.turn(pause=PAUSE)
    assert [i.outcome for i in ward.closed] == [Ending.OPERATOR]


def test_a_paused_hub_watches_and_tells_and_heals_when_it_is_resumed() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    turn = ward.turn(pause=PAUSE)
    assert (turn.orders, len(turn.opened), hold_of(ward)) == ((), 1, "incident.hub_paused")
    assert ward.turn(pause=PAUSE).incidents == (), "it is told once"
    assert ward.heal().act is Act.START


def test_with_the_policy_none_it_is_told_and_left_alone() -> None:
    ward = Ward((probed("web", policy=RecoveryPolicy.NONE),))
    ward.dies("web")
    turn = ward.turn()
    assert (turn.orders, hold_of(ward)) == ((), "incident.watch_only")
    ward.is_well("web", 2)
    ward.turn()
    assert [i.outcome for i in ward.closed] == [Ending.EXTERNAL]


def test_a_hub_that_is_ill_trusts_no_probes_but_still_starts_what_died() -> None:
    ward = Ward((probed("web"), probed("api")))
    ward.hangs("web")
    ward.dies("api")
    turn = ward.turn(ill=ILL)
    assert [order.service for order in turn.orders] == ["api"]
    assert hold_of(ward) == "incident.hub_ill"
    assert turn.look_again_at == ward.now + timedelta(seconds=1)
    ward.ends(turn.orders[0], life=2)
    assert ward.heal().service == "web"


def test_a_storm_is_waited_out_and_then_healed_one_at_a_time() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(4)), HealingLimits(hold_s=60))
    for name in ward.sights:
        ward.hangs(name)
    turn = ward.turn()
    assert (turn.orders, turn.look_again_at) == ((), NOW + timedelta(seconds=60))
    assert {hold_of(ward, name) for name in ward.sights} == {"incident.storm"}
    ward.later(59)
    assert ward.turn().orders == ()
    ward.later(1)
    order = ward.heal()
    ward.see(order.service, busy=Busy.HUB)
    assert ward.turn().orders == (), "one at a time"
    ward.ends(order, "failed")
    assert len(ward.turn().orders) == 1


def test_a_storm_that_passes_is_over_and_a_new_one_is_waited_out_again() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(4)))
    for name in ward.sights:
        ward.hangs(name)
    ward.turn()
    for name in ward.sights:
        ward.is_well(name)
    ward.turn()
    assert ward.memory.storm_since is None
    ward.later(3600)
    for name in ward.sights:
        ward.hangs(name)
    assert ward.turn().orders == ()


def test_a_clock_set_back_does_not_prolong_a_storm() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(4)))
    for name in ward.sights:
        ward.hangs(name)
    ward.turn()
    ward.later(-600)
    turn = ward.turn()
    assert turn.look_again_at == ward.now + timedelta(seconds=60)


def test_nothing_is_concluded_while_the_engine_does_not_answer() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    before = ward.turn()
    again = ward.turn(connected=False)
    assert (again.orders, again.incidents, again.records) == ((), (), {})
    assert again.memory == before.memory


def test_what_is_not_managed_is_not_healed() -> None:
    ward = Ward((replace(probed("web"), managed=False),))
    ward.dies("web")
    turn = ward.turn()
    assert (turn.orders, turn.incidents) == ((), ())


def test_a_one_shot_that_finished_is_left_alone() -> None:
    ward = Ward((probed("web", "job:completed"), service("job")))
    done = Verdict(Health.STOPPED, text("health.completed"))
    ward.see("job", state=State.EXITED, exit_code=0, verdict=done)
    turn = ward.turn()
    assert (turn.orders, turn.incidents) == ((), ())


def test_a_one_shot_that_failed_is_tried_again_and_its_end_is_its_recovery() -> None:
    ward = Ward((probed("web", "job:completed"), service("job")))
    ward.dies("job")
    ward.turn()
    done = Verdict(Health.STOPPED, text("health.completed"))
    ward.see("job", state=State.EXITED, life="job@2", exit_code=0, verdict=done)
    turn = ward.turn()
    assert (turn.orders, ward.closed[0].outcome) == ((), Ending.RECOVERED)
    assert exempt(ward.memory) == frozenset()

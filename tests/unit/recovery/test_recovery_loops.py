"""Crash loops, budgets and giving up."""

from __future__ import annotations

from datetime import timedelta

from controller.model.incident import Ending
from controller.model.spec import (
    HealingLimits,
)
from controller.model.text import text
from controller.model.view import Health, Verdict
from controller.recovery.healer import exempt
from controller.recovery.scene import Busy
from tests.unit.core.core_builders import NOW
from tests.unit.recovery.ward import (
    AWAY,
    Ward,
    crash_loop,
    hold_of,
    lines,
    probed,
    shown,
)

ONE = (probed("web"),)
PAIR = (probed("web", "db"), probed("db"))


def test_a_crash_loop_waits_twice_as_long_each_time_and_is_never_shown_as_well() -> None:
    ward = Ward(ONE)
    assert crash_loop(ward, 5) == [0, 1, 2, 4, 8]
    turn = ward.turn()
    assert shown(turn) == {"web": Health.UNHEALTHY}
    assert turn.look_again_at == ward.now + timedelta(seconds=8)
    ward.later(7.9)
    assert shown(ward.turn()) == {"web": Health.UNHEALTHY}
    ward.later(0.1)
    assert shown(ward.turn()) == {}
    assert ward.incident("web") is None


def test_a_hub_that_dies_while_it_settles_lets_it_settle_anew() -> None:
    ward = Ward(ONE)
    crash_loop(ward, 5)
    ward.later(7)
    ward.hub_dies()
    ward.see("web", verdict=Verdict(Health.STARTING, text("health.not_probed")))
    ward.turn()
    ward.is_well("web")
    assert shown(ward.turn()) == {"web": Health.UNHEALTHY}


def test_a_slow_try_that_comes_due_after_the_setup_was_mended_is_within_the_budget() -> None:
    ward = Ward((probed("web", max_restarts=1),))
    crash_loop(ward, 1)
    ward.fails_to_start("web", "fail.port_taken", port="8000")
    ward.see("web", life="web@2")
    turn = ward.turn()
    assert turn.look_again_at is not None
    ward.now = turn.look_again_at
    ward.dies("web", life="web@2")
    assert ward.turn().orders == ()
    assert ward.closed[-1].outcome is Ending.GAVE_UP


def test_a_crash_loop_is_not_shown_as_well_between_its_first_answer_and_the_next_turn() -> None:
    ward = Ward(ONE)
    crash_loop(ward, 1)
    ward.dies("web", life="web@2")
    ward.turn()
    ward.later(1)
    turn = ward.turn()
    assert len(turn.orders) == 1
    assert shown(turn) == {"web": Health.UNHEALTHY}
    ward.see("web", busy=Busy.HUB)
    assert shown(ward.turn()) == {"web": Health.UNHEALTHY}
    ward.see("web", busy=Busy.NO)
    ward.starts("web", 3)
    assert shown(ward.turn()) == {"web": Health.UNHEALTHY}


def test_it_gives_up_loudly_and_stays_so_until_a_person_starts_it() -> None:
    ward = Ward((probed("web", max_restarts=3),))
    crash_loop(ward, 3)
    ward.dies("web", life="web@4")
    turn = ward.turn()
    assert (turn.orders, shown(turn)) == ((), {"web": Health.FAILED})
    given_up = ward.closed[-1]
    assert given_up.outcome is Ending.GAVE_UP
    assert lines(given_up.timeline)[-1] == "give_up"
    assert given_up.recover_ms is None
    assert exempt(ward.memory) == {"web"}
    ward.hub_dies()
    ward.later(7200)
    turn = ward.turn(arrival=AWAY)
    assert (turn.orders, turn.incidents, shown(turn)) == ((), (), {"web": Health.FAILED})
    ward.vanishes("web")
    assert ward.turn().orders == (), "nobody started it"
    ward.see("web", busy=Busy.PERSON)
    ward.turn()
    ward.see("web", busy=Busy.NO)
    ward.is_well("web", 9)
    assert shown(ward.turn()) == {}
    assert exempt(ward.memory) == frozenset()


def test_a_person_may_start_what_was_given_up_beside_the_hub() -> None:
    ward = Ward((probed("web", max_restarts=1),))
    crash_loop(ward, 1)
    ward.dies("web", life="web@2")
    ward.turn()
    ward.dies("web", life="web@3")
    assert ward.heal().cause == text("incident.at_once")


def test_what_was_given_up_and_comes_back_by_itself_is_well() -> None:
    ward = Ward((probed("web", max_restarts=0),))
    ward.hangs("web")
    assert shown(ward.turn()) == {"web": Health.FAILED}
    ward.is_well("web")
    assert shown(ward.turn()) == {}
    assert ward.record("web").gave_up_at is None


def test_long_enough_well_makes_the_next_restart_the_first_again() -> None:
    ward = Ward(ONE)
    crash_loop(ward, 3)
    ward.later(600)
    assert crash_loop(ward, 1) == [0]


def test_the_stack_restarts_only_so_many_at_once() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(3)), HealingLimits(at_once=2))
    for name in ward.sights:
        ward.dies(name)
    orders = ward.turn().orders
    assert [order.service for order in orders] == ["s0", "s1"]
    for order in orders:
        ward.see(order.service, busy=Busy.HUB)
    assert ward.turn().orders == ()
    ward.ends(orders[0], life=2)
    assert ward.heal().service == "s2"


def test_the_stack_restarts_only_so_many_in_a_minute() -> None:
    ward = Ward(tuple(probed(f"s{i}") for i in range(3)), HealingLimits(9, per_minute=2))
    for name in ward.sights:
        ward.dies(name)
    turn = ward.turn()
    assert [order.service for order in turn.orders] == ["s0", "s1"]
    assert turn.look_again_at == NOW + timedelta(minutes=1)
    assert hold_of(ward, "s2") == "incident.stack_busy"
    for order in turn.orders:
        ward.ends(order, life=2)
    ward.later(59)
    assert ward.turn().orders == ()
    ward.later(1)
    assert ward.heal().service == "s2"

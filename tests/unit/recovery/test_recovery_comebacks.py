"""What a hub that died, or was away, finds and does."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.model.incident import Act, Ending
from controller.model.observation import State
from controller.model.recovery import Asking, ByHand, Claim, Held, Record
from controller.model.spec import HealingLimits
from controller.model.text import text
from controller.model.view import Health, Verdict
from controller.recovery import policy
from controller.recovery.healer import exempt
from controller.recovery.scene import Busy, Memory
from tests.unit.core.core_builders import NOW, service
from tests.unit.recovery.ward import (
    AWAY,
    ILL,
    PAUSE,
    Ward,
    lines,
    probed,
)

ONE = (probed("web"),)
PAIR = (probed("web", "db"), probed("db"))


def test_an_attempt_of_a_dead_hub_is_made_again_and_not_counted_again() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    order = ward.heal()
    before = ward.record("web")
    ward.hub_dies()
    assert ward.turn(arrival=AWAY).orders == (), "convergence leaves it to healing"
    assert exempt(ward.memory) == {"web"}
    ward.later(20)
    assert ward.heal() == order
    assert ward.record("web") == before
    assert ward.timeline("web") == ["start running"]


def test_a_hang_that_a_dead_hub_was_about_to_end_does_not_wait_for_a_start_up() -> None:
    ward = Ward(ONE)
    ward.hangs("web")
    order = ward.heal()
    ward.hub_dies()
    unsure = Verdict(Health.STARTING, text("health.not_probed"))
    ward.see("web", verdict=unsure, suspect=False, silent=False)
    assert ward.turn().orders == (), "nothing was asked yet"
    ward.see("web", verdict=unsure, suspect=True, silent=True)
    again = ward.heal()
    assert (again.act, again.life, again.incident) == (order.act, order.life, order.incident)
    assert ward.record("web").total == 1


def test_a_hub_that_dies_after_the_start_counts_it_once() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    ward.heal()
    ward.hub_dies()
    ward.starts("web")
    assert ward.turn(arrival=AWAY).orders == ()
    ward.is_well("web")
    ward.turn()
    (closed,) = ward.closed
    assert (closed.outcome, lines(closed.timeline)) == (Ending.RECOVERED, ["start done"])
    assert ward.record("web").total == 1


def test_a_try_that_a_dead_hub_did_not_finish_is_told_and_the_next_one_counts() -> None:
    ward = Ward(ONE)
    ward.hangs("web")
    ward.heal()
    ward.hub_dies()
    ward.dies("web", life="web@2")
    ward.turn()
    ward.later(1)
    ward.heal()
    assert ward.timeline("web") == ["restart interrupted", "wait", "start running"]
    assert ward.record("web").total == 2


def test_what_got_well_before_a_dead_hubs_try_was_made_was_not_healed_by_it() -> None:
    ward = Ward(ONE)
    ward.hangs("web")
    ward.heal()
    ward.hub_dies()
    ward.is_well("web")
    ward.turn()
    assert lines(ward.closed[0].timeline) == ["restart interrupted"]


@pytest.mark.parametrize("scene", [{"pause": PAUSE}, {"ill": ILL}])
def test_a_try_left_behind_is_dropped_where_something_else_comes_first(
    scene: dict[str, Any],
) -> None:
    ward = Ward((probed("web"), probed("api"), probed("app")), HealingLimits(at_once=1))
    ward.hangs("web")
    ward.heal()
    ward.hub_dies()
    ward.turn(**scene)
    assert ward.record("web").attempt is None
    assert ward.timeline("web") == ["restart interrupted", "hold"]
    ward.dies("api")
    assert "api" in [o.service for o in ward.turn(ill=ILL).orders]


def test_a_try_left_behind_takes_nobodys_place() -> None:
    ward = Ward((probed("web", "db"), probed("db"), probed("api")), HealingLimits(at_once=1))
    ward.hangs("web")
    ward.heal()
    ward.hub_dies()
    unsure = Verdict(Health.STARTING, text("health.not_probed"))
    ward.see("web", verdict=unsure, suspect=False, silent=False)
    ward.dies("api")
    assert ward.heal().service == "api"
    ward.see("api", busy=Busy.HUB)
    ward.hangs("web")
    assert ward.turn().orders == (), "what is made again waits for its place too"


def at(second: float) -> datetime:
    return NOW + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("requests", "own"),
    [
        ([], 0),
        ([-0.1], 0),
        ([0.0], 1),
        ([3.0], 1),
        ([3.1], 0),
        ([0.1, 2.0], 1),
        ([0.1, 4.0], 1),
        ([-1.0, 0.1, 4.0, 9.5, 99.0], 2),
        ([9.0, 99.0], 1),
    ],
)
def test_only_as_many_requests_are_a_hubs_own_as_it_set_out_to_make_and_only_then(
    requests: list[float], own: int
) -> None:
    """One was set out between 0 and 3 s by a hub that died, one since 9 s by this one."""
    claim = Claim("web@1", (Asking(at(0), at(3)), Asking(at(9))))
    times = [at(second) for second in requests]
    now = at(100)
    assert policy.own_requests(claim, "web@1", {}, times, now) == own
    assert policy.own_requests(claim, "web@2", {}, times, now) == 0, "another life"
    assert policy.own_requests(None, "web@1", {"web@1": 2}, times, now) == 2, "it knows its own"


def test_a_hub_that_finds_a_claimed_life_going_on_takes_later_requests_for_somebody_elses() -> None:
    ward = Ward(ONE)
    ward.hangs("web")
    ward.heal()
    ward.see("web", busy=Busy.HUB)
    ward.turn()
    assert ward.record("web").claim == Claim("web@1", (Asking(NOW),)), "it may yet ask"
    ward.hub_dies()
    ward.later(7)
    ward.turn(pause=PAUSE)
    expected = Claim("web@1", (Asking(NOW, at(8)),))
    assert ward.record("web").claim == expected
    ward.later(60)
    ward.turn(pause=PAUSE)
    assert ward.record("web").claim == expected
    ward.see("web", state=State.EXITED)
    ward.turn(pause=PAUSE)
    assert ward.record("web").claim == expected, "who ended it is still to be asked"


def test_the_request_of_a_hub_whose_clock_was_set_back_since_is_still_its_own() -> None:
    record = policy.claimed(Record(), "web@1", at(600))
    record = policy.outlived(record, "web@1", at(0))
    assert record.claim == Claim("web@1", (Asking(at(600), at(601)),))
    assert policy.own_requests(record.claim, "web@1", {}, [at(-1)], at(1)) == 1
    assert policy.own_requests(record.claim, "web@1", {}, [at(1), at(2)], at(3)) == 1


def test_what_a_dead_hub_owed_is_taken_up_once_and_what_people_do_after_that_stands() -> None:
    held = Record(held=Held(ByHand.STOPPED, "web@1", NOW))
    owed = policy.owed(held, "web@1", at(0), alive=False)
    assert (owed.held, owed.wished_life, owed.owed_at) == (None, "web@1", at(0))
    again = replace(owed, wished_life=None, held=held.held)
    for alive in (True, False):
        assert policy.owed(again, "web@1", at(0), alive=alive) == again
        assert policy.owed(policy.afresh(again), "web@1", at(0), alive=alive).claim is None
    claimed = policy.owed(again, "web@2", at(5), alive=True)
    assert (claimed.held, claimed.claim) == (None, Claim("web@2", (Asking(at(5)),)))


def test_each_hub_that_set_out_to_end_a_life_counts_and_the_last_may_take_its_word_back() -> None:
    ward = Ward(ONE)
    ward.hangs("web")
    ward.heal()
    ward.hub_dies()
    ward.later(2)
    order = ward.heal()
    record = ward.record("web")
    first, second = Asking(NOW, at(3)), Asking(at(2))
    assert record.claim == order.claims["web"] == Claim("web@1", (first, second))
    record = policy.disclaimed(record, "web@1")
    assert record.claim == Claim("web@1", (first,))
    assert policy.disclaimed(record, "web@1").claim is None
    assert policy.claimed(record, "web@2", NOW).claim == Claim("web@2", (Asking(NOW),))


def test_those_that_restart_along_with_it_are_claimed_too_and_a_start_claims_nothing() -> None:
    ward = Ward((probed("db"), service("web", "db!")))
    ward.hangs("db")
    order = ward.heal()
    assert order.claims == {n: Claim(f"{n}@1", (Asking(NOW),)) for n in ("db", "web")}
    assert all(ward.record(n).claim == claim for n, claim in order.claims.items())
    ward = Ward((probed("db"), service("web", "db!")))
    ward.dies("db")
    order = ward.heal()
    assert (order.act, order.claims.keys()) == (Act.START, {"web"})
    assert ward.record("db").claim is None


def test_what_another_container_did_is_no_part_of_a_person_s_wish_for_the_one_before() -> None:
    ward = Ward(ONE)
    ward.vanishes("web", by_hand=ByHand.REMOVED, busy=Busy.PERSON)
    ward.turn()
    assert ward.record("web").wished_life == ""
    ward.see("web", busy=Busy.NO, state=State.CREATED, life="made@", by_hand=None)
    ward.turn()
    assert ward.record("web").wished_life is None
    ward.vanishes("web", by_hand=ByHand.REMOVED)
    assert ward.turn().orders == ()
    assert ward.record("web").held is not None


def test_what_a_person_asked_to_run_again_is_not_left_alone_for_their_stop_before_it() -> None:
    ward = Ward(ONE)
    ward.dies("web", by_hand=ByHand.STOPPED)
    ward.turn()
    assert ward.record("web").held is not None
    ward.see("web", busy=Busy.PERSON)
    ward.turn()
    ward.see("web", busy=Busy.NO)
    assert ward.heal().act is Act.START, "their start has failed: it is healed"
    ward.starts("web")
    ward.turn()
    ward.dies("web", by_hand=ByHand.STOPPED)
    assert ward.turn().orders == (), "and left alone once they stop it anew"


def test_what_a_person_removed_twice_is_left_alone_twice() -> None:
    ward = Ward(ONE)
    ward.vanishes("web", by_hand=ByHand.REMOVED, busy=Busy.PERSON)
    ward.turn()
    ward.see("web", busy=Busy.NO)
    assert ward.heal().act is Act.START
    ward.starts("web")
    ward.turn()
    ward.vanishes("web", by_hand=ByHand.REMOVED)
    assert ward.turn().orders == ()


def test_dead_on_arrival_is_left_to_convergence_and_charged_to_nobody() -> None:
    ward = Ward(PAIR)
    ward.dies("db")
    ward.dies("web")
    turn = ward.turn(arrival=AWAY)
    assert turn.orders == ()
    assert exempt(Memory()) == frozenset()
    assert [i.cause.key for i in turn.incidents[-2:]] == ["incident.found"] * 2
    assert ward.timeline("web") == ["start running"]
    for name in ("db", "web"):
        ward.see(name, busy=Busy.HUB)
    assert ward.turn().orders == ()
    for name in ("db", "web"):
        ward.see(name, busy=Busy.NO)
        ward.is_well(name, 2)
    ward.turn()
    assert [(i.outcome, lines(i.timeline)) for i in ward.closed] == [
        (Ending.RECOVERED, ["start done"])
    ] * 2
    assert ward.record("web").total == 0


def test_what_is_left_to_healing_on_arrival_is_looked_at_again_soon() -> None:
    ward = Ward((probed("web"), probed("api")))
    ward.dies("web")
    ward.heal()
    ward.hangs("api")
    turn = ward.turn(arrival=AWAY)
    assert turn.look_again_at == ward.now + timedelta(seconds=1)


def test_convergence_that_did_not_help_is_followed_by_healing() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    ward.turn(arrival=AWAY)
    assert ward.heal().act is Act.START
    assert ward.timeline("web") == ["start failed", "start running"]


def test_a_paused_hub_starts_nothing_on_arrival() -> None:
    ward = Ward(ONE)
    ward.dies("web")
    assert ward.turn(arrival=AWAY, pause=PAUSE).orders == ()
    assert ward.timeline("web") == ["hold"]

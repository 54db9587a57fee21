"""When a service may be restarted next: the whole calculator, as tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from controller.model.incident import Act
from controller.model.recovery import Attempt, Held, Record
from controller.model.recovery import ByHand as By
from controller.model.spec import RecoverySpec
from controller.model.text import text
from controller.recovery import policy
from tests.unit.core.core_builders import NOW
from tests.unit.recovery.ward import exactly

SPEC = RecoverySpec()


def ago(*seconds: float) -> tuple[datetime, ...]:
    return tuple(NOW - timedelta(seconds=s) for s in seconds)


def delay(record: Record, spec: RecoverySpec = SPEC, *, mending: bool = False) -> float | None:
    return policy.rule(spec, record, NOW, exactly, mending=mending).delay_s


@pytest.mark.parametrize(
    ("streak", "seconds"),
    [
        (0, 0),
        (1, 1),
        (2, 2),
        (3, 4),
        (4, 8),
        (8, 128),
        (9, 256),
        (10, 300),
        (40, 300),
        (10**6, 300),
    ],
)
def test_the_first_try_is_at_once_and_later_ones_wait_twice_as_long(
    streak: int, seconds: float
) -> None:
    assert delay(Record(streak=streak)) == seconds


@pytest.mark.parametrize(
    ("streak", "seconds"), [(0, 10), (1, 20), (2, 40), (4, 160), (5, 300), (10**6, 300)]
)
def test_what_a_person_must_mend_is_tried_slowly(streak: int, seconds: float) -> None:
    assert delay(Record(streak=streak), mending=True) == seconds


@pytest.mark.parametrize("mending", [True, False])
def test_jitter_moves_a_pause_by_a_quarter_at_most_and_never_the_first_try(mending: bool) -> None:
    asked: list[tuple[float, float]] = []

    def noted(base_s: float, fraction: float) -> float:
        asked.append((base_s, fraction))
        return base_s * (1 + fraction)

    ruling = policy.rule(SPEC, Record(streak=3), NOW, noted, mending=mending)
    assert asked == [(80.0 if mending else 4.0, 0.25)]
    assert ruling.delay_s == asked[0][0] * 1.25
    asked.clear()
    assert policy.rule(SPEC, Record(), NOW, noted, mending=False).delay_s == 0
    assert asked == []


def test_the_cause_says_which_try_it_is_and_how_long_it_waited() -> None:
    assert policy.cause_of(Record()) == text("incident.at_once")
    said = policy.rule(SPEC, Record(streak=4), NOW, exactly, mending=False).cause
    assert said == text("incident.after_pause", number=5, seconds=8.0)


@pytest.mark.parametrize(
    ("tries", "gives_up"),
    [
        ((), False),
        ((1, 2), False),
        ((1, 2, 3), True),
        ((1, 2, 3, 4), True),
        ((1, 2, 60), False),
        ((1, 2, 59.9), True),
    ],
)
def test_it_gives_up_when_the_window_is_full(tries: tuple[float, ...], gives_up: bool) -> None:
    spec = replace(SPEC, max_restarts=3, window_s=60)
    ruling = policy.rule(spec, Record(ago(*tries), len(tries)), NOW, exactly, mending=False)
    assert (ruling.delay_s is None) is gives_up
    if gives_up:
        assert ruling.cause == text("incident.gave_up", count=len(tries), minutes=1.0)


def test_no_restarts_allowed_gives_up_at_once() -> None:
    assert delay(Record(), replace(SPEC, max_restarts=0)) is None


def test_slow_mending_never_gives_up() -> None:
    tried = Record(ago(*range(100)), 100)
    assert delay(tried) is None
    assert delay(tried, mending=True) == 300


def test_a_try_is_counted_before_it_is_made_and_old_ones_are_forgotten() -> None:
    spec = replace(SPEC, window_s=100)
    before = Record(ago(200, 100, 99), 3, 7, 4.0, next_at=NOW, well_since=NOW)
    after = policy.begun(before, spec, NOW, counted=True)
    assert after == Record((*ago(99), NOW), 4, 8, 4.0)
    assert policy.begun(before, spec, NOW, counted=False).restarts == ago(99)


def test_the_last_minute_is_kept_for_the_stack_even_where_the_window_is_shorter() -> None:
    after = policy.begun(Record(ago(61, 59)), replace(SPEC, window_s=5), NOW, counted=True)
    assert after.restarts == (*ago(59), NOW)


@pytest.mark.parametrize(("well_s", "streak"), [(599, 5), (600, 0), (10_000, 0)])
def test_long_enough_well_makes_the_next_try_the_first(well_s: float, streak: int) -> None:
    record = Record(ago(700), 5, 5, 8.0, well_since=NOW - timedelta(seconds=well_s))
    after = policy.rested(record, SPEC, NOW)
    assert (after.streak, after.well_since) == (streak, None)
    assert after.delay_s == (8.0 if streak else 0.0)
    assert after.restarts == record.restarts, "the window is not emptied by being well"


def test_what_was_never_well_is_not_rested() -> None:
    record = Record(ago(9000), 5, 5, 8.0)
    assert policy.rested(record, SPEC, NOW) is record


@pytest.mark.parametrize(
    ("streak", "delay_s", "settle_s"),
    [(0, 0, 0), (1, 10, 0), (2, 1.5, 1.5), (5, 8, 8), (9, 300, 60)],
)
def test_a_loop_must_stay_well_as_long_as_its_pause(
    streak: int, delay_s: float, settle_s: float
) -> None:
    assert policy.settle_s(Record(streak=streak, delay_s=delay_s)) == settle_s


def test_a_person_taking_over_leaves_only_the_count_and_the_incident() -> None:
    full = Record(
        ago(1),
        3,
        9,
        4.0,
        next_at=NOW,
        well_since=NOW,
        freed_at=NOW,
        held=Held(By.STOPPED, "a", NOW),
        gave_up_at=NOW,
        gave_up_life="a",
        attempt=Attempt(NOW, Act.START, "a", text("incident.at_once")),
        incident="inc_1",
    )
    assert policy.afresh(full) == Record(total=9, incident="inc_1")


AHEAD = NOW + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Record(restarts=(*ago(5), AHEAD)), Record(restarts=(*ago(5), NOW))),
        (
            Record(next_at=AHEAD, delay_s=8),
            Record(next_at=NOW + timedelta(seconds=8), delay_s=8),
        ),
        (Record(well_since=AHEAD), Record(well_since=NOW)),
        (Record(freed_at=AHEAD), Record(freed_at=NOW)),
    ],
    ids=["tries", "next try", "well since", "freed"],
)
def test_a_clock_set_back_leaves_nothing_ahead(before: Record, after: Record) -> None:
    assert policy.sane(before, NOW) == after
    assert policy.sane(after, NOW) is after


def test_an_untouched_clock_changes_nothing() -> None:
    record = Record(
        ago(5), next_at=NOW + timedelta(seconds=8), delay_s=8, well_since=NOW, freed_at=NOW
    )
    assert policy.sane(record, NOW) is record

"""When a scheduled workflow is due: the calendar, time away, and the two nights of other length."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from controller.workflow.schedule import due, next_at

SEOUL = ZoneInfo("Asia/Seoul")
BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = "0 3 * * *"


def at(said: str, zone: ZoneInfo = SEOUL, *, again: bool = False) -> datetime:
    """`again` is the second time that a clock shows it."""
    return datetime.fromisoformat(said).replace(tzinfo=zone, fold=int(again))


def kept(cron: str, begin: datetime, end: datetime, every: timedelta) -> list[str]:
    """What begins when a keeper looks every so often, and remembers what it began in UTC."""
    zone, last, now, begun = begin.tzinfo, begin.astimezone(UTC), begin.astimezone(UTC), []
    while now < end.astimezone(UTC):
        now += every
        found = due(cron, last.astimezone(zone), now.astimezone(zone))
        if found is not None:
            assert last < found.astimezone(UTC) <= now
            last = found.astimezone(UTC)
            begun.append(found.isoformat(timespec="minutes"))
    return begun


@pytest.mark.parametrize(
    ("last", "now", "wanted"),
    [
        ("2026-05-01 02:00", "2026-05-01 02:59:59", None),
        ("2026-05-01 02:00", "2026-05-01 03:00", "2026-05-01 03:00"),
        ("2026-05-01 02:00", "2026-05-01 03:00:00.4", "2026-05-01 03:00"),
        ("2026-05-01 02:00", "2026-05-01 12:00", "2026-05-01 03:00"),
        ("2026-05-01 03:00", "2026-05-01 03:00", None),
        ("2026-05-01 03:00", "2026-05-01 23:00", None),
        ("2026-05-01 03:00", "2026-05-02 03:00:01", "2026-05-02 03:00"),
    ],
)
def test_it_is_due_once_at_its_moment(last: str, now: str, wanted: str | None) -> None:
    found = due(NIGHTLY, at(last), at(now))
    assert found == (None if wanted is None else at(wanted))


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ("2026-05-08 02:59", "2026-05-07 03:00"),
        ("2026-05-08 02:59:59.7", "2026-05-07 03:00"),
        ("2026-05-08 03:00", "2026-05-08 03:00"),
    ],
)
def test_what_was_missed_is_done_once_for_its_latest_moment(now: str, wanted: str) -> None:
    last = at("2026-05-01 03:00")
    found = due(NIGHTLY, last, at(now))
    assert found == at(wanted)
    assert found is not None
    assert due(NIGHTLY, found, at(now)) is None


def test_a_clock_put_back_by_hand_begins_nothing_twice() -> None:
    assert due(NIGHTLY, at("2026-05-02 03:00"), at("2026-05-01 12:00")) is None
    assert due(NIGHTLY, at("2026-05-02 03:00"), at("2026-05-02 03:00")) is None


def test_a_leap_day_is_found_years_later() -> None:
    assert due("0 0 29 2 *", at("2024-03-01 00:00"), at("2028-02-28 23:59")) is None
    found = due("0 0 29 2 *", at("2024-03-01 00:00"), at("2030-01-01 00:00"))
    assert found == at("2028-02-29 00:00")


@pytest.mark.parametrize(
    ("cron", "wanted"),
    [
        ("*/15 * * * *", "2026-05-01 12:45"),
        ("0 9 * * 1", "2026-05-04 09:00"),
        ("0 0 1 * *", "2026-06-01 00:00"),
        ("30 4 * 1 *", "2027-01-01 04:30"),
        ("0 0 L * *", "2026-05-31 00:00"),
    ],
)
def test_the_next_moment(cron: str, wanted: str) -> None:
    assert next_at(cron, at("2026-05-01 12:30")) == at(wanted)


def test_the_zone_decides_which_moment_is_meant() -> None:
    last, now = datetime(2026, 5, 1, 12, tzinfo=UTC), datetime(2026, 5, 1, 19, tzinfo=UTC)
    found = due(NIGHTLY, last.astimezone(SEOUL), now.astimezone(SEOUL))
    assert found is not None
    assert found.astimezone(UTC) == datetime(2026, 5, 1, 18, tzinfo=UTC)
    assert due(NIGHTLY, last, now) is None


# The clock is put on: 2026-03-29 in Berlin has no 02:30. It is put back: 2026-10-25 has two.


def test_a_moment_that_a_night_does_not_have_is_made_up_for_at_once() -> None:
    begun = kept(
        "30 2 * * *",
        at("2026-03-29 00:00", BERLIN),
        at("2026-03-30 04:00", BERLIN),
        timedelta(minutes=5),
    )
    assert begun == ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]


def test_a_moment_that_a_night_has_twice_is_kept_once() -> None:
    begun = kept(
        "30 2 * * *",
        at("2026-10-25 00:00", BERLIN),
        at("2026-10-26 04:00", BERLIN),
        timedelta(minutes=5),
    )
    assert begun == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]


def test_what_is_due_all_the_time_goes_on_through_the_hour_that_comes_twice() -> None:
    begun = kept(
        "*/30 * * * *",
        at("2026-10-25 01:30", BERLIN),
        at("2026-10-25 03:00", BERLIN),
        timedelta(minutes=1),
    )
    assert begun == [
        "2026-10-25T02:00+02:00",
        "2026-10-25T02:30+02:00",
        "2026-10-25T02:00+01:00",
        "2026-10-25T02:30+01:00",
        "2026-10-25T03:00+01:00",
    ]


def test_what_is_due_all_the_time_goes_on_over_the_hour_that_is_missing() -> None:
    begun = kept(
        "*/30 * * * *",
        at("2026-03-29 01:00", BERLIN),
        at("2026-03-29 03:30", BERLIN),
        timedelta(minutes=1),
    )
    assert begun == [
        "2026-03-29T01:30+01:00",
        "2026-03-29T03:00+02:00",
        "2026-03-29T03:30+02:00",
    ]


def test_a_second_before_the_hour_comes_again_nothing_later_is_due() -> None:
    last, now = at("2026-10-25 02:00", BERLIN), at("2026-10-25 02:59:59", BERLIN)
    found = due("30 * * * *", last, now)
    assert found is not None
    assert found.isoformat() == "2026-10-25T02:30:00+02:00"
    later = at("2026-10-25 02:31", BERLIN, again=True)
    found = due("30 * * * *", found, later)
    assert found is not None
    assert found.isoformat() == "2026-10-25T02:30:00+01:00"


def test_a_schedule_that_began_in_the_second_hour_does_not_make_up_for_the_first() -> None:
    last, now = (at(f"2026-10-25 02:{minute}", BERLIN, again=True) for minute in ("10", "50"))
    assert due("30 2 * * *", last, now) is None


def test_what_was_missed_in_the_first_hour_is_made_up_for_in_the_second() -> None:
    last, now = at("2026-10-25 01:50", BERLIN), at("2026-10-25 02:40", BERLIN, again=True)
    found = due("45 * * * *", last, now)
    assert found is not None
    assert found.isoformat() == "2026-10-25T02:45:00+02:00"

"""Lines are counted by their own time, within their window, for whom they are held against."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from controller.alerts.logcount import LogCounter
from controller.alerts.rules import LogPattern, Rules
from controller.model.log import Entry, Level, Stream
from tests.unit.alerts.watch import START, at

PATTERNS = (
    LogPattern("lock", re.compile("database is locked"), window_s=60),
    LogPattern("mine", re.compile("boom"), services=frozenset({"web"})),
)


def line(
    when: datetime, said: str = "x", level: Level = Level.ERROR, stream: Stream = Stream.OUT
) -> Entry:
    return Entry(int(when.timestamp() * 1e9), stream, level, said)


def counts(counter: LogCounter, now: datetime) -> dict[tuple[str, str], int]:
    return {(c.service, c.pattern): c.count for c in counter.counted(now)}


def test_errors_count_within_five_minutes() -> None:
    counter = LogCounter(Rules())
    for second in range(600):
        counter.noted("web", line(at(second)))
        counter.noted("web", line(at(second), level=Level.INFO))
        counter.noted("db", line(at(second), level=Level.FATAL) if second % 2 else line(at(0)))
    found = counts(counter, at(600))
    assert 290 <= found["web", ""] <= 300
    assert 145 <= found["db", ""] <= 150
    assert counts(counter, at(1_000)) == {}


def test_what_is_read_late_counts_for_when_it_was_written() -> None:
    counter = LogCounter(Rules())
    for second in range(-4_000, 0):
        counter.noted("web", line(at(second)))
    assert counts(counter, START)["web", ""] <= 300


def test_patterns_count_what_they_name_only() -> None:
    counter = LogCounter(Rules(patterns=PATTERNS))
    counter.noted("web", line(at(0), "sqlite: database is locked", Level.INFO))
    counter.noted("db", line(at(1), "database is locked; boom", Level.UNSET))
    counter.noted("web", line(at(2), "boom " + "y" * 500, Level.UNSET))
    counter.noted("web", line(at(3), "z" * 3_000 + "boom", Level.UNSET))
    assert counts(counter, at(4)) == {("web", "lock"): 1, ("db", "lock"): 1, ("web", "mine"): 1}
    (mine,) = (c for c in counter.counted(at(4)) if c.pattern == "mine")
    assert mine.last.startswith("boom")
    assert len(mine.last) == 300
    assert counts(counter, at(90)) == {("web", "mine"): 1}


def test_what_the_hub_itself_adds_to_a_log_does_not_count() -> None:
    counter = LogCounter(Rules(patterns=PATTERNS))
    counter.noted("web", line(at(0), "boom", Level.ERROR, Stream.HUB))
    assert counts(counter, at(1)) == {}


def test_what_is_forgotten_begins_anew() -> None:
    counter = LogCounter(Rules(patterns=PATTERNS))
    for service in ("web", "db"):
        counter.noted(service, line(at(0), "database is locked"))
    counter.forget(["web"])
    assert {service for service, _ in counts(counter, at(1))} == {"db"}


def test_a_thousand_services_do_not_keep_their_counts_for_ever() -> None:
    counter = LogCounter(Rules())
    for number in range(1_000):
        counter.noted(f"s{number}", line(at(0)))
    assert len(counter.counted(at(1))) == 1_000
    assert counter.counted(START + timedelta(hours=1)) == ()
    assert not counter._counts

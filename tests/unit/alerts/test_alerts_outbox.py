"""Messages are retried with growing pauses, never twice at once, and never stale."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from itertools import count

from controller.alerts import outbox
from controller.alerts.life import Telling
from controller.alerts.outbox import Outbox
from controller.alerts.rules import Rules
from controller.model.alert import Alert, Delivery, DeliveryState, News, Rule, Severity
from controller.model.text import text
from tests.unit.alerts.watch import START, at

RULES = Rules(channels=("mail", "chat"))
ALERT = Alert(
    "alt_1",
    "service:web|",
    Rule.SERVICE_DOWN,
    Severity.CRITICAL,
    text("alert.service_down", why=text("exit.code", code=1)),
    START,
    START,
    "web",
    folded=("api", "db"),
)
DEAD = replace(
    ALERT,
    id="alt_2",
    key="channel:mail",
    rule=Rule.CHANNEL_DEAD,
    service=None,
    cause=text("alert.channel_dead", channel="mail", why="refused"),
)
ids = count()


def queue(
    box: Outbox,
    news: News,
    now: datetime,
    alert: Alert = ALERT,
    rules: Rules = RULES,
    flying: Collection[str] = (),
) -> tuple[Outbox, tuple[Delivery, ...]]:
    return outbox.queued(
        box, [Telling(news, alert)], flying, rules, now, lambda: f"dlv_{next(ids):04}", str
    )


def end(box: Outbox, one: Delivery, error: str | None, now: datetime) -> tuple[Outbox, Delivery]:
    return outbox.ended(box, one, error, now, lambda pause, _: pause)


def test_every_channel_gets_it_once() -> None:
    box, made = queue(Outbox(), News.OPENED, START)
    assert [one.channel for one in made] == ["mail", "chat"]
    due = outbox.due(box, (), START)
    assert {one.id for one in due} == {one.id for one in made}
    for one in due:
        box, after = end(box, one, None, at(1))
        assert after.state is DeliveryState.SENT
    assert outbox.due(box, (), at(9_999)) == ()


def test_what_fails_is_tried_again_after_growing_pauses_for_a_day() -> None:
    box, (one,) = queue(Outbox(), News.OPENED, START, rules=Rules(channels=("mail",)))
    pauses, now = [], START
    for _ in range(10):
        box, one = end(box, one, "refused", now)
        pauses.append((one.next_at - now).total_seconds())
        assert outbox.due(box, (), now) == ()
        now = one.next_at
        assert outbox.due(box, (), now) == (one,)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300]
    box, one = end(box, one, "refused", at(86_401))
    assert (one.state, box.waiting) == (DeliveryState.FAILED, {})


def test_what_something_newer_tells_is_not_sent_any_more() -> None:
    box, first = queue(Outbox(), News.OPENED, START)
    box, changed = queue(box, News.RESOLVED, at(60), replace(ALERT, resolved_at=at(60)))
    states = [(one.news, one.state) for one in sorted(changed, key=lambda d: d.id)]
    assert states[:2] == [(News.OPENED, DeliveryState.DROPPED)] * 2
    assert [one.news for one in outbox.due(box, (), at(61))] == [News.RESOLVED] * 2
    assert not {one.id for one in first} & set(box.waiting)


def test_what_is_in_flight_is_not_superseded_and_not_sent_again_where_it_failed() -> None:
    rules = Rules(channels=("mail",))
    box, (first,) = queue(Outbox(), News.OPENED, START, rules=rules)
    box, changed = queue(box, News.RESOLVED, at(5), rules=rules, flying={first.id})
    assert [one.state for one in changed] == [DeliveryState.WAITING]
    assert outbox.due(box, {"mail"}, at(6)) == ()
    _, arrived = end(box, first, None, at(7))
    assert arrived.state is DeliveryState.SENT
    box, failed = end(box, first, "refused", at(7))
    assert failed.state is DeliveryState.DROPPED
    assert [one.news for one in outbox.due(box, (), at(8))] == [News.RESOLVED]


def test_one_message_a_channel_at_a_time_the_oldest_first() -> None:
    other = replace(ALERT, id="alt_9", key="service:db|", service="db")
    box, _ = queue(Outbox(), News.OPENED, START)
    box, _ = queue(box, News.OPENED, at(1), other)
    due = outbox.due(box, (), at(2))
    assert [(one.channel, one.alert) for one in due] == [("chat", "alt_1"), ("mail", "alt_1")] or [
        (one.channel, one.alert) for one in due
    ] == [("mail", "alt_1"), ("chat", "alt_1")]
    assert {one.channel for one in outbox.due(box, {"mail"}, at(2))} == {"chat"}


def test_of_a_dead_channel_the_others_are_told() -> None:
    _, made = queue(Outbox(), News.OPENED, START, DEAD)
    assert [one.channel for one in made] == ["chat"]


def test_a_channel_is_dead_from_its_first_failure_until_something_arrives() -> None:
    box, made = queue(Outbox(), News.OPENED, START)
    box, one = end(box, made[0], "refused", at(1))
    box, one = end(box, one, "reset", at(9))
    assert outbox.dead(box) == {"mail": (at(1), "reset")}
    box, one = end(box, one, None, at(20))
    assert outbox.dead(box) == {}
    assert box.pulses["mail"].sent_at == at(20)


def test_a_clock_that_was_set_back_keeps_no_message_waiting() -> None:
    box, (one,) = queue(Outbox(), News.OPENED, START, rules=Rules(channels=("mail",)))
    box, one = end(box, one, "refused", START)
    assert outbox.due(box, (), at(-7_200)) == (one,)


def test_what_goes_over_a_channel_that_is_gone_is_dropped() -> None:
    box, _ = queue(Outbox(), News.OPENED, START)
    box, dropped = outbox.without_channels(box, {"chat"}, at(1))
    assert [(one.channel, one.state) for one in dropped] == [("mail", DeliveryState.DROPPED)]
    assert [one.channel for one in box.waiting.values()] == ["chat"]


def test_what_somebody_knows_already_is_not_sent() -> None:
    box, made = queue(Outbox(), News.OPENED, START)
    box, dropped = outbox.withdrawn(box, "alt_1", {made[0].id}, at(1))
    assert [one.id for one in dropped] == [made[1].id]
    assert set(box.waiting) == {made[0].id}


def test_a_message_says_what_why_since_when_and_where() -> None:
    rules = Rules(channels=("mail",), language="ko", link="https://hub.example/")
    over = replace(ALERT, resolved_at=at(3_700), resolved_why=text("alert.ended.service_down"))
    _, (bad,) = queue(Outbox(), News.OPENED, START, rules=rules)
    _, (good,) = queue(Outbox(), News.RESOLVED, at(3_700), over, rules=rules)
    assert bad.title == "[긴급] web 서비스 중단"
    assert "코드 1" in bad.body
    assert "api, db" in bad.body
    assert str(START) in bad.body
    assert bad.body.endswith("https://hub.example/dashboard/alerts#alt_1")
    assert good.title == "[해결됨] web 서비스 중단"
    assert "1시간 1분" in good.body


def test_a_message_has_an_end_however_much_is_said() -> None:
    cause = text("alert.error_rate", count=9, minutes=5, last="x" * 9_999)
    _, made = queue(Outbox(), News.OPENED, START, replace(ALERT, cause=cause, rule=Rule.ERROR_RATE))
    assert len(made[0].body) < 1_700
    assert made[0].body.endswith("#alt_1")

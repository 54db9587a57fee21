"""Time, silences and people: when somebody is told, told again, and not told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.alerts import life
from controller.alerts.rules import Route, Rules
from controller.model.alert import AlertState, Rule, Severity, Silence
from controller.model.text import text
from tests.unit.alerts.watch import GIVEN_UP, START, Watch, at, run_end


def news(watch: Watch) -> list[str]:
    return [said[0] for said in watch.said]


def test_what_is_gone_before_it_lasted_begins_anew() -> None:
    watch = Watch()
    for _ in range(5):
        watch.down("other")
        watch.wait(55)
        watch.up("other")
        watch.wait(1)
    assert watch.open == {}


def test_what_comes_back_while_it_is_quiet_is_the_same_alert() -> None:
    watch = Watch()
    watch.down("other")
    watch.wait(61)
    (first,) = watch.open.values()
    for _ in range(5):
        watch.up("other")
        watch.wait(25)
        watch.down("other")
        watch.wait(25)
    assert [alert.id for alert in watch.open.values()] == [first.id]
    assert news(watch) == ["opened"]


def test_what_comes_back_later_is_a_new_alert() -> None:
    watch = Watch()
    for _ in range(2):
        watch.down("other")
        watch.wait(61)
        watch.up("other")
        watch.wait(40)
    assert news(watch) == ["opened", "resolved"] * 2
    assert len({alert.id for alert in watch.over}) == 2


def test_nobody_is_told_again_before_the_time_and_then_once() -> None:
    watch = Watch(Rules(channels=("ops",), renotify_s=600))
    watch.down("other")
    watch.wait(61 + 599)
    assert news(watch) == ["opened"]
    watch.wait(601)
    assert news(watch) == ["opened", "still", "still"]


def test_renotify_0_is_never() -> None:
    watch = Watch(Rules(channels=("ops",), renotify_s=0))
    watch.down("other")
    watch.wait(3_000)
    assert news(watch) == ["opened"]


def test_who_knows_is_told_only_that_it_got_worse_and_that_it_is_over() -> None:
    watch = Watch(Rules(channels=("ops",), renotify_s=300))
    watch.down("other")
    watch.wait(61)
    ((key, alert),) = watch.open.items()
    watch.open[key] = life.acknowledged(alert, "kim", watch.now)
    watch.wait(1_000)
    assert news(watch) == ["opened"]
    assert watch.open[key].state is AlertState.ACKNOWLEDGED
    watch.change("other", reason=GIVEN_UP, incident=None)
    watch.wait(1)
    assert news(watch) == ["opened", "worse"]
    assert watch.open[key].state is AlertState.FIRING
    watch.up("other")
    watch.wait(40)
    assert news(watch) == ["opened", "worse", "resolved"]


def test_a_run_that_somebody_knows_of_is_over() -> None:
    watch = Watch()
    watch.ends(run_end("run_1"))
    known = life.acknowledged(watch.one(Rule.RUN_FAILED), "kim", watch.now)
    assert known.state is AlertState.RESOLVED
    assert (known.resolved_why, known.acked_by) == (text("alert.ended.acknowledged"), "kim")


def silence(watch: Watch, seconds: float, **what: object) -> Silence:
    until = watch.now + timedelta(seconds=seconds)
    return Silence("sil_1", until, watch.now, "kim", **what)  # type: ignore[arg-type]


def test_what_is_silenced_is_kept_and_told_when_the_silence_is_over() -> None:
    watch = Watch()
    watch.silences.append(silence(watch, 300, service="other"))
    watch.down("other")
    watch.wait(299)
    assert (len(watch.open), watch.said) == (1, [])
    watch.wait(2)
    assert news(watch) == ["opened"]


def test_what_is_going_when_its_silence_ends_is_not_told_any_more() -> None:
    watch = Watch()
    watch.silences.append(silence(watch, 100))
    watch.down("other")
    watch.wait(90)
    watch.up("other")
    watch.wait(100)
    assert (len(watch.over), watch.said) == (1, [])


def test_what_is_over_before_its_silence_is_never_told() -> None:
    watch = Watch()
    watch.silences.append(silence(watch, 300))
    watch.down("other")
    watch.wait(100)
    watch.up("other")
    watch.wait(400)
    assert (len(watch.over), watch.said) == (1, [])


@pytest.mark.parametrize(
    ("what", "fits"),
    [
        ({}, True),
        ({"service": "other"}, True),
        ({"service": "root"}, False),
        ({"rule": Rule.SERVICE_DOWN}, True),
        ({"rule": Rule.SLOW}, False),
        ({"service": "other", "rule": Rule.SLOW}, False),
    ],
)
def test_a_silence_covers_what_it_names(what: dict[str, object], fits: bool) -> None:
    watch = Watch()
    watch.silences.append(silence(watch, 1_000, **what))
    watch.down("other")
    watch.wait(70)
    assert (watch.said == []) is fits


def test_a_clock_that_is_set_back_makes_nothing_wait_for_ever() -> None:
    watch = Watch()
    watch.down("other")
    watch.wait(30)
    watch.now -= timedelta(hours=5)
    watch.wait(61)
    assert news(watch) == ["opened"]
    watch.up("other")
    watch.wait(10)
    watch.now -= timedelta(hours=5)
    watch.wait(40)
    assert news(watch) == ["opened", "resolved"]


def test_a_disk_around_its_bound_rings_once() -> None:
    from controller.alerts.facts import DiskFact

    watch = Watch()
    for turn in range(300):
        watch.set(disks=(DiskFact("/", "state", 29 + turn % 3, 1_000),))
        watch.wait(1)
    assert news(watch) == ["opened"]
    assert watch.one(Rule.DISK_FULL).cause.params["path"] == "/"


def test_nothing_changes_where_nothing_changed() -> None:
    watch = Watch()
    watch.down("other")
    watch.wait(100)
    assert watch.turn().changed == ()
    for percent in (900.0, 901.0, 902.5):
        watch.change("root", p95_ms=percent)
        watch.wait(130)
        assert watch.turn().changed == ()


def test_another_reason_is_shown_and_another_figure_is_not_stored() -> None:
    watch = Watch()
    watch.down("other")
    watch.wait(70)
    (first,) = watch.open.values()
    watch.change("other", reason=text("exit.code", code=2))
    assert watch.turn().changed == ()
    watch.change("other", reason=text("fail.port_taken", port=80))
    (changed,) = watch.turn().changed
    assert (changed.id, changed.cause.params["why"]) == (
        first.id,
        text("fail.port_taken", port=80),
    )
    assert news(watch) == ["opened"]


def test_routes_say_who_is_told_of_what() -> None:
    rules = Rules(
        channels=("ops", "dev", "all"),
        routes=(
            Route(("ops",), Severity.CRITICAL),
            Route(("dev",), services=frozenset({"web"})),
            Route(("all", "ops"), Severity.WARNING, frozenset({"db"})),
        ),
    )
    assert rules.channels_for(Severity.CRITICAL, "web") == ("ops", "dev")
    assert rules.channels_for(Severity.WARNING, "db") == ("ops", "all")
    assert rules.channels_for(Severity.INFO, None) == ()
    assert replace(rules, routes=()).channels_for(Severity.INFO, None) == ("ops", "dev", "all")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["down", "up", "away", "back", "pause", "go"]), max_size=25))
def test_whatever_happens_no_cause_is_told_twice_at_once(deeds: list[str]) -> None:
    """Between an opening and the next one of the same key there is always its end."""
    watch = Watch()
    for deed in deeds:
        match deed:
            case "down":
                watch.down("root")
            case "up":
                watch.up("root")
            case "away":
                watch.set(connected=False, engine_since=watch.now)
            case "back":
                watch.set(connected=True)
            case _:
                watch.set(paused=deed == "pause")
        watch.wait(35)
    watch.set(connected=True, paused=False)
    watch.up("root")
    watch.wait(100)
    assert watch.open == {}
    told: dict[str, list[str]] = {}
    for what, alert in watch.told:
        told.setdefault(alert.key, []).append(str(what))
    for words in told.values():
        pairs = [word for word in words if word in ("opened", "resolved")]
        assert pairs == ["opened", "resolved"] * (len(pairs) // 2)


def test_the_first_sign_is_told_and_not_when_it_was_noticed() -> None:
    watch = Watch()
    watch.change("other", since=at(-40), health=watch.facts.services["root"].health)
    watch.down("other", since=at(-40))
    watch.wait(61)
    (alert,) = watch.open.values()
    assert alert.since == at(-40)
    assert alert.opened_at > START
    watch.set(problems={"journal": "disk I/O error"})
    watch.wait(16)
    failing = watch.open["store:journal"]
    assert (failing.opened_at - failing.since).total_seconds() == 15

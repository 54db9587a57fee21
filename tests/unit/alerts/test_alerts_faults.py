"""The table of faults: each is told once, by the right alert, and its end is told once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from controller.alerts import message
from controller.alerts.facts import DiskFact
from controller.alerts.rules import LogPattern, Rules, with_terms
from controller.i18n import LANGUAGES, catalogue
from controller.model.alert import Rule, Severity
from controller.model.incident import Kind
from controller.model.text import text
from controller.model.view import Desired, Health
from tests.unit.alerts.watch import GIVEN_UP, START, Watch, at, incident, run_end

GIB = 1 << 30


@dataclass(frozen=True)
class Fault:
    """`strike` begins it and `mend` ends it; `within_s` is when it must have been told."""

    name: str
    rule: Rule
    severity: Severity
    service: str | None
    within_s: int
    strike: Callable[[Watch], None]
    mend: Callable[[Watch], None]
    folded: tuple[str, ...] = ()
    gone_s: int = 130


def hang(watch: Watch) -> None:
    why = text("health.failing", count=3, last=text("health.ok"))
    hung = incident("other", Kind.HANG)
    watch.change("other", health=Health.UNHEALTHY, reason=why, incident=hung)


def storm(watch: Watch) -> None:
    for name in ("root", "middle", "leaf", "other"):
        why = text("health.failing", count=3, last=text("health.ok"))
        hung = incident(name, Kind.HANG)
        watch.change(name, health=Health.UNHEALTHY, reason=why, incident=hung)
    watch.set(storm_since=watch.now)


def root_gives_up(watch: Watch) -> None:
    watch.change("root", health=Health.FAILED, reason=GIVEN_UP, incident=None)
    blocked = text("incident.blocked", service="root")
    for name in ("middle", "leaf"):
        ill = incident(name, Kind.DEPENDENCY)
        watch.change(name, health=Health.BLOCKED, reason=blocked, incident=ill)


def all_up(watch: Watch) -> None:
    for name in ("root", "middle", "leaf", "other"):
        watch.up(name)


def disk(free: int) -> Callable[[Watch], None]:
    return lambda watch: watch.set(disks=(DiskFact("/state", "state", free * GIB, 100 * GIB),))


FAULTS = [
    Fault(
        "crash that healing does not mend",
        Rule.SERVICE_DOWN,
        Severity.CRITICAL,
        "other",
        61,
        lambda w: w.down("other"),
        all_up,
    ),
    Fault("hang", Rule.UNHEALTHY, Severity.CRITICAL, "other", 61, hang, all_up),
    Fault(
        "dependency given up",
        Rule.GAVE_UP,
        Severity.CRITICAL,
        "root",
        1,
        root_gives_up,
        all_up,
        ("middle", "leaf"),
    ),
    Fault(
        "everything hangs at once",
        Rule.STACK_FAILING,
        Severity.CRITICAL,
        None,
        61,
        storm,
        lambda w: (w.set(storm_since=None), all_up(w))[0],
        ("root", "other", "middle", "leaf"),
    ),
    Fault(
        "restarted again and again",
        Rule.FLAPPING,
        Severity.WARNING,
        "other",
        1,
        lambda w: w.change("other", restarts=(at(-60), at(-40), at(-20))),
        lambda w: w.change("other", restarts=(at(-60), at(-40))),
    ),
    Fault(
        "slow",
        Rule.SLOW,
        Severity.WARNING,
        "other",
        121,
        lambda w: w.change("other", p95_ms=900.0),
        lambda w: w.change("other", p95_ms=20.0),
    ),
    Fault(
        "errors in the log",
        Rule.ERROR_RATE,
        Severity.WARNING,
        "other",
        1,
        lambda w: w.count_lines("other", 150),
        lambda w: w.count_lines("other", 3),
    ),
    Fault(
        "a line that is watched for",
        Rule.LOG_PATTERN,
        Severity.CRITICAL,
        "other",
        1,
        lambda w: w.count_lines("other", 1, "panic"),
        lambda w: w.count_lines("other", 0),
    ),
    Fault(
        "run failed",
        Rule.RUN_FAILED,
        Severity.WARNING,
        None,
        1,
        lambda w: w.ends(run_end("run_1")),
        lambda w: w.ends(run_end("run_2", good=True, retry_of="run_1")),
    ),
    Fault(
        "undo failed",
        Rule.COMPENSATION_FAILED,
        Severity.CRITICAL,
        None,
        1,
        lambda w: w.ends(run_end("run_1", undo_failed=True)),
        lambda w: w.ends(run_end("run_1")),
    ),
    Fault(
        "disk nearly full", Rule.DISK_FULL, Severity.WARNING, None, 61, disk(7), disk(50), (), 130
    ),
    Fault("disk full", Rule.DISK_FULL, Severity.CRITICAL, None, 61, disk(1), disk(50), (), 130),
    Fault(
        "engine away",
        Rule.ENGINE_UNREACHABLE,
        Severity.CRITICAL,
        None,
        31,
        lambda w: w.set(connected=False, engine_since=w.now),
        lambda w: w.set(connected=True),
    ),
    Fault(
        "certificate expires",
        Rule.CERTIFICATE_EXPIRING,
        Severity.WARNING,
        None,
        1,
        lambda w: w.set(certificate_until=START + timedelta(days=10)),
        lambda w: w.set(certificate_until=START + timedelta(days=365)),
    ),
    Fault(
        "certificate expired",
        Rule.CERTIFICATE_EXPIRING,
        Severity.CRITICAL,
        None,
        1,
        lambda w: w.set(certificate_until=START - timedelta(days=1)),
        lambda w: w.set(certificate_until=START + timedelta(days=365)),
    ),
    Fault(
        "journal stands still",
        Rule.STORE_FAILING,
        Severity.CRITICAL,
        None,
        16,
        lambda w: w.set(problems={"journal": "disk I/O error"}),
        lambda w: w.set(problems={}),
    ),
    Fault(
        "channel dead",
        Rule.CHANNEL_DEAD,
        Severity.WARNING,
        None,
        121,
        lambda w: w.set(dead={"mail": (w.now, "refused")}),
        lambda w: w.set(dead={}),
    ),
]

RULES = Rules(
    channels=("ops",),
    patterns=(LogPattern("panic", re.compile("panic"), severity=Severity.CRITICAL),),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_is_told_once_and_its_end_once(fault: Fault) -> None:
    watch = Watch(RULES)
    watch.wait(3)
    assert watch.said == []
    fault.strike(watch)
    watch.wait(fault.within_s - 2)
    if fault.within_s > 2:
        assert watch.said == []
    watch.wait(300)
    alert = watch.one(fault.rule)
    assert watch.said == [("opened", fault.rule, fault.service)]
    assert (alert.severity, alert.folded) == (fault.severity, fault.folded)
    fault.mend(watch)
    watch.wait(fault.gone_s)
    assert watch.open == {}
    assert watch.said[1:] == [("resolved", fault.rule, fault.service)]
    assert watch.over[-1].id == alert.id
    watch.wait(600)
    assert len(watch.said) == 2
    catalogue()
    for language in LANGUAGES:
        for news, told in watch.told:
            title = message.title(told, news, language)
            body = message.body(told, news, language, "http://hub", str)
            # A sentence that misses a fact, or a key that is not there, shows as itself.
            assert not re.search(r"alert\.|[{}]", title + body), (title, body)
            assert body.endswith(f"http://hub/dashboard/alerts#{told.id}")
            assert fault.service is None or fault.service in title


def stopped(watch: Watch, name: str) -> None:
    why = text("health.stopped", code=0)
    watch.change(name, desired=Desired.STOPPED, health=Health.STOPPED, reason=why)


def held(watch: Watch) -> None:
    by_hand = incident("root", Kind.STOPPED_OUTSIDE)
    why = text("incident.stopped_outside")
    watch.change("root", health=Health.HELD, reason=why, incident=by_hand)


def with_ill_dependants(do: Callable[[Watch], None]) -> Callable[[Watch], None]:
    def strike(watch: Watch) -> None:
        do(watch)
        for name in ("middle", "leaf"):
            ill = incident(name, Kind.DEPENDENCY)
            watch.change(name, health=Health.BLOCKED, incident=ill)

    return strike


def rehearsed(watch: Watch) -> None:
    watch.down("root", rehearsing=True, incident=replace(incident("root"), rehearsal="reh_1"))


def flaps_in_a_rehearsal(watch: Watch) -> None:
    watch.change("root", rehearsing=True, restarts=(at(-3), at(-2), at(-1)))


def restarted_by_a_person(watch: Watch) -> None:
    watch.change("root", health=Health.STARTING, by_person=True)


SILENT: list[tuple[str, Callable[[Watch], None]]] = [
    ("stopped by a person", with_ill_dependants(lambda w: stopped(w, "root"))),
    ("held, stopped beside the hub", with_ill_dependants(held)),
    ("restarted by a person", with_ill_dependants(restarted_by_a_person)),
    ("rehearsed", with_ill_dependants(rehearsed)),
    ("flapping that was rehearsed", flaps_in_a_rehearsal),
    ("starting for the first time", lambda w: w.change("root", health=Health.STARTING)),
    ("paused", lambda w: (w.set(paused=True), w.down("root"))[0]),
    ("the hub itself is ill", lambda w: (w.set(ill=True), w.down("root"))[0]),
    ("nothing was seen yet", lambda w: (w.set(known=False), w.down("root"))[0]),
    ("a run that a person cancelled", lambda w: w.ends(run_end("run_1", good=True))),
    ("a one-shot that has finished", lambda w: w.change("other", health=Health.STOPPED)),
    ("a disk with room", disk(11)),
    ("few errors", lambda w: w.count_lines("other", 99)),
    ("two restarts", lambda w: w.change("other", restarts=(at(-60), at(-40)))),
]


@pytest.mark.parametrize(("name", "strike"), SILENT, ids=[name for name, _ in SILENT])
def test_nobody_is_told_of(name: str, strike: Callable[[Watch], None]) -> None:
    watch = Watch(RULES)
    strike(watch)
    watch.wait(900)
    assert (watch.said, watch.open) == ([], {})


def test_a_crash_that_is_healed_soon_is_no_alert() -> None:
    watch = Watch()
    for _ in range(2):
        watch.down("root")
        watch.wait(50)
        watch.up("root")
        watch.wait(200)
    assert watch.said == []


def test_dependants_that_look_ill_first_are_folded_into_their_root() -> None:
    watch = Watch()
    watch.down("leaf")
    watch.wait(20)
    watch.down("middle")
    watch.wait(20)
    watch.down("root")
    watch.wait(70)
    assert watch.said == [("opened", "service_down", "root")]
    assert set(watch.one(Rule.SERVICE_DOWN).folded) == {"middle", "leaf"}


def test_dependants_that_recover_after_their_root_are_no_alert() -> None:
    watch = Watch()
    root_gives_up(watch)
    watch.wait(5)
    watch.up("root")
    watch.wait(25)
    watch.up("middle")
    watch.up("leaf")
    watch.wait(100)
    assert [said[1:] for said in watch.said] == [("gave_up", "root")] * 2


def test_two_causes_are_two_alerts() -> None:
    watch = Watch()
    watch.down("root")
    watch.down("other")
    watch.wait(70)
    assert {(a.rule, a.service) for a in watch.open.values()} == {
        (Rule.SERVICE_DOWN, "root"),
        (Rule.SERVICE_DOWN, "other"),
    }


def test_giving_up_makes_the_same_alert_worse_once() -> None:
    watch = Watch()
    watch.down("root")
    watch.wait(100)
    watch.change("root", health=Health.FAILED, reason=GIVEN_UP, incident=None)
    watch.wait(1_000)
    assert watch.said == [("opened", "service_down", "root"), ("worse", "gave_up", "root")]
    assert watch.one(Rule.GAVE_UP).opened_at == at(61)


def test_a_service_that_a_person_stops_at_last_resolves_its_alert() -> None:
    watch = Watch()
    watch.down("root")
    watch.wait(100)
    stopped(watch, "root")
    watch.wait(40)
    assert watch.over[0].resolved_why == text("alert.ended.stopped")
    assert watch.said[-1] == ("resolved", "service_down", "root")


def test_a_start_that_takes_long_and_fails_is_no_recovery() -> None:
    """A hub that comes back starts again what needs the service that was given up."""
    watch = Watch()
    root_gives_up(watch)
    watch.wait(5)
    watch.change("root", health=Health.STARTING, reason=text("phase.waiting"))
    watch.wait(300)
    watch.change("root", health=Health.FAILED, reason=GIVEN_UP)
    watch.wait(100)
    assert watch.said == [("opened", "gave_up", "root")]


def test_what_leaves_the_stack_or_is_switched_off_does_not_count_as_well() -> None:
    watch = Watch()
    watch.down("root")
    watch.ends(run_end("run_1"))
    watch.wait(70)
    left = {name: fact for name, fact in watch.facts.services.items() if name == "other"}
    watch.set(services=left, declared=frozenset(left))
    off = with_terms({Rule.RUN_FAILED: {"enabled": False}})
    watch.rules = replace(watch.rules, terms=off)
    watch.wait(40)
    assert {alert.rule: alert.resolved_why for alert in watch.over} == {
        Rule.SERVICE_DOWN: text("alert.ended.undeclared"),
        Rule.RUN_FAILED: text("alert.ended.disabled"),
    }


def test_lines_of_a_service_that_is_only_needed_count_too() -> None:
    watch = Watch(RULES)
    watch.count_lines("unmanaged", 1, "panic")
    watch.wait(2)
    assert watch.said == [("opened", "log_pattern", "unmanaged")]


def test_while_the_engine_is_away_alerts_stay_and_none_is_invented() -> None:
    watch = Watch()
    watch.down("root")
    watch.wait(70)
    watch.set(connected=False, engine_since=watch.now)
    watch.wait(300)
    watch.set(connected=True)
    watch.wait(5)
    rules = [alert.rule for alert in watch.open.values()]
    assert rules == [Rule.SERVICE_DOWN, Rule.ENGINE_UNREACHABLE]
    watch.up("root")
    watch.wait(40)
    assert watch.open == {}
    assert [news for news, _, _ in watch.said] == ["opened", "opened", "resolved", "resolved"]


def test_a_pause_tells_nothing_new_and_forgets_nothing_old() -> None:
    watch = Watch()
    watch.down("root")
    watch.wait(70)
    watch.set(paused=True)
    watch.down("other")
    watch.wait(600)
    assert [alert.service for alert in watch.open.values()] == ["root"]
    watch.set(paused=False)
    watch.wait(59)
    assert len(watch.open) == 1
    watch.wait(2)
    assert {alert.service for alert in watch.open.values()} == {"root", "other"}


def test_a_hundred_failed_runs_of_a_workflow_are_one_alert() -> None:
    watch = Watch()
    watch.ends(*(run_end(f"run_{n}") for n in range(100)))
    alert = watch.one(Rule.RUN_FAILED)
    assert (len(watch.said), alert.count, len(alert.runs)) == (1, 100, 50)
    watch.ends(run_end("run_x", retry_of="run_99"))
    assert watch.one(Rule.RUN_FAILED).count == 100
    assert len(watch.said) == 1


def test_a_resumed_undo_that_ends_is_not_told_as_a_failed_run() -> None:
    watch = Watch()
    watch.ends(run_end("run_1", undo_failed=True))
    watch.ends(run_end("run_1"))
    watch.wait(1)
    assert watch.open == {}
    assert [news for news, _, _ in watch.said] == ["opened", "resolved"]

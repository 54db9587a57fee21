"""The verdict table: every branch, and every sentence in both languages."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from core_builders import BORN, NOW, container, service

from controller.health.history import ProbeHistory
from controller.health.verdict import Evidence, conclude, exit_sentence, judge
from controller.i18n import LANGUAGES, render
from controller.model.observation import ContainerObs, State
from controller.model.probe import ProbeResult
from controller.model.recovery import Healing
from controller.model.spec import ProbeKind, ProbeSpec, ServiceSpec
from controller.model.text import Text, text
from controller.model.view import Desired, Health, Verdict

HTTP = ProbeSpec(ProbeKind.HTTP, 8000)
GOOD = text("probe.http", status=200)
BAD = text("probe.refused", port=8000)
PATIENT = replace(HTTP, successes=2)
NOTE = Verdict(Health.FAILED, text("fail.port_taken", port=8000))


def web(probe: ProbeSpec = HTTP) -> ServiceSpec:
    return service("web", probe=probe)


def history(answers: str, found: ContainerObs, probe: ProbeSpec = HTTP) -> ProbeHistory:
    """`+` is a good answer, `-` a bad one, oldest first, a second apart, the last now."""
    known = ProbeHistory(found.incarnation)
    for index, sign in enumerate(answers):
        at = NOW - timedelta(seconds=len(answers) - 1 - index)
        good = sign == "+"
        known = known.add(ProbeResult(at, good, GOOD if good else BAD), probe)
    return known


def evidence(
    found: ContainerObs | None = None,
    *,
    desired: Desired = Desired.RUNNING,
    answers: str | None = None,
    connected: bool = True,
    probe: ProbeSpec = HTTP,
    note: Verdict | None = None,
    phase: Text | None = None,
    one_shot: bool = False,
    healing: Healing | None = None,
) -> Evidence:
    probes = history(answers, found, probe) if found and answers is not None else None
    return Evidence(web(probe), desired, found, probes, connected, note, phase, one_shot, healing)


RUNNING = container("web")
FRESH = container("web", started_at=NOW - timedelta(seconds=5))
ENGINE = ProbeSpec(ProbeKind.ENGINE)
UNPROBED = ProbeSpec(ProbeKind.NONE)


def exited(code: int, oom: bool = False) -> ContainerObs:
    return container("web", State.EXITED, exit_code=code, oom_killed=oom)


TABLE: list[tuple[str, Evidence, Health, str]] = [
    (
        "the engine is silent",
        evidence(RUNNING, answers="+", connected=False),
        Health.UNKNOWN,
        "health.engine_unreachable",
    ),
    (
        "absent and unwanted",
        evidence(desired=Desired.STOPPED),
        Health.STOPPED,
        "health.stopped_never_started",
    ),
    ("absent and wanted", evidence(), Health.FAILED, "health.missing"),
    ("absent, and we know why", evidence(note=NOTE), Health.FAILED, "fail.port_taken(port=8000)"),
    (
        "absent and unwanted, old note",
        evidence(desired=Desired.STOPPED, note=NOTE),
        Health.STOPPED,
        "health.stopped_never_started",
    ),
    (
        "never started",
        evidence(container("web", State.CREATED)),
        Health.FAILED,
        "health.never_started",
    ),
    (
        "never started, and we know why",
        evidence(container("web", State.CREATED), note=NOTE),
        Health.FAILED,
        "fail.port_taken(port=8000)",
    ),
    ("paused", evidence(container("web", State.PAUSED)), Health.HELD, "health.paused"),
    (
        "the engine restarts it",
        evidence(container("web", State.RESTARTING)),
        Health.STARTING,
        "health.restarting",
    ),
    (
        "on its way out",
        evidence(container("web", State.REMOVING)),
        Health.UNKNOWN,
        "health.removing",
    ),
    (
        "stopped as asked",
        evidence(exited(0), desired=Desired.STOPPED),
        Health.STOPPED,
        "health.stopped(code=0)",
    ),
    (
        "stopped hard as asked",
        evidence(exited(137), desired=Desired.STOPPED),
        Health.STOPPED,
        "health.stopped(code=137)",
    ),
    ("ended by itself", evidence(exited(3)), Health.FAILED, "exit.code(code=3)"),
    ("ended by itself, cleanly", evidence(exited(0)), Health.FAILED, "exit.code(code=0)"),
    (
        "ended, and we know why",
        evidence(exited(3), note=NOTE),
        Health.FAILED,
        "fail.port_taken(port=8000)",
    ),
    (
        "dead",
        evidence(container("web", State.DEAD, exit_code=1)),
        Health.FAILED,
        "exit.code(code=1)",
    ),
    ("one-shot finished", evidence(exited(0), one_shot=True), Health.STOPPED, "health.completed"),
    ("one-shot failed", evidence(exited(2), one_shot=True), Health.FAILED, "exit.code(code=2)"),
    (
        "nothing to probe",
        evidence(RUNNING, probe=UNPROBED),
        Health.HEALTHY,
        "health.running_unprobed",
    ),
    (
        "healthcheck passes",
        evidence(container("web", health="healthy"), probe=ENGINE),
        Health.HEALTHY,
        "health.healthcheck_ok",
    ),
    (
        "healthcheck fails",
        evidence(container("web", health="unhealthy"), probe=ENGINE),
        Health.UNHEALTHY,
        "health.healthcheck_failed",
    ),
    (
        "healthcheck starts",
        evidence(container("web", health="starting"), probe=ENGINE),
        Health.STARTING,
        "health.healthcheck_starting",
    ),
    (
        "no healthcheck after all",
        evidence(RUNNING, probe=ENGINE),
        Health.HEALTHY,
        "health.running_unprobed",
    ),
    ("not asked yet", evidence(RUNNING), Health.STARTING, "health.not_probed"),
    ("asked, no answer yet", evidence(RUNNING, answers=""), Health.STARTING, "health.not_probed"),
    (
        "starting up",
        evidence(FRESH, answers="--"),
        Health.STARTING,
        "health.waiting(last=probe.refused(port=8000))",
    ),
    (
        "never came up",
        evidence(RUNNING, answers="-----"),
        Health.UNHEALTHY,
        "health.never_ready(seconds=60, last=probe.refused(port=8000))",
    ),
    (
        "a hub that came back does not condemn a long life for a slow moment",
        evidence(RUNNING, answers="----"),
        Health.STARTING,
        "health.waiting(last=probe.refused(port=8000))",
    ),
    ("well", evidence(RUNNING, answers="-+"), Health.HEALTHY, "health.ok"),
    ("one bad answer is forgiven", evidence(RUNNING, answers="+-"), Health.HEALTHY, "health.ok"),
    ("two bad answers are forgiven", evidence(RUNNING, answers="+--"), Health.HEALTHY, "health.ok"),
    (
        "three are not",
        evidence(RUNNING, answers="+---"),
        Health.UNHEALTHY,
        "health.failing(count=3, last=probe.refused(port=8000))",
    ),
    (
        "one good answer is not two",
        evidence(RUNNING, answers="++---+", probe=PATIENT),
        Health.UNHEALTHY,
        "health.recovering(good=1, needed=2)",
    ),
    (
        "two are",
        evidence(RUNNING, answers="++---++", probe=PATIENT),
        Health.HEALTHY,
        "health.ok",
    ),
    (
        "a bad one between good ones begins the count anew",
        evidence(RUNNING, answers="++---+-+", probe=PATIENT),
        Health.UNHEALTHY,
        "health.recovering(good=1, needed=2)",
    ),
    (
        "flapping",
        evidence(RUNNING, answers="+--+--+-+"),
        Health.UNHEALTHY,
        "health.flapping(bad=5, count=9)",
    ),
    (
        "flapping, and down right now",
        evidence(RUNNING, answers="+-+-+---"),
        Health.UNHEALTHY,
        "health.failing(count=3, last=probe.refused(port=8000))",
    ),
    (
        "one long outage that ended is not flapping",
        evidence(RUNNING, answers="+--------+"),
        Health.HEALTHY,
        "health.ok",
    ),
    ("and it recovers at once", evidence(RUNNING, answers="+---+"), Health.HEALTHY, "health.ok"),
    (
        "a note does not hide a running one",
        evidence(RUNNING, answers="+", note=NOTE),
        Health.HEALTHY,
        "health.ok",
    ),
]


@pytest.mark.parametrize(
    ("known", "health", "reason"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_the_table(known: Evidence, health: Health, reason: str) -> None:
    verdict = judge(known, NOW)
    assert (verdict.health, str(verdict.reason)) == (health, reason)
    sentences = [render(verdict.reason, language) for language in LANGUAGES]
    assert len(set(sentences)) == len(LANGUAGES)
    assert not any("{" in sentence for sentence in sentences)


def test_what_it_shares_with_a_container_that_is_gone_is_lost_however_it_answers() -> None:
    known = replace(evidence(RUNNING, answers="+++"), lost_share="net")
    assert judge(known, NOW) == Verdict(Health.UNHEALTHY, text("health.lost_share", service="net"))
    ended = replace(evidence(exited(0)), lost_share="net")
    assert judge(ended, NOW).reason.key == "exit.code", "what does not run is started anew"


def test_answers_of_an_earlier_life_are_not_held_against_this_one() -> None:
    earlier = history("+---", container("web", started_at=BORN - timedelta(hours=1)))
    known = Evidence(web(), Desired.RUNNING, RUNNING, earlier, True)
    assert judge(known, NOW) == Verdict(Health.STARTING, text("health.not_probed"))


def test_startup_counts_from_the_first_answer_where_the_start_is_not_known() -> None:
    unknown = container("web", started_at=None)
    assert judge(evidence(unknown, answers="--"), NOW).health is Health.STARTING


@pytest.mark.parametrize("found", [None, exited(1), container("web", State.CREATED)])
def test_an_operation_under_way_shows_as_starting(found: ContainerObs | None) -> None:
    phase = text("phase.starting")
    assert conclude(evidence(found, phase=phase), NOW) == Verdict(Health.STARTING, phase)
    assert judge(evidence(found, phase=phase), NOW).health is Health.FAILED


def test_an_operation_under_way_does_not_hide_what_runs() -> None:
    known = evidence(RUNNING, answers="+", phase=text("phase.stopping"))
    assert conclude(known, NOW).health is Health.HEALTHY


# -- what recovery makes of it

WAITS = Verdict(Health.FAILED, text("exit.code", code=3))
BLOCKED = Verdict(Health.BLOCKED, text("health.asked_anew"))


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        (evidence(exited(3), healing=Healing(BLOCKED)), BLOCKED),
        (evidence(RUNNING, answers="+---", healing=Healing(BLOCKED)), BLOCKED),
        (evidence(RUNNING, answers="+", healing=Healing(BLOCKED)), BLOCKED),
        (evidence(exited(3), healing=Healing(None, restarts=4)), WAITS),
        (evidence(exited(3), healing=Healing()), WAITS),
    ],
    ids=["gone", "sick", "well", "nothing to add", "idle"],
)
def test_what_recovery_decided_is_what_is_shown(known: Evidence, shown: Verdict) -> None:
    assert conclude(known, NOW) == shown
    assert judge(known, NOW) == judge(replace(known, healing=None), NOW)


def test_recovery_yields_to_an_operation_under_way_and_to_ignorance() -> None:
    phase, healing = text("phase.starting"), Healing(BLOCKED)
    busy = evidence(exited(3), phase=phase, healing=healing)
    assert conclude(busy, NOW) == Verdict(Health.STARTING, phase)
    silent = evidence(RUNNING, answers="+", connected=False, healing=healing)
    assert conclude(silent, NOW).health is Health.UNKNOWN


# -- forgiven


def forgiven(answers: str, before: str = "+---", probe: ProbeSpec = HTTP) -> Verdict:
    known = history(before, RUNNING, probe).forgive()
    for sign in answers:
        known = known.add(ProbeResult(NOW, sign == "+", GOOD if sign == "+" else BAD), probe)
    return judge(Evidence(web(probe), Desired.RUNNING, RUNNING, known, True), NOW)


@pytest.mark.parametrize(
    ("answers", "health", "reason"),
    [
        ("", Health.STARTING, "health.asked_anew"),
        ("--", Health.STARTING, "health.asked_anew"),
        ("---", Health.UNHEALTHY, "health.failing(count=3, last=probe.refused(port=8000))"),
        ("--+", Health.HEALTHY, "health.ok"),
        ("--+--", Health.HEALTHY, "health.ok"),
    ],
)
def test_a_forgiven_service_proves_itself_anew(answers: str, health: Health, reason: str) -> None:
    verdict = forgiven(answers)
    assert (verdict.health, str(verdict.reason)) == (health, reason)


def test_one_that_was_never_ready_is_forgiven_too() -> None:
    assert forgiven("--", before="-----").health is Health.STARTING
    assert forgiven("+", before="-----").health is Health.HEALTHY


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (exited(137, oom=True), "exit.oom"),
        # The engine flags the container even when only a child was killed.
        (exited(0, oom=True), "exit.code(code=0)"),
        (exited(126), "exit.command(code=126)"),
        (exited(127), "exit.command(code=127)"),
        (exited(137), "exit.signal(code=137, signal=9)"),
        (exited(143), "exit.signal(code=143, signal=15)"),
        (exited(128), "exit.code(code=128)"),
        (exited(1), "exit.code(code=1)"),
    ],
)
def test_why_it_ended(found: ContainerObs, sentence: str) -> None:
    assert str(exit_sentence(found)) == sentence
    assert all(render(exit_sentence(found), language) for language in LANGUAGES)

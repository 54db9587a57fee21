"""The verdict table: every branch, and every sentence in both languages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from core_builders import BORN, NOW, container, service

from controller.health.history import ProbeHistory
from controller.health.verdict import Evidence, conclude, exit_sentence, judge
from controller.i18n import LANGUAGES, render
from controller.model.observation import ContainerObs, State
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec, ServiceSpec
from controller.model.text import Text, text
from controller.model.view import Desired, Health, Verdict

HTTP = ProbeSpec(ProbeKind.HTTP, 8000)
GOOD = text("probe.http", status=200)
BAD = text("probe.refused", port=8000)
NOTE = Verdict(Health.FAILED, text("fail.port_taken", port=8000))


def web(probe: ProbeSpec = HTTP) -> ServiceSpec:
    return service("web", probe=probe)


def history(answers: str, found: ContainerObs) -> ProbeHistory:
    """`+` is a good answer, `-` a bad one, oldest first, a second apart, the last now."""
    known = ProbeHistory(found.incarnation)
    for index, sign in enumerate(answers):
        at = NOW - timedelta(seconds=len(answers) - 1 - index)
        good = sign == "+"
        known = known.add(ProbeResult(at, good, GOOD if good else BAD), HTTP.successes)
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
) -> Evidence:
    probes = history(answers, found) if found and answers is not None else None
    return Evidence(web(probe), desired, found, probes, connected, note, phase, one_shot)


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
        evidence(RUNNING, answers="---"),
        Health.UNHEALTHY,
        "health.never_ready(seconds=60, last=probe.refused(port=8000))",
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


# -- the history of probes


def test_history_counts_in_a_row_and_remembers_the_first_readiness() -> None:
    known = history("--+-+", RUNNING)
    assert (known.failures_in_a_row, known.successes_in_a_row) == (0, 1)
    assert known.ready_at == NOW - timedelta(seconds=2)
    assert known.last is not None
    assert known.last.ok


def test_readiness_needs_as_many_successes_as_asked() -> None:
    known = ProbeHistory("life")
    good = ProbeResult(NOW, True, GOOD)
    once = known.add(good, 2)
    assert once.ready_at is None
    assert once.add(ProbeResult(NOW, False, BAD), 2).add(good, 2).ready_at is None
    assert once.add(good, 2).ready_at == NOW


def test_history_is_bounded_and_its_counters_are_not() -> None:
    known = history("-" * 50, RUNNING)
    assert len(known.results) == 20
    assert known.failures_in_a_row == 50


def test_an_empty_history_has_no_last() -> None:
    assert ProbeHistory("life").last is None

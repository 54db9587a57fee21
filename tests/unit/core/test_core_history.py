"""The thresholds over a row of answers: readiness, the latch, flapping, silence, forgiveness."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from core_builders import NOW
from hypothesis import given
from hypothesis import strategies as st

from controller.health.history import ProbeHistory
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import text

PROBE = ProbeSpec(ProbeKind.HTTP, 8000)
PATIENT = replace(PROBE, failures=2, successes=2)
SAID = text("probe.http", status=200)


def at(second: int) -> datetime:
    return NOW + timedelta(seconds=second)


def history(
    answers: str, probe: ProbeSpec = PROBE, known: ProbeHistory | None = None
) -> ProbeHistory:
    """`+` is a good answer, `-` a bad one, one a second from NOW on."""
    known = known or ProbeHistory("life")
    for second, sign in enumerate(answers):
        known = known.add(ProbeResult(at(second), sign == "+", SAID), probe)
    return known


def test_it_counts_in_a_row_and_remembers_the_first_readiness() -> None:
    known = history("--+-+")
    assert (known.failures_in_a_row, known.successes_in_a_row) == (0, 1)
    assert (known.ready_at, known.since_ready) == (at(2), 3)
    assert known.last is not None
    assert known.last.ok


def test_readiness_needs_as_many_successes_as_asked() -> None:
    assert history("+", PATIENT).ready_at is None
    assert history("+-+", PATIENT).ready_at is None
    assert history("+-++", PATIENT).ready_at == at(3)


def test_it_is_bounded_and_its_counters_are_not() -> None:
    known = history("-" * 50)
    assert len(known.results) == 20
    assert known.failures_in_a_row == 50


def test_an_empty_one_has_no_last() -> None:
    assert ProbeHistory("life").last is None


# -- the latch


@pytest.mark.parametrize(
    ("answers", "unhealthy"),
    [
        ("--", False),
        ("++", False),
        ("++-", False),
        ("++--", True),
        ("++--+", True),
        ("++--+-", True),
        ("++--+-+", True),
        ("++--++", False),
        ("++--++-", False),
        ("++--++--", True),
    ],
)
def test_the_latch(answers: str, unhealthy: bool) -> None:
    assert history(answers, PATIENT).unhealthy is unhealthy


@given(st.text("+-", max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_the_latch_is_what_the_words_say(answers: str, failures: int, successes: int) -> None:
    ready_at = answers.find("+" * successes)
    ready = answers[ready_at + successes :] if ready_at >= 0 else ""
    bad, good = ready.rfind("-" * failures), ready.rfind("+" * successes)
    # Whichever threshold was reached last decides; a row counts from where it reaches its length.
    wanted = bad >= 0 and (good < 0 or bad + failures > good + successes)
    probe = replace(PROBE, failures=failures, successes=successes)
    assert history(answers, probe).unhealthy is wanted


# -- the first bad sign


@pytest.mark.parametrize(
    ("answers", "first"),
    [
        ("", None),
        ("--", 0),
        ("--++", None),
        ("++-", 2),
        ("++---", 2),
        ("++-+", None),
        ("++-+-", 4),
        ("++--+", 2),
        ("++--+-", 2),
        ("++--++", None),
        ("++--++-", 6),
    ],
)
def test_when_it_began(answers: str, first: int | None) -> None:
    assert history(answers, PATIENT).first_bad_at == (None if first is None else at(first))


def test_flapping_began_with_its_first_bad_answer_and_keeps_that() -> None:
    flaps = "+-+--+-+-"
    assert history(flaps).flapping
    assert history(flaps).first_bad_at == at(1)
    assert history(flaps + "+").first_bad_at == at(1)
    assert history(flaps + "+" * 15).first_bad_at is None


# -- flapping


@pytest.mark.parametrize(
    ("answers", "flapping"),
    [
        ("+-+-+--+", False),
        ("+-+-+---+", True),
        ("+--+---+", False),
        ("+--+--+-", True),
        ("+----------", False),
        ("+---------+", False),
        ("--+-+--+", False),
        ("+--+--+-" + "+" * 13, True),
        ("+--+--+-" + "+" * 14, False),
    ],
    ids=[
        "four bad",
        "five in three runs",
        "five in two runs",
        "ends bad",
        "down",
        "was down",
        "bad before it was ready",
        "all five still in the window",
        "the first has left it",
    ],
)
def test_flapping(answers: str, flapping: bool) -> None:
    assert history(answers).flapping is flapping


def test_a_clock_that_steps_back_does_not_hide_flapping() -> None:
    known = history("+")
    assert known.ready_at is not None
    assert history("--+--+-", known=replace(known, ready_at=at(3600))).flapping


# -- silence


def bad(port_open: bool | None, timed_out: bool) -> ProbeResult:
    return ProbeResult(NOW, False, SAID, port_open=port_open, timed_out=timed_out)


@pytest.mark.parametrize(
    ("results", "silent"),
    [
        ([], False),
        ([bad(True, True)], True),
        ([bad(False, True)], False),
        ([bad(None, True)], False),
        ([bad(True, False)], False),
        ([bad(True, False), bad(True, True)], True),
        ([bad(True, True), bad(False, False)], False),
        ([bad(True, True), ProbeResult(NOW, True, SAID)], True),
    ],
    ids=["none", "hang", "no connection", "unknown", "500", "then hangs", "then refused", "well"],
)
def test_silence(results: list[ProbeResult], silent: bool) -> None:
    known = ProbeHistory("life")
    for result in results:
        known = known.add(result, PROBE)
    assert known.silent is silent


# -- forgiveness


def test_forgiving_keeps_the_life_and_its_readiness_only() -> None:
    known = history("+---").forgive()
    assert known == ProbeHistory("life", ready_at=at(0), forgiven=True)
    assert not history("+--+--+-").forgive().flapping


@pytest.mark.parametrize(
    ("answers", "forgiven"), [("-", True), ("+", True), ("--", False), ("++", False), ("+-+", True)]
)
def test_it_lasts_until_something_is_proved(answers: str, forgiven: bool) -> None:
    known = history("++--", PATIENT).forgive()
    assert history(answers, PATIENT, known).forgiven is forgiven

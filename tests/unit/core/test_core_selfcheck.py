"""Whether the hub is fit to judge: the decision over given times, then the real loop and canary."""

from __future__ import annotations

import asyncio
import errno
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from core_builders import NOW

from controller.health import selfcheck as module
from controller.health.selfcheck import Fitness, SelfCheck
from controller.i18n import LANGUAGES, render
from controller.model.probe import ProbeResult
from controller.model.text import text

CANARY = text("health.hub_canary")


def test_a_hub_is_fit_until_something_says_otherwise() -> None:
    assert Fitness().problem(0) is None
    assert Fitness().lag(0.5, 100).canary(True).problem(100) is None


def test_a_late_loop_counts_for_a_while_and_anew_with_each_lag() -> None:
    late = text("health.hub_late", seconds=0.8)
    known = Fitness().lag(0.81, 100)
    assert [known.problem(at) for at in (100, 104.9, 105)] == [late, late, None]
    assert known.lag(0.1, 103).problem(105) is None
    assert known.lag(2.0, 103).problem(107.9) == text("health.hub_late", seconds=2.0)


@pytest.mark.parametrize(
    ("answers", "problem"),
    [("-", None), ("--", CANARY), ("-+-", None), ("---", CANARY), ("---+", None)],
)
def test_the_canary_counts_from_its_second_failure_in_a_row(answers: str, problem: object) -> None:
    known = Fitness()
    for sign in answers:
        known = known.canary(sign == "+")
    assert known.problem(0) == problem


def test_it_can_be_said_in_both_languages() -> None:
    for problem in (
        Fitness().lag(1.24, 0).problem(0),
        Fitness().canary(False).canary(False).problem(0),
    ):
        assert problem is not None
        assert len({render(problem, language) for language in LANGUAGES}) == len(LANGUAGES)


# -- running


@asynccontextmanager
async def running(check: SelfCheck) -> AsyncIterator[SelfCheck]:
    task = asyncio.create_task(check.run())
    try:
        yield check
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


Asked = list[ProbeResult]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the canary answered, asked at once again and again."""
    results: Asked = []
    real = module.ask

    async def ask(*about: object) -> ProbeResult:
        result: ProbeResult = await real(*about)  # type: ignore[arg-type]
        results.append(result)
        return result

    monkeypatch.setattr(module, "ask", ask)
    return results


async def test_the_canary_answers_as_services_do(asked: Asked) -> None:
    async with running(SelfCheck()) as check:
        await until(lambda: bool(asked))
        assert (asked[0].ok, asked[0].said) == (True, text("probe.http", status=204))
        assert check.problem() is None
        assert check.lag_p99_ms < 500


async def test_it_leaves_nothing_behind(asked: Asked) -> None:
    before = asyncio.all_tasks()
    async with running(SelfCheck()):
        await until(lambda: bool(asked))
    assert asyncio.all_tasks() == before


async def test_a_loop_that_stands_still_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    async with running(SelfCheck()) as check:
        await until(lambda: check.lag_p99_ms > 0)
        time.sleep(0.8)  # noqa: ASYNC251 - the fault itself
        await until(lambda: check.problem() is not None)
        problem = check.problem()
        assert problem is not None
        assert problem.key == "health.hub_late"
        assert check.lag_p99_ms > 0
    assert [r.levelno for r in caplog.records if "not fit" in r.getMessage()] == [logging.WARNING]


async def test_a_hub_that_cannot_ask_even_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[int] = []
    mended = asyncio.Event()

    async def ask(*about: object) -> ProbeResult:
        failures.append(1)
        if len(failures) <= 2:
            raise OSError(errno.EMFILE, "Too many open files")
        await mended.wait()
        return ProbeResult(NOW, True, text("probe.http", status=204))

    monkeypatch.setattr(module, "ask", ask)
    monkeypatch.setattr(module, "_CANARY_EVERY_S", 0.0)
    async with running(SelfCheck()) as check:
        await until(lambda: check.problem() == CANARY)
        monkeypatch.setattr(module, "_CANARY_EVERY_S", 60.0)
        mended.set()
        await until(lambda: check.problem() is None)


async def test_a_canary_that_cannot_be_set_up_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(*about: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(asyncio, "start_server", fails)
    with pytest.raises(OSError, match="Too many"):
        await SelfCheck().run()

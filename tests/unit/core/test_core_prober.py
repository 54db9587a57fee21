"""The probe loops against real sockets: their pace, what they count and what they discard."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime

import aiohttp
import pytest
from core_builders import NOW
from core_sockets import hang, says, serving

from controller import clock
from controller.health import prober as module
from controller.health.history import ProbeHistory
from controller.health.probe import Target
from controller.health.prober import Prober, _pause
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import Text, text

HTTP = ProbeSpec(ProbeKind.HTTP, 8000, "/health")
FAST = replace(HTTP, interval_s=0.05)
GOOD = ProbeResult(NOW, True, text("probe.http", status=200), response_ms=1.0, port_open=True)
BAD = ProbeResult(NOW, False, text("probe.http", status=500), response_ms=1.0, port_open=True)
NOWHERE = Target("life", "127.0.0.1", 1)


async def first(told: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(60):
        return await told.get()


@asynccontextmanager
async def probing(prober: Prober) -> AsyncIterator[Prober]:
    try:
        yield prober
    finally:
        await prober.close()


def known(prober: Prober, service: str = "web") -> ProbeHistory:
    history = prober.history(service)
    assert history is not None
    return history


async def test_a_loop_asks_until_it_is_told_to_forget() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    prober = Prober(told.put_nowait)
    async with serving(says(200)) as port:
        prober.watch("web", Target("life", "127.0.0.1", port), HTTP)
        assert await first(told) == "web"
        history = prober.history("web")
        assert history is not None
        assert (history.incarnation, history.ready_at is not None) == ("life", True)
        prober.watch("web", None, HTTP)
        assert prober.history("web") is None
    await prober.close()


async def test_the_same_target_is_not_begun_again() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    prober = Prober(told.put_nowait)
    async with serving(says(200)) as port:
        target = Target("life", "127.0.0.1", port)
        prober.watch("web", target, HTTP)
        await first(told)
        before = prober.history("web")
        prober.watch("web", target, HTTP)
        assert prober.history("web") is before
        prober.watch("web", Target("next life", "127.0.0.1", port), HTTP)
        fresh = prober.history("web")
        assert fresh is not None
        assert (fresh.incarnation, fresh.results) == ("next life", ())
        await first(told)
    await prober.close()


async def test_services_without_a_probe_are_not_asked() -> None:
    prober = Prober(lambda service: None)
    for kind in (ProbeKind.NONE, ProbeKind.ENGINE):
        prober.watch("web", Target("life", "127.0.0.1", 1), ProbeSpec(kind, 1))
        assert prober.history("web") is None
    await prober.close()


# -- pace


def ready(results: int) -> ProbeHistory:
    history = ProbeHistory("life")
    for _ in range(results):
        history = history.add(GOOD, HTTP)
    return history


def test_probes_begin_an_interval_apart() -> None:
    drawn = [_pause(ready(5), HTTP, took_s=0.5) for _ in range(500)]
    assert min(drawn) >= 0.9 * 2 - 0.5
    assert max(drawn) <= 1.1 * 2 - 0.5
    assert max(drawn) - min(drawn) > 0.2


def test_a_probe_that_took_longer_than_its_interval_is_followed_at_once() -> None:
    assert _pause(ready(5), HTTP, took_s=3) == 0


def test_services_that_came_up_together_are_spread_over_the_interval() -> None:
    drawn = [_pause(ready(1), HTTP, took_s=0.001) for _ in range(500)]
    assert 0 <= min(drawn) < 0.3
    assert 1.7 < max(drawn) <= 2


# -- what counts

Ask = Callable[..., object]


def answering(*answers: ProbeResult | Exception) -> tuple[Ask, list[int]]:
    """An `ask` that gives these in turn and is silent afterwards; and a count of those given."""
    asked: list[int] = []

    async def ask(*about: object) -> ProbeResult:
        if len(asked) == len(answers):
            await asyncio.Event().wait()
        answer = answers[len(asked)]
        asked.append(len(asked))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask, asked


NO_FILES = OSError(errno.EMFILE, "Too many open files")


async def test_an_error_of_the_hubs_own_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = answering(NO_FILES, RuntimeError("own"), GOOD)
    monkeypatch.setattr(module, "ask", ask)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", NOWHERE, HTTP)
        await first(told)
        assert (len(asked), known(prober).results) == (3, (GOOD,))


async def test_an_error_that_stays_is_discarded_and_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask, asked = answering(*[NO_FILES] * 9, GOOD)
    monkeypatch.setattr(module, "ask", ask)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", NOWHERE, HTTP)
        await first(told)
        # Three rounds of three tries each came to nothing; none of it is held against the service.
        assert len(asked) == 10
        assert (known(prober).results, known(prober).failures_in_a_row) == ((GOOD,), 0)
    complaints = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.exc_info is not None for record in complaints] == [True]
    assert "own doing" in complaints[0].getMessage()


async def test_tries_end_within_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    ask, asked = answering(NO_FILES, GOOD)
    monkeypatch.setattr(module, "ask", ask)
    monkeypatch.setattr(module, "_RETRY_FIRST_S", 60)
    monkeypatch.setattr(module, "_RETRY_MAX_S", 60)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", NOWHERE, replace(HTTP, interval_s=0.001))
        await first(told)
        assert len(asked) == 2


async def test_whoever_is_told_cannot_end_the_loop() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()

    def tell(service: str) -> None:
        told.put_nowait(service)
        raise ValueError("a bug elsewhere")

    async with serving(says(200)) as port, probing(Prober(tell)) as prober:
        prober.watch("web", replace(NOWHERE, port=port), FAST)
        for _ in range(3):
            await first(told)


async def test_while_the_hub_is_unfit_only_good_answers_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask, _ = answering(GOOD, BAD, BAD, BAD, BAD, GOOD, BAD)
    monkeypatch.setattr(module, "ask", ask)
    told: asyncio.Queue[str] = asyncio.Queue()
    problems: list[Text] = [text("health.hub_canary")]

    def counted(service: str, result: ProbeResult) -> None:
        if len(known(prober).results) == 2:
            problems.clear()

    prober = Prober(
        told.put_nowait,
        on_result=counted,
        self_check=lambda: problems[0] if problems else None,
    )
    async with probing(prober):
        prober.watch("web", NOWHERE, FAST)
        for _ in range(3):
            await first(told)
        assert known(prober).results == (GOOD, GOOD, BAD)


async def test_every_result_that_counts_is_handed_on() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    results: list[tuple[str, ProbeResult]] = []
    prober = Prober(told.put_nowait, on_result=lambda *result: results.append(result))
    async with serving(says(200)) as port, probing(prober):
        prober.watch("web", replace(NOWHERE, port=port), FAST)
        await first(told)
        assert results[0] == ("web", known(prober).results[0])
        assert results[0][1].response_ms is not None


async def test_a_forgiven_service_is_asked_anew_at_once() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with serving(says(200)) as port, probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", replace(NOWHERE, port=port), replace(HTTP, interval_s=3600))
        await first(told)
        ready_at = known(prober).ready_at
        prober.forgive("web")
        assert known(prober) == ProbeHistory("life", ready_at=ready_at, forgiven=True)
        await first(told)
        assert (len(known(prober).results), known(prober).forgiven) == (1, False)


async def test_a_service_can_be_asked_at_once() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    async with serving(says(200)) as port, probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", replace(NOWHERE, port=port), replace(HTTP, interval_s=3600))
        for results in (1, 2, 3):
            await first(told)
            assert len(known(prober).results) == results
            prober.ask_now("web")
            prober.ask_now("nobody watches this")


async def test_asked_while_a_probe_is_on_its_way_it_follows_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_its_way, answered = asyncio.Event(), asyncio.Event()

    async def ask(*about: object) -> ProbeResult:
        on_its_way.set()
        await answered.wait()
        return GOOD

    monkeypatch.setattr(module, "ask", ask)
    told: asyncio.Queue[str] = asyncio.Queue()
    async with probing(Prober(told.put_nowait)) as prober:
        prober.watch("web", NOWHERE, replace(HTTP, interval_s=3600))
        await on_its_way.wait()
        prober.ask_now("web")
        assert told.empty()
        answered.set()
        await first(told)
        await first(told)
        assert known(prober).results == (GOOD, GOOD)


async def test_forgiving_whom_nobody_watches_does_nothing() -> None:
    async with probing(Prober(lambda service: None)) as prober:
        prober.forgive("web")
        assert prober.history("web") is None


# -- many


async def hangs_or_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if b"GET /s0 " in await reader.readuntil(b"\r\n\r\n"):
        await hang(reader, writer)
    else:
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")


@pytest.fixture
def most_at_once(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How many probes of one path were on their way at the same time, at most."""
    open_now: Counter[str] = Counter()
    most: Counter[str] = Counter()
    real = module.ask

    async def ask(
        session: aiohttp.ClientSession, target: Target, probe: ProbeSpec, now: datetime
    ) -> ProbeResult:
        open_now[probe.path] += 1
        most[probe.path] = max(most[probe.path], open_now[probe.path])
        try:
            return await real(session, target, probe, now)
        finally:
            open_now[probe.path] -= 1

    monkeypatch.setattr(module, "ask", ask)
    return most


async def test_two_hundred_services_and_one_of_them_hangs(most_at_once: Counter[str]) -> None:
    services, interval_s, rounds = [f"s{number}" for number in range(200)], 1.0, 4
    told: asyncio.Queue[str] = asyncio.Queue()
    counts: Counter[str] = Counter()
    async with serving(hangs_or_answers) as port, probing(Prober(told.put_nowait)) as prober:

        def done() -> bool:
            slow = min(counts[service] for service in services[1:])
            return slow >= rounds and known(prober, "s0").silent

        began = clock.monotonic()
        for service in services:
            # A machine that is busy with other things must not make the good ones fail.
            timeout_s = interval_s if service == "s0" else 60.0
            probe = ProbeSpec(ProbeKind.HTTP, port, f"/{service}", interval_s, timeout_s)
            prober.watch(service, replace(NOWHERE, port=port), probe)
        async with asyncio.timeout(120):
            while not done():
                counts[await told.get()] += 1
        took_s = clock.monotonic() - began
        assert all(known(prober, s).failures_in_a_row == 0 for s in services[1:])
    # All keep the same pace, never faster than their interval, and nobody waits for the one that
    # hangs: in its every round the others have theirs.
    assert max(counts.values()) <= min(took_s / (0.9 * interval_s) + 2, 2 * rounds + 2)
    assert counts["s0"] <= took_s / interval_s + 1
    assert set(most_at_once.values()) == {1}

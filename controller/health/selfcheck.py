"""Asks whether the hub itself is fit to judge others.

A hub whose event loop stands still, or whose machine is out of sockets, sees every service fail at
once. So it watches its own loop, and asks a canary: a tiny server of its own, by the same way as
services are asked. While either is bad, failed probes prove nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace

import aiohttp

from controller import clock
from controller.health.probe import Target, ask, new_session
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import Text, text

log = logging.getLogger(__name__)

_TICK_S = 0.1
_LAG_LIMIT_S = 0.5
_LAG_HOLD_S = 5.0
_LAGS_KEPT = 600
_CANARY = ProbeSpec(ProbeKind.HTTP, path="/", timeout_s=1.0)
_CANARY_EVERY_S = 2.0
_CANARY_FAILURES = 2


@dataclass(frozen=True, slots=True)
class Fitness:
    """What is known of the hub's own fitness; pure. Times are monotonic seconds."""

    late_at: float | None = None
    late_s: float = 0.0
    canary_failures: int = 0

    def lag(self, lag_s: float, now: float) -> Fitness:
        """The event loop woke a sleeper `lag_s` late."""
        return replace(self, late_at=now, late_s=lag_s) if lag_s > _LAG_LIMIT_S else self

    def canary(self, ok: bool) -> Fitness:
        """The canary was asked."""
        return replace(self, canary_failures=0 if ok else self.canary_failures + 1)

    def problem(self, now: float) -> Text | None:
        """Why failed probes prove nothing now; None where the hub is fit."""
        if self.late_at is not None and now - self.late_at < _LAG_HOLD_S:
            return text("health.hub_late", seconds=round(self.late_s, 1))
        if self.canary_failures >= _CANARY_FAILURES:
            return text("health.hub_canary")
        return None


class SelfCheck:
    """Keeps `Fitness` up to date while `run` runs."""

    def __init__(self) -> None:
        self._fitness = Fitness()
        self._lags_s: deque[float] = deque(maxlen=_LAGS_KEPT)

    def problem(self) -> Text | None:
        """Why failed probes prove nothing now; None where the hub is fit."""
        return self._fitness.problem(clock.monotonic())

    @property
    def lag_p99_ms(self) -> float:
        """How late the loop woke sleepers, over about the last minute."""
        lags = sorted(self._lags_s)
        return round(lags[int(0.99 * (len(lags) - 1))] * 1000, 2) if lags else 0.0

    async def run(self) -> None:
        """Watch until cancelled. Raises OSError where the canary's server cannot be opened."""
        server = await asyncio.start_server(_answer, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        async with server, new_session() as session, asyncio.TaskGroup() as group:
            group.create_task(self._watch_lag(), name="self-check lag")
            group.create_task(
                self._ask_canary(session, Target("canary", "127.0.0.1", port)),
                name="self-check canary",
            )

    async def _watch_lag(self) -> None:
        while True:
            before = clock.monotonic()
            await asyncio.sleep(_TICK_S)
            now = clock.monotonic()
            lag_s = now - before - _TICK_S
            self._lags_s.append(lag_s)
            self._learn(self._fitness.lag(lag_s, now), now)

    async def _ask_canary(self, session: aiohttp.ClientSession, target: Target) -> None:
        while True:
            ok = await _asked(session, target)
            self._learn(self._fitness.canary(ok), clock.monotonic())
            await asyncio.sleep(_CANARY_EVERY_S)

    def _learn(self, fitness: Fitness, now: float) -> None:
        before, after = self._fitness.problem(now), fitness.problem(now)
        self._fitness = fitness
        if before is None and after is not None:
            log.warning("the hub is not fit to judge services: %s", after)


async def _asked(session: aiohttp.ClientSession, target: Target) -> bool:
    try:
        result = await ask(session, target, _CANARY, clock.now())
    except Exception as error:
        # What hinders the hub from asking is exactly what the canary is there to find.
        log.debug("the canary could not be asked", exc_info=error)
        return False
    return result.ok


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
    writer.close()

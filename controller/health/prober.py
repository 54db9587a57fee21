"""Keeps one probe loop per running container, so that a slow service never delays another.

A loop asks, waits for the rest of its interval (jittered, so that fifty services do not ask in
step) and asks again: probes of one service cannot pile up. While a container starts it is asked
often, because dependants and people wait for the first good answer. What the hub could not ask, or
asked while it was itself starved, is discarded: it says nothing about the service.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import aiohttp
from tenacity import (
    AsyncRetrying,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from controller import clock
from controller.health.history import ProbeHistory
from controller.health.probe import Target, ask, new_session
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import Text

log = logging.getLogger(__name__)

_STARTUP_FIRST_S = 0.1
_STARTUP_GROWTH = 1.15
_STARTUP_MAX_S = 0.5
_JITTER = 0.1
_ATTEMPTS = 3
_RETRY_FIRST_S = 0.05
_RETRY_MAX_S = 0.5
_COMPLAIN_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class _Loop:
    """One running loop; `nudge` ends its pause early."""

    target: Target
    probe: ProbeSpec
    task: asyncio.Task[None]
    nudge: asyncio.Event


class Prober:
    """Runs the loops. `on_history(service)` is told after every result that counts, `on_result`
    gets that result; while `self_check` gives a reason, failures do not count."""

    def __init__(
        self,
        on_history: Callable[[str], None],
        *,
        on_result: Callable[[str, ProbeResult], None] | None = None,
        self_check: Callable[[], Text | None] | None = None,
    ):
        self._on_history = on_history
        self._on_result = on_result
        self._self_check = self_check
        self._session: aiohttp.ClientSession | None = None
        self._loops: dict[str, _Loop] = {}
        self._histories: dict[str, ProbeHistory] = {}
        self._discarded = 0
        self._complained_at: float | None = None

    def history(self, service: str) -> ProbeHistory | None:
        return self._histories.get(service)

    def watch(self, service: str, target: Target | None, probe: ProbeSpec) -> None:
        """Probe `service` at `target` from now on; None (or nothing to ask) stops its loop."""
        if target is None or probe.kind not in (ProbeKind.HTTP, ProbeKind.TCP):
            self.forget(service)
            return
        running = self._loops.get(service)
        same = running is not None and (running.target, running.probe) == (target, probe)
        if running is None or not same or running.task.done():
            self._begin(service, target, probe, ProbeHistory(target.incarnation))

    def forgive(self, service: str) -> None:
        """Forget what was bad and ask anew at once; an answer still on its way does not count."""
        running, history = self._loops.get(service), self._histories.get(service)
        if running and history:
            self._begin(service, running.target, running.probe, history.forgive())

    def ask_now(self, service: str) -> None:
        """Ask without waiting for the interval; while a probe is on its way, right after it."""
        if running := self._loops.get(service):
            running.nudge.set()

    def forget(self, service: str) -> None:
        """Stop probing `service` and drop what was known of it."""
        running = self._loops.pop(service, None)
        if running:
            running.task.cancel()
        self._histories.pop(service, None)

    def _begin(self, service: str, target: Target, probe: ProbeSpec, history: ProbeHistory) -> None:
        self.forget(service)
        self._histories[service] = history
        nudge = asyncio.Event()
        work = self._loop(service, target, probe, nudge)
        task = asyncio.get_running_loop().create_task(work, name=f"probe {service}")
        task.add_done_callback(_report)
        self._loops[service] = _Loop(target, probe, task, nudge)

    async def _loop(
        self, service: str, target: Target, probe: ProbeSpec, nudge: asyncio.Event
    ) -> None:
        # Made at first use: a session belongs to the event loop that runs.
        session = self._session = self._session or new_session()
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS) | stop_before_delay(probe.interval_s),
            wait=wait_random_exponential(multiplier=_RETRY_FIRST_S, max=_RETRY_MAX_S),
            reraise=True,
        )
        startup_s = _STARTUP_FIRST_S
        while True:
            began = clock.monotonic()
            try:
                # It retries only what raises, and an answer about the service never does.
                self._take(service, probe, await retrying(ask, session, target, probe, clock.now()))
            except Exception as error:
                self._discarded += 1
                if self._may_complain():
                    log.error(
                        "%d probes failed by the hub's own doing and do not count, the last of %s",
                        self._discarded,
                        service,
                        exc_info=error,
                    )
                    self._discarded = 0
            history = self._histories.get(service)
            if history is None:
                return  # forgotten by those who were told
            if history.ready_at is None:
                await _rest(min(startup_s, probe.interval_s), nudge)
                startup_s = min(startup_s * _STARTUP_GROWTH, _STARTUP_MAX_S)
            else:
                await _rest(_pause(history, probe, clock.monotonic() - began), nudge)

    def _take(self, service: str, probe: ProbeSpec, result: ProbeResult) -> None:
        if not result.ok and self._self_check is not None and self._self_check() is not None:
            return
        self._histories[service] = self._histories[service].add(result, probe)
        if self._on_result is not None:
            self._on_result(service, result)
        self._on_history(service)

    def _may_complain(self) -> bool:
        """Not for each of fifty services at every interval."""
        now = clock.monotonic()
        if self._complained_at is not None and now - self._complained_at < _COMPLAIN_EVERY_S:
            return False
        self._complained_at = now
        return True

    async def close(self) -> None:
        loops = [loop.task for loop in self._loops.values()]
        for service in list(self._loops):
            self.forget(service)
        await asyncio.gather(*loops, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _pause(history: ProbeHistory, probe: ProbeSpec, took_s: float) -> float:
    """Seconds to wait, so that probes begin an interval apart. The first is drawn from the whole
    interval: services that came up together are spread over it."""
    if history.since_ready <= 1:
        return clock.jitter(probe.interval_s / 2, 1)
    return max(0.0, clock.jitter(probe.interval_s, _JITTER) - took_s)


async def _rest(seconds: float, nudge: asyncio.Event) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await nudge.wait()
    nudge.clear()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # The loop is started anew at the next full pass; nothing is counted against the service.
        log.error("%s ended", task.get_name(), exc_info=error)

"""Keeps one probe loop per running container, so that a slow service never delays another.

A loop asks, waits its interval (jittered, so that fifty services do not ask in step) and asks
again: probes of one service cannot pile up. While a container starts it is asked often, because
dependants and people wait for the first good answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import aiohttp

from controller import clock
from controller.health.history import ProbeHistory
from controller.health.probe import Target, ask, new_session
from controller.model.spec import ProbeKind, ProbeSpec

log = logging.getLogger(__name__)

_STARTUP_FIRST_S = 0.1
_STARTUP_GROWTH = 1.15
_STARTUP_MAX_S = 0.5
_JITTER = 0.1


class Prober:
    """Runs the loops. `on_history(service)` is told after every result."""

    def __init__(self, on_history: Callable[[str], None]):
        self._on_history = on_history
        self._session: aiohttp.ClientSession | None = None
        self._loops: dict[str, tuple[Target, ProbeSpec, asyncio.Task[None]]] = {}
        self._histories: dict[str, ProbeHistory] = {}

    def history(self, service: str) -> ProbeHistory | None:
        return self._histories.get(service)

    def watch(self, service: str, target: Target | None, probe: ProbeSpec) -> None:
        """Probe `service` at `target` from now on; None (or nothing to ask) stops its loop."""
        if target is None or probe.kind not in (ProbeKind.HTTP, ProbeKind.TCP):
            self.forget(service)
            return
        running = self._loops.get(service)
        if running and running[:2] == (target, probe) and not running[2].done():
            return
        self.forget(service)
        self._histories[service] = ProbeHistory(target.incarnation)
        work = self._loop(service, target, probe)
        task = asyncio.get_running_loop().create_task(work, name=f"probe {service}")
        task.add_done_callback(_report)
        self._loops[service] = (target, probe, task)

    def forget(self, service: str) -> None:
        """Stop probing `service` and drop what was known of it."""
        running = self._loops.pop(service, None)
        if running:
            running[2].cancel()
        self._histories.pop(service, None)

    async def _loop(self, service: str, target: Target, probe: ProbeSpec) -> None:
        pause = _STARTUP_FIRST_S
        # Made at first use: a session belongs to the event loop that runs.
        session = self._session = self._session or new_session()
        while True:
            result = await ask(session, target, probe, clock.now())
            history = self._histories[service].add(result, probe.successes)
            self._histories[service] = history
            self._on_history(service)
            if history.ready_at is None:
                await asyncio.sleep(min(pause, probe.interval_s))
                pause = min(pause * _STARTUP_GROWTH, _STARTUP_MAX_S)
            else:
                await asyncio.sleep(clock.jitter(probe.interval_s, _JITTER))

    async def close(self) -> None:
        loops = [task for _, _, task in self._loops.values()]
        for service in list(self._loops):
            self.forget(service)
        await asyncio.gather(*loops, return_exceptions=True)
        if self._session is not None:
            await self._session.close()


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # The loop is started anew at the next full pass; nothing is counted against the service.
        log.error("%s ended", task.get_name(), exc_info=error)

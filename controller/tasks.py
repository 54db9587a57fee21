"""Background tasks that cannot die unseen, and a queue of keys to wake.

A loop that ends unexpectedly leaves a hub that looks alive and does nothing. So every one is named
and guarded: its end is logged and takes the process down cleanly, and the engine restarts it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)
_SWITCH_S = 0.001


class Tasks:
    """Owns the hub's background tasks. `on_death` is called once when a guarded one ends."""

    def __init__(self, on_death: Callable[[str], None]):
        self._on_death = on_death
        self._running: set[asyncio.Task[Any]] = set()
        self._begun: dict[asyncio.Task[Any], float] = {}
        self._closing = False

    def guard(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a loop that must run as long as the hub does."""
        self._spawn(name, work, self._ended)

    def spawn(self, name: str, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start work that ends by itself; a failure is logged, nothing more dies of it."""
        return self._spawn(name, work, self._finished)

    def _spawn(
        self,
        name: str,
        work: Coroutine[Any, Any, Any],
        at_end: Callable[[asyncio.Task[Any]], None],
    ) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        self._begun[task] = task.get_loop().time()
        task.add_done_callback(self._begun.pop)
        task.add_done_callback(at_end)
        return task

    def names(self) -> list[str]:
        """Names of what runs now."""
        return sorted(task.get_name() for task in self._running)

    def ages(self) -> list[tuple[str, float]]:
        """Names of what runs now, and for how many seconds it does."""
        return sorted((t.get_name(), t.get_loop().time() - at) for t, at in self._begun.items())

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if self._closing:
            return
        error = None if task.cancelled() else task.exception()
        log.critical("background task %s ended; the hub stops", task.get_name(), exc_info=error)
        self._on_death(task.get_name())

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task %s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel everything and wait until it is gone."""
        self._closing = True
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def tune_interpreter() -> None:
    """Once everything is loaded: what is there by now is never looked at again for cycles, so that
    a full look at the rest takes 10 ms; and threads that wait for the interpreter get it after a
    millisecond instead of five, or each statement of the journal's writer waits."""
    sys.setswitchinterval(_SWITCH_S)
    gc.collect()
    gc.freeze()
    # Pages leave cycles behind. Few of them at a time leave no holes in memory, which would make it
    # grow for hours; more of the youngest than usual are cheaper to look at.
    gc.set_threshold(5_000, 5, 4)


class WakeQueue:
    """Keys to look at. Duplicates collapse; `everything` asks for a full pass."""

    def __init__(self) -> None:
        self._keys: set[str] = set()
        self._everything = False
        self._event = asyncio.Event()

    def wake(self, key: str) -> None:
        self._keys.add(key)
        self._event.set()

    def wake_all(self) -> None:
        self._everything = True
        self._event.set()

    async def take(self, timeout_s: float) -> set[str] | None:
        """The keys woken since the last call; None for "all", also when `timeout_s` passed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            self._everything = True
        self._event.clear()
        keys, everything = self._keys, self._everything
        self._keys, self._everything = set(), False
        return None if everything else keys

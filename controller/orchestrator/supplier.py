"""Has images pulled and built without keeping anything else waiting, and lets go of them at once.

Each pull or build has a thread of its own: the pools for commands and looks stay free, and a
registry that never answers holds up neither other services nor the hub's end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from controller import clock
from controller.engine import supplies
from controller.engine.pool import EnginePool
from controller.engine.supplies import Stop, StoppedError, Told
from controller.errors import StoreError
from controller.model.build import BuildSpec
from controller.model.text import Text, text
from controller.store.state import StateStore

log = logging.getLogger(__name__)

_PULLS_AT_ONCE = 8
_BUILDS_AT_ONCE = 2
_TELL_EVERY_S = 0.5


class Supplier:
    """Images for one stack. `pulls` is when the hub last pulled which; `scratch` is the folder
    where build contexts may lie. Use from the event loop only."""

    def __init__(self, pool: EnginePool, store: StateStore, scratch: Path | None = None):
        self._pool = pool
        self._store = store
        self._scratch = scratch
        self._pull_slots = asyncio.Semaphore(_PULLS_AT_ONCE)
        self._build_slots = asyncio.Semaphore(_BUILDS_AT_ONCE)
        self.pulls: dict[str, datetime] = {}

    async def load(self) -> None:
        """Remember what was stored. Raises StoreError."""
        self.pulls = await self._store.pulls()

    async def pull(
        self, image: str, platform: str | None, cancelled: asyncio.Event, told: Told
    ) -> None:
        """Raises PullError, StoppedError, EngineError."""
        engine = self._pool.engine

        def work(stop: Stop, told: Told) -> None:
            supplies.pull(engine, image, platform, stop, told)

        await self._run(self._pull_slots, work, cancelled, told)
        self.pulls[image] = clock.now()
        try:
            await self._store.note_pull(image, self.pulls[image])
        except StoreError as error:
            log.error("when %s was pulled cannot be stored: %s", image, error.detail)

    async def build(
        self, spec: BuildSpec, image: str, cancelled: asyncio.Event, told: Told
    ) -> None:
        """Raises ContextError, BuildError, StoppedError, EngineError."""
        engine, scratch = self._pool.engine, self._scratch

        def work(stop: Stop, told: Told) -> None:
            supplies.build(engine, spec, image, scratch, stop, told)

        await self._run(self._build_slots, work, cancelled, told)

    async def _run(
        self,
        slots: asyncio.Semaphore,
        work: Callable[[Stop, Told], None],
        cancelled: asyncio.Event,
        told: Told,
    ) -> None:
        stop, loop = Stop(), asyncio.get_running_loop()
        latest = _Latest(told)

        def pass_on(said: Text) -> None:
            loop.call_soon_threadsafe(latest, said)

        async def in_turn() -> None:
            if slots.locked():
                told(text("phase.waiting"))
            async with slots:
                await self._pool.supply(lambda: work(stop, pass_on))

        task, gone = asyncio.ensure_future(in_turn()), asyncio.ensure_future(cancelled.wait())
        either: list[asyncio.Future[Any]] = [task, gone]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError("it was stopped")
            task.result()
        finally:
            stop.now()
            for future in either:
                future.cancel()
            latest.close()


class _Latest:
    """Passes on what was said last, twice a second at most."""

    def __init__(self, tell: Told):
        self._tell = tell
        self._said: Text | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __call__(self, said: Text) -> None:
        self._said = said
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(_TELL_EVERY_S, self._pass_on)

    def _pass_on(self) -> None:
        self._timer = None
        if self._said is not None:
            self._tell(self._said)

    def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

"""Runs blocking engine calls off the event loop, commands and looks in pools of their own.

A slow command (a stop with a long grace) must never keep the hub from looking, and asyncio's
default pool is shared with everything else, so both pools are the hub's own and bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import ParamSpec, TypeVar

from controller.engine.client import DockerEngine
from controller.engine.intent import Asked, asked_to_end
from controller.threads import filled

P = ParamSpec("P")
T = TypeVar("T")


class EnginePool:
    """The engine for async code. Use as `await pool.command(pool.engine.start, id)`."""

    def __init__(self, engine: DockerEngine, *, commands: int = 16, looks: int = 4):
        self.engine = engine
        self._commands = filled("engine-command", commands)
        self._looks = filled("engine-look", looks)

    async def command(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that changes the engine's state."""
        return await self._run(self._commands, call, *args, **kwargs)

    async def look(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that only reads."""
        return await self._run(self._looks, call, *args, **kwargs)

    def supply(self, work: Callable[[], None]) -> asyncio.Future[None]:
        """Pull or build, in a thread of its own that nobody has to wait for at the end."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def settle(error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
                # Whoever asked may be gone, and then nobody is to hear of it.
                future.exception()

        def run() -> None:
            failed: BaseException | None = None
            try:
                work()
            except Exception as error:  # noqa: BLE001 - it goes to whoever awaits the future
                failed = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(settle, failed)

        threading.Thread(target=run, name="engine-supply", daemon=True).start()
        return future

    async def asked_to_end(
        self,
        project: str,
        service: str,
        since: datetime,
        stop_signal: str,
        number: int | None = None,
    ) -> Asked:
        """What the engine remembers of who ended the service's containers, or one of them.

        Raises EngineUnreachableError within 2 s.
        """
        return await asked_to_end(project, service, since, stop_signal=stop_signal, number=number)

    async def _run(
        self, pool: ThreadPoolExecutor, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, lambda: call(*args, **kwargs))

    def close(self) -> None:
        """Give up waiting calls; those under way end with their own timeouts."""
        self._commands.shutdown(wait=False, cancel_futures=True)
        self._looks.shutdown(wait=False, cancel_futures=True)
        self.engine.close()

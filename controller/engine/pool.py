"""Runs blocking engine calls off the event loop, commands and looks in pools of their own.

A slow command (a stop with a long grace) must never keep the hub from looking, and asyncio's
default pool is shared with everything else, so both pools are the hub's own and bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import ParamSpec, TypeVar

from controller.engine.client import DockerEngine
from controller.engine.intent import Asked, asked_to_end

P = ParamSpec("P")
T = TypeVar("T")


class EnginePool:
    """The engine for async code. Use as `await pool.command(pool.engine.start, id)`."""

    def __init__(self, engine: DockerEngine, *, commands: int = 16, looks: int = 4):
        self.engine = engine
        self._commands = ThreadPoolExecutor(commands, thread_name_prefix="engine-command")
        self._looks = ThreadPoolExecutor(looks, thread_name_prefix="engine-look")

    async def command(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that changes the engine's state."""
        return await self._run(self._commands, call, *args, **kwargs)

    async def look(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run something that only reads."""
        return await self._run(self._looks, call, *args, **kwargs)

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

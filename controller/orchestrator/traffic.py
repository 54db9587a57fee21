"""Who is using a service now, so that whoever is about to stop it can let them finish.

A request cut off half-way may have been done or not; waiting for the ones under way is cheaper than
finding out. Only what still answers is waited for: a dead service has no requests to finish.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from controller import clock


class Traffic:
    """Requests under way by service. Use from the event loop only."""

    def __init__(self, on_change: Callable[[str], None]):
        self._on_change = on_change
        self._users: Counter[str] = Counter()
        self._closing: Counter[str] = Counter()
        self._left = asyncio.Event()

    def enter(self, service: str) -> None:
        self._users[service] += 1

    def leave(self, service: str) -> None:
        self._users[service] -= 1
        self._left.set()

    def users(self, service: str) -> int:
        return self._users[service]

    def is_closing(self, service: str) -> bool:
        """Whether nobody should begin anything with it: it is about to be stopped."""
        return self._closing[service] > 0

    @asynccontextmanager
    async def closed(self, service: str, wait_s: float) -> AsyncIterator[None]:
        """Nobody begins anything with the service inside; first those there may finish, for at most
        `wait_s`."""
        self._closing[service] += 1
        try:
            await self._empty(service, clock.monotonic() + wait_s)
            yield
        finally:
            self._closing[service] -= 1
            self._on_change(service)

    async def _empty(self, service: str, deadline: float) -> None:
        while self._users[service] > 0:
            left = deadline - clock.monotonic()
            if left <= 0:
                return
            self._left.clear()
            try:
                async with asyncio.timeout(left):
                    await self._left.wait()
            except TimeoutError:
                return

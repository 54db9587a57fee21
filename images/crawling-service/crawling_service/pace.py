"""One request at a time per host, with a pause after each, over all crawls of this process.

Two crawls of one site are still one visitor to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_HOSTS = 1_000


@dataclass(slots=True)
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    rests_until: float = 0.0
    users: int = 0


class Pace:
    """Whose turn it is at each host. Use within one event loop."""

    def __init__(self) -> None:
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, key: str, delay_s: float) -> AsyncIterator[None]:
        """Waits for this host's turn; the pause begins when the caller is done."""
        loop = asyncio.get_running_loop()
        host = self._hosts.setdefault(key, _Host())
        host.users += 1
        try:
            async with host.lock:
                await asyncio.sleep(max(0.0, host.free_at - loop.time()))
                try:
                    yield
                finally:
                    host.free_at = max(host.free_at, loop.time() + delay_s)
        finally:
            host.users -= 1
            self._forget(loop.time())

    def rest(self, key: str, seconds: float) -> None:
        """Nobody asks this host for so long: it said so."""
        until = asyncio.get_running_loop().time() + seconds
        host = self._hosts.setdefault(key, _Host())
        host.rests_until = max(host.rests_until, until)

    def rest_left_s(self, key: str) -> float:
        """How long the host still wants to be left alone."""
        host = self._hosts.get(key)
        return max(0.0, host.rests_until - asyncio.get_running_loop().time()) if host else 0.0

    def _forget(self, now: float) -> None:
        if len(self._hosts) > _HOSTS:
            for key, host in list(self._hosts.items()):
                if not host.users and max(host.free_at, host.rests_until) <= now:
                    del self._hosts[key]

"""Clients of a hub that dies: each begins one run, asks again under the same key until it is
acknowledged, and follows it to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp

from controller.model.run import RunStatus
from tests.crash.flow import Errand
from tests.crash.invariants import Ended

_AGAIN_S = 0.02
_ASK_S = 10.0
_WAIT_S = 4.0
_ENDED = frozenset(status.value for status in RunStatus if status.ended)
Json = dict[str, Any]


class Clients:
    """Everybody who wants something of the hub on `port`."""

    def __init__(self, port: int, session: aiohttp.ClientSession):
        self._at = f"http://127.0.0.1:{port}"
        self._session = session
        self._tasks: list[asyncio.Task[Ended]] = []
        self.waiting: set[str] = set()
        """Keys of errands whose run has not ended."""
        self.idle = asyncio.Event()
        self.idle.set()

    def begin(self, errand: Errand) -> None:
        self.waiting.add(errand.key)
        self.idle.clear()
        self._tasks.append(asyncio.create_task(self._carry(errand)))

    async def ended(self) -> list[Ended]:
        """What came of every errand. Raises AssertionError where one came to nothing."""
        return list(await asyncio.gather(*self._tasks))

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _carry(self, errand: Errand) -> Ended:
        try:
            first, _ = await self.submit(errand)
            status = await self._end_of(first)
            # Once more, long after: still the same run.
            again, is_new = await self.submit(errand)
        finally:
            self.waiting.discard(errand.key)
            if not self.waiting:
                self.idle.set()
        assert not is_new, f"{errand.key} began a second run: {again}"
        return Ended(errand, frozenset((first, again)), status)

    async def submit(self, errand: Errand) -> tuple[str, bool]:
        """The run's id, and whether it is new; for as long as nobody acknowledges it."""
        while True:
            status, body = await self.ask("POST", "/runs", errand.key, errand.given)
            if status in (200, 202):
                return body["id"], status == 202
            assert status in (0, 503, 507), (status, body)
            await asyncio.sleep(_AGAIN_S)

    async def _end_of(self, run: str) -> str:
        while True:
            status, body = await self.ask("GET", f"/runs/{run}?timeout_s={_WAIT_S}")
            if status == 200 and body["status"] in _ENDED:
                ended: str = body["status"]
                return ended
            if status == 404:
                return "lost"
            assert status in (0, 200, 503), (status, body)
            await asyncio.sleep(_AGAIN_S)

    async def ask(
        self, method: str, path: str, key: str | None = None, given: Any = None
    ) -> tuple[int, Json]:
        """Status and answer; 0 where nobody answered."""
        try:
            async with self._session.request(
                method,
                self._at + path,
                data=None if given is None else json.dumps(given),
                headers={} if key is None else {"Idempotency-Key": key},
                timeout=aiohttp.ClientTimeout(total=_ASK_S),
            ) as answer:
                return answer.status, await answer.json()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0, {}

    async def until(self, holds: Callable[[Json], bool], what: str, limit_s: float = 60.0) -> Json:
        """The hub's state once that holds of it. Raises AssertionError where it never does."""
        last: Json = {}
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    status, last = await self.ask("GET", "/state")
                    if status == 200 and holds(last):
                        return last
                    await asyncio.sleep(_AGAIN_S)
        except TimeoutError:
            raise AssertionError(f"{what}: not within {limit_s} s; last: {last}") from None

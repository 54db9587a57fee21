"""New entries to whoever follows them live, without ever waiting for a listener.

A listener that does not keep up loses entries and is told how many: it can look them up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from controller.logs.query import Query
from controller.model.log import Found

_BACKLOG = 2_000


class Listener:
    """One listener's backlog; use `await take()`."""

    def __init__(self, query: Query):
        self._query = query
        self._waiting: deque[Found] = deque()
        self._lost = 0
        self._woken = asyncio.Event()
        self._closed = False

    def offer(self, entries: Sequence[Found]) -> None:
        query = self._query
        services = query.services
        for one in entries:
            if (services is None or one.service in services) and query.fits(one.entry):
                self._waiting.append(one)
        while len(self._waiting) > _BACKLOG:
            self._waiting.popleft()
            self._lost += 1
        if self._waiting:
            self._woken.set()

    def close(self) -> None:
        self._closed = True
        self._woken.set()

    async def take(self, most: int) -> tuple[list[Found], int] | None:
        """At least one entry, `most` of them at most, and how many were lost before them. None when
        there will be no more."""
        while not self._waiting:
            if self._closed:
                return None
            self._woken.clear()
            await self._woken.wait()
        lost, self._lost = self._lost, 0
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        return taken, lost


class Feed:
    """All listeners. Use from the event loop only."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._closed = False

    def __len__(self) -> int:
        return len(self._listeners)

    def listen(self, query: Query) -> Listener:
        listener = Listener(query)
        self._listeners.add(listener)
        if self._closed:
            listener.close()
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    def publish(self, entries: Sequence[Found]) -> None:
        for listener in self._listeners:
            listener.offer(entries)

    def close(self) -> None:
        self._closed = True
        for listener in self._listeners:
            listener.close()

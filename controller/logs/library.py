"""Answers questions about logs, off the event loop and within a time that people wait.

What is on the disk is read by threads with connections of their own; what is not there yet comes
from the intake. A search that takes longer than it may says how far it came, and can
be gone on with.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import orjson

from controller import clock
from controller.logs.collector import DROPPED
from controller.logs.feed import Feed
from controller.logs.intake import Intake
from controller.logs.query import Query
from controller.logs.search import Page, search
from controller.model.log import Found
from controller.store.log_file import LogFile
from controller.threads import filled

T = TypeVar("T")
_BUDGET_S = 0.25
_THREADS = 2
_AT_ONCE = 500
_PAUSE_S = 0.05
_LATE_NS = 30_000_000_000
_RESUMED = 10_000
_RESUME_S = 1.0

Place = tuple[int, int]
"""Time and id of an entry."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What there is: since when, how many bytes of disk, and what was forgotten last."""

    since: int | None
    size: int
    dropped_until: int | None
    dropped_at: float | None


class Library:
    """Use from the event loop. Everything raises StoreError. `members` are the containers of a
    service that has several."""

    def __init__(
        self,
        file: Path,
        intake: Intake,
        feed: Feed,
        members: Callable[[str], Iterable[str]] = lambda service: (),
    ):
        self._members = members
        self._file = file
        self._intake = intake
        self._feed = feed
        self._own = threading.local()
        self._opened: list[LogFile] = []
        self._threads = filled("logs-read", _THREADS)

    async def find(
        self,
        query: Query,
        limit: int,
        *,
        after: Place | None = None,
        newest_first: bool = True,
        budget_s: float = _BUDGET_S,
    ) -> Page:
        """The first `limit` entries that fit, beyond `after`."""
        query = self._meant(query)
        pending = self._intake.pending()

        def look(shelf: LogFile) -> Page:
            until = clock.monotonic() + budget_s
            return search(
                shelf,
                query,
                limit,
                after=after,
                newest_first=newest_first,
                pending=pending,
                out_of_time=lambda: clock.monotonic() > until,
            )

        return await self._ask(look)

    async def around(self, place: Place, service: str, count: int) -> list[Found]:
        """The entry at a place, and `count` of its service before and after it, in their order."""
        query = Query(services=frozenset({service}))
        at, number = place
        before = await self.find(query, count, after=place)
        after = await self.find(query, count + 1, after=(at, number - 1), newest_first=False)
        return [*reversed(before.entries), *after.entries]

    async def entry(self, place: Place) -> Found | None:
        """The entry at exactly this place, of whatever service."""
        at, number = place
        query = Query(since=at, until=at + 1)
        page = await self.find(query, 1, after=(at, number - 1), newest_first=False)
        return next((one for one in page.entries if one.id == number), None)

    def here(self) -> Place:
        """Where whoever has seen all there is now goes on from."""
        return clock.epoch_ns(), self._intake.newest_id()

    async def kept(self) -> Kept:
        def look(shelf: LogFile) -> Kept:
            since, _, size = shelf.span()
            said = orjson.loads(shelf.recall(DROPPED) or "{}")
            return Kept(since, size, said.get("until"), said.get("at"))

        return await self._ask(look)

    async def services(self) -> frozenset[str]:
        """Of which there is or was something."""
        found = await self._ask(lambda shelf: shelf.sources())
        return frozenset(service for _, service, _ in found)

    async def follow(
        self, query: Query, *, last: int = 0, seen: Place | None = None, beat_s: float = 15.0
    ) -> AsyncIterator[tuple[Sequence[Found], int]]:
        """The `last` entries, or all that came after the one at `seen`, and then what comes:
        entries, and how many are missing before them because the reader was too slow. Nothing of
        both, where nothing came for `beat_s`."""
        listener = self._feed.listen(self._meant(query))
        try:
            past = await self._past(query, last, seen)
            known = {one.id for one in past}
            if past:
                yield past, 0
            while True:
                try:
                    async with asyncio.timeout(beat_s):
                        taken = await listener.take(_AT_ONCE)
                except TimeoutError:
                    yield (), 0
                    continue
                if taken is None:
                    return
                entries, lost = taken
                if known:
                    entries = [one for one in entries if one.id not in known]
                if entries or lost:
                    yield entries, lost
                # More of them at once are cheaper for everybody.
                await asyncio.sleep(_PAUSE_S)
        finally:
            self._feed.leave(listener)

    def _meant(self, query: Query) -> Query:
        if query.services is None:
            return query
        members = (key for name in query.services for key in self._members(name))
        return replace(query, services=query.services.union(members))

    async def _past(self, query: Query, last: int, seen: Place | None) -> list[Found]:
        if seen is None:
            page = await self.find(query, last) if last else Page(())
            return [*reversed(page.entries)]
        # What came later may be of a time before, where a container is read late.
        begin = max(query.since or 0, seen[0] - _LATE_NS)
        page = await self.find(
            replace(query, since=begin), _RESUMED, newest_first=False, budget_s=_RESUME_S
        )
        return [one for one in page.entries if one.id > seen[1]]

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for shelf in self._opened:
            shelf.close()

    async def _ask(self, work: Callable[[LogFile], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(self._shelf()))

    def _shelf(self) -> LogFile:
        shelf: LogFile | None = getattr(self._own, "shelf", None)
        if shelf is None:
            shelf = LogFile(self._file, read_only=True)
            shelf.open()
            self._own.shelf = shelf
            self._opened.append(shelf)
        return shelf

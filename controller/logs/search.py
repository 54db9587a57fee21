"""Looking through the log, newest first or oldest first, as far as the time allows.

Rows and blocks of several containers overlap in time. A block is opened only when nothing that was
found already comes before what it can hold, so a question that is answered by the newest entries
costs no more than those.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from controller.logs.block import Block, Stored, folded, stored, trigrams
from controller.logs.query import Query
from controller.model.log import Found, Level, Row
from controller.store.log_file import ALL_LEVELS, Asked

_AFTER_ALL = 10**18 - 1
"""Larger than every id."""


class Shelf(Protocol):
    """Where entries are kept; see LogFile."""

    def sources(self) -> list[tuple[int, str, str]]: ...

    def recent(self, asked: Asked, *, newest_first: bool = True) -> list[Row]: ...

    def blocks(
        self, asked: Asked, *, newest_first: bool = True
    ) -> Iterable[tuple[int, int, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, in order. `next` is where to go on; None where everything was looked at.
    `reached` is the time up to which all is looked through where the time for it was over."""

    entries: tuple[Found, ...]
    next: tuple[int, int] | None = None
    reached: int | None = None


def search(
    shelf: Shelf,
    query: Query,
    limit: int,
    *,
    after: tuple[int, int] | None = None,
    newest_first: bool = True,
    pending: Sequence[Found] = (),
    out_of_time: Callable[[], bool] = lambda: False,
) -> Page:
    """The first `limit` entries that fit, beyond `after` in the direction that is looked.

    `pending` are entries that may not be on the shelf yet; asked for before the shelf was.
    """
    names = {
        number: (service, container)
        for number, service, container in shelf.sources()
        if query.services is None or service in query.services
    }
    looked = _Search(shelf, query, names, after, newest_first)
    looked.consider_pending(pending)
    return looked.run(limit, out_of_time)


class _Search:
    def __init__(
        self,
        shelf: Shelf,
        query: Query,
        names: Mapping[int, tuple[str, str]],
        after: tuple[int, int] | None,
        newest_first: bool,
    ):
        self._shelf = shelf
        self._query = query
        self._names = names
        self._after = after
        self._newest_first = newest_first
        self._sign = -1 if newest_first else 1
        self._heap: list[tuple[tuple[int, int], Found]] = []
        self._pending: set[int] = set()
        self._asked = self._what()

    def _what(self) -> Asked:
        query, edge = self._query, self._after
        since, until = query.since, query.until
        if edge is not None and self._newest_first:
            until = min(edge[0] + 1, until) if until is not None else edge[0] + 1
        elif edge is not None:
            since = max(edge[0], since) if since is not None else edge[0]
        return Asked(
            sources=None if query.services is None else list(self._names),
            levels=sum(1 << level for level in Level if level >= query.level)
            if query.level
            else ALL_LEVELS,
            since=since,
            until=until,
            run=query.run,
            trigrams=trigrams(query.words),
        )

    def consider_pending(self, pending: Sequence[Found]) -> None:
        for one in pending:
            if self._query.services is None or one.service in self._query.services:
                self._offer(one)
                self._pending.add(one.id)

    def run(self, limit: int, out_of_time: Callable[[], bool]) -> Page:
        direction = self._newest_first
        if not self._names:
            # Nothing of these services has been kept yet.
            return self._last([], limit)
        for row in self._shelf.recent(self._asked, newest_first=direction):
            self._consider(row[1], stored(row))
        found: list[Found] = []
        first: int | None = None
        for source, edge, body in self._shelf.blocks(self._asked, newest_first=direction):
            self._take(found, limit, edge)
            if len(found) == limit:
                return Page(tuple(found), found[-1].place)
            if first is None:
                first = edge
            elif edge != first and out_of_time():
                # Whatever lies before this block's edge has been looked at, and nothing else.
                return Page(tuple(found), (edge, _AFTER_ALL if direction else 0), edge)
            block = Block(body)
            if self._can_hold(block):
                for one in block.entries(self._query.level):
                    self._consider(source, one)
        return self._last(found, limit)

    def _last(self, found: list[Found], limit: int) -> Page:
        self._take(found, limit, None)
        is_full = len(found) == limit and bool(self._heap)
        return Page(tuple(found), found[-1].place if is_full else None)

    def _can_hold(self, block: Block) -> bool:
        """The index says which blocks may hold the words; most that do not are found out before
        anything is made of them."""
        words = self._query.words
        if not words:
            return True
        text = folded(block.text())
        return all(word in text for word in words)

    def _consider(self, source: int, one: Stored) -> None:
        if source in self._names and one.id not in self._pending:
            self._offer(Found(one.id, *self._names[source], one.entry))

    def _offer(self, one: Found) -> None:
        if not self._query.fits(one.entry):
            return
        if self._after is not None:
            beyond = one.place < self._after if self._newest_first else one.place > self._after
            if not beyond:
                return
        at, number = one.place
        heapq.heappush(self._heap, ((self._sign * at, self._sign * number), one))

    def _take(self, found: list[Found], limit: int, edge: int | None) -> None:
        """Move what comes before a block's edge from the heap to what was found."""
        while self._heap and len(found) < limit:
            at = self._heap[0][1].entry.at
            if edge is not None and (at <= edge if self._newest_first else at >= edge):
                return
            found.append(heapq.heappop(self._heap)[1])

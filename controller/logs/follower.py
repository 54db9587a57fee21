"""Follows one container's output for as long as the container is there.

The stream ends whenever the container or the engine does, and goes on where it ended: the times
that the engine puts on lines are the places to go on from, also after the hub itself was away.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from controller import clock
from controller.engine.log_stream import LogStream, LogStreams
from controller.errors import EngineError, EngineNotFoundError, EngineUnreachableError
from controller.logs.budget import Budget, Lag
from controller.logs.grouping import Grouper
from controller.logs.wire import Unframer
from controller.model.log import Entry, Level, Line, Stream

log = logging.getLogger(__name__)

LAST = 100_000
"""Lines of the past that are taken over, at most, when a stream is opened."""
_QUIET_S = 0.25
_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0)
_UNREADABLE_S = 60.0
_NANO = 1_000_000_000


class Intake(Protocol):
    """Where entries go. Waits while there is no room for more."""

    async def take(self, source: int, entries: Sequence[Entry], done: tuple[int, int]) -> None:
        """`done`: up to which moment standard output and error are whole with these."""


@dataclass(slots=True)
class Place:
    """A container's number in the store, and up to which moments its output is kept."""

    source: int
    out: int
    err: int

    def has(self, line: Line) -> bool:
        return line.at <= (self.err if line.is_error else self.out)


class Follower:
    """One container. `running` is set by whoever looks at containers; `problem` says why nothing
    is read of it."""

    def __init__(
        self,
        container_id: str,
        place: Place,
        streams: LogStreams,
        intake: Intake,
        budgets: Sequence[Budget],
    ):
        self.running = asyncio.Event()
        self.problem: str | None = None
        self._id = container_id
        self._place = place
        self._streams = streams
        self._intake = intake
        self._budgets = budgets
        self._skipped_from: int | None = None

    async def run(self) -> None:
        """Ends when the container is gone."""
        tries = 0
        while True:
            began = clock.monotonic()
            try:
                await self._follow()
                self.problem = None
            except EngineNotFoundError:
                return
            except EngineUnreachableError as error:
                self.problem = error.detail
            except EngineError as error:
                self.problem = error.detail
                await asyncio.sleep(_UNREADABLE_S)
            except ValueError as error:
                self.problem = f"the engine's stream could not be read: {error}"
                log.warning("log of container %s: %s", self._id[:12], self.problem)
            tries = 0 if clock.monotonic() - began > _AGAIN_S[-1] else tries + 1
            if self._skipped_from is None:
                # What has ended is still told as running for a moment.
                await asyncio.sleep(_AGAIN_S[min(tries, len(_AGAIN_S) - 1)])
                await self.running.wait()

    async def _follow(self) -> None:
        place, skipped, self._skipped_from = self._place, self._skipped_from, None
        known = min(place.out, place.err)
        since, last = (known + 1 if known else None), LAST
        if skipped is not None:
            since, last = None, 0
        async with self._streams.open(self._id, since=since, last=last) as stream:
            opened_at = clock.epoch_ns()
            if skipped is not None:
                await self._tell_gap(
                    "logs.gap.flood",
                    opened_at,
                    seconds=max(1, round((opened_at - skipped) / _NANO)),
                )
            await self._read(stream, opened_at, last, replace(place))

    async def _read(self, stream: LogStream, opened_at: int, last: int, kept: Place) -> None:
        """`kept` is the place at which the stream was opened: only what lies before that is known
        already, since the machine's clock may step back while the stream goes on."""
        unframer, grouper = Unframer(has_terminal=stream.has_terminal), Grouper()
        lag, past = Lag(), 0
        newest = opened_at
        while True:
            data = await self._next(stream, grouper)
            if not data:
                break
            lines = unframer.feed(data)
            wait_s = self._spend(len(data), len(lines))
            if lines:
                newest = lines[-1].at
            if past < last and lines and lines[0].at < opened_at:
                past += len(lines)
                if past >= last:
                    await self._tell_gap("logs.gap.cut", lines[0].at, n=last)
            await self._group(grouper, lines, kept)
            # Nothing of ours may keep the others waiting, even where there is always more to read.
            await asyncio.sleep(wait_s)
            if lag.hopeless((clock.epoch_ns() - newest) / _NANO, clock.monotonic()):
                self._skipped_from = newest
                break
        await self._hand_over(grouper, grouper.flush())

    async def _next(self, stream: LogStream, grouper: Grouper) -> bytes:
        """More of the stream. Meanwhile entries are given out to which nothing is added."""
        if grouper.is_open:
            try:
                async with asyncio.timeout(_QUIET_S):
                    return await stream.read()
            except TimeoutError:
                await self._hand_over(grouper, grouper.flush())
        return await stream.read()

    async def _group(self, grouper: Grouper, lines: Sequence[Line], kept: Place) -> None:
        entries = [
            entry
            for line in lines
            if not kept.has(line) and (entry := grouper.feed(line)) is not None
        ]
        if lines:
            entries += grouper.flush(lines[-1].at)
        if entries:
            await self._hand_over(grouper, entries)

    async def _hand_over(self, grouper: Grouper, entries: Sequence[Entry]) -> None:
        place = self._place
        place.out = max(place.out, grouper.complete(False))
        place.err = max(place.err, grouper.complete(True))
        if entries:
            await self._intake.take(place.source, entries, (place.out, place.err))

    async def _tell_gap(self, key: str, at: int, **facts: int) -> None:
        """Say in the log itself that something of it is missing."""
        place = self._place
        if key == "logs.gap.flood":
            place.out = place.err = at
        text = orjson.dumps([key, facts]).decode()
        entry = Entry(at, Stream.HUB, Level.WARNING, text)
        await self._intake.take(place.source, [entry], (place.out, place.err))

    def _spend(self, size: int, lines: int) -> float:
        now = clock.monotonic()
        return max(budget.spend(size, lines, now) for budget in self._budgets)

"""Answers questions about what was measured, off the event loop.

What is on the disk is read by threads with connections of their own; the running hour comes from
the recorder's memory.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from controller import clock
from controller.metrics.answer import (
    Comparison,
    Line,
    Window,
    columns_of,
    compared,
    line,
    lines,
    share,
    window,
)
from controller.metrics.recorder import DAY_S, HOUR_S, ROLLED_S, Keeping, Recorder
from controller.metrics.table import Table, unpack
from controller.metrics.trend import POINT_S, memory_sentence, trend
from controller.model.metric import (
    AVAILABILITY,
    DUE_S,
    MEMORY,
    METRICS,
    UP_S,
    Bucket,
    Metric,
    Scope,
    Subject,
)
from controller.model.text import Text
from controller.store.metrics_file import MetricsFile, Tier
from controller.threads import filled

log = logging.getLogger(__name__)

T = TypeVar("T")
_THREADS = 2
_SPARK = 30
_QUESTIONS = 32
_FRESH = 3
_TREND_S = 6 * HOUR_S
_LONG_S = (7 * DAY_S, 30 * DAY_S)
_LONG_KEPT_S = 300.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the answer about a service needs to know of it: since when it lives its present life,
    and how much memory it may have."""

    since: float | None = None
    memory_limit: int | None = None


_NOTHING = Told()


@dataclass(frozen=True, slots=True)
class Availability:
    """The healthy share of what was due, and how much of the time was seen and due."""

    share: float | None
    due_s: float


@dataclass(frozen=True, slots=True)
class History:
    """Lines over a window, each beside the same of an earlier one where that was asked for."""

    over: Window
    lines: Sequence[Comparison]


@dataclass(frozen=True, slots=True)
class Summary:
    """One subject: the newest sample (None where it is old), every metric over a window and
    compared with the same a day before, availability by days, and what there is to say."""

    subject: Subject
    last: Bucket | None
    over: Window
    lines: Mapping[str, Comparison]
    availability: Mapping[str, Availability] = field(default_factory=dict)
    trend: Text | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    subject: Subject
    number: int | None
    running: Table | None
    told: Told = _NOTHING


class Library:
    """Use from the event loop. Everything raises StoreError."""

    def __init__(self, file: Path, recorder: Recorder, keeping: Keeping):
        self.keeping = keeping
        self._file = file
        self._recorder = recorder
        self._own = threading.local()
        self._opened: list[MetricsFile] = []
        self._threads = filled("metrics-read", _THREADS)
        self._summed: dict[object, tuple[object, Sequence[Summary]]] = {}
        self._long: dict[Subject, tuple[float, Mapping[str, Availability]]] = {}

    @property
    def problem(self) -> str | None:
        """Why nothing is written now."""
        return self._recorder.problem

    @property
    def size(self) -> int | None:
        """What the file takes on the disk, as of the last full hour."""
        return self._recorder.size

    def knows(self, subject: Subject) -> bool:
        """Whether there is or was something of it."""
        return subject in self._recorder.subjects()

    async def history(
        self,
        subject: Subject,
        metrics: Sequence[Metric],
        since: float,
        until: float,
        points: int,
        compare_s: int | None = None,
    ) -> History:
        """Lines of about `points` points, beside those of `compare_s` seconds before."""
        asked = self._asked(subject)
        begin = since - (compare_s or 0)
        finest = ROLLED_S if begin < clock.epoch() - self.keeping.raw_s else self._finest
        over = window(since, until, points, finest)

        def look(shelf: MetricsFile) -> History:
            tables = _tables(shelf, asked, over, metrics)
            now = lines(metrics, tables, over)
            earlier: list[Line | None] = [None] * len(now)
            if compare_s is not None:
                old = over.before(compare_s)
                tables = _tables(shelf, asked, old, metrics)
                earlier = [*lines(metrics, tables, old)]
            return History(over, [compared(a, b) for a, b in zip(now, earlier, strict=True)])

        return await self._ask(look)

    async def summaries(self, subjects: Mapping[Subject, Told], length_s: int) -> Sequence[Summary]:
        """Every one over the last `length_s` seconds, worked out once for each sample: pages and
        tools ask far more often."""
        key = (length_s, tuple(subjects))
        state = (self._recorder.samples, tuple(subjects.values()))
        kept = self._summed.get(key)
        if kept is not None and kept[0] == state:
            return kept[1]
        now = clock.epoch()
        asked = [self._asked(subject, told) for subject, told in subjects.items()]
        found = await self._ask(
            lambda shelf: [self._summary(shelf, one, now, length_s) for one in asked]
        )
        if len(self._summed) >= _QUESTIONS:
            self._summed.clear()
        self._summed[key] = (state, found)
        return found

    @property
    def _finest(self) -> int:
        return self.keeping.interval_s

    def _asked(self, subject: Subject, told: Told = _NOTHING) -> _Asked:
        recorder = self._recorder
        return _Asked(subject, recorder.number(subject), recorder.running(subject), told)

    def _summary(self, shelf: MetricsFile, asked: _Asked, now: float, length_s: int) -> Summary:
        over = window(now - length_s, now, _SPARK, self._finest)
        before = over.before(DAY_S)
        metrics = METRICS[asked.subject.scope].values()
        today = lines(metrics, _tables(shelf, asked, over, metrics), over)
        yesterday = lines(metrics, _tables(shelf, asked, before, metrics), before)
        pairs = zip(metrics, map(compared, today, yesterday), strict=True)
        found = {metric.name: pair for metric, pair in pairs}
        last = asked.running.last() if asked.running else None
        if last is not None and last.at < now - (_FRESH + 1) * self.keeping.interval_s:
            last = None
        if asked.subject.scope is not Scope.SERVICE:
            return Summary(asked.subject, last, over, found)
        return Summary(
            asked.subject,
            last,
            over,
            found,
            self._availability(shelf, asked, now),
            _memory_trend(shelf, asked, now),
        )

    def _availability(
        self, shelf: MetricsFile, asked: _Asked, now: float
    ) -> Mapping[str, Availability]:
        found = {"24h": _available(shelf, asked, now, DAY_S)}
        kept = self._long.get(asked.subject)
        if kept is None or not 0 <= now - kept[0] < _LONG_KEPT_S:
            long = {
                f"{length // DAY_S}d": _available(shelf, asked, now, length) for length in _LONG_S
            }
            kept = self._long[asked.subject] = (now, long)
        return found | dict(kept[1])

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for shelf in self._opened:
            shelf.close()

    async def _ask(self, work: Callable[[MetricsFile], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(self._shelf()))

    def _shelf(self) -> MetricsFile:
        shelf: MetricsFile | None = getattr(self._own, "shelf", None)
        if shelf is None:
            shelf = MetricsFile(self._file, read_only=True)
            shelf.open()
            self._own.shelf = shelf
            self._opened.append(shelf)
        return shelf


def _tables(
    shelf: MetricsFile, asked: _Asked, over: Window, metrics: Iterable[Metric]
) -> list[Table]:
    """What holds these metrics over the window, coarse where coarse is enough. What is in memory
    counts, so that an hour that is being packed at this moment is not counted twice."""
    tables = []
    wanted = columns_of(metrics)
    ends = over.until
    if asked.running is not None and len(asked.running):
        begins = min(asked.running.times)
        ends = min(ends, begins - begins % HOUR_S)
        tables.append(asked.running)
    if asked.number is None:
        return tables
    tier = Tier.ROLLED if over.step >= ROLLED_S else Tier.RAW
    for block in shelf.blocks(tier, over.since, ends, [asked.number]):
        try:
            table = unpack(block.body, wanted)
        except ValueError as error:
            # A gap is what is left of it.
            log.error("%s %s: %s", asked.subject.scope, asked.subject.name, error)
            continue
        if block.last_at >= ends < over.until:
            kept = Table(table.step, table.rolled)
            kept.extend(table.buckets(until=ends))
            table = kept
        tables.append(table)
    return tables


def _available(shelf: MetricsFile, asked: _Asked, now: float, length: int) -> Availability:
    over = Window(int(now) - length, length, 1)
    # Rolled buckets are enough: at most one of five minutes more or less.
    tables = _tables(shelf, asked, over, (AVAILABILITY,))
    up = sum(sum(s for at, s in t.tally(UP_S) if at >= over.since) for t in tables)
    due = sum(sum(s for at, s in t.tally(DUE_S) if at >= over.since) for t in tables)
    return Availability(share(up, due), due)


def _memory_trend(shelf: MetricsFile, asked: _Asked, now: float) -> Text | None:
    """Of the present life only: a restart takes away what had grown."""
    begin = max(now - _TREND_S, asked.told.since or 0.0)
    over = window(begin, now, max(1, int((now - begin) // POINT_S)), POINT_S)
    found = line(MEMORY, _tables(shelf, asked, over, (MEMORY,)), over)
    # The first and the last point are only begun.
    return memory_sentence(trend(found.values[1:-1], over.step, asked.told.memory_limit))

"""Keeps samples: in memory for the running hour, on the disk at once, packed when an hour is over.

Where the disk cannot be written, samples wait here for some hours, `problem` says why, and nothing
else of the hub is hurt: measuring must never be what takes a hub down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import orjson
import zstandard

from controller.errors import StoreError
from controller.metrics.table import Table, pack, unpack
from controller.model.metric import Bucket, Spread, Subject, down_sampled, spread
from controller.store.metrics_file import MetricsFile, PackedBlock, Tier

log = logging.getLogger(__name__)

HOUR_S = 3_600
DAY_S = 86_400
ROLLED_S = 300
_HELD_S = 6 * HOUR_S
_compress = zstandard.ZstdCompressor(level=1).compress
_decompress = zstandard.ZstdDecompressor().decompress
_LARGEST = 16 << 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keeping:
    """How often is sampled, and how long samples and what they are rolled up to are kept."""

    interval_s: int = 10
    raw_s: int = 2 * DAY_S
    rolled_s: int = 30 * DAY_S


class Recorder:
    """Use from the event loop; the file is only touched by one thread of its own."""

    def __init__(self, file: MetricsFile, keeping: Keeping):
        self.problem: str | None = None
        self.size: int | None = None
        self.samples = 0
        self._file = file
        self._keeping = keeping
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="metrics-write")
        self._is_open = False
        self._numbers: dict[Subject, int] = {}
        self._tables: dict[Subject, Table] = {}
        self._unsaved: list[tuple[int, dict[Subject, Bucket]]] = []
        self._sealed_to = 0

    async def open(self) -> bool:
        """Whether the file could be opened; `problem` says why not."""
        try:
            numbers, rows = await self.aside(self._opened)
        except StoreError as error:
            self._fail(error)
            return False
        self._numbers = numbers
        names = {number: subject for subject, number in numbers.items()}
        for at, body in rows:
            try:
                found = read_row(at, body, names)
            except ValueError as error:
                # A gap is what is left of it; the hub must come up all the same.
                log.error("%s", error)
                continue
            for subject, bucket in found.items():
                self._table(subject, bucket.step).append(bucket)
        self._is_open = True
        self._sealed_to = 0
        return True

    def _opened(self) -> tuple[dict[Subject, int], list[tuple[int, bytes]]]:
        self._file.close()
        self._file.open()
        return self._file.subjects(), self._file.rows()

    def running(self, subject: Subject) -> Table | None:
        """What is in no block yet, as it is now."""
        table = self._tables.get(subject)
        return table.copy() if table else None

    def last(self, subject: Subject) -> Bucket | None:
        """The newest sample."""
        table = self._tables.get(subject)
        return table.last() if table else None

    def subjects(self) -> frozenset[Subject]:
        """Of which there is or was something."""
        return frozenset(self._numbers) | frozenset(self._tables)

    def number(self, subject: Subject) -> int | None:
        return self._numbers.get(subject)

    async def record(self, at: int, samples: Mapping[Subject, Bucket]) -> None:
        """Keep what was seen of everything in the time from `at`. It is on the disk when this
        returns, unless `problem` says why not."""
        for subject, bucket in samples.items():
            self._table(subject, bucket.step).append(bucket)
        self._unsaved.append((at, dict(samples)))
        self.samples += 1
        if not self._is_open and not await self._open_again():
            self._forget(at)
            return
        try:
            await self._save()
            await self._seal(at)
            self.problem = None
        except StoreError as error:
            self._fail(error)
            self._forget(at)

    async def _open_again(self) -> bool:
        """After a failure; what waits follows what is on the disk."""
        held, self._tables = self._tables, {}
        if not await self.open():
            self._tables = held
            return False
        for _, samples in self._unsaved:
            for subject, bucket in samples.items():
                self._table(subject, bucket.step).append(bucket)
        return True

    async def _save(self) -> None:
        waiting = list(self._unsaved)
        await self.aside(lambda: self._write(waiting))
        del self._unsaved[: len(waiting)]

    def _write(self, waiting: Sequence[tuple[int, Mapping[Subject, Bucket]]]) -> None:
        for _, samples in waiting:
            for subject in samples.keys() - self._numbers.keys():
                self._numbers[subject] = self._file.subject(subject)
        self._file.append([(at, row(samples, self._numbers)) for at, samples in waiting])

    async def _seal(self, at: int) -> None:
        """Pack the hours that are over."""
        until = at - at % HOUR_S
        if until == self._sealed_to:
            return
        blocks: list[PackedBlock] = []
        left: dict[Subject, Table] = {}
        # One subject after the other, so that no packing takes the interpreter for long.
        for subject, table in list(self._tables.items()):
            packing = partial(self._packed, self._numbers[subject], table, until)
            found, left[subject] = await self.aside(packing)
            blocks += found
        await self.aside(lambda: self._file.seal(blocks, until))
        self._tables = {subject: table for subject, table in left.items() if len(table)}
        self._sealed_to = until
        now = at + self._keeping.interval_s
        await self.aside(
            lambda: self._file.drop(now - self._keeping.raw_s, now - self._keeping.rolled_s)
        )
        self.size = await self.aside(self._file.size)

    def _packed(self, number: int, table: Table, until: int) -> tuple[list[PackedBlock], Table]:
        """What is over as blocks, and what is left; in the thread."""
        blocks = []
        buckets = list(table.buckets(until=until))
        for hour in sorted({bucket.at // HOUR_S for bucket in buckets}):
            raw = Table(table.step, rolled=False)
            raw.extend(bucket for bucket in buckets if bucket.at // HOUR_S == hour)
            blocks.append(_block(Tier.RAW, number, raw))
        rolled = down_sampled(buckets, ROLLED_S)
        for day in {bucket.at // DAY_S for bucket in rolled}:
            begin = day * DAY_S
            known = [
                block
                for block in self._file.blocks(Tier.ROLLED, begin, begin + DAY_S, [number])
                if block.first_at >= begin
            ]
            whole = self._known(known[0]) if known else Table(ROLLED_S, rolled=True)
            whole.extend(bucket for bucket in rolled if bucket.at // DAY_S == day)
            blocks.append(_block(Tier.ROLLED, number, whole, known[0].id if known else None))
        return blocks, _rest(table, until)

    def _known(self, block: PackedBlock) -> Table:
        try:
            return unpack(block.body)
        except ValueError as error:
            # What it held cannot be read any more; what comes must not be lost for it.
            log.error("a day of measurements is begun anew: %s", error)
            return Table(ROLLED_S, rolled=True)

    def _forget(self, at: int) -> None:
        """Memory is not endless: what waited for hours is given up."""
        before = at - _HELD_S
        if self._unsaved and self._unsaved[0][0] < before:
            self._unsaved = [one for one in self._unsaved if one[0] >= before]
            self._tables = {s: _rest(table, before) for s, table in self._tables.items()}

    def _table(self, subject: Subject, step: int) -> Table:
        if subject not in self._tables:
            self._tables[subject] = Table(step, rolled=False)
        return self._tables[subject]

    def _fail(self, error: StoreError) -> None:
        if self.problem is None:
            log.error("measurements are not written: %s", error.detail)
        self.problem = error.detail
        self._is_open = False

    async def close(self) -> None:
        """Write what is left, and close."""
        if self._is_open and self._unsaved:
            try:
                await self._save()
            except StoreError as error:
                self._fail(error)
        await self.aside(self._file.close)
        self._thread.shutdown(wait=False)

    async def aside(self, work: Callable[[], T]) -> T:
        """Do what blocks in the thread that writes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _rest(table: Table, since: int) -> Table:
    """What begins from `since`."""
    rest = Table(table.step, rolled=False)
    rest.extend(table.buckets(since))
    return rest


def _block(tier: Tier, number: int, table: Table, known: int | None = None) -> PackedBlock:
    return PackedBlock(tier, number, min(table.times), max(table.times), pack(table), known)


def row(samples: Mapping[Subject, Bucket], numbers: Mapping[Subject, int]) -> bytes:
    """What was seen of everything, as one row."""
    return _compress(
        orjson.dumps(
            [
                [
                    numbers[subject],
                    bucket.step,
                    {name: found.mean for name, found in bucket.gauges.items()},
                    bucket.counts,
                    {str(number): tally for number, tally in bucket.latencies.items()},
                ]
                for subject, bucket in samples.items()
            ]
        )
    )


def read_row(at: int, body: bytes, names: Mapping[int, Subject]) -> dict[Subject, Bucket]:
    """What `row` wrote. Raises ValueError where it is damaged."""
    found: dict[Subject, Bucket] = {}
    try:
        for number, step, gauges, counts, latencies in orjson.loads(
            _decompress(body, max_output_size=_LARGEST)
        ):
            spreads: dict[str, Spread] = {name: spread(value) for name, value in gauges.items()}
            tallies = {int(name): float(tally) for name, tally in latencies.items()}
            found[names[number]] = Bucket(at, step, spreads, counts, tallies)
    except (zstandard.ZstdError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"what was measured at {at} is damaged: {error}") from error
    return found

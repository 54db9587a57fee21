"""Takes entries of all containers, tells those who follow live, and brings them to the disk.

Twice a second what came is written at once: full blocks as blocks, the rest as rows. Where the disk
is slow or full, entries wait here, then the followers wait, and what they do not read stays with
the engine: nothing is thrown away for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

from controller.errors import StoreError
from controller.logs.block import Stored, full, indexed, pack, stored, unpack
from controller.logs.feed import Feed
from controller.model.log import Entry, Found, Row, Stream
from controller.store.log_file import Dropped, LogFile, Marks, NewBlock

log = logging.getLogger(__name__)

_EVERY_S = 0.5
_EARLY = 4_096
_MOST = 16_384
_AGAIN_S = 2.0

T = TypeVar("T")
Noted = Callable[[str, Entry], None]


class Intake:
    """Use from the event loop; the file is only touched by one thread of its own. `problem` says
    why nothing can be written."""

    def __init__(
        self,
        file: LogFile,
        feed: Feed,
        mask: Callable[[str], str],
        noted: Noted = lambda service, entry: None,
    ):
        self.problem: str | None = None
        self.noted = noted
        self.written = 0
        self._file = file
        self._feed = feed
        self._mask = mask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logs-write")
        self._names: dict[int, tuple[str, str]] = {}
        self._next = 1
        self._fresh: dict[int, list[Stored]] = {}
        self._writing: dict[int, list[Stored]] = {}
        self._rows: dict[int, list[Stored]] = {}
        self._marks: dict[int, tuple[int, int]] = {}
        self._retired: set[int] = set()
        self._count = 0
        self._wanted = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def open(self) -> None:
        """Raises StoreError."""
        self._next, self._rows = await self._run(self._opened)

    def _opened(self) -> tuple[int, dict[int, list[Stored]]]:
        self._file.open()
        rows: dict[int, list[Stored]] = {}
        for row in self._file.rows():
            rows.setdefault(row[1], []).append(stored(row))
        return self._file.largest_id() + 1, rows

    async def source(self, service: str, container: str) -> tuple[int, int, int]:
        """A container's number, and up to which moments its output is kept. Raises StoreError."""
        found = await self._run(lambda: self._file.source(service, container))
        self._names[found[0]] = (service, container)
        self._retired.discard(found[0])
        return found

    def retire(self, source: int) -> None:
        """A container is gone: nothing comes of it any more."""
        self._retired.add(source)

    def retire_others(self) -> None:
        """What was kept of containers that are not followed now is not added to any more."""
        self._retired |= self._rows.keys() - self._names.keys()

    async def take(self, source: int, entries: Sequence[Entry], done: tuple[int, int]) -> None:
        await self._room.wait()
        service, container = self._names[source]
        fresh = self._fresh.setdefault(source, [])
        found = []
        for raw in entries:
            entry = raw if raw.stream is Stream.HUB else self._masked(raw)
            fresh.append(Stored(self._next, entry))
            found.append(Found(self._next, service, container, entry))
            self._next += 1
            self.noted(service, entry)
        self._marks[source] = done
        self._feed.publish(found)
        self._count += len(found)
        if self._count >= _EARLY:
            self._wanted.set()
        if self._count >= _MOST:
            self._room.clear()

    def _masked(self, entry: Entry) -> Entry:
        text = self._mask(entry.text)
        return entry if text is entry.text or text == entry.text else replace(entry, text=text)

    def newest_id(self) -> int:
        """The id that was given last."""
        return self._next - 1

    def pending(self) -> list[Found]:
        """What is not on the disk yet."""
        return [
            Found(one.id, *self._names[source], one.entry)
            for waiting in (self._writing, self._fresh)
            for source, stored_ones in waiting.items()
            for one in stored_ones
        ]

    async def run(self) -> None:
        """Write what comes, for ever."""
        while True:
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self.write()
            if self.problem is not None:
                await asyncio.sleep(_AGAIN_S)

    async def write(self) -> None:
        """Bring what came to the disk; where that fails it is kept, and `problem` says why."""
        batch, self._fresh = self._fresh, {}
        marks, self._marks = self._marks, {}
        retired, self._retired = self._retired, set()
        count = self._count
        if not batch and not marks and not retired:
            return
        self._writing = batch
        try:
            rows = await self._run(lambda: self._put(batch, marks, retired))
        except StoreError as error:
            if self.problem is None:
                log.error("logs are not written: %s", error.detail)
            self.problem = error.detail
            self._fresh = _joined(batch, self._fresh)
            self._marks = marks | self._marks
            self._retired |= retired
            return
        finally:
            self._writing = {}
        self._rows.update(rows)
        for source in retired:
            self._rows.pop(source, None)
        self.problem = None
        self.written += sum(map(len, batch.values()))
        self._count -= count
        self._room.set()

    def _put(
        self, batch: Mapping[int, Sequence[Stored]], marks: Marks, retired: Set[int]
    ) -> dict[int, list[Stored]]:
        """Write it, in the thread; the rows that each source has then."""
        new_rows: list[Row] = []
        blocks: list[NewBlock] = []
        left: dict[int, list[Stored]] = {}
        for source in batch.keys() | retired:
            fresh = batch.get(source, ())
            rest = [*self._rows.get(source, ()), *fresh]
            while size := full(rest) or (len(rest) if source in retired else 0):
                blocks.append(_block(source, rest[:size]))
                rest = rest[size:]
            left[source] = rest
            known = {one.id for one in rest}
            new_rows += [_row(source, one) for one in fresh if one.id in known]
        self._file.write(new_rows, blocks, marks)
        return left

    async def drop(self, before: int, most: int) -> Dropped:
        """Forget what is too old or too much. Raises StoreError."""
        return await self._run(
            lambda: self._file.drop(before, most, lambda body: indexed(unpack(body)))
        )

    async def remember(self, name: str, value: str) -> None:
        await self._run(lambda: self._file.remember(name, value))

    async def close(self) -> None:
        """Write what is left, and close."""
        await self.write()
        await self._run(self._file.close)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _row(source: int, one: Stored) -> Row:
    e = one.entry
    return (one.id, source, e.at, int(e.stream), int(e.level), e.run, e.step, e.text)


def _block(source: int, entries: Sequence[Stored]) -> NewBlock:
    times = [one.entry.at for one in entries]
    levels = 0
    for one in entries:
        levels |= 1 << one.entry.level
    return NewBlock(
        source=source,
        first_at=min(times),
        last_at=max(times),
        last_id=entries[-1].id,
        entries=len(entries),
        levels=levels,
        runs=frozenset(one.entry.run for one in entries if one.entry.run),
        body=pack(entries),
        text=indexed(entries),
    )


def _joined(
    first: Mapping[int, list[Stored]], then: Mapping[int, list[Stored]]
) -> dict[int, list[Stored]]:
    return {
        source: [*first.get(source, ()), *then.get(source, ())]
        for source in first.keys() | then.keys()
    }

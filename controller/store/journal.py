"""The journal of runs: append-only events behind one writer that commits in groups.

Nothing is acknowledged before it is on disk. One thread takes whatever has come up meanwhile and
writes it in one transaction, so a hundred runs share one sync. What lies below (SQLite, PostgreSQL)
is a `Backend`; it blocks, and it never sees the event loop.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import orjson

from controller.errors import HubError, StoreError
from controller.model.run import Event, Kind, RunLine, RunPage, RunStatus
from controller.model.text import Text

_GROUP = 1000
T = TypeVar("T")


class FencedError(HubError):
    """Another hub has taken over this one's runs: whatever it still wants to write is void."""

    status = 503
    type = "urn:heal7:problem:fenced"
    title = "Another hub has taken over"


class StoreGoneError(StoreError):
    """The database does not answer: nothing else that waits for it needs to be tried now."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What changes in a run's line in the lists."""

    status: RunStatus
    started_at: float | None = None
    ended_at: float | None = None
    reason: Text | None = None
    done: int | None = None
    """How many steps are over; None while the run goes on, which need not be written each time."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be made. `digest` tells whether a repeated `key` comes with the same input;
    `body` is its definition as JSON, `mark` how it stands after its first events."""

    id: str
    workflow: str
    definition_hash: str
    body: str
    created_at: float
    by: str
    events: tuple[Event, ...]
    mark: Mark
    steps: int
    key: str | None = None
    digest: str = ""
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a `NewRun`: `run` is its own id, or that of the run that has its key; then
    `digest` is that one's."""

    run: str
    digest: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Append:
    """Events for a run. `seq` is the number of appends before this one; `mark` is None where its
    line stays as it is."""

    run: str
    seq: int
    events: tuple[Event, ...]
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as it was written. `seq` is the number of appends so far."""

    line: RunLine
    body: str
    key: str | None
    digest: str
    seq: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """Which runs to list, newest first."""

    workflow: str | None = None
    status: RunStatus | None = None
    limit: int = 50
    cursor: str | None = None


class Backend(Protocol):
    """A database. Every method blocks, and raises StoreError where it cannot do what it is asked.

    `open`, `write`, `beat`, `prune` and `close` are called from the writer's thread, the others
    from the reader's.
    """

    def open(self) -> None: ...

    def write(self, batch: Sequence[NewRun | Append]) -> list[Made | FencedError | None]:
        """All of it in one transaction. In the place of an append whose number another hub has
        taken is a FencedError; what is there word for word counts as written. A run is never made
        and appended to in the same batch, since its making has to be acknowledged first.

        Raises FencedError where this hub is not to write any more, and StoreError with nothing
        written, or with an answer that got lost: then the same may be written again.
        """

    def beat(self) -> list[str]:
        """Say that this hub lives, and take over the runs of those that do not: their ids.

        Raises FencedError where another hub has taken over this one's. Where there may be several
        hubs, the next call makes it a new one, which has no runs yet.
        """

    def prune(self, before: float, keep: int) -> int:
        """Forget some ended runs: those created before `before` and the oldest beyond `keep`.
        Returns how many; 0 when there is nothing left to forget."""

    def remember(self, name: str, value: str) -> None:
        """Keep a small fact over restarts."""

    def recall(self, name: str) -> str | None: ...

    def close(self) -> None: ...

    def live(self) -> list[StoredRun]:
        """Every run of this hub that has not ended."""

    def run(self, run_id: str) -> StoredRun | None: ...

    def runs(self, query: Query) -> RunPage: ...

    def holder(self, workflow: str, key: str) -> Made | None:
        """The run that was begun with this key."""

    def read_done(self) -> None:
        """Let go of what only the reader's thread uses."""


class Journal:
    """The event loop's door to a backend. Everything raises StoreError or FencedError."""

    def __init__(self, backend: Backend):
        self._backend = backend
        self._writer = _Worker("journal writer", backend)
        self._reader = _Worker("journal reader", backend)

    async def open(self) -> None:
        await self._writer.call(self._backend.open)

    async def create(self, new: NewRun) -> Made:
        made = await self._writer.write(new)
        assert made is not None
        return made

    async def append(self, entry: Append) -> None:
        await self._writer.write(entry)

    async def beat(self) -> list[str]:
        return await self._writer.call(self._backend.beat)

    async def prune(self, before: float, keep: int) -> int:
        return await self._writer.call(lambda: self._backend.prune(before, keep))

    async def remember(self, name: str, value: str) -> None:
        await self._writer.call(lambda: self._backend.remember(name, value))

    async def recall(self, name: str) -> str | None:
        return await self._writer.call(lambda: self._backend.recall(name))

    async def live(self) -> list[StoredRun]:
        return await self._reader.call(self._backend.live)

    async def run(self, run_id: str) -> StoredRun | None:
        return await self._reader.call(lambda: self._backend.run(run_id))

    async def runs(self, query: Query) -> RunPage:
        return await self._reader.call(lambda: self._backend.runs(query))

    async def holder(self, workflow: str, key: str) -> Made | None:
        return await self._reader.call(lambda: self._backend.holder(workflow, key))

    async def close(self) -> None:
        """Write what has been given, and let go of the database."""
        await self._reader.call(self._backend.read_done)
        await self._writer.call(self._backend.close)
        self._reader.end()
        self._writer.end()


@dataclass(slots=True)
class _Job:
    """Something for the thread: a call, or an item that is written together with others."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    work: Callable[[], Any] | None = None
    item: NewRun | Append | None = None
    result: Any = None
    error: BaseException | None = field(default=None)


class _Worker:
    """One thread that does jobs in the order they came, neighbouring writes in one go."""

    def __init__(self, name: str, backend: Backend):
        self._backend = backend
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        job = _Job(loop, loop.create_future(), work=work)
        self._jobs.put(job)
        result: T = await job.future
        return result

    async def write(self, item: NewRun | Append) -> Made | None:
        loop = asyncio.get_running_loop()
        job = _Job(loop, loop.create_future(), item=item)
        self._jobs.put(job)
        result: Made | None = await job.future
        return result

    def end(self) -> None:
        self._jobs.put(None)

    def _run(self) -> None:
        waiting: _Job | None = None
        while True:
            job, waiting = waiting or self._jobs.get(), None
            if job is None:
                return
            if job.item is None:
                _do(job)
                _tell([job])
                continue
            batch = [job]
            while len(batch) < _GROUP and not self._jobs.empty():
                follower = self._jobs.get()
                if follower is None:
                    self._jobs.put(None)
                    break
                if follower.item is None:
                    waiting = follower
                    break
                batch.append(follower)
            _write(self._backend, batch)
            _tell(batch)


def _do(job: _Job) -> None:
    assert job.work is not None
    try:
        job.result = job.work()
    except Exception as error:  # noqa: BLE001 - it is raised again in whoever waits for it
        job.error = error


def _write(backend: Backend, batch: Sequence[_Job]) -> None:
    items = [job.item for job in batch if job.item is not None]
    try:
        for job, result in zip(batch, backend.write(items), strict=True):
            if isinstance(result, FencedError):
                job.error = result
            else:
                job.result = result
    except Exception as error:  # noqa: BLE001 - it is raised again in whoever waits for it
        if len(batch) > 1 and not isinstance(error, FencedError | StoreGoneError):
            # One bad item must not fail the others.
            for job in batch:
                _write(backend, [job])
            return
        for job in batch:
            job.error = error


def _tell(batch: Sequence[_Job]) -> None:
    loop = batch[0].loop
    if not loop.is_closed():
        loop.call_soon_threadsafe(_resolve, batch)


def _resolve(batch: Sequence[_Job]) -> None:
    for job in batch:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def plain(events: Sequence[Event]) -> list[list[Any]]:
    """One append's events as JSON values; `load_events` reads their text back."""
    return [[event.kind, event.at, event.step, event.data] for event in events]


def dump_events(events: Sequence[Event]) -> str:
    """One append's events as JSON text."""
    return text_of(plain(events))


def text_of(value: Any) -> str:
    """Compact JSON text that every database can hold."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # It knows no number beyond 64 bits, no depth beyond 254 and no half of a surrogate pair.
        return _text_of_odd(value)


def _text_of_odd(value: Any) -> str:
    raw = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not raw.isascii():
        try:
            raw.encode()
        except UnicodeEncodeError:
            # Half of a surrogate pair is valid JSON, and no valid text.
            return json.dumps(value, separators=(",", ":"))
    return raw


def load_events(raw: str) -> tuple[Event, ...]:
    return tuple(Event(Kind(kind), at, step, data) for kind, at, step, data in json.loads(raw))

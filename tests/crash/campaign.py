"""Kills one hub after the other while clients begin runs and follow them, then asks what is true.

A hub dies by SIGKILL: at a named fault point, or at a random moment from its first breath on. The
next one takes its place at once. Every hub brings some new runs, so that the work never ends before
the kills do, and most runs outlive several hubs.
"""

from __future__ import annotations

import asyncio
import random  # noqa: TID251 - seeded, so that a failure can be repeated
import signal
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from controller.model.run import RunPage
from controller.store.journal import Query, StoredRun
from controller.workflow.faultpoints import POINTS
from tests.crash import flow
from tests.crash.client import Clients
from tests.crash.invariants import Ended, counts, violations
from tests.crash.process import Worker
from tests.crash.service import Asked, What, asked_from
from tests.crash.stores import Store, backend_of
from tests.integration.it_ports import Ports

_SPARES = 2
_MORE = 3
_MOST = 16
_LIFE_S = 60.0
_END_S = 120.0
_POLL_S = 0.02
_LATEST_S = 0.5
_PASSES = {"create": 1, "append": 20, "call": 10, "undo": 2}
AT_RANDOM = "at random"


@dataclass(frozen=True, slots=True)
class Kill:
    """How one hub dies: at the n-th pass of a point, or (no point) `after_s` of its life."""

    point: str | None
    passes: int = 1
    after_s: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        return {} if self.point is None else {"HEAL7_FAULT_POINT": f"{self.point}:{self.passes}"}


def kills(number: int, each_point: int, chance: random.Random, depth: int = 1) -> list[Kill]:
    """In random order: every point so often, the rest at random moments. The deeper, the more a
    hub has done before it dies."""
    made = [
        Kill(point, chance.randint(1, depth * _PASSES[point.partition("_")[2]]))
        for point in POINTS
        for _ in range(each_point)
    ]
    made += [Kill(None, after_s=chance.uniform(0, _LATEST_S)) for _ in range(number - len(made))]
    chance.shuffle(made)
    return made


@dataclass(slots=True)
class Findings:
    """What happened, and what must not have."""

    violations: list[str] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    survived: list[int] = field(default_factory=list)
    """For each run, in how many further hubs it was taken up."""

    @property
    def from_memory(self) -> int:
        """Repeats of what was in flight that the service answered without doing it again."""
        return self.requests[What.REPLAYED] + self.requests[What.ALREADY]


@dataclass(frozen=True, slots=True)
class Scene:
    """What hubs need: a store, a service that is never killed, ports, and a folder for logs."""

    store: Store
    folder: Path
    service_port: int
    port: int
    session: aiohttp.ClientSession

    async def hub(self, kill: Kill | None = None) -> Worker:
        """A hub that is yet to be told to go."""
        return await Worker.begin(
            "tests.crash.hub",
            *(self.store.address, self.service_port, self.port),
            log=self.folder / "hub.log",
            environment=kill.environment if kill else None,
        )

    async def record(self) -> list[Asked]:
        """The service's, once nothing is under way there."""
        address = f"http://127.0.0.1:{self.service_port}/record"
        async with asyncio.timeout(_LIFE_S):
            while True:
                async with self.session.get(address) as answer:
                    found = [asked_from(raw) for raw in await answer.json()]
                if all(asked.what is not What.UNDER_WAY for asked in found):
                    return found
                await asyncio.sleep(_POLL_S)

    async def journal(self) -> list[StoredRun]:
        """Every run in it. No hub may live."""
        return await asyncio.to_thread(self._journal)

    def _journal(self) -> list[StoredRun]:
        backend = backend_of(self.store.address)
        backend.open()
        try:
            return list(_every_run(backend.runs, backend.run))
        finally:
            backend.read_done()
            backend.close()


def _every_run(
    runs: Callable[[Query], RunPage], run: Callable[[str], StoredRun | None]
) -> Iterator[StoredRun]:
    cursor: str | None = None
    while True:
        page = runs(Query(limit=500, cursor=cursor))
        for line in page.lines:
            stored = run(line.id)
            assert stored is not None
            yield stored
        cursor = page.next
        if cursor is None:
            return


@asynccontextmanager
async def scene(store: Store, folder: Path) -> AsyncIterator[Scene]:
    free_port = Ports()
    port, service_port = free_port(), free_port()
    service = await Worker.begin("tests.crash.service", service_port, log=folder / "service.log")
    try:
        await service.says("listening")
        # A connection of a dead hub must not be used for the next one.
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Scene(store, folder, service_port, port, session)
    finally:
        await service.close()


async def campaign(
    store: Store,
    folder: Path,
    planned: Sequence[Kill],
    runs: int,
    chance: random.Random,
    step: Callable[[], None] = lambda: None,
) -> Findings:
    """Carry out about so many runs, kill as planned, and judge. `step` is told of every kill."""
    async with scene(store, folder) as place:
        play = _Play(place, Clients(place.port, place.session), chance)
        try:
            await play.lives(planned, runs, step)
            ended = await play.last_life()
        finally:
            await play.close()
        return await _judged(place, ended, play.killed)


async def _judged(place: Scene, ended: list[Ended], killed: Counter[str]) -> Findings:
    record, stored = await place.record(), await place.journal()
    taken_up = [len({e.at for e in one.events if _is_of_take_up(e.data)}) for one in stored]
    return Findings(
        violations=violations(ended, stored, record, killed.total()),
        kills=killed,
        ends=Counter(one.status for one in ended),
        requests=counts(record),
        acknowledged=len(ended),
        survived=taken_up,
    )


def _is_of_take_up(data: Mapping[str, Any]) -> bool:
    reason = data.get("reason")
    return isinstance(reason, dict) and reason.get("key") == "run.hub_restarted"


class _Play:
    """The hubs of one campaign, one after the other."""

    def __init__(self, place: Scene, clients: Clients, chance: random.Random):
        self._place = place
        self._clients = clients
        self._chance = chance
        self._begun = 0
        self._spares: deque[Worker] = deque()
        self._hub: Worker | None = None
        self.killed: Counter[str] = Counter()

    async def lives(self, planned: Sequence[Kill], runs: int, step: Callable[[], None]) -> None:
        coming: deque[Kill | None] = deque([*planned, None])
        for number, kill in enumerate(planned, start=1):
            await self._next_hub(coming)
            # Hubs that die too young for all they must take up would never get further.
            while self._begun * len(planned) < runs * number and self._waiting < _MOST:
                self._begin_run()
            await self._kill(kill)
            step()
        await self._next_hub(coming)
        while self._begun < runs:
            self._begin_run()

    @property
    def _waiting(self) -> int:
        return len(self._clients.waiting)

    async def _next_hub(self, coming: deque[Kill | None]) -> None:
        """The one that was waiting takes over; others begin to wait."""
        while coming and len(self._spares) < _SPARES:
            self._spares.append(await self._place.hub(coming.popleft()))
        self._hub = self._spares.popleft()
        await self._hub.says("warm")
        self._hub.go()

    def _begin_run(self, *, fails: bool | None = None) -> None:
        self._begun += 1
        fails = self._begun % 4 == 0 if fails is None else fails
        self._clients.begin(flow.errand(self._begun, self._chance, fails=fails))

    async def _kill(self, kill: Kill) -> None:
        assert self._hub is not None
        death = asyncio.create_task(self._hub.wait())
        if kill.point is None:
            await asyncio.wait((death,), timeout=kill.after_s)
            assert not death.done(), f"a hub ended by itself: {self._hub.tail()}"
            self._hub.kill9()
        else:
            await self._until_dead(death, kill)
        assert await death == -signal.SIGKILL, self._hub.tail()
        self.killed[kill.point or AT_RANDOM] += 1
        await asyncio.to_thread(self._place.store.died)

    async def _until_dead(self, death: asyncio.Task[int], kill: Kill) -> None:
        """Wait for it; where all work is done and it still lives, there must be more."""
        assert self._hub is not None
        async with asyncio.timeout(_LIFE_S):
            while not death.done():
                idle = asyncio.create_task(self._clients.idle.wait())
                await asyncio.wait((death, idle), return_when=asyncio.FIRST_COMPLETED)
                idle.cancel()
                if not death.done() and self._clients.idle.is_set():
                    for _ in range(_MORE):
                        self._begin_run(fails=str(kill.point).endswith("_undo") or None)

    async def last_life(self) -> list[Ended]:
        """The last hub brings everything to its end."""
        assert self._hub is not None
        death = asyncio.create_task(self._hub.wait())
        ended = asyncio.create_task(self._clients.ended())
        try:
            await asyncio.wait((death, ended), timeout=_END_S, return_when=asyncio.FIRST_COMPLETED)
            assert not death.done(), f"the last hub ended by itself: {self._hub.tail()}"
            assert ended.done(), f"no end after {_END_S} s: {self._clients.waiting}"
            return await ended
        finally:
            death.cancel()
            ended.cancel()

    async def close(self) -> None:
        self._clients.close()
        for hub in (self._hub, *self._spares):
            if hub is not None:
                await hub.close()

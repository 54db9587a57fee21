"""Follows every container there is, and forgets what is older or more than is to be kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson

from controller import clock
from controller.engine.log_stream import LogStreams
from controller.errors import StoreError
from controller.logs.budget import Budget
from controller.logs.follower import Follower, Place
from controller.logs.intake import Intake
from controller.tasks import Tasks

log = logging.getLogger(__name__)

DROPPED = "dropped"
"""The fact that tells what was forgotten last: `{"until": ns, "at": seconds, "entries": n}`."""
_LOOK_S = 0.5
_SWEEP_S = 60.0
_AGAIN_S = 5.0
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Target:
    """A container to follow."""

    service: str
    container: str
    running: bool


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long, how much (bytes on the disk), and how fast (bytes a second): of one container, and
    of all together."""

    keep_s: float = 7 * 86_400.0
    most: int = 2 << 30
    rate: float = 1.5 * (1 << 20)
    total_rate: float = 6.0 * (1 << 20)


class Collector:
    """`targets` gives the containers, None while nobody has looked yet."""

    def __init__(
        self,
        intake: Intake,
        streams: LogStreams,
        targets: Callable[[], Sequence[Target] | None],
        tasks: Tasks,
        keeping: Keeping,
    ):
        self._intake = intake
        self._streams = streams
        self._targets = targets
        self._tasks = tasks
        self._keeping = keeping
        self._total = Budget(keeping.total_rate, clock.monotonic())
        self._following: dict[str, _Followed] = {}
        self._looked = False

    async def run(self) -> None:
        """Look for containers, for ever."""
        while True:
            targets = self._targets()
            if targets is not None:
                try:
                    await self.look(targets)
                except StoreError as error:
                    log.error("a container is not followed yet: %s", error.detail)
            await asyncio.sleep(_LOOK_S)

    async def look(self, targets: Sequence[Target]) -> None:
        """Begin to follow those that are new, and leave those that are gone. Raises StoreError."""
        for target in targets:
            followed = self._following.get(target.container)
            if followed is None or followed.is_over(clock.monotonic()):
                followed = self._following[target.container] = await self._begin(target)
            if target.running:
                followed.follower.running.set()
            else:
                followed.follower.running.clear()
        there = {target.container for target in targets}
        for container in self._following.keys() - there:
            followed = self._following[container]
            # Its stream ends by itself, after its last words.
            followed.follower.running.set()
            if followed.task.done():
                del self._following[container]
                self._intake.retire(followed.source)
        if not self._looked:
            self._looked = True
            self._intake.retire_others()

    async def _begin(self, target: Target) -> _Followed:
        number, out, err = await self._intake.source(target.service, target.container)
        budgets = (Budget(self._keeping.rate, clock.monotonic()), self._total)
        follower = Follower(
            target.container, Place(number, out, err), self._streams, self._intake, budgets
        )
        task = self._tasks.spawn(f"follow the log of {target.service}", follower.run())
        return _Followed(number, target.service, follower, task, clock.monotonic())

    def problems(self) -> dict[str, str]:
        """By service, why nothing is read of it."""
        return {
            one.service: one.follower.problem
            for one in self._following.values()
            if one.follower.problem is not None
        }

    async def sweep(self) -> None:
        """Forget what is too old or too much, for ever."""
        while True:
            try:
                await self.drop()
            except StoreError as error:
                log.error("old logs are not dropped: %s", error.detail)
            await asyncio.sleep(_SWEEP_S)

    async def drop(self) -> None:
        now = clock.epoch()
        before = round((now - self._keeping.keep_s) * _NANO)
        entries, until = 0, 0
        more = True
        while more:
            gone = await self._intake.drop(before, self._keeping.most)
            entries, until, more = entries + gone.entries, max(until, gone.until or 0), gone.more
        if entries:
            fact = {"until": until, "at": now, "entries": entries}
            await self._intake.remember(DROPPED, orjson.dumps(fact).decode())
            log.info("%d old log entries were dropped", entries)


@dataclass(frozen=True, slots=True)
class _Followed:
    source: int
    service: str
    follower: Follower
    task: asyncio.Task[None]
    since: float

    def is_over(self, now: float) -> bool:
        return self.task.done() and now - self.since > _AGAIN_S

"""The hub's root loops: follow the engine's events, look at what they wake, and never trust them.

Events can be lost, doubled or late, and the stream ends without a word. So: subscribe, then list;
a slow full pass besides; a ping on a timer to notice an engine that hangs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from controller import clock
from controller.engine.events import service_events
from controller.engine.pool import EnginePool
from controller.errors import EngineError, EngineUnreachableError, StoreError
from controller.model.text import text
from controller.model.view import OperationView
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.supervisor import Supervisor
from controller.orchestrator.world import World
from controller.tasks import Tasks, WakeQueue

log = logging.getLogger(__name__)

_FULL_PASS_S = 15.0
_PING_S = 5.0
_SAMPLE_S = 5.0
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 2.0


class Loop:
    """Keeps a `World` true. `interrupted` are operations a dead hub left unfinished."""

    def __init__(
        self,
        world: World,
        pool: EnginePool,
        lifecycle: Lifecycle,
        supervisor: Supervisor,
        interrupted: Sequence[OperationView],
    ):
        self._world = world
        self._pool = pool
        self._lifecycle = lifecycle
        self._supervisor = supervisor
        self._interrupted = tuple(interrupted)
        self._away = text("incident.hub_was_away")
        self._converged_at = -1
        self.queue = WakeQueue()
        lifecycle.on_owed = self.queue.wake_all

    @property
    def converged(self) -> bool:
        """True once everything owed from before is done or under way, or a person paused it."""
        current = self._converged_at == self._world.outages
        return current or self._supervisor.paused is not None

    def start(self, tasks: Tasks) -> None:
        tasks.guard("follow engine events", self._follow())
        tasks.guard("observe", self._observe())
        tasks.guard("ping the engine", self._ping())
        tasks.guard("sample usage", self._sample())
        tasks.guard("heal", self._supervisor.run())

    async def observe_once(self, services: set[str] | None) -> None:
        """One pass over the woken services (None: all). The first after the hub or the engine was
        away converges."""
        try:
            await self._world.look(services)
            if self._converged_at != self._world.outages or self._lifecycle.preempted:
                await self._converge()
        except EngineUnreachableError as error:
            log.warning("the engine does not answer: %s", error.detail)
        except EngineError as error:
            log.warning("could not look at %s: %s", services or "the stack", error.detail)
        except StoreError as error:
            # Looking goes on without the store; what is owed is tried again at the next pass.
            log.error("convergence waits for the store: %s", error.detail)

    async def _converge(self) -> None:
        outages = self._world.outages
        exempt = await self._supervisor.arrive(self._away, self._interrupted)
        paused = self._supervisor.paused is not None
        begun = not paused and await self._lifecycle.converge(self._interrupted, exempt)
        self._supervisor.arrived(outages)
        if begun:
            self._converged_at = outages
            self._interrupted = ()
            self._away = text("incident.engine_was_away")

    async def _observe(self) -> None:
        self.queue.wake_all()
        while True:
            # Also what no file declares is looked at: it may be an orphan.
            await self.observe_once(await self.queue.take(_FULL_PASS_S))

    async def _follow(self) -> None:
        pause = _RETRY_FIRST_S
        while True:
            begun = clock.monotonic()
            try:
                stack = self._world.stack
                async for service, number in service_events(stack.project, self.queue.wake_all):
                    key = stack.key_of(service, number)
                    self.queue.wake(key if key in stack.services else service)
                log.info("the engine ended its event stream")
            except EngineUnreachableError as error:
                log.debug("%s", error.detail)
            long_lived = clock.monotonic() - begun > _RETRY_MAX_S
            pause = _RETRY_FIRST_S if long_lived else min(pause * 2, _RETRY_MAX_S)
            await self._check()
            await asyncio.sleep(clock.jitter(pause, 0.2))

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            await self._check()

    async def _check(self) -> None:
        was = self._world.connected
        try:
            answers = await self._pool.look(self._pool.engine.ping)
        except EngineError:
            answers = False
        if not answers:
            self._world.set_connected(False)
        elif not was:
            self.queue.wake_all()

    async def _sample(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE_S)
            self._world.sample_usage(clock.monotonic())

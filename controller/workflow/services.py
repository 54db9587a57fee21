"""The join: how each service is for a step, as the healer beside it knows.

A step whose service is starting, being healed or blocked waits, and is charged nothing. One whose
request broke off is not believed either way before the service has been looked at: was it an
outage, or did the service really answer like that?
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from controller import clock
from controller.errors import EngineError, HubError
from controller.health.probe import Target, target_of
from controller.model.observation import State
from controller.model.spec import ProbeKind
from controller.model.text import text
from controller.model.view import Desired, Health, OperationKind
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.supervisor import Supervisor
from controller.orchestrator.world import World
from controller.workflow.machine import Access, Readiness

log = logging.getLogger(__name__)

_ASK_S = 3.0
_ASKED = (ProbeKind.HTTP, ProbeKind.TCP)
_BEST = (Access.READY, Access.HOLD, Access.STOPPED, Access.GONE)
_WAITS = {
    Health.STARTING: "run.waits_starting",
    Health.UNHEALTHY: "run.waits_unwell",
    Health.FAILED: "run.waits_unwell",
    Health.BLOCKED: "run.waits_blocked",
    Health.UNKNOWN: "run.waits_engine",
}


class Services(Protocol):
    """What a runner needs of the stack. Must be used from the event loop only."""

    on_change: Callable[[str], None]
    """Told when a service may have become ready, or no longer is."""

    def ready(self, service: str) -> Readiness: ...

    def place(self, service: str) -> str:
        """Which container of the service a request goes to; the calls below take its name."""

    def target(self, service: str) -> Target | None:
        """Where it listens now; None where it has no port or no container."""

    async def lost(self, service: str, life: str) -> Readiness | None:
        """After a request to that life broke off: why it is to wait, or None where the service is
        well and did this itself."""

    def enter(self, service: str) -> None:
        """A request begins; whoever stops the service lets it finish."""

    def leave(self, service: str) -> None: ...

    async def start(self, service: str, by: str) -> None:
        """Start what a person stopped, since a step asks for it."""

    def touched(self, service: str, run: str) -> None:
        """A run waits for the service: its incident lists it."""

    def untouched(self, service: str, run: str) -> None: ...


class StackServices:
    """The stack's services, from the hub's own memory of them."""

    def __init__(self, world: World, lifecycle: Lifecycle, supervisor: Supervisor):
        self._world = world
        self._lifecycle = lifecycle
        self._supervisor = supervisor
        self._doubts: dict[str, datetime] = {}
        self.on_change: Callable[[str], None] = lambda _: None
        world.on_view = lambda key: self.on_change(world.stack.declared_as(key))

    def ready(self, service: str) -> Readiness:
        """As its best container is, where there are several."""
        return min(map(self._ready, self._members(service)), key=lambda r: _BEST.index(r.access))

    def place(self, service: str) -> str:
        """The first that is ready; requests that are repeated meet the one that knows them."""
        members = self._members(service)
        ready = (key for key in members if self._ready(key).access is Access.READY)
        return next(ready, members[0])

    def _members(self, service: str) -> tuple[str, ...]:
        return self._world.stack.members(service) or (service,)

    def _ready(self, service: str) -> Readiness:
        if service not in self._world.stack.services:
            return Readiness(Access.GONE, text("run.undeclared", service=service))
        if not self._world.stack.services[service].managed:
            return self._unmanaged(service)
        view = self._world.service_view(service)
        if view.desired is Desired.STOPPED or view.health is Health.HELD:
            return Readiness(Access.STOPPED, text("run.stopped", service=service), view.incident)
        if view.reason.key == "incident.given_up":
            return Readiness(Access.GONE, text("run.given_up", service=service), view.incident)
        if view.health is Health.STOPPED:
            return Readiness(Access.GONE, text("run.finished", service=service))
        if view.health in _WAITS:
            # Only what is seen to be done is said to be done: the hub may be paused.
            key = "run.waits_healing" if view.busy else _WAITS[view.health]
            why = text(key, service=service)
            return Readiness(Access.HOLD, why, view.incident)
        if self._world.traffic.is_closing(service) or self._doubted(service):
            return Readiness(Access.HOLD, text("run.waits_doubt", service=service), view.incident)
        return Readiness(Access.READY, view.reason)

    def _unmanaged(self, service: str) -> Readiness:
        container = self._world.container(service)
        if container is not None and container.state is State.RUNNING:
            return Readiness(Access.READY, text("health.running_unprobed"))
        return Readiness(Access.GONE, text("run.unmanaged", service=service))

    def _doubted(self, service: str) -> bool:
        """Whether it has not answered well since a request to it broke off."""
        since = self._doubts.get(service)
        if since is None:
            return False
        history = self._world.history(service)
        last = history.last if history else None
        if last is None or last.at < since or not last.ok:
            return True
        del self._doubts[service]
        return False

    def target(self, service: str) -> Target | None:
        container = self._world.container(service)
        if container is None:
            return None
        return target_of(container, self._world.stack.services[service].probe)

    async def lost(self, service: str, life: str) -> Readiness | None:
        try:
            await self._world.look([service])
        except EngineError as error:
            log.warning("%s cannot be looked at: %s", service, error.detail)
            return Readiness(Access.HOLD, text("run.waits_engine", service=service))
        if self._is_over(service, life):
            return self._why(service)
        if self._world.stack.services[service].probe.kind in _ASKED:
            asked = clock.now()
            self._doubts[service] = asked
            self._world.ask_now([service])
            await self._answered(service, asked, life)
        if self._is_over(service, life) or self.ready(service).access is not Access.READY:
            return self._why(service)
        return None

    def _is_over(self, service: str, life: str) -> bool:
        container = self._world.container(service)
        running = container is not None and container.state is State.RUNNING
        return container is None or not running or container.incarnation != life

    def _why(self, service: str) -> Readiness:
        found = self.ready(service)
        if found.access is not Access.READY:
            return found
        return Readiness(Access.HOLD, text("run.was_restarted", service=service))

    async def _answered(self, service: str, since: datetime, life: str) -> None:
        """Wait for a probe that was asked after `since`, or for the end of that life."""
        deadline = clock.monotonic() + _ASK_S
        while clock.monotonic() < deadline and not self._is_over(service, life):
            history = self._world.history(service)
            if history is not None and history.last is not None and history.last.at >= since:
                return
            await self._world.wait_change(max(0.01, deadline - clock.monotonic()))

    def enter(self, service: str) -> None:
        self._world.traffic.enter(service)

    def leave(self, service: str) -> None:
        self._world.traffic.leave(service)

    async def start(self, service: str, by: str) -> None:
        try:
            begun = await self._lifecycle.request(OperationKind.START, service, by)
            await self._lifecycle.wait(begun.id)
        except HubError as error:
            log.warning("%s cannot be started for %s: %s", service, by, error.detail)
            # The next look at the service tells the step what it is in for.
            await asyncio.sleep(1)

    def touched(self, service: str, run: str) -> None:
        for key in self._members(service):
            self._supervisor.touched(key, run)

    def untouched(self, service: str, run: str) -> None:
        for key in self._members(service):
            self._supervisor.untouched(key, run)

"""Injects a fault on purpose, measures what healing makes of it, undoes it, and reports.

Healing that nobody has seen work is a hope. A rehearsal is the same incident as at three in the
morning, at a time of one's own choosing; it refuses to make a bad night worse.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from controller import clock
from controller.engine import faults
from controller.engine.faults import Injection
from controller.engine.pool import EnginePool
from controller.errors import ConflictError, EngineError, HubError, NotFoundError
from controller.model.graph import dependants
from controller.model.incident import Ending, Incident
from controller.model.observation import State
from controller.model.rehearsal import FINAL, Fault, Rehearsal, Stage
from controller.model.text import Text, text
from controller.model.view import Health, OperationKind
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.notices import Notices
from controller.orchestrator.supervisor import Supervisor
from controller.orchestrator.world import World
from controller.store.healing import HealingStore
from controller.tasks import Tasks

log = logging.getLogger(__name__)

T = TypeVar("T")

_RECENT = 20
_PATIENCE_S = 30.0
_PASSES = {Fault.STOP: Ending.OPERATOR}


class Rehearsals:
    """One rehearsal at a time. `image` is one of ours that has Python: it carries the fault in."""

    def __init__(
        self,
        world: World,
        pool: EnginePool,
        lifecycle: Lifecycle,
        supervisor: Supervisor,
        store: HealingStore,
        notices: Notices,
        tasks: Tasks,
        image: str,
    ):
        self._world = world
        self._pool = pool
        self._lifecycle = lifecycle
        self._supervisor = supervisor
        self._store = store
        self._notices = notices
        self._tasks = tasks
        self._image = image
        self._live: Rehearsal | None = None
        self._recent: deque[Rehearsal] = deque(maxlen=_RECENT)

    async def load(self) -> None:
        """Remember the last ones; one that a dead hub left is over. Raises StoreError."""
        for stored in reversed(await self._store.rehearsals(_RECENT)):
            view = stored
            if view.stage not in FINAL:
                why = text("rehearsal.hub_died")
                view = replace(view, stage=Stage.ABORTED, verdict=why, ended_at=clock.now())
                if view.fault is Fault.STOP:
                    self._supervisor.stopped_to_rehearse[view.service] = view.requested_at
                await self._store.save_rehearsal(view)
            self._recent.appendleft(view)

    async def sweep(self) -> None:
        """Take away what a dead hub's rehearsal left in the engine."""
        try:
            await self._pool.command(faults.sweep, self._pool.engine, self._world.stack.project)
        except EngineError as error:
            log.warning("leftovers of rehearsals stay for now: %s", error.detail)

    def recent(self) -> Sequence[Rehearsal]:
        """Newest first, the one under way included."""
        return (*([self._live] if self._live else ()), *self._recent)

    async def get(self, rehearsal_id: str) -> Rehearsal:
        """Raises NotFoundError, StoreError."""
        known = next((r for r in self.recent() if r.id == rehearsal_id), None)
        found = known or await self._store.rehearsal(rehearsal_id)
        if found is None:
            raise NotFoundError(f"There is no rehearsal {rehearsal_id}.")
        return found

    async def begin(self, service: str, fault: Fault, by: str, force: bool) -> Rehearsal:
        """Begin one; it goes on by itself. Raises UnknownServiceError, ConflictError, StoreError.

        `force` rehearses although the stack is sick or the hub is paused.
        """
        name = self._lifecycle.one(service)
        self._check(name, force)
        view = Rehearsal(
            id=clock.new_id("reh"),
            service=name,
            fault=fault,
            stage=Stage.INJECTING,
            requested_at=clock.now(),
            requested_by=by,
            objective_s=self._world.stack.services[name].recovery.objective_s,
            verdict=text("rehearsal.injecting"),
        )
        self._live = view
        try:
            await self._store.save_rehearsal(view)
        except BaseException:
            self._live = None
            raise
        self._notices.rehearsal(view)
        self._tasks.spawn(f"rehearsal {view.id}", self._rehearse(name))
        return view

    def _check(self, name: str, force: bool) -> None:
        if self._live is not None:
            raise ConflictError(
                f"A rehearsal of {self._live.service} is under way.",
                remedy=f"Wait for it: GET /rehearsals/{self._live.id}.",
            )
        container = self._world.container(name)
        if not self._world.connected or container is None or container.state is not State.RUNNING:
            raise ConflictError(f"{name} does not run, so no fault can be rehearsed.", service=name)
        if self._lifecycle.acting_on(name) is not None:
            raise ConflictError(f"An operation is acting on {name}.", service=name)
        if force:
            return
        remedy = "Wait until all is well, or rehearse anyway with force."
        if self._supervisor.paused is not None:
            raise ConflictError("The hub is paused, so nothing would be healed.", remedy=remedy)
        for incident in self._supervisor.open_incidents():
            raise ConflictError(
                f"The stack is already sick: {incident.service} has the open incident "
                f"{incident.id}.",
                remedy=remedy,
            )
        if self._world.judge(name).health is not Health.HEALTHY:
            raise ConflictError(f"{name} is not healthy now.", remedy=remedy, service=name)

    # One rehearsal

    async def _rehearse(self, name: str) -> None:
        assert self._live is not None
        self._supervisor.rehearsing[name] = self._live.id
        injection: Injection | None = None
        try:
            injection = await self._inject(name)
            await self._measure(name, injection)
        except _OverError as over:
            self._end(over.stage, over.verdict)
        except HubError as error:
            self._end(Stage.ABORTED, text("rehearsal.broke", why=error.detail))
        finally:
            await self._tidy(name, injection)

    async def _inject(self, name: str) -> Injection:
        assert self._live is not None
        container, spec = self._world.container(name), self._world.stack.services[name]
        if container is None:
            raise _OverError(Stage.ABORTED, text("rehearsal.gone"))
        injection = await self._pool.command(
            faults.inject,
            self._pool.engine,
            container.id,
            self._live.fault,
            self._image,
            limit_s=self._detect_limit_s(name) + _PATIENCE_S,
            probe_timeout_s=spec.probe.timeout_s,
            grace_s=spec.container.stop_grace_s,
        )
        self._say(Stage.DETECTING, text("rehearsal.detecting"), injected_at=injection.injected_at)
        return injection

    async def _measure(self, name: str, injection: Injection) -> None:
        assert self._live is not None
        found = await self._until(lambda: self._opened(name), self._detect_limit_s(name))
        if found is None:
            raise _OverError(Stage.FAILED, text("rehearsal.undetected"))
        self._say(
            Stage.HEALING,
            text("rehearsal.healing"),
            detected_ms=_ms(injection.injected_at, found.detected_at),
            incident=found.id,
        )
        if self._live.fault is Fault.SLOW:
            await self._pool.command(faults.undo, self._pool.engine, injection)
        elif self._live.fault is Fault.STOP:
            await self._lifecycle.request(OperationKind.START, name, self._live.requested_by)
        limit = max(self._live.objective_s * 2, _PATIENCE_S)
        if await self._until(lambda: self._closed(found.id), limit) is None:
            raise _OverError(Stage.FAILED, text("rehearsal.unhealed", seconds=round(limit)))
        ended = await self._supervisor.incident(found.id)
        assert ended.closed_at is not None
        healed = _ms(injection.injected_at, ended.closed_at)
        self._say(Stage.DEPENDANTS, text("rehearsal.dependants"), healed_ms=healed)
        await self._await_dependants(name, injection.injected_at, limit)
        self._judge(ended, healed)

    def _judge(self, ended: Incident, healed_ms: int) -> None:
        assert self._live is not None
        wanted = _PASSES.get(self._live.fault, Ending.RECOVERED)
        objective = self._live.objective_s
        seconds = round(healed_ms / 1000, 1)
        if ended.outcome is not wanted:
            self._end(Stage.FAILED, text("rehearsal.other_end", outcome=ended.outcome or ""))
        elif healed_ms > objective * 1000:
            why = text("rehearsal.late", seconds=seconds, objective=objective)
            self._end(Stage.FAILED, why)
        elif None in self._live.dependants_ms.values():
            self._end(Stage.FAILED, text("rehearsal.dependants_sick"))
        else:
            why = text("rehearsal.passed", seconds=seconds, objective=objective)
            self._end(Stage.PASSED, why)

    async def _await_dependants(self, name: str, since: datetime, limit_s: float) -> None:
        """Those that were disturbed, and when each was well again."""
        pending = _all_dependants(self._world, name)
        well: dict[str, int | None] = {}
        deadline = clock.monotonic() + limit_s
        while pending:
            for other in sorted(pending):
                disturbed = await self._disturbed(other, since)
                if self._world.judge(other).health is Health.HEALTHY and not any(
                    incident.is_open for incident in disturbed
                ):
                    pending.discard(other)
                    closed = [i.closed_at for i in disturbed if i.closed_at is not None]
                    if closed:
                        well[other] = _ms(since, max(closed))
            if clock.monotonic() > deadline:
                well |= dict.fromkeys(pending)
                break
            if pending:
                await self._world.wait_change(0.5)
        if well:
            self._say(Stage.DEPENDANTS, text("rehearsal.dependants"), dependants_ms=well)

    async def _disturbed(self, service: str, since: datetime) -> list[Incident]:
        found = await self._store.incidents(service, None, 5)
        return [incident for incident in found if incident.detected_at >= since]

    def _opened(self, name: str) -> Incident | None:
        assert self._live is not None
        return next(
            (i for i in self._supervisor.open_incidents() if i.rehearsal == self._live.id), None
        )

    def _closed(self, incident_id: str) -> bool | None:
        is_open = any(i.id == incident_id for i in self._supervisor.open_incidents())
        return None if is_open else True

    async def _until(self, look: Callable[[], T | None], limit_s: float) -> T | None:
        deadline = clock.monotonic() + limit_s
        while (found := look()) is None and clock.monotonic() < deadline:
            await self._world.wait_change(0.25)
        return found

    def _detect_limit_s(self, name: str) -> float:
        probe = self._world.stack.services[name].probe
        return _PATIENCE_S + 2 * (probe.failures + 1) * (probe.interval_s + probe.timeout_s)

    async def _tidy(self, name: str, injection: Injection | None) -> None:
        """Undo the fault and store how it ended, whatever happened."""
        if injection is not None:
            try:
                await self._pool.command(faults.undo, self._pool.engine, injection)
            except EngineError as error:
                log.warning("the fault in %s undoes itself later: %s", name, error.detail)
            await self._start_again(name)
        self._supervisor.rehearsing.pop(name, None)
        over, self._live = self._live, None
        assert over is not None
        if over.stage not in FINAL:
            why = text("rehearsal.broke", why="")
            over = replace(over, stage=Stage.ABORTED, verdict=why, ended_at=clock.now())
        self._recent.appendleft(over)
        self._notices.rehearsal(over)
        await self._store.save_rehearsal(over)

    async def _start_again(self, name: str) -> None:
        """A rehearsed stop that did not come to its end must not leave the service down."""
        assert self._live is not None
        container = self._world.container(name)
        if self._live.fault is not Fault.STOP or container is None:
            return
        if container.state is not State.RUNNING and self._lifecycle.acting_on(name) is None:
            try:
                by = self._live.requested_by
                await self._lifecycle.request(OperationKind.START, name, by)
            except HubError as error:
                log.error("%s was stopped for a rehearsal and stays so: %s", name, error.detail)

    def _say(self, stage: Stage, verdict: Text, **facts: object) -> None:
        assert self._live is not None
        self._live = replace(self._live, stage=stage, verdict=verdict, **facts)  # type: ignore[arg-type]
        self._notices.rehearsal(self._live)

    def _end(self, stage: Stage, verdict: Text) -> None:
        assert self._live is not None
        self._live = replace(self._live, stage=stage, verdict=verdict, ended_at=clock.now())


class _OverError(Exception):
    """A rehearsal that ends before its last stage, with the sentence to show."""

    def __init__(self, stage: Stage, verdict: Text):
        super().__init__(str(verdict))
        self.stage = stage
        self.verdict = verdict


def _all_dependants(world: World, name: str) -> set[str]:
    """Everything managed that needs it, directly or not."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for other in dependants(world.stack, waiting.pop()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return {n for n in found if world.stack.services[n].managed}


def _ms(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))

"""Where the facts of a turn come from: the hub's memory, and a slow look at disks and certificate.

A turn asks nobody who could keep it waiting. Disks and certificate are looked at beside it, in a
thread; what could not be seen stays unknown.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from controller.alerts.facts import DiskFact, Facts, Need, RunEnd, ServiceFact
from controller.alerts.logcount import LogCounter
from controller.alerts.services import not_counted
from controller.engine.certificate import expires_at
from controller.engine.pool import EnginePool
from controller.errors import EngineError, StoreError
from controller.model.incident import TOUCHES, Ending, Incident, Kind
from controller.model.probe import ProbeResult
from controller.model.recovery import Pause
from controller.model.spec import Condition, StackSpec
from controller.model.view import OperationView, ServiceView, StackView

log = logging.getLogger(__name__)

_MACHINE_S = 30.0
_FEW = 10
_REMEMBERED = timedelta(days=1)
_INCIDENTS = 200
# Restarts that healing made because the service itself was ill.
_OWN = frozenset({"incident.at_once", "incident.after_pause", "incident.replaced"})
_NOT_ITS_OWN = (Kind.DEPENDENCY, Kind.STOPPED_OUTSIDE)
_SETTLED = (Ending.GAVE_UP, Ending.OPERATOR)


@dataclass(frozen=True, slots=True)
class _Past:
    """What counts of an incident for a day: its evidence would be twenty times as much."""

    service: str
    at: datetime
    restarts: tuple[datetime, ...]


class StackPort(Protocol):
    """What is seen of the stack."""

    @property
    def stack(self) -> StackSpec: ...

    @property
    def connected(self) -> bool: ...

    @property
    def known(self) -> bool: ...

    def view(self) -> StackView: ...

    def last_probes(self, service: str) -> tuple[ProbeResult, ...]: ...


class HealingPort(Protocol):
    """What healing knows."""

    @property
    def paused(self) -> Pause | None: ...

    @property
    def storm_since(self) -> datetime | None: ...

    @property
    def rehearsing(self) -> Mapping[str, str]: ...

    def open_incidents(self) -> Sequence[Incident]: ...


class Incidents(Protocol):
    """Where the story of the last hours is kept."""

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]: ...


@dataclass(frozen=True, slots=True)
class Around:
    """What else of the hub is asked; each answers at once from memory.

    `acting_on` is the operation under way on a service, `ill` whether the hub distrusts its own
    probes, `problems` why a store cannot be written, None where it can.
    """

    acting_on: Callable[[str], OperationView | None]
    ill: Callable[[], bool]
    problems: Callable[[], Mapping[str, str | None]]


class HubSenses:
    """Gathers. Use from the event loop only."""

    def __init__(
        self,
        stack: StackPort,
        healing: HealingPort,
        around: Around,
        counter: LogCounter,
        pool: EnginePool,
        state_dir: Path,
    ):
        self._stack = stack
        self._healing = healing
        self._around = around
        self._counter = counter
        self._pool = pool
        self._state_dir = state_dir
        self._past: dict[str, _Past] = {}
        self._restarts: dict[str, tuple[datetime, ...]] = {}
        self._disks: tuple[DiskFact, ...] = ()
        self._certificate: datetime | None = None

    async def load(self, incidents: Incidents) -> None:
        """Remember what happened before the hub was started."""
        try:
            for incident in await incidents.incidents(None, None, _INCIDENTS):
                self.incident(incident)
        except StoreError as error:
            log.error("restarts before the hub's start are not known: %s", error.detail)

    def incident(self, incident: Incident) -> None:
        """An incident changed."""
        service, newest = incident.service, incident.detected_at
        self._past = {
            key: past for key, past in self._past.items() if newest - past.at < _REMEMBERED
        } | {incident.id: _Past(service, newest, restarts_of([incident], service))}
        mine = (past.restarts for past in self._past.values() if past.service == service)
        self._restarts[service] = tuple(sorted(moment for past in mine for moment in past))

    def facts(
        self,
        now: datetime,
        dead: Mapping[str, tuple[datetime, str]],
        store_problem: str | None,
        run_ends: tuple[RunEnd, ...],
    ) -> Facts:
        view = self._stack.view()
        problems = {"store": store_problem, **self._around.problems()}
        facts = Facts(
            now=now,
            connected=view.engine_connected,
            engine_since=view.engine_since,
            known=self._stack.known,
            paused=self._healing.paused is not None,
            ill=self._around.ill(),
            storm_since=self._healing.storm_since,
            services=self._services(view),
            declared=frozenset(self._stack.stack.services),
            disks=self._disks,
            certificate_until=self._certificate,
            problems={name: why for name, why in problems.items() if why is not None},
            dead=dead,
            run_ends=run_ends,
        )
        self._counter.forget(not_counted(facts.services))
        return replace(facts, counted=self._counter.counted(now))

    def _services(self, view: StackView) -> dict[str, ServiceFact]:
        by_id = {incident.id: incident for incident in self._healing.open_incidents()}
        return {
            service.name: self._service(service, by_id.get(service.incident or ""))
            for service in view.services
        }

    def _service(self, view: ServiceView, incident: Incident | None) -> ServiceFact:
        operation = self._around.acting_on(view.name)
        spec = self._stack.stack.services[view.name]
        return ServiceFact(
            name=view.name,
            desired=view.desired,
            health=view.health,
            reason=view.reason,
            since=view.since,
            needs=tuple(
                Need(d.service, d.condition is Condition.COMPLETED)
                for d in spec.depends_on
                if d.required
            ),
            by_person=operation is not None and not operation.kind.by_hub,
            rehearsing=view.name in self._healing.rehearsing,
            incident=incident,
            p95_ms=p95(self._stack.last_probes(view.name)),
            restarts=self._restarts.get(view.name, ()),
        )

    # What takes time

    async def run(self) -> None:
        """Look at disks and certificate, until cancelled: a root loop."""
        while True:
            await self.look_around()
            await asyncio.sleep(_MACHINE_S)

    async def look_around(self) -> None:
        root = await self._engine_root()
        self._disks = await asyncio.to_thread(disks, self._state_dir, root)
        self._certificate = await asyncio.to_thread(expires_at, os.environ)

    async def _engine_root(self) -> Path | None:
        """Where the engine keeps its data, if that is on this machine and in sight."""
        host = os.environ.get("DOCKER_HOST", "unix://")
        if not host.startswith("unix://"):
            return None
        try:
            _, root = await self._pool.look(self._pool.engine.about)
            return Path(root)
        except EngineError as error:
            log.debug("where the engine keeps its data is not known: %s", error.detail)
            return None


def p95(probes: Sequence[ProbeResult]) -> float | None:
    """What 95 of 100 good answers stay within; None where too few were seen."""
    times = sorted(p.response_ms for p in probes if p.ok and p.response_ms is not None)
    if len(times) < _FEW:
        return None
    return times[min(len(times) - 1, int(0.95 * len(times)))]


def restarts_of(incidents: Iterable[Incident], service: str) -> tuple[datetime, ...]:
    """When healing restarted it for its own sake. What a person has seen to since, what was done to
    it on purpose and what was another one's doing does not count."""
    found = []
    for incident in incidents:
        if incident.service != service or incident.rehearsal is not None:
            continue
        if incident.kind in _NOT_ITS_OWN or incident.outcome in _SETTLED:
            continue
        found += [e.at for e in incident.timeline if e.act in TOUCHES and e.cause.key in _OWN]
    return tuple(sorted(found))


def disks(state_dir: Path, engine_root: Path | None) -> tuple[DiskFact, ...]:
    """The file systems that matter, each once. Blocks."""
    found: dict[int, DiskFact] = {}
    for path, what in ((state_dir, "state"), (engine_root, "engine")):
        if path is None:
            continue
        try:
            device = path.stat().st_dev
            usage = shutil.disk_usage(path)
        except OSError as error:
            log.debug("%s cannot be looked at: %s", path, error)
            continue
        found.setdefault(device, DiskFact(str(path), what, usage.free, usage.total))
    return tuple(found.values())

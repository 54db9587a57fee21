"""The hub itself: wires its parts together, starts them, and takes them down in order."""

from __future__ import annotations

import logging
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from controller import __version__, clock
from controller.alerts.assembly import Alerts
from controller.alerts.senses import Around
from controller.api import events
from controller.api.run_feed import RunFeed
from controller.bootstrap import state as about
from controller.bootstrap.measuring import measure, pusher
from controller.config.load import HubConfig
from controller.config.settings_logs import LogsSettings
from controller.config.settings_workflows import RunsSettings
from controller.engine.client import DockerEngine
from controller.engine.pool import EnginePool
from controller.health.selfcheck import SelfCheck
from controller.i18n import catalogue
from controller.logs.assembly import Logs
from controller.logs.collector import Keeping, Target
from controller.logs.mask import masker
from controller.metrics.assembly import RunMeter
from controller.model.hub_state import AuditLine, HubState
from controller.model.incident import Incident
from controller.model.observation import State
from controller.model.probe import ProbeResult
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal
from controller.model.spec import ServiceSpec
from controller.model.view import OperationView, StackView
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.loop import Loop
from controller.orchestrator.rehearsals import Rehearsals
from controller.orchestrator.supervisor import Supervisor
from controller.orchestrator.world import World
from controller.store.database import Database
from controller.store.healing import HealingStore
from controller.store.journal import Backend
from controller.store.journal_postgres import PostgresBackend
from controller.store.journal_sqlite import SqliteBackend
from controller.store.state import StateStore
from controller.tasks import Tasks, tune_interpreter
from controller.telemetry.bus import Bus
from controller.telemetry.metrics import Figures, RunFigures, render
from controller.threads import bound_defaults
from controller.workflow.assembly import Upkeep, assemble
from controller.workflow.services import StackServices

log = logging.getLogger(__name__)

_LAST_LINES = 20
_HELPER_IMAGE = f"heal7/hub:{__version__}"


class Hub:
    """Everything that runs, and what the pages and checks may ask of it."""

    version = __version__

    def __init__(self, config: HubConfig, state_dir: Path):
        # Read before anyone waits for an answer, and refused now where it is broken.
        catalogue()
        self.config = config
        self.bus = Bus(int(clock.now().timestamp() * 1000))
        notices = events.BusNotices(self.bus)
        self._state_dir, self._started_at = state_dir, clock.now()
        self._died: str | None = None
        self._ready = False
        self._loop: Loop | None = None
        self._pool = EnginePool(DockerEngine())
        self._database = Database(state_dir / "hub.sqlite3")
        self._store = StateStore(self._database)
        self._tasks = Tasks(self._task_died)
        self._self_check = SelfCheck()
        self.figures = Figures()
        self.world = World(
            config.stack,
            self._pool,
            notices,
            self_check=self._self_check.problem,
            on_result=self._probed,
        )
        self.lifecycle = Lifecycle(
            self.world, self._pool, self._store, notices, self._tasks, scratch=state_dir
        )
        healing = HealingStore(self._database)
        self.supervisor = Supervisor(
            self.world,
            self._pool,
            self.lifecycle,
            healing,
            notices,
            self._tasks,
            self._self_check,
        )
        self.supervisor.on_incident = self._count
        self.alerts = self._alerts(state_dir)
        services = StackServices(self.world, self.lifecycle, self.supervisor)
        self.flows = assemble(
            config.workflows,
            _journal(config, state_dir),
            services,
            self._tasks,
            [
                RunFeed(self.bus),
                RunFigures(self.figures),
                RunMeter(lambda: self.metrics.meter),
                self.alerts.run_ends,
            ],
            _upkeep(config.settings.runs),
        )
        self.zone = ZoneInfo(config.settings.runs.time_zone)
        self.practice = Rehearsals(
            self.world,
            self._pool,
            self.lifecycle,
            self.supervisor,
            healing,
            notices,
            self._tasks,
            _HELPER_IMAGE,
        )
        self.mask = masker(
            (dict(spec.container.environment) for spec in config.stack.services.values()),
            config.settings.logs.mask,
        )
        self.logs = Logs(
            state_dir / "logs.sqlite3",
            _keeping(config.settings.logs),
            self.mask,
            self._log_targets,
            self._tasks,
            noted=self.alerts.counter.noted,
            members=config.stack.members,
        )
        self.metrics = measure(
            config,
            state_dir / "metrics.sqlite3",
            self.world,
            self.lifecycle.recent,
            self._tasks,
            lag_ms=lambda: self._self_check.lag_p99_ms,
            streams=lambda: self.bus.listeners + self.logs.listeners,
            log_entries=lambda: self.logs.written,
        )
        self._pusher = pusher(config, self.exposition, services.target)
        notices.on_service = lambda view: self.metrics.meter.told(view, clock.monotonic())

    def _alerts(self, state_dir: Path) -> Alerts:
        said = self.config.settings
        return Alerts(
            said.alerts,
            self.config.channels,
            said.server.port,
            said.runs.time_zone,
            self._database,
            self.world,
            self.supervisor,
            Around(
                acting_on=self.lifecycle.acting_on,
                ill=lambda: self._self_check.problem() is not None,
                problems=lambda: {
                    "journal": self.flows.keeper.problem,
                    "logs": self.logs.problem,
                    "metrics": self.metrics.problem,
                },
            ),
            self._pool,
            state_dir,
            self._tasks,
            lambda alert: events.tell_alert(self.bus, alert, self.alerts.desk.silence_of(alert)),
            self.config.stack.members,
        )

    async def start(self) -> None:
        """Open the store, remember, and start the root loops."""
        await self._database.open()
        interrupted = await self._store.unfinished()
        for operation in interrupted:
            log.warning("%s %s was interrupted", operation.kind, operation.id)
        self.world.wish(await self._store.wishes())
        await bound_defaults()
        await self.lifecycle.load()
        await self.supervisor.load()
        await self.practice.load()
        self._tasks.spawn("sweep leftover faults", self.practice.sweep())
        await self.logs.start()
        await self.alerts.start(self.supervisor, self.flows.workflows)
        await self.metrics.start()
        if self._pusher is not None:
            self._tasks.guard("push metrics", self._pusher.run())
        self._tasks.guard("check itself", self._self_check.run())
        self._tasks.guard("keep the journal of runs", self.flows.keeper.run())
        self._loop = Loop(self.world, self._pool, self.lifecycle, self.supervisor, interrupted)
        self._loop.start(self._tasks)
        tune_interpreter()
        self._ready = True

    async def stop(self) -> None:
        self.end_streams()
        await self._tasks.close()
        await self.flows.close()
        await self.logs.close()
        await self.metrics.close()
        await self.world.close()
        await self._database.close()
        self._pool.close()

    def view(self) -> StackView:
        return self.world.view()

    def exposition(self) -> bytes:
        """Everything measured, as Prometheus reads it."""
        return render(
            self.world.view(),
            __version__,
            self.figures,
            paused=self.paused is not None,
            others=self.metrics.families(),
        )

    def operations(self) -> Sequence[OperationView]:
        return self.lifecycle.recent()

    @property
    def paused(self) -> Pause | None:
        return self.supervisor.paused

    def open_incidents(self) -> Sequence[Incident]:
        return self.supervisor.open_incidents()

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        return await self.supervisor.incidents(service, is_open, limit)

    async def incident(self, incident_id: str) -> Incident:
        return await self.supervisor.incident(incident_id)

    def spec(self, service: str) -> ServiceSpec | None:
        managed = service in self.world.stack.managed
        return self.world.stack.services[service] if managed else None

    def probes(self, service: str) -> Sequence[ProbeResult]:
        return self.world.last_probes(service)

    def rehearsals(self) -> Sequence[Rehearsal]:
        return self.practice.recent()

    def workflows(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        return {
            name: [
                (step.service, step.call.action or f"{step.call.method} {step.call.path}")
                for step in workflow.steps
            ]
            for name, workflow in self.config.workflows.items()
        }

    def live(self) -> Mapping[str, str]:
        return {"background_tasks": f"{self._died} ended" if self._died else "ok"}

    def ready(self) -> Mapping[str, str]:
        return {
            **self.live(),
            "store": "ok" if self._ready else "not open yet",
            "journal": self.flows.keeper.problem or "ok",
            "logs": self.logs.problem or "ok",
            "metrics": self.metrics.problem or "ok",
            "alerts": self.alerts.desk.fault or "ok",
            "engine": "ok" if self.world.connected else "does not answer",
            "convergence": "ok" if self._loop and self._loop.converged else "not begun yet",
        }

    async def audit(self, limit: int, before: int | None) -> Sequence[AuditLine]:
        return await self._store.audit(limit, before)

    async def state(self) -> HubState:
        """Everything of itself, for whoever looks after it."""
        return HubState(
            version=__version__,
            digest=self.config.digest,
            started_at=self._started_at,
            died=self._died or "",
            engine=await about.engine_state(self._pool, self.world),
            stores=await about.store_states(self._state_dir, self.config, self.ready()),
            tasks=about.task_states(self._tasks),
            event_streams=self.bus.listeners,
            log_streams=self.logs.listeners,
            settings=about.settings_in_effect(self.config),
            files=tuple(str(path) for path in self.config.sources),
        )

    def _probed(self, service: str, result: ProbeResult) -> None:
        if result.response_ms is not None:
            self.figures.observe_probe(service, result.response_ms / 1000)
            self.metrics.meter.probed(service, result.response_ms)

    def _count(self, before: Incident | None, now: Incident) -> None:
        for _ in range(now.restarts - (before.restarts if before else 0)):
            self.figures.count_restart(now.service, now.kind)
            self.metrics.meter.restarted(now.service)
        self.alerts.senses.incident(now)
        if now.recover_ms is not None and not now.is_open:
            self.figures.observe_recovery(now.service, now.kind, now.recover_ms / 1000)

    async def last_lines(self, service: str) -> list[str]:
        """The last lines of the service's output, oldest first; none where it has no container."""
        container = self.world.container(service)
        if container is None:
            return []
        tail = await self._pool.look(self._pool.engine.log_tail, container.id, _LAST_LINES)
        return tail.splitlines()

    def _log_targets(self) -> list[Target] | None:
        if not self.world.known:
            return None
        return [
            Target(service, container.id, container.state is State.RUNNING)
            for service, containers in self.world.seen.containers.items()
            for container in containers
        ]

    def end_streams(self) -> None:
        """Let those go who follow live, or they would keep the shutdown waiting."""
        self.bus.close()
        self.logs.end_streams()

    def _task_died(self, name: str) -> None:
        self._died = name
        # uvicorn turns SIGTERM into a clean shutdown; the engine then starts the hub anew.
        signal.raise_signal(signal.SIGTERM)

    @property
    def died(self) -> str | None:
        return self._died


def _journal(config: HubConfig, state_dir: Path) -> Backend:
    address = config.runs_database
    return PostgresBackend(address) if address else SqliteBackend(state_dir / "runs.sqlite3")


def _keeping(said: LogsSettings) -> Keeping:
    return Keeping(said.keep_days * 86_400.0, said.max_size, said.rate, max(4 * said.rate, 6 << 20))


def _upkeep(said: RunsSettings) -> Upkeep:
    return Upkeep(said.keep_days * 86_400.0, said.keep, said.time_zone)

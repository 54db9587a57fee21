"""Requests carried out against an engine in memory: what is done, stored, told and shown."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pytest
from core_builders import CHAIN, NOW, container, leftover, service, stack
from core_fake_engine import FakeEngine

from controller.engine.mapping import BadCommandError, ImageMissingError, PortTakenError
from controller.engine.usage import Usage
from controller.errors import (
    ConflictError,
    EngineError,
    EngineUnreachableError,
    NotFoundError,
    StoreError,
    UnknownServiceError,
)
from controller.health.selfcheck import SelfCheck
from controller.model.incident import Incident
from controller.model.observation import ContainerObs, State
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal
from controller.model.spec import StackSpec
from controller.model.text import text
from controller.model.view import (
    Desired,
    Health,
    OperationKind,
    OperationStatus,
    OperationView,
    OrphanView,
    ServiceView,
    Wish,
)
from controller.orchestrator import consumption
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.loop import Loop
from controller.orchestrator.supervisor import Supervisor
from controller.orchestrator.world import World
from controller.store.database import Database
from controller.store.healing import HealingStore
from controller.store.state import StateStore
from controller.tasks import Tasks

START, STOP, RESTART = OperationKind.START, OperationKind.STOP, OperationKind.RESTART
DONE, FAILED = OperationStatus.SUCCEEDED, OperationStatus.FAILED
EVERYTHING = None


@dataclass
class Ear:
    """Notices what the orchestrator tells the world."""

    services: list[ServiceView] = field(default_factory=list)
    abandoned: list[tuple[str, ...]] = field(default_factory=list)
    operations: list[OperationView] = field(default_factory=list)
    engines: list[bool] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    rehearsals: list[Rehearsal] = field(default_factory=list)
    pauses: list[Pause | None] = field(default_factory=list)

    def service(self, view: ServiceView) -> None:
        self.services.append(view)

    def orphans(self, found: tuple[OrphanView, ...]) -> None:
        self.abandoned.append(tuple(one.name for one in found))

    def operation(self, view: OperationView) -> None:
        self.operations.append(view)

    def engine(self, connected: bool, since: datetime) -> None:
        self.engines.append(connected)

    def incident(self, incident: Incident) -> None:
        self.incidents.append(incident)

    def rehearsal(self, rehearsal: Rehearsal) -> None:
        self.rehearsals.append(rehearsal)

    def paused(self, pause: Pause | None) -> None:
        self.pauses.append(pause)


class Hub:
    """One life of a hub over an engine and a database file."""

    def __init__(self, file: Path, engine: FakeEngine, declared: StackSpec):
        self.engine = engine
        self.ear = Ear()
        self.database = Database(file)
        self.store = StateStore(self.database)
        self.deaths: list[str] = []
        self.tasks = Tasks(self.deaths.append)
        self.pool = engine.pool()
        self.world = World(declared, self.pool, self.ear)
        self.lifecycle = Lifecycle(self.world, self.pool, self.store, self.ear, self.tasks)
        self.supervisor = Supervisor(
            self.world,
            self.pool,
            self.lifecycle,
            HealingStore(self.database),
            self.ear,
            self.tasks,
            SelfCheck(),
        )

    async def open(self) -> Hub:
        await self.database.open()
        self.world.wish(await self.store.wishes())
        await self.lifecycle.load()
        return self

    async def close(self) -> None:
        await self.tasks.close()
        await self.world.close()
        await self.database.close()
        self.pool.close()

    async def do(self, kind: OperationKind, name: str | None = EVERYTHING) -> OperationView:
        async with asyncio.timeout(60):
            begun = await self.lifecycle.request(kind, name, "curl")
            return await self.lifecycle.wait(begun.id)

    async def settle(self) -> None:
        """Wait for everything under way."""
        async with asyncio.timeout(60):
            for view in self.lifecycle.recent():
                await self.lifecycle.wait(view.id)

    def health(self) -> dict[str, Health]:
        return {view.name: view.health for view in self.world.view().services}


class MakeHub(Protocol):
    async def __call__(
        self,
        *containers: ContainerObs,
        declared: StackSpec = CHAIN,
        engine: FakeEngine | None = None,
    ) -> Hub: ...


@pytest.fixture
async def hub_of(tmp_path: Path) -> AsyncIterator[MakeHub]:
    """Makes hubs one after another on the same database file."""
    made: list[Hub] = []

    async def make(
        *containers: ContainerObs,
        declared: StackSpec = CHAIN,
        engine: FakeEngine | None = None,
    ) -> Hub:
        chosen = engine or FakeEngine(*containers)
        made.append(await Hub(tmp_path / "hub.sqlite3", chosen, declared).open())
        return made[-1]

    yield make
    for hub in made:
        for command in hub.engine.held.values():
            command.set()
        await hub.close()


def outcomes(view: OperationView) -> dict[str, str]:
    return {name: result.outcome for name, result in view.results.items()}


def running(*names: str) -> list[ContainerObs]:
    return [container(name) for name in names]


# -- the three verbs


async def test_start_all_starts_in_order_and_remembers(hub_of: MakeHub) -> None:
    hub = await hub_of()
    ended = await hub.do(START)
    assert ended.status is DONE
    assert outcomes(ended) == dict.fromkeys(("db", "api", "web"), "started")
    starts = [call for call in hub.engine.calls if call.startswith("start")]
    assert starts == ["start db", "start api", "start web"]
    assert await hub.store.wishes() == dict.fromkeys(("db", "api", "web"), Wish(Desired.RUNNING))
    assert hub.health() == dict.fromkeys(("web", "api", "db"), Health.HEALTHY)
    assert hub.ear.operations[-1] == ended
    assert all(view.busy is None for view in hub.world.view().services)


async def test_start_of_what_runs_does_nothing(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "api", "web"))
    ended = await hub.do(START)
    assert outcomes(ended) == dict.fromkeys(("db", "api", "web"), "already_running")
    assert hub.engine.calls == []


async def test_stop_all_stops_dependants_first(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "api", "web"))
    ended = await hub.do(STOP)
    assert hub.engine.calls == ["stop web", "stop api", "stop db"]
    assert outcomes(ended) == dict.fromkeys(("web", "api", "db"), "stopped")
    assert hub.health() == dict.fromkeys(("web", "api", "db"), Health.STOPPED)
    assert outcomes(await hub.do(STOP)) == dict.fromkeys(("web", "api", "db"), "already_stopped")


async def test_restart_begins_a_new_life_and_owes_nothing_afterwards(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    before = hub.engine.of("db").incarnation
    ended = await hub.do(RESTART, "db")
    assert outcomes(ended) == {"db": "restarted"}
    assert hub.engine.of("db").incarnation != before
    assert await hub.store.wishes() == {"db": Wish(Desired.RUNNING)}


async def test_changed_definition_is_recreated_under_the_same_name(hub_of: MakeHub) -> None:
    hub = await hub_of(container("db", config_hash="old"))
    ended = await hub.do(START, "db")
    assert outcomes(ended) == {"db": "recreated"}
    assert hub.engine.calls == ["create db", "stop db", "remove db", "rename db", "start db"]
    assert hub.engine.of("db").name == "heal7-db-1"


async def test_a_one_shot_is_awaited(hub_of: MakeHub) -> None:
    hub = await hub_of(declared=stack(service("web", "job:completed"), service("job")))
    hub.engine.exits["job"] = 0
    ended = await hub.do(START)
    assert outcomes(ended) == {"job": "started", "web": "started"}
    assert hub.world.service_view("job").reason == text("health.completed")


async def test_a_preview_changes_nothing(hub_of: MakeHub) -> None:
    hub = await hub_of()
    plan = await hub.lifecycle.preview(START, "db")
    assert [op.op for op in plan.ops] == ["create", "start", "await_healthy"]
    assert hub.engine.calls == []
    assert await hub.store.wishes() == {}
    assert await hub.store.operations() == []


async def test_orphans_are_told_of_and_only_removed_on_request(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "api", "web", "old"))
    await hub.do(START)
    assert [one.service for one in hub.world.view().orphans] == ["old"]
    assert hub.ear.abandoned == [("heal7-old-1",)]
    assert not [call for call in hub.engine.calls if call.endswith(" old")]
    planned = await hub.lifecycle.preview_removal(None)
    assert planned.acts_on == ("old",)
    begun = await hub.lifecycle.remove_orphans(None, "curl")
    ended = await hub.lifecycle.wait(begun.id)
    assert outcomes(ended) == {"old": "removed"}
    assert [call for call in hub.engine.calls if call.endswith(" old")] == [
        "stop old",
        "remove old",
    ]
    assert hub.world.view().orphans == ()
    assert hub.ear.abandoned[-1] == ()
    (line,) = await hub.store.audit(1)
    assert (line.who, line.action, line.targets) == ("curl", "remove_orphans", ("old",))
    assert line.operation == ended.id


async def test_an_orphan_that_will_not_go_is_told_of(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "old"))
    hub.engine.breaks["stop old"] = EngineError("it is stuck")
    begun = await hub.lifecycle.remove_orphans(["heal7-old-1"], "curl")
    ended = await hub.lifecycle.wait(begun.id)
    assert (ended.success, outcomes(ended)) == (False, {"old": "failed"})
    assert [one.service for one in hub.world.view().orphans] == ["old"]


async def test_what_is_declared_is_never_removed_as_an_orphan(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "old"))
    with pytest.raises(NotFoundError):
        await hub.lifecycle.remove_orphans(["heal7-db-1"], "curl")
    assert hub.engine.calls == []


async def test_unknown_names_are_refused_with_the_known_ones(hub_of: MakeHub) -> None:
    hub = await hub_of()
    with pytest.raises(UnknownServiceError) as caught:
        await hub.lifecycle.request(START, "nope", "curl")
    assert caught.value.remedy == "The services are: web, api, db."
    with pytest.raises(NotFoundError):
        await hub.lifecycle.operation("op_nope")


async def test_operations_are_remembered_newest_first(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    first, second = await hub.do(STOP, "db"), await hub.do(START, "db")
    assert [o.id for o in hub.lifecycle.recent()] == [second.id, first.id]
    again = await hub_of(engine=hub.engine)
    assert [o.id for o in again.lifecycle.recent()] == [second.id, first.id]
    assert (await again.lifecycle.operation(first.id)).results == first.results


# -- what can go wrong


@pytest.mark.parametrize(
    ("command", "error", "cause"),
    [
        ("create db", ImageMissingError("heal7/app:1"), "fail.image_missing(image=heal7/app:1)"),
        ("start db", PortTakenError("in use", 8010), "fail.port_taken(port=8010)"),
        ("start db", PortTakenError("in use", None), "fail.port_taken(port=5432)"),
        ("start db", BadCommandError("no exec"), "fail.command(detail=no exec)"),
    ],
)
async def test_what_the_engine_refuses_is_explained_and_blocks_dependants(
    hub_of: MakeHub, command: str, error: Exception, cause: str
) -> None:
    declared = stack(service("web", "api"), service("api", "db:healthy"), service("db", port=5432))
    hub = await hub_of(declared=declared)
    hub.engine.breaks[command] = error
    ended = await hub.do(START)
    assert ended.status is FAILED
    assert outcomes(ended) == {"db": "failed", "api": "blocked", "web": "blocked"}
    assert str(ended.results["db"].cause) == cause
    assert ended.results["api"].cause == text("result.blocked", dependency="db")
    assert hub.health() == {"db": Health.FAILED, "api": Health.BLOCKED, "web": Health.BLOCKED}
    assert str(hub.world.service_view("db").reason) == cause
    # The reason holds only for as long as the container stays as it is.
    hub.engine.breaks.clear()
    assert (await hub.do(START)).success
    assert hub.health() == dict.fromkeys(("web", "api", "db"), Health.HEALTHY)


async def test_a_crash_at_start_shows_its_last_line(hub_of: MakeHub) -> None:
    hub = await hub_of()
    hub.engine.exits["db"] = 3
    hub.engine.output = "starting\nTraceback\nValueError: no password\n\n"
    ended = await hub.do(START, "db")
    assert str(ended.results["db"].cause) == (
        "fail.crashed(why=exit.code(code=3), line=ValueError: no password)"
    )
    assert ended.results["db"].detail == "starting\nTraceback\nValueError: no password"
    assert hub.world.service_view("db").state is State.EXITED


async def test_a_crash_without_output(hub_of: MakeHub) -> None:
    hub = await hub_of()
    hub.engine.exits["db"] = 137
    ended = await hub.do(START, "db")
    assert str(ended.results["db"].cause) == "exit.signal(code=137, signal=9)"


async def test_a_failed_one_shot_fails_what_waits_for_it(hub_of: MakeHub) -> None:
    hub = await hub_of(declared=stack(service("web", "job:completed"), service("job")))
    hub.engine.exits["job"] = 2
    ended = await hub.do(START)
    assert outcomes(ended) == {"job": "failed", "web": "blocked"}


async def test_an_engine_that_goes_away_leaves_the_outcome_unknown(hub_of: MakeHub) -> None:
    hub = await hub_of()
    hub.engine.breaks["create db"] = EngineUnreachableError("gone")
    ended = await hub.do(START, "db")
    assert outcomes(ended) == {"db": "unknown"}
    assert hub.health() == dict.fromkeys(("web", "api", "db"), Health.UNKNOWN)
    assert hub.ear.engines == [True, False]


async def test_a_request_to_a_silent_engine_is_refused_and_reserves_nothing(
    hub_of: MakeHub,
) -> None:
    hub = await hub_of()
    hub.engine.silent = True
    with pytest.raises(EngineUnreachableError):
        await hub.lifecycle.request(START, "db", "curl")
    assert await hub.store.operations() == []
    hub.engine.silent = False
    assert (await hub.do(START, "db")).success


async def test_a_request_that_cannot_be_stored_is_refused_and_reserves_nothing(
    hub_of: MakeHub,
) -> None:
    hub = await hub_of()
    await hub.database.write(lambda c: c.execute("ALTER TABLE audit RENAME TO elsewhere"))
    with pytest.raises(StoreError):
        await hub.lifecycle.request(START, "db", "curl")
    assert hub.engine.calls == []
    await hub.database.write(lambda c: c.execute("ALTER TABLE elsewhere RENAME TO audit"))
    assert (await hub.do(START, "db")).success


async def test_a_name_of_a_stranger_is_left_alone(hub_of: MakeHub) -> None:
    hub = await hub_of()
    hub.engine.strangers["heal7-db-1"] = {"someone": "else"}
    ended = await hub.do(START, "db")
    assert ended.results["db"].cause == text("fail.name_taken", name="heal7-db-1")
    assert not any(call.startswith("remove") for call in hub.engine.calls)


async def test_a_container_made_behind_our_back_is_taken_as_ours(hub_of: MakeHub) -> None:
    hub = await hub_of()
    hub.engine.hold("create db")
    begun = await hub.lifecycle.request(START, "db", "curl")
    await asyncio.to_thread(hub.engine.begun["create db"].wait, 10)
    # A dead hub's create that the engine still finished, a moment later.
    made = container("db", State.CREATED)
    hub.engine.containers[made.id] = made
    hub.engine.labels[made.id] = dict(CHAIN.services["db"].container.labels)
    hub.engine.held["create db"].set()
    ended = await hub.lifecycle.wait(begun.id)
    assert ended.success
    assert hub.engine.of("db").id == made.id


# -- two requests at once


async def test_two_operations_never_act_on_the_same_service(hub_of: MakeHub) -> None:
    hub = await hub_of(declared=stack(service("web", "db"), service("db"), service("log")))
    hub.engine.hold("start db")
    begun = await hub.lifecycle.request(START, "web", "curl")
    assert hub.world.service_view("web").busy == begun.id
    assert hub.world.service_view("web").reason == text("phase.waiting")
    with pytest.raises(ConflictError, match=rf"start \({begun.id}\) is already acting on db"):
        await hub.lifecycle.request(STOP, "db", "curl")
    assert (await hub.do(START, "log")).success
    hub.engine.held["start db"].set()
    assert (await hub.lifecycle.wait(begun.id)).success
    assert (await hub.do(STOP, "db")).success


async def test_convergence_gives_way_to_a_person(hub_of: MakeHub) -> None:
    hub = await hub_of()
    await hub.store.adopt({"db": Wish(Desired.RUNNING), "api": Wish(Desired.RUNNING)}, NOW)
    hub.world.wish(await hub.store.wishes())
    hub.engine.hold("start db")
    assert await hub.lifecycle.converge([])
    await asyncio.to_thread(hub.engine.begun["start db"].wait, 10)
    asked = asyncio.create_task(hub.do(STOP))
    # One turn of the event loop, and the request waits for the convergence to end.
    await asyncio.sleep(0)
    hub.engine.held["start db"].set()
    assert (await asked).success
    converged = hub.lifecycle.recent()[-1]
    assert converged.kind is OperationKind.CONVERGE
    assert outcomes(converged)["api"] == "blocked"
    assert hub.health()["db"] is Health.STOPPED


# -- a hub that comes back


async def test_what_runs_is_adopted_and_left(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    await hub.lifecycle.converge([])
    assert await hub.store.wishes() == {"db": Wish(Desired.RUNNING)}
    assert hub.engine.calls == []
    assert hub.lifecycle.recent() == []


async def test_what_stopped_while_the_hub_was_away_is_started(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db", "api"))
    await hub.do(START, "api")
    hub.engine.die("db", 1)
    again = await hub_of(engine=hub.engine)
    await again.lifecycle.converge(await again.store.unfinished())
    await again.settle()
    assert again.health()["db"] is Health.HEALTHY


async def test_a_restart_that_was_begun_is_done_once(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    before = hub.engine.of("db").incarnation
    hub.engine.hold("stop db")
    await hub.lifecycle.request(RESTART, "db", "curl")
    await asyncio.to_thread(hub.engine.begun["stop db"].wait, 10)

    successor = FakeEngine(*hub.engine.containers.values())
    again = await hub_of(engine=successor)
    owed = await again.store.unfinished()
    assert [operation.kind for operation in owed] == [RESTART]
    await again.lifecycle.converge(owed)
    await again.settle()
    assert successor.of("db").incarnation != before
    assert successor.calls == ["stop db", "start db"]
    assert await again.store.unfinished() == []
    assert await again.store.wishes() == {"db": Wish(Desired.RUNNING)}


async def test_an_interrupted_replacement_is_finished(hub_of: MakeHub) -> None:
    hub = await hub_of(leftover("db"))
    await hub.store.adopt({"db": Wish(Desired.RUNNING)}, NOW)
    hub.world.wish(await hub.store.wishes())
    await hub.lifecycle.converge([])
    await hub.settle()
    assert hub.engine.calls == ["rename db", "start db"]
    assert hub.engine.of("db").name == "heal7-db-1"


async def test_the_first_look_that_succeeds_converges_and_only_that(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    loop = Loop(hub.world, hub.pool, hub.lifecycle, hub.supervisor, [])
    hub.engine.silent = True
    await loop.observe_once(None)
    assert not loop.converged
    hub.engine.silent = False
    await loop.observe_once(None)
    assert loop.converged
    await loop.observe_once({"db"})
    assert hub.health()["db"] is Health.HEALTHY


# -- what is shown


async def test_nothing_is_known_before_the_first_look(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    assert hub.health() == dict.fromkeys(("web", "api", "db"), Health.UNKNOWN)
    assert hub.ear.services == []
    await hub.world.look()
    assert {view.name for view in hub.ear.services} == {"web", "api", "db"}


async def test_changes_are_told_once(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    await hub.world.look()
    hub.ear.services.clear()
    await hub.world.look()
    assert hub.ear.services == []
    hub.engine.die("db", 1)
    await hub.world.look(["db"])
    assert [view.state for view in hub.ear.services] == [State.EXITED]


async def test_a_pause_outside_the_hub_is_held_and_said(hub_of: MakeHub) -> None:
    hub = await hub_of(*running("db"))
    found = hub.engine.of("db")
    hub.engine.containers[found.id] = replace(found, state=State.PAUSED)
    await hub.world.look()
    assert hub.health()["db"] is Health.HELD


async def test_only_managed_services_are_shown(hub_of: MakeHub) -> None:
    declared = stack(service("web", "db"), service("db", managed=False))
    hub = await hub_of(declared=declared)
    assert (await hub.do(START)).success
    assert [view.name for view in hub.world.view().services] == ["web"]
    assert {view.name for view in hub.ear.services} == {"web"}


async def test_cpu_is_the_difference_of_two_samples(
    hub_of: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = await hub_of(*running("db"))
    await hub.world.look()
    used = iter((1_000_000_000, 2_000_000_000, 500_000_000))
    monkeypatch.setattr(
        consumption, "read_usages", lambda ids: {i: Usage(next(used), 4096) for i in ids}
    )
    shown = []
    for now in (10.0, 14.0, 18.0):
        hub.world.sample_usage(now)
        view = hub.world.service_view("db")
        shown.append((view.cpu_percent, view.memory_bytes))
    # A counter that went back belongs to another life: nothing to compare with.
    assert shown == [(None, 4096), (25.0, 4096), (None, 4096)]

"""Heals: looks, lets `controller.recovery` decide, stores what it decided, and only then acts.

One turn at a time. Whatever is woken, lost or doubled in between only means that the next turn sees
the newest state.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller import clock
from controller.engine.pool import EnginePool
from controller.errors import (
    ConflictError,
    EngineError,
    EngineUnreachableError,
    NotFoundError,
    StoreError,
)
from controller.health.selfcheck import SelfCheck
from controller.model.incident import Incident
from controller.model.observation import ContainerObs
from controller.model.recovery import ByHand, Pause, Record
from controller.model.text import Text
from controller.model.view import Desired, OperationView
from controller.orchestrator import goals
from controller.orchestrator.intent import who_ended
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.notices import Notices
from controller.orchestrator.sights import scene_of
from controller.orchestrator.world import World
from controller.recovery import policy, story
from controller.recovery.healer import exempt, heal
from controller.recovery.scene import DOWN, Memory, Order, Turn
from controller.store.healing import HealingStore
from controller.tasks import Tasks, WakeQueue

log = logging.getLogger(__name__)

_IDLE_S = 30.0
_RETRY_S = 1.0
_SOONEST_S = 0.02
_LOG_LINES = 50
_MEMORY = timedelta(hours=1)
_RUNS_LISTED = 1000


@dataclass(frozen=True, slots=True)
class _Hand:
    """What the engine said of who ended a life, asked once for each."""

    life: str
    how: ByHand | None


class Supervisor:
    """Owns the memory of healing. Use from the event loop only."""

    def __init__(
        self,
        world: World,
        pool: EnginePool,
        lifecycle: Lifecycle,
        store: HealingStore,
        notices: Notices,
        tasks: Tasks,
        self_check: SelfCheck,
    ):
        self._world = world
        self._pool = pool
        self._lifecycle = lifecycle
        self._store = store
        self._notices = notices
        self._tasks = tasks
        self._self_check = self_check
        self._memory = Memory()
        self._pause: Pause | None = None
        self._hands: dict[str, _Hand] = {}
        self._alive: dict[str, ContainerObs] = {}
        self._unnoted: set[str] = set()
        self._unsaved: tuple[dict[str, Record], dict[str, Incident]] = ({}, {})
        self._runs: defaultdict[str, set[str]] = defaultdict(set)
        self._arrived_at = -1
        self._turn = asyncio.Lock()
        self._queue = WakeQueue()
        self.rehearsing: dict[str, str] = {}
        self.stopped_to_rehearse: dict[str, datetime] = {}
        """Services that a dead hub may have stopped for a rehearsal, each with when that was asked
        for: nobody wants them down."""
        self.on_incident: Callable[[Incident | None, Incident], None] = _nobody
        """Told of every change of an incident, as it was and as it is."""
        world.on_sign = self._queue.wake

    # What people ask and order

    @property
    def paused(self) -> Pause | None:
        return self._pause

    @property
    def storm_since(self) -> datetime | None:
        """Since when over half of the stack has been failing its probes at once."""
        return self._memory.storm_since

    async def pause(self, by: str) -> Pause:
        """Watch, don't touch, from now on. Raises StoreError."""
        if self._pause is None:
            pause = Pause(clock.now(), by)
            await self._store.set_pause(pause, by, pause.since)
            self._pause = pause
            self._notices.paused(pause)
            self._queue.wake_all()
        return self._pause

    async def resume(self, by: str) -> None:
        """Heal again. Raises StoreError."""
        if self._pause is not None:
            await self._store.set_pause(None, by, clock.now())
            self._pause = None
            self._notices.paused(None)
            self._lifecycle.on_owed()
            self._queue.wake_all()

    def open_incidents(self) -> Sequence[Incident]:
        """Newest first."""
        return sorted(self._memory.incidents.values(), key=lambda i: i.opened_at, reverse=True)

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        """Newest first. Raises UnknownServiceError, StoreError."""
        if service is not None:
            self._lifecycle.one(service)
        return await self._store.incidents(service, is_open, limit)

    async def incident(self, incident_id: str) -> Incident:
        """Raises NotFoundError, StoreError."""
        found = self._memory.incidents.get(incident_id) or await self._store.incident(incident_id)
        if found is None:
            raise NotFoundError(f"There is no incident {incident_id}.")
        return found

    # The loop

    async def load(self) -> None:
        """Remember what was stored. Raises StoreError."""
        records, incidents, self._pause = await self._store.load()
        self._memory = Memory(records, incidents)

    async def run(self) -> None:
        """Heal until cancelled: a root loop."""
        due_s = _IDLE_S
        while True:
            await self._queue.take(due_s)
            due_s = await self.turn_once()

    async def turn_once(self) -> float:
        """One turn; the seconds until the next is due at the latest."""
        async with self._turn:
            if not self._settled():
                return _RETRY_S
            try:
                hands = await self._look_who()
            except EngineUnreachableError as error:
                log.warning("who ended a service is not known yet: %s", error.detail)
                return _RETRY_S
            if not self._settled():
                return _RETRY_S
            turn = self._decide(hands, None)
            await self._keep(turn)
            for order in turn.orders:
                await self._carry_out(order)
            if turn.look_again_at is None:
                return _IDLE_S
            return max(_SOONEST_S, min(_IDLE_S, (turn.look_again_at - clock.now()).total_seconds()))

    async def arrive(self, away: Text, interrupted: Sequence[OperationView]) -> frozenset[str]:
        """The hub or the engine came back: tell what was found dead, and return what convergence
        must leave alone. Raises EngineUnreachableError."""
        async with self._turn:
            asked = goals.asked_for(interrupted)
            await self._amend(self._owed(asked | self.stopped_to_rehearse), [])
            before = exempt(self._memory) - asked.keys()
            hands = await self._look_who()
            if self._pause is None:
                await self._keep(self._decide(hands, away))
            held = {name for name, record in self._memory.records.items() if record.held}
            return before | held

    def arrived(self, outages: int) -> None:
        """What was found after that many outages is being converged: what is down now is news."""
        self._arrived_at = outages
        self._queue.wake_all()

    def _settled(self) -> bool:
        """Whether what was found after the last outage is being converged already."""
        arrived = self._arrived_at == self._world.outages and self._world.connected
        return arrived and not self._lifecycle.preempted

    def _owed(self, asked: Mapping[str, datetime]) -> dict[str, Record]:
        """The records of what a person was to have running when the hub went away."""
        found = {}
        for name in asked.keys() & self._world.stack.managed:
            container = self._world.container(name)
            life = container.incarnation if container else ""
            alive = container is not None and container.state not in DOWN
            found[name] = policy.owed(self._record(name), life, asked[name], alive=alive)
        return found

    # One turn's parts

    def _decide(self, hands: Mapping[str, ByHand | None], away: Text | None) -> Turn:
        scene = scene_of(
            self._world,
            self._lifecycle,
            hands,
            pause=self._pause,
            ill=self._self_check.problem(),
            arrival=away,
            rehearsals=self.rehearsing,
            healed=self._unnoted,
        )
        return heal(scene, self._memory, clock.now(), clock.jitter, lambda: clock.new_id("inc"))

    def touched(self, service: str, run: str) -> None:
        """A run waits for the service: the incident that explains it lists the run, also where it
        is opened only after this."""
        self._runs[service].add(run)
        incident = self._open_of(service)
        if incident is not None and run not in incident.runs_held:
            self._tasks.spawn(f"runs of {incident.id}", self._list_runs(service))

    def untouched(self, service: str, run: str) -> None:
        """The run waits for it no longer."""
        self._runs[service].discard(run)

    async def _list_runs(self, service: str) -> None:
        async with self._turn:
            incident = self._open_of(service)
            if incident is not None:
                await self._amend({}, [self._with_runs(incident)])

    def _with_runs(self, incident: Incident) -> Incident:
        new = sorted(self._runs[incident.service].difference(incident.runs_held))
        if not new or not incident.is_open:
            return incident
        return replace(incident, runs_held=(*incident.runs_held, *new)[:_RUNS_LISTED])

    async def _keep(self, turn: Turn) -> None:
        """Store what was decided, then show and tell it."""
        before = self._memory.incidents
        turn = replace(turn, incidents=tuple(self._with_runs(i) for i in turn.incidents))
        self._memory = turn.memory
        self._know({}, turn.incidents)
        await self._save(turn.records, turn.incidents)
        self._world.healed(turn.shown)
        for service in turn.forgive:
            self._world.forgive(service)
        if turn.ask:
            self._world.ask_now(turn.ask)
        for incident in turn.incidents:
            self.on_incident(before.get(incident.id), incident)
            self._notices.incident(incident)
        for opened in turn.opened:
            self._tasks.spawn(f"evidence of {opened}", self._gather(opened))

    async def _save(self, records: Mapping[str, Record], incidents: Sequence[Incident]) -> None:
        """A store that cannot write does not keep services down: it is told, and tried again."""
        owed_records, owed_incidents = self._unsaved
        owed_records |= records
        owed_incidents |= {incident.id: incident for incident in incidents}
        if not owed_records and not owed_incidents:
            return
        try:
            await self._store.save(owed_records, list(owed_incidents.values()))
        except StoreError as error:
            log.error("healing goes on, but cannot be stored: %s", error.detail)
            return
        self._unsaved = ({}, {})

    async def _carry_out(self, order: Order) -> None:
        try:
            begun = await self._lifecycle.heal(order, "hub")
        except (ConflictError, EngineError) as error:
            log.warning("healing %s could not begin: %s", order.service, error.detail)
            begun = None
        if begun is None:
            # What the decision rested on has changed: the next turn sees it anew.
            await self._amend(self._disowned(order), [])
            self._queue.wake(order.service)
            return
        self._unnoted.update((order.service, *order.followers))
        self._mark(order, begun.id)
        self._tasks.spawn(f"healing of {order.service}", self._await_end(order, begun.id))

    def _mark(self, order: Order, operation: str) -> None:
        """Name the operation in the timeline; it is stored with the next change."""
        incident = self._open_of(order.service)
        if incident is not None:
            marked = story.named(incident, operation)
            self._know({}, [marked])
            self._notices.incident(marked)

    async def _await_end(self, order: Order, operation: str) -> None:
        try:
            ended = await self._lifecycle.wait(operation)
            async with self._turn:
                await self._note_end(order, ended)
        finally:
            # No turn before this one may judge what the order has left behind.
            self._unnoted.difference_update((order.service, *order.followers))
            self._queue.wake(order.service)

    async def _note_end(self, order: Order, ended: OperationView) -> None:
        now = clock.now()
        result = ended.results.get(order.service)
        word = "interrupted"
        if result is not None:
            word = {"unknown": "unknown"}.get(result.outcome, "done" if result.good else "failed")
        failure = result.cause if result is not None and not result.good else None
        detail = result.detail if result is not None else None
        changed = []
        for name in (order.service, *order.followers):
            incident = self._open_of(name)
            if incident is not None:
                said = (failure, detail) if name == order.service else (None, None)
                changed.append(story.acted(incident, word, now, *said))
        records = self._disowned(order) if word != "unknown" else {}
        record = records.get(order.service) or self._record(order.service)
        await self._amend({**records, order.service: replace(record, attempt=None)}, changed)

    async def _amend(self, records: Mapping[str, Record], incidents: Sequence[Incident]) -> None:
        """Remember, store and tell what became known between two turns."""
        self._know(records, incidents)
        await self._save(records, incidents)
        for incident in incidents:
            self._notices.incident(incident)

    def _know(self, records: Mapping[str, Record], incidents: Sequence[Incident]) -> None:
        still_open = {i.id: i for i in incidents if i.is_open}
        self._memory = replace(
            self._memory,
            records={**self._memory.records, **records},
            incidents={**self._memory.incidents, **still_open},
        )

    def _disowned(self, order: Order) -> dict[str, Record]:
        return policy.disowned(self._memory.records, order.claims, self._world.ended)

    def _record(self, service: str) -> Record:
        return self._memory.records.get(service) or Record()

    def _open_of(self, service: str) -> Incident | None:
        return self._memory.incidents.get(self._record(service).incident or "")

    # Who ended it, and what it said last

    async def _look_who(self) -> dict[str, ByHand | None]:
        """For every service that is down and should not be: whether a person did that, beside the
        hub."""
        found: dict[str, ByHand | None] = {}
        for name in self._world.stack.managed:
            container = self._world.container(name)
            if container is not None and container.state not in DOWN:
                self._alive[name] = container
                self._hands.pop(name, None)
                continue
            wanted = self._world.desired(name) is Desired.RUNNING and name not in self._unnoted
            if wanted and self._lifecycle.acting_on(name) is None:
                found[name] = await self._who(name, container)
        return found

    async def _who(self, name: str, container: ContainerObs | None) -> ByHand | None:
        life = container.incarnation if container else ""
        known = self._hands.get(name)
        if known is None or known.life != life:
            known = self._hands[name] = _Hand(life, await self._ask_engine(name, container))
        return known.how

    async def _ask_engine(self, name: str, container: ContainerObs | None) -> ByHand | None:
        ended = container or self._alive.get(name)
        if ended is None:
            return await self._ask_who_removed(name)
        claim, by_hub = self._record(name).claim, self._world.ended
        return await who_ended(self._pool, self._world.stack, ended, claim, by_hub)

    async def _ask_who_removed(self, name: str) -> ByHand | None:
        """A hub that comes back never saw the container that is gone; the engine may have."""
        since, stack = clock.now() - _MEMORY, self._world.stack
        spec = stack.services[name]
        number = spec.number if spec.replica_of else None
        service = stack.declared_as(name)
        asked = await self._pool.asked_to_end(stack.project, service, since, "", number)
        gone = any(signs.destroyed for signs in asked.containers.values())
        return ByHand.REMOVED if gone else None

    async def _gather(self, incident_id: str) -> None:
        """Keep the last lines of output, before the container may be replaced."""
        incident = await self.incident(incident_id)
        container_id = incident.evidence.container_id
        if container_id is None:
            return
        engine = self._pool.engine
        until = incident.detected_at if incident.evidence.exit_code is not None else None
        try:
            tail = await self._pool.look(engine.log_tail, container_id, _LOG_LINES, until)
        except EngineError as error:
            log.warning("the last lines of %s cannot be had: %s", incident.service, error.detail)
            return
        lines = tuple(line.rstrip() for line in tail.splitlines() if line.strip())
        async with self._turn:
            incident = await self.incident(incident_id)
            kept = replace(incident, evidence=replace(incident.evidence, log_tail=lines))
            await self._amend({}, [kept])


def _nobody(_before: Incident | None, _now: Incident) -> None:
    """Until somebody counts."""

"""Start, stop, restart, converge: the one way in for everything that changes containers.

Each request becomes an operation: its wishes are stored before anything is touched, its plan is
carried out in the background, and whoever wants may watch. Two operations never act on the same
service; the hub's own convergence gives way to a person.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from controller import clock
from controller.engine.pool import EnginePool
from controller.errors import (
    ConflictError,
    NotFoundError,
    StoreError,
    UnknownServiceError,
)
from controller.model.incident import Act
from controller.model.observation import ContainerObs, State
from controller.model.text import text
from controller.model.view import (
    Desired,
    Health,
    OperationKind,
    OperationStatus,
    OperationView,
    ServiceResult,
    Verdict,
)
from controller.orchestrator import goals, orphans
from controller.orchestrator.executor import Care, Execution
from controller.orchestrator.live import Live, LiveOperations
from controller.orchestrator.notices import Notices
from controller.orchestrator.outcome import Outcome
from controller.orchestrator.plan import Plan
from controller.orchestrator.reconcile import Goal, reconcile
from controller.orchestrator.results import is_over, result_of, results, status_of, steps
from controller.orchestrator.supplier import Supplier
from controller.orchestrator.supply import only_images, supplies
from controller.orchestrator.world import Activity, World
from controller.recovery.scene import Order
from controller.store.state import StateStore, Stored
from controller.tasks import Tasks

log = logging.getLogger(__name__)
_RECENT = 20


class Lifecycle:
    """Requests in, operations out. Use from the event loop only."""

    def __init__(
        self,
        world: World,
        pool: EnginePool,
        store: StateStore,
        notices: Notices,
        tasks: Tasks,
        scratch: Path | None = None,
    ):
        self._world = world
        self._stack = world.stack
        self._pool = pool
        self._store = store
        self._notices = notices
        self._tasks = tasks
        self._supplier = Supplier(pool, store, scratch)
        self._live = LiveOperations()
        self._recent: deque[OperationView] = deque(maxlen=_RECENT)
        self.preempted = False
        """True when a person's request ended convergence early: the rest of it is still owed."""
        self.on_owed: Callable[[], None] = _nobody
        """Called when what is still owed may be tried again."""

    async def load(self) -> None:
        """Remember what was pulled and the recent operations; what still runs there was a dead
        hub's."""
        await self._supplier.load()
        for view in await self._store.operations(_RECENT):
            dead = view.status is OperationStatus.RUNNING
            interrupted = replace(view, status=OperationStatus.INTERRUPTED, ended_at=clock.now())
            self._recent.append(interrupted if dead else view)

    def recent(self) -> Sequence[OperationView]:
        """Newest first, those under way included."""
        live = [live.view for live in self._live.values()]
        return sorted((*live, *self._recent), key=lambda o: o.requested_at, reverse=True)

    async def operation(self, operation_id: str) -> OperationView:
        """Raises NotFoundError."""
        if operation_id in self._live:
            return self._live[operation_id].view
        for view in self._recent:
            if view.id == operation_id:
                return view
        stored = await self._store.operation(operation_id)
        if stored is None:
            raise NotFoundError(f"There is no operation {operation_id}.")
        return stored

    def resolve(self, name: str | None) -> tuple[str, ...]:
        """The managed services meant; None is all. Raises UnknownServiceError."""
        if name is None:
            return self._stack.managed
        managed = self._stack.managed
        found = tuple(key for key in self._stack.members(name) if key in managed)
        if not found:
            raise UnknownServiceError(
                f"There is no managed service {name!r}.",
                remedy=f"The services are: {', '.join(managed)}.",
            )
        return found

    def one(self, name: str) -> str:
        """The managed service of that name. Raises UnknownServiceError, also for the name of
        several containers."""
        found = self.resolve(name)
        if found != (name,):
            raise UnknownServiceError(
                f"{name!r} runs in several containers.", remedy=f"Name one: {', '.join(found)}."
            )
        return name

    async def preview(self, kind: OperationKind, name: str | None) -> Plan:
        """The plan a request would carry out now. Nothing is changed."""
        targets = self.resolve(name)
        if kind.on_images:
            return only_images(self._stack, kind, targets)
        return self._reconcile(await self._goal(kind, targets, name is None), by_hand=True)

    async def request(self, kind: OperationKind, name: str | None, by: str) -> OperationView:
        """Begin an operation; it is acknowledged on disk when this returns.

        Raises UnknownServiceError, ConflictError, EngineUnreachableError, StoreError.
        """
        targets = self.resolve(name)
        involved = frozenset(goals.involved(self._stack, kind, targets))
        await self._make_way(involved, kind)
        live = self._reserve(kind, targets, involved, by)
        try:
            if kind.on_images:
                goal, plan = Goal(), only_images(self._stack, kind, targets)
            else:
                goal = await self._goal(kind, targets, name is None)
                plan = self._reconcile(goal, by_hand=True)
            wishes = goals.wishes_of(goal)
            cause = text(f"cause.{kind}_all" if name is None else f"cause.{kind}")
            await self._store.begin(Stored(live.view, wishes, cause.key))
        except BaseException:
            # A cancelled or broken request too must not keep its services reserved for ever.
            self._release(live)
            raise
        # First busy, then wanted: nobody must read "should run, but does not" in between.
        self._launch(live, plan)
        self._world.wish(wishes)
        return live.view

    async def preview_removal(self, wanted: Sequence[str] | None) -> Plan:
        """What `remove_orphans` would do now. Nothing is changed."""
        return orphans.removal(await self._orphans(wanted))

    async def remove_orphans(self, wanted: Sequence[str] | None, by: str) -> OperationView:
        """Begin to remove these orphans (names or ids; None is all there are); it is acknowledged
        on disk when this returns.

        Raises NotFoundError for what is no orphan, ConflictError, EngineUnreachableError,
        StoreError.
        """
        found = await self._orphans(wanted)
        services = tuple(dict.fromkeys(container.service for container in found))
        await self._make_way(frozenset(services), OperationKind.REMOVE_ORPHANS)
        live = self._reserve(OperationKind.REMOVE_ORPHANS, services, frozenset(services), by)
        try:
            cause = f"cause.{OperationKind.REMOVE_ORPHANS}"
            await self._store.begin(Stored(live.view, {}, cause))
        except BaseException:
            self._release(live)
            raise
        self._launch(live, orphans.removal(found))
        return live.view

    async def _orphans(self, wanted: Sequence[str] | None) -> tuple[ContainerObs, ...]:
        found = orphans.orphans(self._stack, await self._world.survey())
        return found if wanted is None else orphans.chosen(found, wanted)

    async def heal(self, order: Order, by: str) -> OperationView | None:
        """Begin to carry out what healing decided; None where that is no longer to be done.

        Raises EngineUnreachableError. A store that cannot write does not keep a service down.
        """
        names = frozenset((order.service, *order.followers))
        if order.act is not Act.START or not self._knows(order.service):
            await self._world.survey()
        # Nothing may be awaited from here on until the services are reserved.
        containers = {name: self._world.container(name) for name in names}
        found = containers[order.service]
        life, state = (found.incarnation, found.state) if found else ("", State.MISSING)
        # Who ended what ran a moment ago is not known yet: it may have been a person.
        if (life, state) != (order.life, order.state) or self._live.conflicts(names):
            return None
        if self._world.desired(order.service) is Desired.STOPPED:
            return None
        live = self._reserve(OperationKind.HEAL, (order.service,), names, by)
        try:
            plan = self._reconcile(goals.healed(order, containers))
            await self._store.begin(Stored(live.view, {}, order.cause.key))
        except StoreError as error:
            log.error("healing %s is not in the audit: %s", order.service, error.detail)
        except BaseException:
            self._release(live)
            raise
        self._launch(live, plan, Care({order.service: order.grace_s}, order.claims))
        return live.view

    def _knows(self, service: str) -> bool:
        """Whether a start can be planned without a survey: networks that were made after the last
        one would look gone, and the container would be replaced for it."""
        needed = self._stack.services[service].network_names
        return (
            self._world.container(service) is not None
            and needed <= self._world.seen.networks.keys()
        )

    def acting_on(self, service: str) -> OperationView | None:
        """The operation under way that holds this service."""
        found = self._live.conflicts(frozenset({service}))
        return found[0].view if found else None

    async def converge(
        self, interrupted: Sequence[OperationView], exempt: frozenset[str] = frozenset()
    ) -> bool:
        """Begin to bring about what people wanted and what dead operations owe. What is `exempt`
        is left to healing.

        False while a person's operation is in the way: nothing was begun, and it is to be tried
        again. Raises EngineUnreachableError, StoreError.
        """
        seen = await self._world.survey()
        containers = {name: seen.of(name) for name in self._stack.services}
        adopted = goals.adoptable(self._stack, self._world.wishes, containers)
        if adopted:
            await self._store.adopt(adopted, clock.now())
            self._world.wish(adopted)
        goal = goals.convergence(self._stack, self._world.wishes, interrupted, containers, exempt)
        owed = tuple(operation.id for operation in interrupted)
        if not goal.run and not goal.stop:
            await self._store.interrupt(owed, clock.now())
            self.preempted = False
            return True
        involved = frozenset((*goal.run, *goal.stop))
        if self._live.conflicts(involved):
            return False
        targets = tuple(dict.fromkeys((*goal.run, *goal.stop)))
        live = self._reserve(OperationKind.CONVERGE, targets, involved, "hub")
        try:
            plan = self._reconcile(goal)
            await self._store.begin(Stored(live.view, {}, "cause.converge", owed))
        except BaseException:
            self._release(live)
            raise
        self.preempted = False
        self._launch(live, plan)
        return True

    async def wait(self, operation_id: str) -> OperationView:
        """Wait for an operation's end."""
        if operation_id in self._live:
            await self._live[operation_id].done.wait()
        return await self.operation(operation_id)

    async def _goal(self, kind: OperationKind, targets: tuple[str, ...], everything: bool) -> Goal:
        seen = await self._world.survey()
        containers = {name: seen.of(name) for name in self._stack.services}
        return goals.requested(self._stack, kind, targets, containers, everything)

    def _reconcile(self, goal: Goal, *, by_hand: bool = False) -> Plan:
        healthy = frozenset(
            name
            for name in self._stack.services
            if self._world.judge(name).health is Health.HEALTHY
        )
        seen = self._world.seen
        needed = supplies(self._stack, seen, self._supplier.pulls, clock.now(), by_hand=by_hand)
        return reconcile(self._stack, goal, seen, healthy, needed)

    async def _make_way(self, services: frozenset[str], kind: OperationKind) -> None:
        """End what the hub does by itself in a person's way. Raises ConflictError otherwise."""
        for live in self._live.conflicts(services, kind):
            if not live.view.kind.by_hub:
                busy = ", ".join(sorted(live.services & services))
                raise ConflictError(
                    f"{live.view.kind} ({live.view.id}) is already acting on {busy}.",
                    remedy=f"Wait for it: GET /orchestration/operations/{live.view.id}.",
                )
            if live.execution:
                live.execution.cancel()
                self.preempted |= live.view.kind is OperationKind.CONVERGE
            await live.done.wait()

    def _reserve(
        self,
        kind: OperationKind,
        targets: tuple[str, ...],
        services: frozenset[str],
        by: str,
    ) -> Live:
        if self._live.conflicts(services, kind):
            raise ConflictError("Another operation was just begun on the same services.")
        view = OperationView(
            id=clock.new_id("op"),
            kind=kind,
            status=OperationStatus.RUNNING,
            targets=targets,
            requested_at=clock.now(),
            requested_by=by,
        )
        live = Live(view, services)
        self._live[view.id] = live
        return live

    def _release(self, live: Live) -> None:
        self._live.pop(live.view.id, None)
        live.done.set()
        if self.preempted:
            self.on_owed()

    def _launch(self, live: Live, plan: Plan, care: Care | None = None) -> None:
        outcomes: dict[int, Outcome] = {}

        def on_step(op_id: int, outcome: Outcome) -> None:
            outcomes[op_id] = outcome
            live.view = replace(live.view, steps=steps(plan, outcomes))
            self._notices.operation(live.view)
            service = next(op.service for op in plan.ops if op.id == op_id)
            if live.view.kind is not OperationKind.HEAL and is_over(plan, service, outcomes):
                self._let_go(live, service, result_of(plan, service, outcomes))

        live.execution = Execution(
            plan,
            self._stack,
            self._world,
            self._pool,
            self._supplier,
            live.view,
            on_step,
            care,
        )
        if live.view.kind is not OperationKind.HEAL:
            live.services &= frozenset(plan.acts_on)
        for service in plan.acts_on if live.touched else ():
            self._world.note(service, None)
            self._world.act(service, Activity(live.view.id, text("phase.waiting")))
        self._tasks.spawn(f"operation {live.view.id}", self._run(live, plan, live.execution))

    def _let_go(self, live: Live, service: str, result: ServiceResult) -> None:
        """Free a service before the whole operation is over, which may go on for long (with a
        build, say): people may ask for it again, and healing may look after it."""
        if service not in live.touched:
            return
        if result.outcome == "blocked":
            self._world.note(service, Verdict(Health.BLOCKED, result.cause))
        self._world.act(service, None)
        live.services -= {service}

    async def _run(self, live: Live, plan: Plan, execution: Execution) -> None:
        try:
            outcomes = await execution.run()
            ended = results(plan, outcomes)
            status = OperationStatus.INTERRUPTED if execution.cancelled else status_of(ended)
        except ExceptionGroup:
            log.exception("operation %s broke", live.view.id)
            ended, status = {}, OperationStatus.FAILED
        for name, result in ended.items():
            if result.outcome == "blocked" and name in live.services:
                self._world.note(name, Verdict(Health.BLOCKED, result.cause))
        # On disk first: an operation is over when its end is stored and its services are free.
        final = replace(live.view, status=status, ended_at=clock.now(), results=ended)
        try:
            await self._store.finish(final, self._live.touched_beside(live))
        finally:
            live.view = final
            for service in live.touched:
                self._world.act(service, None)
            self._recent.appendleft(final)
            self._release(live)
            self._notices.operation(final)


def _nobody() -> None:
    """Until a loop runs there is nobody to tell."""

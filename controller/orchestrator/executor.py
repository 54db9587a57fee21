"""Carries out a plan: whatever is ready runs in parallel, and a failure stops only its successors.

The executor decides nothing about *what* to do. It runs operations, waits for verdicts, and turns
what the engine says into a cause that a person understands.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from controller import clock
from controller.engine.hooks import HookError
from controller.engine.networks import renew
from controller.engine.pool import EnginePool
from controller.engine.progress import BuildError
from controller.engine.supplies import PullError, StoppedError
from controller.errors import (
    EngineConflictError,
    EngineError,
    EngineNotFoundError,
    EngineUnreachableError,
)
from controller.health.verdict import exit_sentence
from controller.model.observation import ContainerObs, State
from controller.model.recovery import Claim
from controller.model.spec import ContainerSpec, Mount, StackSpec
from controller.model.text import Text, text
from controller.model.view import Health, OperationView, Verdict
from controller.orchestrator.explain import explain
from controller.orchestrator.hooks import after_start, before_stop
from controller.orchestrator.intent import who_ended
from controller.orchestrator.orphans import GRACE_S
from controller.orchestrator.outcome import Outcome, Status, passes
from controller.orchestrator.plan import Op, Plan, PlannedOp, Tolerance
from controller.orchestrator.sharing import bound
from controller.orchestrator.supplier import Supplier
from controller.orchestrator.supply import MISSING, builder_of
from controller.orchestrator.world import Activity, World

log = logging.getLogger(__name__)

_ADOPT_TIMEOUT_S = 10.0
_LOG_LINES = 20


class Failure(Exception):  # noqa: N818 - an outcome on its way up, not an error of the hub
    """An operation ended badly, with the sentence to show."""

    def __init__(self, cause: Text, *, detail: str | None = None, unhealthy: bool = False):
        super().__init__(str(cause))
        self.cause = cause
        self.detail = detail
        self.unhealthy = unhealthy


@dataclass(frozen=True, slots=True)
class Care:
    """For healing, which nobody asked for: a process that hangs gets less grace to end
    (`graces_s`, by service), and nothing is started again that somebody else has stopped meanwhile:
    `claims` are the lives that healing itself ends for it, by service.
    """

    graces_s: Mapping[str, float]
    claims: Mapping[str, Claim]


class Execution:
    """One run of one plan. `on_step(op id, outcome)` is told of every change."""

    def __init__(
        self,
        plan: Plan,
        stack: StackSpec,
        world: World,
        pool: EnginePool,
        supplier: Supplier,
        operation: OperationView,
        on_step: Callable[[int, Outcome], None],
        care: Care | None = None,
    ):
        self._plan = plan
        self._stack = stack
        self._world = world
        self._pool = pool
        self._supplier = supplier
        self._operation = operation
        self._on_step = on_step
        self._care = care
        self._made: dict[str, str] = {}
        self._ended: dict[str, ContainerObs] = {}
        self._cancelled = asyncio.Event()
        self._begun = clock.monotonic()
        self.outcomes: dict[int, Outcome] = {}

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Begin nothing more; what is under way in the engine is let finish."""
        self._cancelled.set()

    async def run(self) -> Mapping[int, Outcome]:
        """Carry out the whole plan; never raises for what an operation did."""
        tasks: dict[int, asyncio.Task[Outcome]] = {}
        async with asyncio.TaskGroup() as group:
            for op in self._plan.ops:
                before = [(edge, tasks[edge.id]) for edge in op.edges]
                waits = [(edge.tolerance, task) for edge, task in before]
                tasks[op.id] = group.create_task(self._one(op, waits), name=f"{op.op} {op.service}")
        return self.outcomes

    async def _one(
        self, op: PlannedOp, waits: list[tuple[Tolerance, asyncio.Task[Outcome]]]
    ) -> Outcome:
        self._settle(op, Outcome(Status.WAITING))
        for tolerance, task in waits:
            before = await task
            if not passes(before, tolerance):
                return self._settle(op, Outcome(Status.SKIPPED, before.cause, before.detail))
        if self._cancelled.is_set():
            return self._settle(op, Outcome(Status.SKIPPED, text("result.cancelled")))
        self._settle(op, Outcome(Status.RUNNING))
        self._show(op)
        return self._settle(op, await self._outcome(op))

    async def _outcome(self, op: PlannedOp) -> Outcome:
        try:
            await self._do(op)
        except Failure as failure:
            status = Status.UNHEALTHY if failure.unhealthy else Status.FAILED
            outcome = Outcome(status, failure.cause, failure.detail)
        except EngineUnreachableError as error:
            self._world.set_connected(False)
            cause = text("fail.engine_gone", detail=error.detail)
            return Outcome(Status.FAILED, cause, unknown=True)
        except StoppedError:
            outcome = Outcome(Status.UNHEALTHY, text("result.cancelled"))
        except EngineError as error:
            detail = error.output if isinstance(error, BuildError | HookError) else error.detail
            outcome = Outcome(
                Status.FAILED, explain(self._stack.services.get(op.service), error), detail
            )
        else:
            return Outcome(Status.DONE)
        if outcome.cause is not None and outcome.status is Status.FAILED:
            self._note(op.service, outcome.cause)
        return outcome

    def _note(self, service: str, cause: Text) -> None:
        """Remember the failure as what keeps the service down. What runs on, and ends later, has
        not ended for this."""
        container = self._world.container(service)
        runs = container is not None and container.state is State.RUNNING
        if not runs and not self._operation.kind.on_images:
            self._world.note(service, Verdict(Health.FAILED, cause))

    def _settle(self, op: PlannedOp, outcome: Outcome) -> Outcome:
        stamped = replace(outcome, at=clock.monotonic() - self._begun)
        self.outcomes[op.id] = stamped
        self._on_step(op.id, stamped)
        return stamped

    def _show(self, op: PlannedOp) -> None:
        stopping = op.op in (Op.STOP, Op.REMOVE)
        phase = text("phase.stopping" if stopping else "phase.starting")
        if self._care is not None:
            phase = text("phase.healing")
        self._show_phase(op.service, phase)

    def _show_phase(self, service: str, phase: Text) -> None:
        if not self._operation.kind.on_images:
            self._world.act(service, Activity(self._operation.id, phase))

    def _progress(self, op: PlannedOp, said: Text) -> None:
        self._show_phase(op.service, said)
        self._settle(op, replace(self.outcomes[op.id], progress=said))

    async def _do(self, op: PlannedOp) -> None:
        match op.op:
            case Op.READY:
                await self._ready(op)
            case Op.FINISHED:
                await self._finished(op)
            case Op.NETWORK | Op.RENEW | Op.VOLUME:
                await self._ensure(op)
            case Op.PULL | Op.BUILD:
                await self._supply(op)
            case Op.CREATE:
                await self._create(op)
                await self._world.look([op.service])
            case _:
                await self._change(op, self._container_id(op))
                await self._world.look([op.service])

    async def _ensure(self, op: PlannedOp) -> None:
        engine = self._pool.engine
        if op.op is Op.VOLUME:
            volume = next(v for v in self._stack.volumes if v.name == op.subject)
            await self._pool.command(engine.ensure_volume, volume)
            return
        network = next(n for n in self._stack.networks if n.name == op.subject)
        if op.op is Op.RENEW:
            await self._pool.command(renew, engine, network)
        else:
            await self._pool.command(engine.ensure_network, network)

    async def _supply(self, op: PlannedOp) -> None:
        """Pull or build, unless the image was only missing and is not any more."""
        spec, told = self._stack.services[op.service], partial(self._progress, op)
        if op.cause.key == MISSING:
            engine = self._pool.engine
            if op.subject in await self._pool.look(engine.image_ids, [op.subject]):
                return
        if op.op is Op.PULL:
            try:
                platform = spec.container.settings.platform
                await self._supplier.pull(op.subject, platform, self._cancelled, told)
            except PullError as error:
                if not op.lenient:
                    raise
                log.warning("%s is not pulled: %s", op.subject, error.detail)
            return
        builder = builder_of(self._stack, spec)
        if builder is not None and builder.source.build is not None:
            build = builder.source.build
            await self._supplier.build(build, op.subject, self._cancelled, told)

    async def _change(self, op: PlannedOp, container_id: str) -> None:
        engine, command = self._pool.engine, self._pool.command
        match op.op:
            case Op.RENAME:
                await command(engine.rename, container_id, op.subject)
            case Op.UNPAUSE:
                await command(engine.unpause, container_id)
            case Op.STOP:
                await self._stop(op.service, container_id)
            case Op.REMOVE:
                await self._only_ours(op.service)
                await command(engine.remove, container_id)
                # From here on the engine remembers a removal, which is ours.
                self._ended.pop(op.service, None)
            case Op.START:
                await self._only_ours(op.service)
                await command(engine.start, container_id)
                await after_start(self._pool, self._stack.services[op.service], container_id)

    async def _stop(self, service: str, container_id: str) -> None:
        declared = self._stack.services.get(service)
        graces = self._care.graces_s if self._care else {}
        ending = self._world.container(service)
        usual = declared.container.stop_grace_s if declared else GRACE_S
        grace = graces.get(service, usual)
        wait_s = grace if self._answers(service) else 0.0
        async with self._world.traffic.closed(service, wait_s):
            if declared is not None and wait_s > 0:
                await before_stop(self._pool, declared, container_id, wait_s)
            ended = await self._pool.command(self._pool.engine.stop, container_id, grace)
        if ended:
            if ending is not None:
                self._world.ended[ending.incarnation] += 1
                self._ended[service] = ending
        elif self._care:
            raise Failure(text("fail.stopped_meanwhile"))

    def _answers(self, service: str) -> bool:
        """Whether requests under way there may still come to an end."""
        container, history = self._world.container(service), self._world.history(service)
        running = container is not None and container.state is State.RUNNING
        sick = history is not None and history.first_bad_at is not None
        return running and not (sick and history is not None and history.silent)

    async def _only_ours(self, service: str) -> None:
        """Raises Failure where somebody else, too, asked for the end of what healing has ended."""
        ended = self._ended.get(service)
        if self._care is None or ended is None:
            return
        claim = self._care.claims.get(service)
        if await who_ended(self._pool, self._stack, ended, claim, self._world.ended) is not None:
            raise Failure(text("fail.stopped_meanwhile"))

    def _container_id(self, op: PlannedOp) -> str:
        found = op.container_id or self._made.get(op.service)
        if found is None:
            raise EngineNotFoundError(f"{op.subject} has no container")
        return found

    async def _create(self, op: PlannedOp) -> None:
        service = self._stack.services[op.service]
        planned = _as_planned(service.container, op)
        spec = bound(planned, service, self._stack, self._world.seen)
        try:
            made = await self._pool.command(self._pool.engine.create, spec)
        except EngineConflictError:
            made = await self._adopt(op, spec)
        self._made[op.service] = made

    async def _adopt(self, op: PlannedOp, spec: ContainerSpec) -> str:
        """The name is taken. If by our own container (a dead hub's create that the engine still
        finished), that is the one; raises Failure when it is a stranger's."""
        deadline = clock.monotonic() + _ADOPT_TIMEOUT_S
        while clock.monotonic() < deadline:
            labels = await self._pool.look(self._pool.engine.container_labels, spec.name)
            if labels is None:
                # Its removal was in progress and is over now.
                return await self._pool.command(self._pool.engine.create, spec)
            if not dict(spec.labels).items() <= labels.items():
                raise Failure(text("fail.name_taken", name=spec.name))
            await self._world.look([op.service])
            for found in self._world.seen.containers.get(op.service, ()):
                if found.name == spec.name and found.state is not State.REMOVING:
                    return found.id
            await self._world.wait_change(0.1)
        raise EngineConflictError(f"{spec.name} stayed half-made", service=op.service)

    async def _ready(self, op: PlannedOp) -> None:
        """Wait until the verdict is healthy. Raises Failure when it is anything final else."""
        startup = self._stack.services[op.service].probe.startup_s
        begun, deadline = clock.now(), clock.monotonic() + startup + 5
        while True:
            verdict = self._world.judge(op.service)
            if verdict.health is Health.HEALTHY:
                self._world.note(op.service, None)
                return
            if verdict.reason.key == "health.completed":
                return
            if verdict.health in (Health.FAILED, Health.STOPPED):
                await self._raise_crash(op.service, verdict)
            if verdict.health is Health.UNKNOWN:
                raise EngineUnreachableError("waiting for the verdict")
            late = clock.monotonic() >= deadline
            bad = verdict.health is Health.UNHEALTHY and self._asked_since(op.service, begun)
            if bad or verdict.health is Health.HELD or late:
                raise Failure(text("fail.not_ready", why=verdict.reason), unhealthy=True)
            if self._cancelled.is_set():
                raise Failure(text("result.cancelled"), unhealthy=True)
            await self._world.wait_change(1.0)

    def _asked_since(self, service: str, moment: datetime) -> bool:
        """False while all that is known are answers from before `moment`: a person may have mended
        what was wrong then."""
        history = self._world.history(service)
        return history is None or history.last is None or history.last.at >= moment

    async def _finished(self, op: PlannedOp) -> None:
        """Wait for a one-shot's end. Raises Failure unless it exits with 0."""
        while True:
            container = self._world.container(op.service)
            if container is None:
                raise EngineNotFoundError(f"{op.subject} is gone")
            if container.state in (State.EXITED, State.DEAD):
                if container.exit_code != 0:
                    await self._raise_crash(op.service, self._world.judge(op.service))
                return
            if self._cancelled.is_set():
                raise Failure(text("result.cancelled"), unhealthy=True)
            await self._world.wait_change(1.0)

    async def _raise_crash(self, service: str, verdict: Verdict) -> None:
        container = self._world.container(service)
        lines = await self._last_lines(container) if container else []
        why = exit_sentence(container) if container else verdict.reason
        if not lines:
            raise Failure(why)
        raise Failure(text("fail.crashed", why=why, line=lines[-1]), detail="\n".join(lines))

    async def _last_lines(self, container: ContainerObs) -> list[str]:
        try:
            tail = await self._pool.look(self._pool.engine.log_tail, container.id, _LOG_LINES)
        except EngineError:
            return []
        return [line.rstrip() for line in tail.splitlines() if line.strip()]


def _as_planned(spec: ContainerSpec, op: PlannedOp) -> ContainerSpec:
    """The declared container under the planned name, with the volumes it takes over wherever the
    declaration puts nothing else."""
    kept = dict(op.volumes)
    mounts = [
        replace(m, source=kept[m.target])
        if m.type == "volume" and not m.source and m.target in kept
        else m
        for m in spec.mounts
    ]
    taken = {m.target for m in mounts} | {target for target, _ in spec.tmpfs}
    mounts += [Mount("volume", t, source) for t, source in kept.items() if t not in taken]
    return replace(spec, name=op.subject, mounts=tuple(mounts))

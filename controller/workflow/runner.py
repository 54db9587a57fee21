"""Carries runs out: decide, write, act, one step after the other in each run, many runs at once.

Nothing is asked of a service before the journal has the order on disk. What a service answered is
known to the run at once and to people as soon as it is written; should the hub die in between, it
is asked again under the same key. A journal that cannot write stops runs where they are and loses
none of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from controller import clock
from controller.errors import StoreError
from controller.model.run import Error, Event, Kind, Run, RunStatus, StepStatus, UndoStatus
from controller.model.text import Text, text
from controller.model.workflow import Call, Definition, Step
from controller.store.journal import Append, FencedError, Journal, Mark
from controller.tasks import Tasks
from controller.workflow.activities import Asking, Broken, Caller
from controller.workflow.context import context_of
from controller.workflow.faultpoints import reach
from controller.workflow.fold import apply
from controller.workflow.machine import Access, decide
from controller.workflow.outcome import Ending, Outcome, forward_event, undo_event
from controller.workflow.services import Services

log = logging.getLogger(__name__)

_RETRY_S = 1.0

Message = Callable[[Run, float], Event | None]
"""Makes an event of what came in, by the state it meets; None where it comes too late."""


class RunWatcher(Protocol):
    """Told of every change of a run after it is on disk; must return at once."""

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None: ...


class Live:
    """A run that has not ended, in memory."""

    __slots__ = (
        *("definition", "done", "drive", "inbox", "listeners", "mark", "run", "seq", "tasks"),
        *("timer", "waits_on", "wake"),
    )

    def __init__(self, run: Run, definition: Definition, seq: int):
        self.run = run
        self.definition = definition
        self.seq = seq
        self.mark = mark_of(run)
        self.inbox: list[Message] = []
        self.listeners: list[tuple[Kind, asyncio.Future[None]]] = []
        """Whoever waits until an event of that kind is on disk."""
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.waits_on: frozenset[str] = frozenset()
        self.wake = asyncio.Event()
        self.done = asyncio.Event()
        self.drive: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None

    def tell(self, message: Message) -> None:
        self.inbox.append(message)
        self.wake.set()


class Runner:
    """Every run of this hub that has not ended. Use from the event loop only."""

    def __init__(
        self,
        journal: Journal,
        services: Services,
        caller: Caller,
        tasks: Tasks,
        watchers: Sequence[RunWatcher],
    ):
        self._journal = journal
        self._services = services
        self._caller = caller
        self._tasks = tasks
        self._watchers = watchers
        self._live: dict[str, Live] = {}
        self._slots: defaultdict[str, set[str]] = defaultdict(set)
        self._queues: defaultdict[str, dict[str, Live]] = defaultdict(dict)
        self._waiting: defaultdict[str, set[str]] = defaultdict(set)
        self._starting: set[str] = set()
        self.problem: str | None = None
        """What keeps the journal from being written, while something does."""
        services.on_change = self.service_changed

    @property
    def live(self) -> Sequence[Live]:
        return list(self._live.values())

    def find(self, run_id: str) -> Live | None:
        return self._live.get(run_id)

    def under_way(self, workflow: str) -> list[Live]:
        """Runs that hold a place among those its limit allows, oldest first."""
        return [
            live for run_id in sorted(self._slots[workflow]) if (live := self._live.get(run_id))
        ]

    def service_changed(self, service: str) -> None:
        """Whoever waits for the service looks again."""
        for run_id in self._waiting.get(service, ()):
            if live := self._live.get(run_id):
                live.wake.set()

    def may_start(self, run: Run, definition: Definition) -> bool:
        """Whether the limit has a place for it; if so the place is taken."""
        if run.status is not RunStatus.PENDING or run.cancel_by is not None:
            return True
        slots, limit = self._slots[definition.name], definition.concurrency
        if run.id not in slots:
            first = next(iter(self._queues[definition.name]), run.id)
            if limit is not None and (len(slots) >= limit.limit or first != run.id):
                return False
            slots.add(run.id)
        return True

    def give_back(self, run: Run) -> None:
        """The run is over, or never was: its place goes to the next."""
        self._slots[run.workflow].discard(run.id)
        queue = self._queues[run.workflow]
        queue.pop(run.id, None)
        if queue:
            next(iter(queue.values())).wake.set()

    def enlist(self, live: Live, events: Iterable[Event] = ()) -> None:
        """Begin to carry out a run that is on disk; `events` are its newest, whose orders are still
        to be carried out."""
        run = live.run
        self._live[run.id] = live
        if run.status is RunStatus.PENDING:
            self._queues[run.workflow][run.id] = live
        else:
            self._slots[run.workflow].add(run.id)
        self._launch(live, events)
        live.drive = self._tasks.spawn(f"run {run.id}", self._drive(live))

    async def let_go(self) -> None:
        """Drop every run: another hub has them now. Nothing more is asked or written for them."""
        gone = self.live
        drives = [live.drive for live in gone if live.drive is not None]
        for drive in drives:
            drive.cancel()
        await asyncio.gather(*drives, return_exceptions=True)
        for live in gone:
            # A task that is cancelled before its first turn never comes to its own end.
            if not live.done.is_set():
                self._leave(live)

    # One run

    async def _drive(self, live: Live) -> None:
        try:
            while True:
                await self._advance(live)
                if live.run.status.ended:
                    break
                await live.wake.wait()
        except FencedError as error:
            log.error("run %s is another hub's now: %s", live.run.id, error.detail)
        finally:
            self._leave(live)

    async def _advance(self, live: Live) -> None:
        """One turn: take what came in, decide, write, act."""
        live.wake.clear()
        now = clock.epoch()
        events, run = self._take(live, now)
        free = self.may_start(run, live.definition)
        decision = decide(run, live.definition, now, self._services.ready, may_start=free)
        events += decision.events
        if events:
            await self._write(live, events, decision.run)
            if live.run.status is not RunStatus.PENDING:
                self._queues[run.workflow].pop(run.id, None)
            self._launch(live, decision.events)
        for service in decision.start:
            self._start(service, live)
        self._watch(live)
        self._wake_at(live, decision.wake_at)

    def _take(self, live: Live, now: float) -> tuple[list[Event], Run]:
        run, events = live.run, []
        inbox, live.inbox = live.inbox, []
        for message in inbox:
            event = message(run, now)
            if event is not None:
                run = apply(run, event)
                events.append(event)
        return events, run

    async def _write(self, live: Live, events: Sequence[Event], run: Run) -> None:
        """Put it on disk, however long that takes; only then is it so."""
        mark = mark_of(run)
        entry = Append(run.id, live.seq, tuple(events), mark if mark != live.mark else None)
        reach("before_append")
        while True:
            try:
                await self._journal.append(entry)
                break
            except StoreError as error:
                if self.problem is None:
                    log.error("runs stand still, the journal cannot be written: %s", error.detail)
                self.problem = error.detail
                await asyncio.sleep(_RETRY_S)
        reach("after_append")
        self.problem = None
        live.seq += 1
        live.run, live.mark = run, mark
        if live.listeners:
            _resolve(live, {event.kind for event in events})
        for watcher in self._watchers:
            watcher.changed(run, live.definition, events)

    def _launch(self, live: Live, events: Iterable[Event]) -> None:
        for event in events:
            if event.kind is Kind.STEP_STARTED:
                self._spawn(live, event.step, undo=False)
            elif event.kind is Kind.UNDO_STARTED:
                self._spawn(live, event.step, undo=True)
            elif event.kind is Kind.STEP_CANCELLED and (task := live.tasks.pop(event.step, None)):
                task.cancel()

    def _spawn(self, live: Live, step_id: str, *, undo: bool) -> None:
        step = live.definition.by_id[step_id]
        name = f"{'undo of ' if undo else ''}{step_id} of {live.run.id}"
        live.tasks[step_id] = self._tasks.spawn(name, self._ask(live, step, undo=undo))

    def _start(self, service: str, live: Live) -> None:
        if service in self._starting:
            return
        self._starting.add(service)

        async def start() -> None:
            try:
                await self._services.start(service, f"run {live.run.id}")
            finally:
                self._starting.discard(service)
                self.service_changed(service)

        self._tasks.spawn(f"start of {service} for {live.run.id}", start())

    def _watch(self, live: Live) -> None:
        """Remember which services the run waits for, and let their incidents name it."""
        waits_on = frozenset(
            step.service
            for step in live.run.steps.values()
            if step.status is StepStatus.HELD or step.undo.status is UndoStatus.HELD
        )
        if waits_on == live.waits_on:
            return
        for service in live.waits_on - waits_on:
            self._free(live, service)
        for service in waits_on - live.waits_on:
            self._waiting[service].add(live.run.id)
            self._services.touched(service, live.run.id)
        live.waits_on = waits_on

    def _free(self, live: Live, service: str) -> None:
        self._waiting[service].discard(live.run.id)
        self._services.untouched(service, live.run.id)

    def _wake_at(self, live: Live, at: float | None) -> None:
        if at is None or live.run.status.ended:
            if live.timer is not None:
                live.timer.cancel()
            live.timer = None
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + max(0.0, at - clock.epoch())
        if live.timer is not None and not live.timer.cancelled():
            if loop.time() < live.timer.when() <= due:
                # It wakes the run early enough, and that costs one look.
                return
            live.timer.cancel()
        live.timer = loop.call_at(due, live.wake.set)

    def _leave(self, live: Live) -> None:
        self._wake_at(live, None)
        for task in live.tasks.values():
            task.cancel()
        for service in live.waits_on:
            self._free(live, service)
        if self._live.get(live.run.id) is live:
            del self._live[live.run.id]
        self.give_back(live.run)
        live.done.set()

    # One attempt

    async def _ask(self, live: Live, step: Step, *, undo: bool) -> None:
        run = live.run
        state = run.steps[step.id]
        token = state.undo.started_at if undo else state.attempt_at
        failures = state.undo.failures if undo else state.failures
        call = step.undo if undo else step.call
        assert call is not None
        asking = Asking(
            call=call,
            context=context_of(run, live.definition, step, undo=undo),
            run=run.id,
            step=step.id,
            key=f"{run.id}:{step.id}" + (":undo" if undo else ""),
            trace_id=run.trace_id,
            timeout_s=step.timeout_s,
            attempt=failures + 1,
        )
        outcome = await self._outcome(step, asking, undo=undo)

        def message(run: Run, now: float) -> Event | None:
            state = run.steps[step.id]
            if undo:
                fits = state.undo.status is UndoStatus.RUNNING and state.undo.started_at == token
                return undo_event(step, state, outcome, now, clock.jitter) if fits else None
            fits = state.status is StepStatus.RUNNING and state.attempt_at == token
            return forward_event(step, state, outcome, now, clock.jitter) if fits else None

        live.tasks.pop(step.id, None)
        live.tell(message)

    async def _outcome(self, step: Step, asking: Asking, *, undo: bool) -> Outcome:
        place = self._services.place(step.service)
        target = self._services.target(place)
        if target is None:
            found = self._services.ready(step.service)
            if found.access is not Access.READY:
                return Outcome(Ending.OUTAGE, hold=found)
            why = Error(text("run.no_address", service=step.service))
            return Outcome(Ending.PERMANENT, error=why)
        reach("before_undo" if undo else "before_call")
        self._services.enter(place)
        try:
            answer = await self._caller.call(target, asking)
        finally:
            self._services.leave(place)
        reach("after_undo" if undo else "after_call")
        if isinstance(answer, Broken):
            hold = await self._services.lost(place, target.incarnation)
            if hold is not None:
                return Outcome(Ending.OUTAGE, hold=hold)
            # An undo must be safe to repeat anyway: nobody could ever know whether it was done.
            ending = Ending.TEMPORARY if undo else _ending_of_broken(asking.call)
            return Outcome(ending, error=answer.error)
        if answer.ending is Ending.TEMPORARY:
            found = self._services.ready(place)
            if found.access is not Access.READY:
                return Outcome(Ending.OUTAGE, hold=found)
        return answer


def _resolve(live: Live, written: set[Kind]) -> None:
    for kind, future in live.listeners:
        if kind in written and not future.done():
            future.set_result(None)
    live.listeners = [(k, f) for k, f in live.listeners if not f.done()]


def _ending_of_broken(call: Call) -> Ending:
    """A request whose end nobody saw is only repeated where that does no harm."""
    safe = call.action is not None or call.method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS")
    return Ending.TEMPORARY if safe else Ending.PERMANENT


def mark_of(run: Run) -> Mark:
    """The run's line in the lists."""
    done = run.done if run.status.ended else None
    return Mark(run.shown, run.started_at, run.ended_at, reason_of(run), done)


def reason_of(run: Run) -> Text | None:
    """Why it waits, or how it ended badly; None where there is nothing to say."""
    if run.status is RunStatus.COMPENSATION_FAILED:
        for step in run.steps.values():
            if step.undo.status is UndoStatus.FAILED and step.undo.error is not None:
                return text("run.undo_failed", step=step.id, why=step.undo.error.reason)
    if run.shown is RunStatus.WAITING:
        hold = run.holds[0].hold
        return hold.reason if hold else None
    if run.status is RunStatus.COMPENSATING:
        for step in run.steps.values():
            if step.undo.hold is not None:
                return step.undo.hold.reason
    return run.error.reason if run.error else None

"""What happens next in a run; pure.

From a run, its definition, the time and how each service is, to the events that must be written
before anything is done. A `step_started` or `undo_started` among them is an order: the service is
asked once that event is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.model import expression
from controller.model.expression import ExpressionError
from controller.model.run import (
    Error,
    Event,
    Kind,
    Run,
    RunStatus,
    StepRun,
    StepStatus,
    UndoStatus,
)
from controller.model.text import Text, text
from controller.model.workflow import Definition, Step
from controller.workflow.context import context_of
from controller.workflow.fold import apply


class Access(StrEnum):
    """Whether a service can be asked now: yes, later by itself, or not until a person acts."""

    READY = "ready"
    HOLD = "hold"
    STOPPED = "stopped"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Readiness:
    """How a service is for a step. STOPPED is by a person, who may start it again; GONE is what
    nobody is going to heal."""

    access: Access
    reason: Text
    incident: str | None = None


Ready = Callable[[str], Readiness]

_MAY_START = frozenset({StepStatus.PENDING, StepStatus.RETRYING, StepStatus.HELD})


@dataclass(frozen=True, slots=True)
class Decision:
    """`events` to write, `run` as it is then, `start` services to start on demand; `wake_at` when
    something is due at the latest."""

    events: tuple[Event, ...]
    run: Run
    start: frozenset[str] = frozenset()
    wake_at: float | None = None


def decide(
    run: Run, definition: Definition, now: float, ready: Ready, *, may_start: bool = True
) -> Decision:
    """One decision. `may_start` is False while a pending run must wait for its turn."""
    work = _Work(run, definition, now, ready)
    if work.run.status is RunStatus.PENDING:
        work.begin(may_start)
    if work.run.status is RunStatus.RUNNING:
        work.forward()
    if work.run.status is RunStatus.COMPENSATING:
        work.backward()
    wake_at = min(work.due, default=None)
    return Decision(tuple(work.events), work.run, frozenset(work.start), wake_at)


def interrupted(run: Run, now: float) -> list[Event]:
    """What a hub writes that takes over a run: whatever was under way is asked again with the same
    key, once its service can answer."""
    data = {"reason": text("run.hub_restarted").to_json()}
    events = [
        Event(Kind.STEP_HELD, now, step.id, data)
        for step in run.steps.values()
        if step.status is StepStatus.RUNNING
    ]
    events += [
        Event(Kind.UNDO_HELD, now, step.id, data)
        for step in run.steps.values()
        if step.undo.status is UndoStatus.RUNNING
    ]
    return events


@dataclass(slots=True)
class _Work:
    run: Run
    definition: Definition
    now: float
    ready: Ready
    events: list[Event] = field(default_factory=list)
    start: set[str] = field(default_factory=set)
    due: list[float] = field(default_factory=list)

    def tell(self, kind: Kind, step: str = "", data: Mapping[str, Any] | None = None) -> None:
        event = Event(kind, self.now, step, data or {})
        self.run = apply(self.run, event)
        self.events.append(event)

    def begin(self, may_start: bool) -> None:
        if self.run.cancel_by is not None:
            error = Error(text("run.cancelled", by=self.run.cancel_by)).to_json()
            self.tell(Kind.ENDED, data={"status": RunStatus.CANCELLED, "error": error})
        elif may_start:
            self.tell(Kind.STARTED)

    # Forward

    def forward(self) -> None:
        if self.run.cancel_by is not None:
            self.turn_back(Error(text("run.cancelled", by=self.run.cancel_by)))
            return
        assert self.run.started_at is not None
        deadline = self.run.started_at + self.definition.timeout_s
        if self.now >= deadline:
            seconds = f"{self.definition.timeout_s:g}"
            self.turn_back(Error(text("run.timed_out", seconds=seconds)))
            return
        self.due.append(deadline)
        self._advance()
        failed = next((s for s in self.run.steps.values() if s.status is StepStatus.FAILED), None)
        if failed is not None:
            self._fail(failed)
        elif all(step.status.over for step in self.run.steps.values()):
            self._succeed()

    def _advance(self) -> None:
        """Start whatever may start. A skipped step can set others free, so look until it is
        quiet."""
        again = True
        if any(s.status is StepStatus.FAILED for s in self.run.steps.values()):
            # What others still do is let finish, and nothing new is begun.
            return
        while again:
            again = False
            for step in self.definition.steps:
                state = self.run.steps[step.id]
                # Most steps of a long run are over or not free yet: no call for those.
                if state.status in _MAY_START and self._is_free(step, state):
                    self._look_at(step, state)
                    now = self.run.steps[step.id].status
                    if now is StepStatus.FAILED:
                        return
                    again |= now is StepStatus.SKIPPED

    def _is_free(self, step: Step, state: StepRun) -> bool:
        if state.status is StepStatus.PENDING:
            steps = self.run.steps
            return all(steps[needed].status.over for needed in step.needs)
        if state.retry_at is not None and state.retry_at > self.now:
            self.due.append(state.retry_at)
            return False
        return True

    def _look_at(self, step: Step, state: StepRun) -> None:
        conditional = state.status is StepStatus.PENDING and step.when is not None
        if not conditional or self._holds(step):
            self._start(step, state)

    def _holds(self, step: Step) -> bool:
        """Whether the step's condition holds; where it does not, or cannot be told, that is
        written."""
        try:
            value = expression.evaluate(step.when, context_of(self.run, self.definition, step))
        except ExpressionError as error:
            self._give_up(step, Error(text("run.bad_expression"), detail=str(error)))
            return False
        if not expression.truth(value):
            self.tell(Kind.STEP_SKIPPED, step.id)
            return False
        return True

    def _start(self, step: Step, state: StepRun) -> None:
        found = self.ready(step.service)
        if found.access is Access.READY:
            self.tell(Kind.STEP_STARTED, step.id)
            return
        if found.access is Access.STOPPED and step.start:
            self.start.add(step.service)
            found = Readiness(Access.HOLD, text("run.starts_service", service=step.service))
        if found.access is Access.HOLD:
            self._hold(Kind.STEP_HELD, state, found)
        else:
            self._give_up(step, Error(found.reason))

    def _hold(self, kind: Kind, state: StepRun, found: Readiness) -> None:
        hold = state.hold if kind is Kind.STEP_HELD else state.undo.hold
        if hold is not None and (hold.reason, hold.incident) == (found.reason, found.incident):
            return
        data = {"reason": found.reason.to_json(), "incident": found.incident}
        self.tell(kind, state.id, data)

    def _give_up(self, step: Step, error: Error) -> None:
        self.tell(Kind.STEP_FAILED, step.id, {"error": error.to_json()})

    def _fail(self, failed: StepRun) -> None:
        self._leave(StepStatus.HELD, StepStatus.RETRYING)
        if any(step.status is StepStatus.RUNNING for step in self.run.steps.values()):
            return
        assert failed.error is not None
        reason = text("run.step_failed", step=failed.id, why=failed.error.reason)
        self.turn_back(Error(reason, failed.error.status, failed.error.detail))

    def _succeed(self) -> None:
        try:
            output = expression.evaluate(
                self.definition.output, context_of(self.run, self.definition, None)
            )
        except ExpressionError as error:
            self.turn_back(Error(text("run.bad_output"), detail=str(error)))
            return
        self.tell(Kind.ENDED, data={"status": RunStatus.SUCCEEDED, "output": output})

    def _leave(self, *statuses: StepStatus) -> None:
        for step in self.run.steps.values():
            if step.status in statuses:
                self.tell(Kind.STEP_CANCELLED, step.id)

    def turn_back(self, error: Error) -> None:
        """From here on everything that was done is undone."""
        self._leave(StepStatus.RUNNING, StepStatus.HELD, StepStatus.RETRYING)
        end = RunStatus.COMPENSATED if undo_order(self.run, self.definition) else RunStatus.FAILED
        if self.run.cancel_by is not None:
            end = RunStatus.CANCELLED
        self.tell(Kind.COMPENSATING, data={"end": end, "error": error.to_json()})

    # Backward

    def backward(self) -> None:
        """One undo at a time: an earlier step's may rest on a later one's being over."""
        for state in undo_order(self.run, self.definition):
            status = state.undo.status
            if status is UndoStatus.DONE:
                continue
            if status is UndoStatus.FAILED:
                self.tell(Kind.ENDED, data={"status": RunStatus.COMPENSATION_FAILED})
            elif status is not UndoStatus.RUNNING:
                self._undo(state)
            return
        self.tell(Kind.ENDED, data={"status": self.run.end})

    def _undo(self, state: StepRun) -> None:
        retry_at = state.undo.retry_at
        if retry_at is not None and retry_at > self.now:
            self.due.append(retry_at)
            return
        found = self.ready(state.service)
        if found.access is Access.READY:
            self.tell(Kind.UNDO_STARTED, state.id)
        else:
            # It is owed, so it waits, whoever must act first.
            self._hold(Kind.UNDO_HELD, state, found)


def undo_order(run: Run, definition: Definition) -> list[StepRun]:
    """Steps to undo, first to last: those whose end is bad or not known, the latest first, then
    the others in reverse of their completion."""
    undoable = [
        state
        for step in definition.steps
        if step.undo is not None and (state := run.steps[step.id]).asked and state.status.over
    ]
    return sorted(undoable, key=_latest_first)


def _latest_first(step: StepRun) -> tuple[bool, float]:
    if step.place is not None:
        return True, -step.place
    return False, -(step.attempt_at or 0.0)

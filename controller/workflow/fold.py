"""From a run's events to its state: the transition tables are data, and nothing else may happen.

A journal is only as good as its reader: an event that does not fit the state it meets is refused
by name, whether it comes from a disk, from another hub or from a mistake in our own machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from controller.model.run import (
    Error,
    Event,
    Hold,
    Kind,
    Run,
    RunStatus,
    StepRun,
    StepStatus,
    Undo,
    UndoStatus,
    evolved,
)
from controller.model.text import Text
from controller.model.workflow import Definition

_R, _S, _U = RunStatus, StepStatus, UndoStatus

RUN: Mapping[tuple[RunStatus, Kind], frozenset[RunStatus]] = {
    (_R.PENDING, Kind.STARTED): frozenset({_R.RUNNING}),
    (_R.PENDING, Kind.CANCEL_ASKED): frozenset({_R.PENDING}),
    (_R.PENDING, Kind.ENDED): frozenset({_R.CANCELLED}),
    (_R.RUNNING, Kind.CANCEL_ASKED): frozenset({_R.RUNNING}),
    (_R.RUNNING, Kind.COMPENSATING): frozenset({_R.COMPENSATING}),
    (_R.RUNNING, Kind.ENDED): frozenset({_R.SUCCEEDED}),
    (_R.COMPENSATING, Kind.CANCEL_ASKED): frozenset({_R.COMPENSATING}),
    (_R.COMPENSATING, Kind.ENDED): frozenset(
        {_R.COMPENSATED, _R.FAILED, _R.CANCELLED, _R.COMPENSATION_FAILED}
    ),
    (_R.COMPENSATION_FAILED, Kind.RESUMED): frozenset({_R.COMPENSATING}),
}
"""What may happen to a run, and what it may be then."""

STEP: Mapping[tuple[StepStatus, Kind], StepStatus] = {
    (_S.PENDING, Kind.STEP_STARTED): _S.RUNNING,
    (_S.HELD, Kind.STEP_STARTED): _S.RUNNING,
    (_S.RETRYING, Kind.STEP_STARTED): _S.RUNNING,
    (_S.PENDING, Kind.STEP_HELD): _S.HELD,
    (_S.HELD, Kind.STEP_HELD): _S.HELD,
    (_S.RETRYING, Kind.STEP_HELD): _S.HELD,
    (_S.RUNNING, Kind.STEP_HELD): _S.HELD,
    (_S.RUNNING, Kind.STEP_SUCCEEDED): _S.SUCCEEDED,
    (_S.RUNNING, Kind.STEP_RETRYING): _S.RETRYING,
    (_S.PENDING, Kind.STEP_FAILED): _S.FAILED,
    (_S.HELD, Kind.STEP_FAILED): _S.FAILED,
    (_S.RETRYING, Kind.STEP_FAILED): _S.FAILED,
    (_S.RUNNING, Kind.STEP_FAILED): _S.FAILED,
    (_S.PENDING, Kind.STEP_SKIPPED): _S.SKIPPED,
    (_S.HELD, Kind.STEP_CANCELLED): _S.CANCELLED,
    (_S.RETRYING, Kind.STEP_CANCELLED): _S.CANCELLED,
    (_S.RUNNING, Kind.STEP_CANCELLED): _S.CANCELLED,
}
"""What may happen to a step while its run is running."""

UNDO: Mapping[tuple[UndoStatus, Kind], UndoStatus] = {
    (_U.NONE, Kind.UNDO_STARTED): _U.RUNNING,
    (_U.HELD, Kind.UNDO_STARTED): _U.RUNNING,
    (_U.RETRYING, Kind.UNDO_STARTED): _U.RUNNING,
    (_U.NONE, Kind.UNDO_HELD): _U.HELD,
    (_U.HELD, Kind.UNDO_HELD): _U.HELD,
    (_U.RETRYING, Kind.UNDO_HELD): _U.HELD,
    (_U.RUNNING, Kind.UNDO_HELD): _U.HELD,
    (_U.RUNNING, Kind.UNDO_DONE): _U.DONE,
    (_U.RUNNING, Kind.UNDO_RETRYING): _U.RETRYING,
    (_U.RUNNING, Kind.UNDO_FAILED): _U.FAILED,
    (_U.NONE, Kind.UNDO_FAILED): _U.FAILED,
    (_U.HELD, Kind.UNDO_FAILED): _U.FAILED,
    (_U.RETRYING, Kind.UNDO_FAILED): _U.FAILED,
}
"""What may happen to the compensation of a step that was asked, while its run compensates."""


class ForbiddenTransitionError(Exception):
    """An event that cannot follow on what is known of the run."""


def begin(run_id: str, definition: Definition, created: Event) -> Run:
    """The run that a `created` event begins.

    Its data: input, by, key, retry_of, trace_id, and `outputs` of steps that are not done again.
    """
    data = created.data
    reused = data.get("outputs", {})
    return Run(
        id=run_id,
        workflow=definition.name,
        definition_hash=definition.hash,
        status=RunStatus.PENDING,
        input=data.get("input"),
        created_at=created.at,
        by=data["by"],
        steps={
            step.id: _reused(step.id, step.service, reused, created.at)
            if step.id in reused
            else StepRun(step.id, step.service)
            for step in definition.steps
        },
        key=data.get("key"),
        retry_of=data.get("retry_of"),
        trace_id=data.get("trace_id", ""),
    )


def _reused(step: str, service: str, outputs: Mapping[str, object], at: float) -> StepRun:
    return StepRun(
        step, service, StepStatus.SUCCEEDED, ended_at=at, output=outputs[step], reused=True
    )


def fold(run_id: str, definition: Definition, events: Iterable[Event]) -> Run:
    """The state after all `events`, the first of which is `created`. Raises
    ForbiddenTransitionError."""
    rest = iter(events)
    first = next(rest, None)
    if first is None or first.kind is not Kind.CREATED:
        raise ForbiddenTransitionError(f"run {run_id} does not begin with its creation")
    run = begin(run_id, definition, first)
    for event in rest:
        run = apply(run, event)
    return run


def apply(run: Run, event: Event) -> Run:
    """The run after one more event. Raises ForbiddenTransitionError."""
    if not event.step:
        return _apply_to_run(run, event)
    step = run.steps.get(event.step)
    if step is None:
        raise ForbiddenTransitionError(f"{run.id} has no step {event.step}")
    change = _UNDOING.get(event.kind)
    if change is not None:
        undone = evolved(step, undo=_undone(run, step, event, change))
        return evolved(run, steps={**run.steps, step.id: undone})
    status = STEP.get((step.status, event.kind))
    if status is None or run.status is not RunStatus.RUNNING:
        raise ForbiddenTransitionError(
            f"{run.id} is {run.status} and its step {step.id} {step.status}: {event.kind} cannot be"
        )
    changed = _STEPPING[event.kind](run, step, event, status)
    completed = run.completed + (status is StepStatus.SUCCEEDED)
    return evolved(run, steps={**run.steps, step.id: changed}, completed=completed)


def _apply_to_run(run: Run, event: Event) -> Run:
    allowed = RUN.get((run.status, event.kind), frozenset())
    target = event.data.get("status") if event.kind is Kind.ENDED else next(iter(allowed), None)
    if target is None or target not in allowed:
        raise ForbiddenTransitionError(f"{run.id} is {run.status}: {event.kind} cannot be")
    status, data = RunStatus(target), event.data
    match event.kind:
        case Kind.STARTED:
            return evolved(run, status=status, started_at=event.at)
        case Kind.CANCEL_ASKED:
            return evolved(run, cancel_by=run.cancel_by or data["by"])
        case Kind.COMPENSATING:
            error = Error.from_json(data["error"])
            return evolved(run, status=status, end=RunStatus(data["end"]), error=error)
        case Kind.RESUMED:
            steps = {name: _retried(step, event.at) for name, step in run.steps.items()}
            return evolved(run, status=status, ended_at=None, steps=steps)
        case _:
            error_data = data.get("error")
            return evolved(
                run,
                status=status,
                ended_at=event.at,
                output=data.get("output"),
                error=Error.from_json(error_data) if error_data else run.error,
            )


def _retried(step: StepRun, at: float) -> StepRun:
    if step.undo.status is not UndoStatus.FAILED:
        return step
    undo = replace(step.undo, status=UndoStatus.RETRYING, failures=0, retry_at=at, ended_at=None)
    return evolved(step, undo=undo)


# Steps

_Stepping = Callable[[Run, StepRun, Event, StepStatus], StepRun]


def _started(_run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    begun = step.started_at if step.started_at is not None else event.at
    return evolved(
        _released(step, event.at),
        status=status,
        started_at=begun,
        attempt_at=event.at,
        retry_at=None,
        asked=True,
    )


def _released(step: StepRun, at: float) -> StepRun:
    if step.hold is None:
        return step
    return evolved(step, hold=None, held_s=step.held_s + max(0.0, at - step.hold.since))


def _succeeded(run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    return evolved(
        step,
        status=status,
        ended_at=event.at,
        output=event.data.get("output"),
        error=None,
        place=run.completed,
    )


def _retrying(_run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    return evolved(
        step,
        status=status,
        failures=step.failures + 1,
        retry_at=event.data["retry_at"],
        error=Error.from_json(event.data["error"]),
    )


def _failed(_run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    charged = step.status is StepStatus.RUNNING
    return evolved(
        _released(step, event.at),
        status=status,
        failures=step.failures + charged,
        ended_at=event.at,
        retry_at=None,
        error=Error.from_json(event.data["error"]),
    )


def _held(_run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    since = step.hold.since if step.hold else event.at
    reason = Text.from_json(event.data["reason"])
    return evolved(
        step, status=status, retry_at=None, hold=Hold(reason, since, event.data.get("incident"))
    )


def _over(_run: Run, step: StepRun, event: Event, status: StepStatus) -> StepRun:
    return evolved(_released(step, event.at), status=status, ended_at=event.at, retry_at=None)


_STEPPING: Mapping[Kind, _Stepping] = {
    Kind.STEP_STARTED: _started,
    Kind.STEP_SUCCEEDED: _succeeded,
    Kind.STEP_RETRYING: _retrying,
    Kind.STEP_FAILED: _failed,
    Kind.STEP_HELD: _held,
    Kind.STEP_SKIPPED: _over,
    Kind.STEP_CANCELLED: _over,
}


# Compensations

_Undoing = Callable[[Undo, Event, UndoStatus], Undo]


def _undone(run: Run, step: StepRun, event: Event, change: _Undoing) -> Undo:
    status = UNDO.get((step.undo.status, event.kind))
    ready = run.status is RunStatus.COMPENSATING and step.asked and step.status.over
    if status is None or not ready:
        raise ForbiddenTransitionError(
            f"{run.id} is {run.status}, the undo of {step.id} ({step.status}) is "
            f"{step.undo.status}: {event.kind} cannot be"
        )
    return change(step.undo, event, status)


def _undo_started(undo: Undo, event: Event, status: UndoStatus) -> Undo:
    begun = undo.started_at if undo.started_at is not None else event.at
    return replace(undo, status=status, started_at=begun, retry_at=None, hold=None)


def _undo_done(undo: Undo, event: Event, status: UndoStatus) -> Undo:
    return replace(undo, status=status, ended_at=event.at, error=None)


def _undo_retrying(undo: Undo, event: Event, status: UndoStatus) -> Undo:
    error = Error.from_json(event.data["error"])
    return replace(
        undo,
        status=status,
        failures=undo.failures + 1,
        retry_at=event.data["retry_at"],
        error=error,
    )


def _undo_failed(undo: Undo, event: Event, status: UndoStatus) -> Undo:
    error = Error.from_json(event.data["error"])
    charged = undo.status is UndoStatus.RUNNING
    return replace(
        undo,
        status=status,
        failures=undo.failures + charged,
        ended_at=event.at,
        retry_at=None,
        hold=None,
        error=error,
    )


def _undo_held(undo: Undo, event: Event, status: UndoStatus) -> Undo:
    since = undo.hold.since if undo.hold else event.at
    reason = Text.from_json(event.data["reason"])
    hold = Hold(reason, since, event.data.get("incident"))
    return replace(undo, status=status, retry_at=None, hold=hold)


_UNDOING: Mapping[Kind, _Undoing] = {
    Kind.UNDO_STARTED: _undo_started,
    Kind.UNDO_DONE: _undo_done,
    Kind.UNDO_RETRYING: _undo_retrying,
    Kind.UNDO_FAILED: _undo_failed,
    Kind.UNDO_HELD: _undo_held,
}

"""One execution of a workflow, as the fold of its events; pure data.

Times are seconds since 1970, as a float: a run of a thousand steps is folded from thousands of
events, and nobody reads them before the edge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from controller.model.text import Text


class RunStatus(StrEnum):
    """`waiting` is a running run none of whose steps can go on for now."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    COMPENSATING = "compensating"
    SUCCEEDED = "succeeded"
    COMPENSATED = "compensated"
    FAILED = "failed"
    COMPENSATION_FAILED = "compensation_failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in _ENDED


_ENDED = frozenset(
    {
        RunStatus.SUCCEEDED,
        RunStatus.COMPENSATED,
        RunStatus.FAILED,
        RunStatus.COMPENSATION_FAILED,
        RunStatus.CANCELLED,
    }
)


class StepStatus(StrEnum):
    """`held`: its service cannot serve now, and nothing is charged. `retrying`: it failed, and is
    asked again later. `cancelled`: left before its end, so what it did is not known."""

    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in _OVER


_OVER = frozenset(
    {StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED, StepStatus.CANCELLED}
)


class UndoStatus(StrEnum):
    """How far a step's compensation is; `none` where none was begun."""

    NONE = "none"
    RUNNING = "running"
    HELD = "held"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"


class Kind(StrEnum):
    """What can happen in a run. The values are what the journal keeps: never change one."""

    CREATED = "created"
    STARTED = "started"
    STEP_STARTED = "step_started"
    STEP_SUCCEEDED = "step_succeeded"
    STEP_RETRYING = "step_retrying"
    STEP_FAILED = "step_failed"
    STEP_HELD = "step_held"
    STEP_SKIPPED = "step_skipped"
    STEP_CANCELLED = "step_cancelled"
    CANCEL_ASKED = "cancel_asked"
    COMPENSATING = "compensating"
    UNDO_STARTED = "undo_started"
    UNDO_DONE = "undo_done"
    UNDO_RETRYING = "undo_retrying"
    UNDO_FAILED = "undo_failed"
    UNDO_HELD = "undo_held"
    RESUMED = "resumed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as plain data. `step` is empty for what concerns the whole run."""

    kind: Kind
    at: float
    step: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Error:
    """Why something failed: a sentence, and what the service itself said, where it said something.

    `status` is the HTTP status, None where nothing answered.
    """

    reason: Text
    status: int | None = None
    detail: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"reason": self.reason.to_json(), "status": self.status, "detail": self.detail}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Error:
        return Error(Text.from_json(raw["reason"]), raw.get("status"), raw.get("detail"))


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a step waits, since when, and for which incident, where there is one."""

    reason: Text
    since: float
    incident: str | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """The compensation of one step."""

    status: UndoStatus = UndoStatus.NONE
    failures: int = 0
    started_at: float | None = None
    ended_at: float | None = None
    retry_at: float | None = None
    error: Error | None = None
    hold: Hold | None = None


@dataclass(frozen=True)
class StepRun:
    """One step of one run. `failures` counts attempts that were charged; `place` is its number in
    the order of completion; `asked` says that its service may have got the request; `reused`
    that its output is that of an earlier run."""

    id: str
    service: str
    status: StepStatus = StepStatus.PENDING
    failures: int = 0
    started_at: float | None = None
    attempt_at: float | None = None
    ended_at: float | None = None
    retry_at: float | None = None
    output: Any = None
    error: Error | None = None
    hold: Hold | None = None
    held_s: float = 0.0
    place: int | None = None
    asked: bool = False
    reused: bool = False
    undo: Undo = field(default_factory=Undo)

    @property
    def attempts(self) -> int:
        """Attempts so far, the one under way included; those an outage cut short are not."""
        return self.failures + (self.status in (StepStatus.RUNNING, StepStatus.SUCCEEDED))

    def held_until(self, now: float) -> float:
        """Seconds it was held in all, up to `now` where it still is."""
        return self.held_s + (now - self.hold.since if self.hold else 0.0)

    @property
    def latency_ms(self) -> float | None:
        """How long the last attempt took, by the wall clock; None until it is over."""
        if self.attempt_at is None or self.ended_at is None:
            return None
        return max(0.0, round((self.ended_at - self.attempt_at) * 1000, 3))


@dataclass(frozen=True)
class Run:
    """One run. `key` is the caller's Idempotency-Key; `retry_of` the run that this one repeats;
    `end` what it will be once everything is undone."""

    id: str
    workflow: str
    definition_hash: str
    status: RunStatus
    input: Any
    created_at: float
    by: str
    steps: Mapping[str, StepRun]
    key: str | None = None
    retry_of: str | None = None
    trace_id: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    output: Any = None
    error: Error | None = None
    cancel_by: str | None = None
    end: RunStatus | None = None
    completed: int = 0

    @property
    def shown(self) -> RunStatus:
        """The status for people: a run of which everything waits says so."""
        if self.status is not RunStatus.RUNNING:
            return self.status
        waits = False
        for step in self.steps.values():
            if step.status is StepStatus.RUNNING:
                return RunStatus.RUNNING
            waits = waits or step.status is StepStatus.HELD
        return RunStatus.WAITING if waits else RunStatus.RUNNING

    @property
    def done(self) -> int:
        """How many of its steps are over, one way or another."""
        return sum(1 for step in self.steps.values() if step.status.over)

    @property
    def holds(self) -> tuple[StepRun, ...]:
        """Steps that wait for their service."""
        return tuple(s for s in self.steps.values() if s.status is StepStatus.HELD)


_T = TypeVar("_T", Run, StepRun)


def evolved(state: _T, **changes: Any) -> _T:
    """`state` with some fields changed, as `dataclasses.replace` does it, in a tenth of the time: a
    run is changed some ten times, and many run at once."""
    made = object.__new__(type(state))
    made.__dict__.update(state.__dict__)
    made.__dict__.update(changes)
    return made


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run in a list, without its steps: how many there are, and how many of them are over.
    `done` is None where that is not known: the run goes on at another hub."""

    id: str
    workflow: str
    status: RunStatus
    created_at: float
    started_at: float | None
    ended_at: float | None
    by: str
    definition_hash: str
    reason: Text | None = None
    retry_of: str | None = None
    steps: int = 0
    done: int | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first; `next` is where the following page begins, None at the end."""

    lines: tuple[RunLine, ...]
    next: str | None = None

"""How one attempt ended, and the event that follows from it; pure.

An outage is not the step's failure: it charges no attempt. What may be mended by asking again is
temporary; what the service understood and refused is not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.model.run import Error, Event, Kind, StepRun
from controller.model.text import text
from controller.model.workflow import Retry, Step
from controller.workflow.machine import Readiness

_JITTER = 0.25
_UNDO_ATTEMPTS = 5
_TEMPORARY = frozenset({408, 425, 429})

Jitter = Callable[[float, float], float]


class Ending(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    OUTAGE = "outage"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`output` for DONE, `error` for TEMPORARY and PERMANENT, `hold` for OUTAGE: why it waits now.
    `retry_after_s` is the service's own wish."""

    ending: Ending
    output: Any = None
    error: Error | None = None
    retry_after_s: float | None = None
    hold: Readiness | None = None


def ending_of(status: int, *, may_retry_conflict: bool) -> Ending:
    """What an HTTP status says. A conflict is temporary only where the service named a time to ask
    again: then an earlier request with the same key is still under way there."""
    if 200 <= status < 300:
        return Ending.DONE
    if status >= 500 or status in _TEMPORARY or (status == 409 and may_retry_conflict):
        return Ending.TEMPORARY
    return Ending.PERMANENT


def forward_event(
    step: Step, state: StepRun, outcome: Outcome, now: float, jitter: Jitter
) -> Event:
    """What an attempt of a step comes to."""
    if outcome.ending is Ending.DONE:
        return Event(Kind.STEP_SUCCEEDED, now, step.id, {"output": outcome.output})
    if outcome.hold is not None:
        return Event(Kind.STEP_HELD, now, step.id, _held(outcome.hold))
    again = _next_at(step.retry, step.retry.attempts, state.failures, outcome, now, jitter)
    if again is None:
        return Event(Kind.STEP_FAILED, now, step.id, _error(outcome))
    return Event(Kind.STEP_RETRYING, now, step.id, {**_error(outcome), "retry_at": again})


def undo_event(step: Step, state: StepRun, outcome: Outcome, now: float, jitter: Jitter) -> Event:
    """What an attempt of a step's compensation comes to."""
    if outcome.ending is Ending.DONE:
        return Event(Kind.UNDO_DONE, now, step.id)
    if outcome.hold is not None:
        return Event(Kind.UNDO_HELD, now, step.id, _held(outcome.hold))
    attempts = max(_UNDO_ATTEMPTS, step.retry.attempts)
    again = _next_at(step.retry, attempts, state.undo.failures, outcome, now, jitter)
    if again is None:
        return Event(Kind.UNDO_FAILED, now, step.id, _error(outcome))
    return Event(Kind.UNDO_RETRYING, now, step.id, {**_error(outcome), "retry_at": again})


def _held(hold: Readiness) -> dict[str, Any]:
    return {"reason": hold.reason.to_json(), "incident": hold.incident}


def _error(outcome: Outcome) -> dict[str, Any]:
    error = outcome.error or Error(text("run.no_answer"))
    return {"error": error.to_json()}


def _next_at(
    retry: Retry, attempts: int, failures: int, outcome: Outcome, now: float, jitter: Jitter
) -> float | None:
    """When it is asked again; None where it is not."""
    if outcome.ending is Ending.PERMANENT or failures + 1 >= attempts:
        return None
    # Beyond some thirty doublings the power itself would be too large for a float.
    pause = min(retry.max_backoff_s, retry.backoff_s * 2.0 ** min(failures, 30))
    return now + max(jitter(pause, _JITTER), outcome.retry_after_s or 0.0)

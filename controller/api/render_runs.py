"""Turns workflows and their runs into the JSON of the API, as `render` does the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.clock import rfc3339
from controller.i18n import render
from controller.model.masking import masked
from controller.model.run import Error, Hold, Run, RunLine, RunPage, StepRun, Undo, UndoStatus
from controller.model.workflow import Call, Definition, Step
from controller.model.workflow_json import definition_to_json
from controller.workflow.runner import reason_of


def definition(view: Definition) -> dict[str, Any]:
    """A workflow as it was loaded."""
    raw = definition_to_json(view)
    raw["steps"] = [
        {
            "id": step.id,
            "service": step.service,
            **_call(step.call),
            "needs": list(step.needs),
            "input": masked(step.call.input),
            "when": step.when,
            "timeout_s": step.timeout_s,
            "retry": {
                "attempts": step.retry.attempts,
                "backoff_s": step.retry.backoff_s,
                "max_backoff_s": step.retry.max_backoff_s,
            },
            "start": step.start,
            "compensate": None if step.undo is None else _call(step.undo),
        }
        for step in view.steps
    ]
    return raw


def _call(call: Call) -> dict[str, Any]:
    return {"action": call.action, "method": call.method, "path": call.path}


def run(view: Run, of: Definition, language: str, now: float) -> dict[str, Any]:
    """A whole run; secrets in what it was given and answered are masked."""
    return brief(view, of, language, now) | {
        "input": masked(view.input),
        "output": masked(view.output),
        "steps": [_step(view.steps[step.id], step, language, now) for step in of.steps],
    }


def brief(view: Run, of: Definition, language: str, now: float) -> dict[str, Any]:
    """A run without what went in and out, as the event stream has it."""
    reason = reason_of(view)
    begun = view.started_at if view.started_at is not None else view.created_at
    return {
        "id": view.id,
        "workflow": view.workflow,
        "definition_hash": view.definition_hash,
        "status": view.shown,
        "reason": render(reason, language) if reason else None,
        "error": _error(view.error, language),
        "by": view.by,
        "key": view.key,
        "retry_of": view.retry_of,
        "created_at": _time(view.created_at),
        "started_at": _time(view.started_at),
        "ended_at": _time(view.ended_at),
        "elapsed_ms": round(((view.ended_at or now) - begun) * 1000),
        "steps": [
            _step(replace(view.steps[step.id], output=None), step, language, now)
            for step in of.steps
        ],
    }


def line(view: RunLine, language: str, now: float) -> dict[str, Any]:
    """A run in a list."""
    begun = view.started_at if view.started_at is not None else view.created_at
    return {
        "id": view.id,
        "workflow": view.workflow,
        "definition_hash": view.definition_hash,
        "status": view.status,
        "reason": render(view.reason, language) if view.reason else None,
        "by": view.by,
        "retry_of": view.retry_of,
        "created_at": _time(view.created_at),
        "started_at": _time(view.started_at),
        "ended_at": _time(view.ended_at),
        "elapsed_ms": round(((view.ended_at or now) - begun) * 1000),
        "steps_done": view.done,
        "steps_total": view.steps,
    }


def page(view: RunPage, language: str, now: float) -> dict[str, Any]:
    return {"runs": [line(one, language, now) for one in view.lines], "next": view.next}


def stripped(view: Run) -> Run:
    """The run without what went in and out, so that whoever keeps it keeps little."""
    steps = {name: replace(step, output=None) for name, step in view.steps.items()}
    return replace(view, input=None, output=None, steps=steps)


def _step(state: StepRun, step: Step, language: str, now: float) -> dict[str, Any]:
    return {
        "id": state.id,
        "service": state.service,
        **_call(step.call),
        "needs": list(step.needs),
        "status": state.status,
        "attempts": state.attempts,
        "max_attempts": step.retry.attempts,
        "started_at": _time(state.started_at),
        "ended_at": _time(state.ended_at),
        "latency_ms": state.latency_ms,
        "output": masked(state.output),
        "error": _error(state.error, language),
        "held_ms": round(state.held_until(now) * 1000),
        "hold": _hold(state.hold, language),
        "retry_at": _time(state.retry_at),
        "reused": state.reused,
        "compensation": _undo(state.undo, language),
    }


def _undo(undo: Undo, language: str) -> dict[str, Any] | None:
    if undo.status is UndoStatus.NONE:
        return None
    busy = undo.status in (UndoStatus.RUNNING, UndoStatus.DONE)
    return {
        "status": undo.status,
        "attempts": undo.failures + busy,
        "started_at": _time(undo.started_at),
        "ended_at": _time(undo.ended_at),
        "error": _error(undo.error, language),
        "hold": _hold(undo.hold, language),
    }


def _hold(hold: Hold | None, language: str) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {
        "reason": render(hold.reason, language),
        "since": _time(hold.since),
        "incident": hold.incident,
    }


def _error(error: Error | None, language: str) -> dict[str, Any] | None:
    if error is None:
        return None
    return {
        "reason": render(error.reason, language),
        "status": error.status,
        "detail": error.detail,
    }


def _time(seconds: float | None) -> str | None:
    return rfc3339(datetime.fromtimestamp(seconds, UTC)) if seconds is not None else None

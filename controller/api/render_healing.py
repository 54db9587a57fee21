"""Turns incidents, rehearsals and the pause into the JSON of the API, as `render` does the rest."""

from __future__ import annotations

from typing import Any

from controller.api import render as common
from controller.clock import rfc3339
from controller.i18n import render
from controller.model.incident import Entry, Evidence, Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal


def incident(view: Incident, language: str) -> dict[str, Any]:
    """An Incident, whole. `suppressed_alerts` are the sentences of what was not done on purpose."""
    return {
        "id": view.id,
        "service": view.service,
        "state": "open" if view.is_open else "closed",
        "kind": view.kind,
        "cause": render(view.cause, language),
        "opened_at": rfc3339(view.opened_at),
        "detected_at": rfc3339(view.detected_at),
        "closed_at": rfc3339(view.closed_at),
        "outcome": view.outcome,
        "detect_ms": view.detect_ms,
        "recover_ms": view.recover_ms,
        "restarts": view.restarts,
        "evidence": _evidence(view.evidence, language),
        "actions": [_entry(entry, language) for entry in view.timeline],
        "suppressed_alerts": [render(entry.cause, language) for entry in view.suppressed],
        "runs_held": list(view.runs_held),
        "root": view.root,
        "rehearsal": view.rehearsal,
    }


def _evidence(seen: Evidence, language: str) -> dict[str, Any]:
    return {
        "container_id": seen.container_id,
        "exit_code": seen.exit_code,
        "oom_killed": seen.oom_killed,
        "engine_error": seen.engine_error,
        "last_probes": common.probes(seen.last_probes, language),
        "log_tail": list(seen.log_tail),
    }


def _entry(entry: Entry, language: str) -> dict[str, Any]:
    return {
        "at": rfc3339(entry.at),
        "op": entry.act,
        "cause": render(entry.cause, language),
        "outcome": entry.outcome,
        "ended_at": rfc3339(entry.ended_at),
        "failure": render(entry.failure, language) if entry.failure else None,
        "detail": entry.detail,
        "operation": entry.operation,
    }


def rehearsal(view: Rehearsal, language: str) -> dict[str, Any]:
    """A Rehearsal. Times in milliseconds count from `injected_at`."""
    return {
        "id": view.id,
        "service": view.service,
        "fault": view.fault,
        "stage": view.stage,
        "verdict": render(view.verdict, language),
        "objective_s": view.objective_s,
        "requested_at": rfc3339(view.requested_at),
        "requested_by": view.requested_by,
        "injected_at": rfc3339(view.injected_at),
        "detected_ms": view.detected_ms,
        "healed_ms": view.healed_ms,
        "dependants_ms": dict(view.dependants_ms),
        "incident": view.incident,
        "ended_at": rfc3339(view.ended_at),
    }


def paused(pause: Pause | None) -> dict[str, Any]:
    """Whether the hub only watches, since when, and who asked for it."""
    shown = pause_facts(pause) if pause else {"since": None, "by": None}
    return {"paused": pause is not None, **shown}


def pause_facts(pause: Pause) -> dict[str, Any]:
    return {"since": rfc3339(pause.since), "by": pause.by}

"""An incident's life: opened, told line by line, closed; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from controller.model.incident import TOUCHES, Act, Ending, Entry, Incident, Kind
from controller.model.text import Text
from controller.recovery.scene import Sight
from controller.recovery.trouble import Trouble

_KEEP_LINES = 200
# Measured 40 to 70 ms (controller/engine/intent.py); a loaded machine takes longer.
_TOLD_AFTER = timedelta(seconds=2)


def opened(
    new_id: str,
    service: str,
    sight: Sight,
    trouble: Trouble,
    now: datetime,
    *,
    root: str | None = None,
    rehearsal: str | None = None,
) -> Incident:
    """A new incident, dated back to the first bad sign."""
    return Incident(
        id=new_id,
        service=service,
        kind=trouble.kind,
        cause=trouble.cause,
        opened_at=min(trouble.since, now),
        detected_at=now,
        life=sight.life,
        evidence=sight.evidence,
        root=root,
        rehearsal=rehearsal,
    )


def told(incident: Incident, act: Act, cause: Text, now: datetime, outcome: str = "") -> Incident:
    """One more line. A line that says the same as the one before is not added."""
    last = incident.timeline[-1] if incident.timeline else None
    if last is not None and not outcome and last.act is act and last.cause == cause:
        return incident
    lines = (*incident.timeline, Entry(now, act, cause, outcome))
    # The first lines say how it began: what a flood of lines costs is the middle.
    if len(lines) > _KEEP_LINES:
        lines = (*lines[:20], *lines[-(_KEEP_LINES - 20) :])
    return replace(incident, timeline=lines)


def turned_out(incident: Incident, why: Text, now: datetime) -> Incident:
    """A death that a person made, as it turns out: the engine tells of a removal some time later.

    What has been healed since, or died long before, was a fault all the same."""
    healed = any(e.act in TOUCHES and e.outcome == "done" for e in incident.timeline)
    if incident.kind is not Kind.CRASH or healed or now - incident.detected_at > _TOLD_AFTER:
        return incident
    return replace(incident, kind=Kind.STOPPED_OUTSIDE, cause=why)


def acting(incident: Incident) -> Entry | None:
    """The act that is under way, if one is."""
    for entry in reversed(incident.timeline):
        if entry.act in TOUCHES:
            return entry if entry.outcome == "running" else None
    return None


def acted(
    incident: Incident,
    outcome: str,
    now: datetime,
    failure: Text | None = None,
    detail: str | None = None,
) -> Incident:
    """The act under way is over."""
    running = acting(incident)
    if running is None:
        return incident
    done = replace(running, outcome=outcome, ended_at=now, failure=failure, detail=detail)
    return _with(incident, running, done)


def named(incident: Incident, operation: str) -> Incident:
    """The act under way has the id of the operation that carries it out."""
    running = acting(incident)
    if running is None:
        return incident
    return _with(incident, running, replace(running, operation=operation))


def _with(incident: Incident, old: Entry, new: Entry) -> Incident:
    timeline = tuple(new if entry is old else entry for entry in incident.timeline)
    return replace(incident, timeline=timeline)


def closed(incident: Incident, life: str, now: datetime) -> Incident:
    """The incident of a service that is well again in `life`, with how that came about."""
    incident = acted(incident, "done", now)
    return replace(incident, closed_at=now, outcome=_ending(incident, life))


def ended(incident: Incident, outcome: Ending, now: datetime) -> Incident:
    """The incident closed as said, whatever its service does."""
    incident = acted(incident, "interrupted", now)
    return replace(incident, closed_at=now, outcome=outcome)


def _ending(incident: Incident, life: str) -> Ending:
    for entry in reversed(incident.timeline):
        if entry.act is Act.OPERATOR:
            return Ending.OPERATOR
        if entry.act in TOUCHES:
            return Ending.RECOVERED
    if incident.kind is Kind.STOPPED_OUTSIDE:
        return Ending.EXTERNAL
    return Ending.RECOVERED if life == incident.life else Ending.EXTERNAL

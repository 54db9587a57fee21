"""Runs and events for tests of a store: what matters is that they come back, not what they mean."""

from __future__ import annotations

from typing import Any

from controller.model.run import Event, Kind, RunStatus
from controller.store.journal import Append, Backend, Mark, NewRun, Query

RUNNING = Mark(RunStatus.RUNNING, 1.0)
DONE = Mark(RunStatus.SUCCEEDED, 1.0, 2.0)


def new(name: str, **changes: Any) -> NewRun:
    given: dict[str, Any] = {
        "id": name,
        "workflow": "w",
        "definition_hash": "h",
        "body": '{"steps":[]}',
        "created_at": 1.0,
        "by": "me",
        "events": (event(),),
        "mark": RUNNING,
        "steps": 3,
    }
    return NewRun(**given | changes)


def event(at: float = 1.5, **data: Any) -> Event:
    return Event(Kind.STARTED, at, data=data)


def append(name: str, seq: int, mark: Mark | None = None, at: float = 3.25) -> Append:
    return Append(name, seq, (event(at),), mark)


def ids(hub: Backend) -> list[str]:
    return [line.id for line in hub.runs(Query(limit=100)).lines]

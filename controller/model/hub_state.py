"""The hub about itself, for whoever looks after it: pure data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class AuditLine:
    """Who asked for what. `cause` is a key of the catalogue."""

    id: int
    at: datetime
    who: str
    action: str
    targets: tuple[str, ...]
    cause: str
    operation: str | None


@dataclass(frozen=True, slots=True)
class EngineState:
    """What is known of the engine; empty where it did not say."""

    connected: bool
    since: datetime
    address: str
    version: str
    root: str


@dataclass(frozen=True, slots=True)
class StoreState:
    """A place where the hub keeps something. None: not known, or without limit."""

    name: str
    place: str
    size: int | None
    limit: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class TaskState:
    """A loop or a piece of work that runs now."""

    name: str
    since: datetime


@dataclass(frozen=True, slots=True)
class HubState:
    """Everything that the hub says of itself. `settings` are dotted keys and their values, secrets
    replaced; `died` names a loop that ended, of which the hub stops."""

    version: str
    digest: str
    started_at: datetime
    died: str
    engine: EngineState
    stores: tuple[StoreState, ...]
    tasks: tuple[TaskState, ...]
    event_streams: int
    log_streams: int
    settings: tuple[tuple[str, str], ...]
    files: tuple[str, ...]

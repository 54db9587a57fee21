"""What people are shown: one service, one operation, the stack, as facts without a language.

The API, the pages and the event stream all render these, so they can never disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.observation import State
from controller.model.text import Text


class Desired(StrEnum):
    """What people want of a service. Stored; set by people only."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Wish:
    """What people want of one service. `restart_of` is the incarnation that a requested restart
    must end; it is done once the container lives another life."""

    state: Desired
    restart_of: str | None = None


class Health(StrEnum):
    """What the hub concludes of a service."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    STARTING = "starting"
    UNKNOWN = "unknown"
    BLOCKED = "blocked"
    HELD = "held"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A conclusion and the one sentence that explains it."""

    health: Health
    reason: Text


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service for people. None means "not seen", never a guess."""

    name: str
    port: int | None
    desired: Desired
    state: State
    health: Health
    reason: Text
    since: datetime
    container_id: str | None = None
    image: str = ""
    depends_on: tuple[str, ...] = ()
    started_at: datetime | None = None
    restarts: int = 0
    response_ms: float | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    port_open: bool | None = None
    busy: str | None = None
    """Id of the operation that is acting on the service now."""
    incident: str | None = None
    """Id of the open incident."""
    replica_of: str = ""
    """The service of which this is one of several containers."""


@dataclass(frozen=True, slots=True)
class OrphanView:
    """A container of the project whose service is in none of its files. `service` is what its
    label says; `since` when it was created."""

    name: str
    service: str
    container_id: str
    image: str
    state: State
    since: datetime | None
    busy: str | None = None
    """Id of the operation that is removing it now."""


@dataclass(frozen=True, slots=True)
class StackView:
    """The managed stack at one moment; `engine_since` is when the connection last changed."""

    project: str
    taken_at: datetime
    engine_connected: bool
    engine_since: datetime
    services: tuple[ServiceView, ...] = ()
    warnings: tuple[str, ...] = ()
    orphans: tuple[OrphanView, ...] = ()

    @property
    def running(self) -> int:
        return sum(1 for s in self.services if s.state is State.RUNNING)

    @property
    def healthy(self) -> int:
        return sum(1 for s in self.services if s.health is Health.HEALTHY)


class OperationStatus(StrEnum):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class OperationKind(StrEnum):
    """What was asked for. `converge` and `heal` are the hub's own: back to what people wanted."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    BUILD = "build"
    PULL = "pull"
    REMOVE_ORPHANS = "remove_orphans"
    CONVERGE = "converge"
    HEAL = "heal"

    @property
    def by_hub(self) -> bool:
        """Nobody asked for it, so it gives way to whoever asks for something."""
        return self in (OperationKind.CONVERGE, OperationKind.HEAL)

    @property
    def on_images(self) -> bool:
        """It touches no container, so it stands in nobody's way."""
        return self in (OperationKind.BUILD, OperationKind.PULL)


@dataclass(frozen=True, slots=True)
class ServiceResult:
    """How an operation ended for one service.

    `outcome`: started, restarted, recreated, stopped, removed, completed, already_running,
    already_stopped, built, pulled, not_built, not_pulled (there is nothing to build or to pull),
    failed, blocked (a dependency failed), unknown (the engine did not answer).
    """

    outcome: str
    cause: Text
    duration_ms: int
    detail: str | None = None

    @property
    def good(self) -> bool:
        return self.outcome not in ("failed", "blocked", "unknown")


@dataclass(frozen=True, slots=True)
class StepView:
    """One plan operation in progress or done: status waiting, running, done, failed, skipped.
    `progress` says how far one is that takes long."""

    op: str
    service: str
    cause: Text
    status: str
    progress: Text | None = None


@dataclass(frozen=True, slots=True)
class OperationView:
    """One request of a person (or the hub's own convergence), with progress and outcome."""

    id: str
    kind: OperationKind
    status: OperationStatus
    targets: tuple[str, ...]
    requested_at: datetime
    requested_by: str
    ended_at: datetime | None = None
    results: Mapping[str, ServiceResult] = field(default_factory=dict)
    steps: tuple[StepView, ...] = ()

    @property
    def success(self) -> bool:
        return self.status is OperationStatus.SUCCEEDED

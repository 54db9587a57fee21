"""The shapes of the API's answers, for OpenAPI and for people who write clients."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from controller.model.rehearsal import Fault, Stage


class Problem(BaseModel):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str | None = Field(None, description="What to do about it.")
    service: str | None = None
    faults: list[str] | None = Field(None, description="Every fault, one a line.")


class Service(BaseModel):
    """One managed service. null means "not seen"."""

    name: str
    port: int | None
    desired: Literal["running", "stopped"] = Field(description="What people want.")
    state: str = Field(description="What the engine says.")
    health: str = Field(description="What the hub concludes.")
    reason: str = Field(description="Why, in one sentence (Accept-Language: en or ko).")
    container_id: str | None
    image: str
    depends_on: list[str]
    started_at: str | None
    uptime_s: float | None
    restarts: int
    response_ms: float | None
    cpu_percent: float | None = Field(description="100 is one whole core.")
    memory_bytes: int | None
    port_open: bool | None
    since: str = Field(description="When `health` last changed.")
    operation: str | None = Field(description="The operation acting on it now.")
    incident: str | None = Field(description="The open incident.")
    replica_of: str | None = Field(
        description="The service of which this is one of several containers."
    )


class PauseFacts(BaseModel):
    """Since when the hub only watches, and who asked for it."""

    since: str
    by: str


class Orphan(BaseModel):
    """A container with the project's label whose service is in none of its files."""

    name: str
    service: str = Field(description="What its label says.")
    container_id: str
    image: str
    state: str = Field(description="What the engine says.")
    since: str | None = Field(description="When it was created.")
    operation: str | None = Field(description="The operation that is removing it now.")


class Orphans(BaseModel):
    orphans: list[Orphan]


class OrphanRemoval(BaseModel):
    """Which orphans to remove."""

    model_config = ConfigDict(extra="forbid")

    containers: list[str] | None = Field(
        None, max_length=1000, description="Names or ids; left out, all that there are."
    )


class Status(BaseModel):
    orchestration_hub: Literal["active"]
    total_services: int
    running: int
    healthy: int
    services: list[Service]
    orphans: list[Orphan] = Field(description="Removed by request only.")
    pause: PauseFacts | None = Field(description="null while the hub heals.")


class Result(BaseModel):
    outcome: Literal[
        "started",
        "restarted",
        "recreated",
        "stopped",
        "removed",
        "completed",
        "already_running",
        "already_stopped",
        "built",
        "pulled",
        "not_built",
        "not_pulled",
        "failed",
        "blocked",
        "unknown",
    ]
    cause: str
    duration_ms: int
    detail: str | None = None


class Step(BaseModel):
    op: str
    service: str
    cause: str
    status: Literal["waiting", "running", "done", "failed", "skipped"]
    progress: str | None = Field(description="How far it is, where it takes long.")


class Operation(BaseModel):
    id: str
    kind: Literal[
        "start",
        "stop",
        "restart",
        "build",
        "pull",
        "remove_orphans",
        "converge",
        "heal",
    ]
    status: Literal["running", "succeeded", "failed", "interrupted"]
    targets: list[str]
    requested_at: str
    requested_by: str
    ended_at: str | None
    results: dict[str, Result]
    steps: list[Step]


class Accepted(Operation):
    """An operation under way; `operation` repeats its id."""

    operation: str


class Done(BaseModel):
    success: bool
    operation: str
    results: dict[str, Result]


class PlannedStep(BaseModel):
    id: int
    op: str
    service: str
    subject: str
    cause: str
    after: list[int]


class DryRun(BaseModel):
    plan: list[PlannedStep]
    settled: dict[str, str] = Field(description="Services already as wished.")


class HubHealth(BaseModel):
    status: Literal["healthy", "degraded"]
    role: Literal["orchestration_hub"]
    managed_services: int
    version: str
    engine: Literal["connected", "unreachable"]
    paused: bool
    config_digest: str = Field(description="Changes with every byte of the configuration read.")


class Checks(BaseModel):
    ready: bool
    checks: dict[str, str] | None = None


class Probe(BaseModel):
    """One answer of a service to "are you well?"."""

    at: str
    ok: bool
    said: str
    response_ms: float | None = Field(description="null where nothing answered.")


class Evidence(BaseModel):
    """What was seen, kept although the container may have been replaced."""

    container_id: str | None
    exit_code: int | None
    oom_killed: bool
    engine_error: str
    last_probes: list[Probe] = Field(description="Oldest first.")
    log_tail: list[str] = Field(description="The last lines it wrote, oldest first.")


class Action(BaseModel):
    """One line of an incident's timeline."""

    at: str
    op: Literal[
        "start",
        "restart",
        "replace",
        "hold",
        "block",
        "unblock",
        "wait",
        "give_up",
        "operator",
    ] = Field(description="hold and block are restarts that were not made.")
    cause: str
    outcome: Literal["running", "done", "failed", "unknown", "interrupted", ""] = Field(
        description="Empty for what only says something."
    )
    ended_at: str | None
    failure: str | None = Field(description="Why it failed, in one sentence.")
    detail: str | None = Field(description="What the container or the engine said of a failure.")
    operation: str | None


class Incident(BaseModel):
    """One outage of one service: what went wrong, what was done about it, and why."""

    id: str
    service: str
    state: Literal["open", "closed"]
    kind: Literal[
        "crash", "hang", "unhealthy", "oom", "stopped_outside", "config_error", "dependency"
    ]
    cause: str = Field(description="In one sentence (Accept-Language: en or ko).")
    opened_at: str = Field(description="The first bad sign.")
    detected_at: str = Field(description="When the verdict turned bad.")
    closed_at: str | None
    outcome: Literal["recovered", "gave_up", "operator", "external"] | None
    detect_ms: int = Field(description="From the first bad sign to the verdict.")
    recover_ms: int | None = Field(description="From the first bad sign to well again.")
    restarts: int = Field(description="How often the hub acted on the container.")
    evidence: Evidence
    actions: list[Action] = Field(description="The whole timeline, oldest first.")
    suppressed_alerts: list[str] = Field(description="What was not done on purpose, and why.")
    runs_held: list[str] = Field(description="Ids of the runs that waited for it.")
    root: str | None = Field(description="The incident of another service that caused it.")
    rehearsal: str | None = Field(description="The rehearsal that injected it.")


class Paused(BaseModel):
    """Whether the hub only watches and touches nothing."""

    paused: bool
    since: str | None
    by: str | None


class RehearsalRequest(BaseModel):
    """A fault to inject, measure and undo."""

    model_config = ConfigDict(extra="forbid")

    fault: Fault
    force: StrictBool = Field(False, description="Even where the stack is sick or paused already.")


class Rehearsal(BaseModel):
    """A fault injected on purpose. Times in ms count from `injected_at`; null is "not seen"."""

    id: str
    service: str
    fault: Fault
    stage: Stage = Field(description="passed, failed and aborted are final.")
    verdict: str = Field(description="How it ended or how far it is (Accept-Language: en or ko).")
    objective_s: float = Field(description="How fast the service is meant to be well again.")
    requested_at: str
    requested_by: str
    injected_at: str | None
    detected_ms: int | None
    healed_ms: int | None
    dependants_ms: dict[str, int | None] = Field(description="Those disturbed, to well again.")
    incident: str | None
    ended_at: str | None


class ProbeSettings(BaseModel):
    """How the hub asks the service whether it is well."""

    kind: Literal["http", "tcp", "engine", "none"]
    port: int | None
    path: str
    interval_s: float
    timeout_s: float
    failures: int
    successes: int
    startup_s: float
    match: str | None


class RecoverySettings(BaseModel):
    """How the hub heals the service."""

    policy: Literal["restart", "none"]
    grace_s: float
    max_restarts: int
    window_s: float
    backoff_s: float
    max_backoff_s: float
    reset_s: float
    replace_after: int
    objective_s: float


class ServiceConfig(BaseModel):
    probe: ProbeSettings
    recovery: RecoverySettings


class ServiceDetail(Service):
    """One managed service and what lies behind its verdict."""

    recent_probes: list[Probe] = Field(description="Of the container's present life.")
    incidents: list[Incident] = Field(description="The last five, newest first.")
    config: ServiceConfig
    last_log_lines: list[str] | None = Field(description="null where they cannot be read now.")

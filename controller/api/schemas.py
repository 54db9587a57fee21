"""The shapes of the API's answers, for OpenAPI and for people who write clients."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


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


class Status(BaseModel):
    orchestration_hub: Literal["active"]
    total_services: int
    running: int
    healthy: int
    services: list[Service]


class Result(BaseModel):
    outcome: Literal[
        "started",
        "restarted",
        "recreated",
        "stopped",
        "completed",
        "already_running",
        "already_stopped",
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


class Operation(BaseModel):
    id: str
    kind: Literal["start", "stop", "restart", "converge"]
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

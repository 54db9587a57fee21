"""The shapes of the API's answers about workflows, for OpenAPI and for people who write clients."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from controller.model.run import RunStatus, StepStatus, UndoStatus
from controller.model.workflow import OnLimit


class RunRequest(BaseModel):
    """A run to begin."""

    model_config = ConfigDict(extra="forbid")

    input: Any = Field(None, description="What the workflow's expressions see as `input`.")


class _Called(BaseModel):
    action: str | None = Field(description="The action asked for, else null.")
    method: str
    path: str


class RetrySettings(BaseModel):
    attempts: int
    backoff_s: float
    max_backoff_s: float


class DefinedStep(_Called):
    id: str
    service: str
    needs: list[str]
    input: Any
    when: Any
    timeout_s: float
    retry: RetrySettings
    start: bool
    compensate: _Called | None


class Limit(BaseModel):
    limit: int
    on_limit: OnLimit


class WorkflowDefinition(BaseModel):
    name: str
    hash: str = Field(description="Changes with everything that is meant.")
    description: dict[str, str] = Field(description="By language: ko, en.")
    steps: list[DefinedStep]
    timeout_s: float
    output: Any
    input_schema: dict[str, Any] | None = Field(description="JSON Schema of a run's input.")
    schedule: str | None
    concurrency: Limit | None


class RunError(BaseModel):
    reason: str = Field(description="In one sentence (Accept-Language: en or ko).")
    status: int | None = Field(description="The HTTP status; null where nothing answered.")
    detail: str | None = Field(description="What the service itself said.")


class Held(BaseModel):
    reason: str
    since: str
    incident: str | None


class Compensation(BaseModel):
    status: UndoStatus
    attempts: int
    started_at: str | None
    ended_at: str | None
    error: RunError | None
    hold: Held | None


class WorkflowStep(_Called):
    id: str
    service: str
    needs: list[str]
    status: StepStatus
    attempts: int = Field(description="Those that an outage cut short are not counted.")
    max_attempts: int
    started_at: str | None
    ended_at: str | None
    latency_ms: float | None = Field(description="Of the last attempt.")
    output: Any
    error: RunError | None
    held_ms: int = Field(description="How long it waited for its service in all.")
    hold: Held | None = Field(description="Why it waits now.")
    retry_at: str | None
    reused: bool = Field(description="Its output is that of the run that this one retries.")
    compensation: Compensation | None


class _Line(BaseModel):
    id: str
    workflow: str
    definition_hash: str
    status: RunStatus
    reason: str | None = Field(description="Why it waits, or how it ended badly.")
    by: str
    retry_of: str | None
    created_at: str
    started_at: str | None
    ended_at: str | None
    elapsed_ms: int


class ListedRun(_Line):
    steps_done: int | None = Field(
        description="How many steps are over; null where the run goes on at another hub."
    )
    steps_total: int


class WorkflowRun(_Line):
    key: str | None
    input: Any
    output: Any
    error: RunError | None
    steps: list[WorkflowStep]


class WorkflowRuns(BaseModel):
    runs: list[ListedRun]
    next: str | None = Field(description="`cursor` of the page after this one.")


class Imported(BaseModel):
    imported: int
    skipped: int
    faults: list[str]

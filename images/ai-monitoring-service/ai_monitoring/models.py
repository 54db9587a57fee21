"""What the monitor is asked and answers, as its OpenAPI shows it. Times are UTC, ISO 8601."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from ai_monitoring.monitor import AlertKind, Outcome, StepStatus
from heal7_contract import StrictModel

MAX_STEPS = 1_000
DAY_MS = 86_400_000.0

ServiceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class StepIn(StrictModel):
    """One step of a run, as the hub times it. `latency_ms` is null until the step has ended."""

    service: ServiceName
    latency_ms: Annotated[float, Field(ge=0, le=DAY_MS)] | None = None
    status: StepStatus

    @model_validator(mode="after")
    def _succeeded_in_some_time(self) -> Self:
        if self.status is StepStatus.SUCCEEDED and self.latency_ms is None:
            raise ValueError("a step that succeeded has a latency_ms")
        return self


class MonitorRequest(StrictModel):
    """The steps of one run so far, in their order."""

    workflow_run: Annotated[str, Field(min_length=1, max_length=200)]
    steps: Annotated[list[StepIn], Field(min_length=1, max_length=MAX_STEPS)]


class JudgedStepBody(StrictModel):
    """`usual_ms` and `limit_ms` are what the baseline said then; null unless it was compared."""

    service: str
    # Not strict, here and below: stored documents hold the enumerations as text.
    status: StepStatus = Field(strict=False)
    latency_ms: float | None
    outcome: Outcome = Field(strict=False)
    z: float | None
    usual_ms: float | None
    limit_ms: float | None


class Anomaly(StrictModel):
    """A step much slower than its service usually is; `step` is its 0-based place."""

    step: int
    service: str
    latency_ms: float
    usual_ms: float
    limit_ms: float
    z: float


class AlertStatus(StrEnum):
    """`rolled_back`: the report that raised it was compensated."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    ROLLED_BACK = "rolled_back"


class AuditEntry(StrictModel):
    """Something that happened to a report or an alert; entries are only ever added."""

    at: str
    event: str
    by: str | None = None
    note: str | None = None


class Alert(StrictModel):
    """Something a person should look at."""

    id: str
    kind: AlertKind = Field(strict=False)
    status: AlertStatus = Field(strict=False)
    service: str
    message: str
    report_id: str
    workflow_run: str
    step: int
    created_at: str
    audit: list[AuditEntry]


class ReportStatus(StrEnum):
    """A void report was compensated: kept for the record, its points dropped."""

    VALID = "valid"
    VOID = "void"


class HostFigures(StrictModel):
    """The machine when the report was made: a slow step on a busy host is no news."""

    cpus: int
    load_1m: float
    memory_used_percent: float


class Report(StrictModel):
    """What was seen in one run. `normal`, `learning`, … count steps."""

    id: str
    workflow_run: str
    status: ReportStatus = Field(strict=False)
    created_at: str
    steps: list[JudgedStepBody]
    counts: dict[str, int]
    host: HostFigures
    audit: list[AuditEntry]


class MonitorResult(StrictModel):
    report: Report
    anomalies: list[Anomaly]
    alerts: list[Alert]


class AlertList(StrictModel):
    """Newest first."""

    alerts: list[Alert]


class AckRequest(StrictModel):
    by: Annotated[str, Field(min_length=1, max_length=200)]
    note: Annotated[str, Field(max_length=2_000)] | None = None


class BaselineBody(StrictModel):
    """What is usual for a service. `learning` until enough points have come to judge by."""

    service: str
    points: int
    learning: bool
    usual_ms: float | None
    limit_ms: float | None


class BaselineList(StrictModel):
    """By service name, with the detector's settings."""

    window: int
    grace: int
    threshold: float
    baselines: list[BaselineBody]

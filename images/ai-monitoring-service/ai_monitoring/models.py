"""What the monitor is asked and answers, as its OpenAPI shows it. Times are UTC, ISO 8601."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ai_monitoring.monitor import AlertKind, Outcome, StepStatus
from heal7_contract import StrictModel

MAX_STEPS = 1_000
DAY_MS = 86_400_000.0

ServiceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]


class StepIn(StrictModel):
    """One step of a run, as the hub times it. `latency_ms` is null until the step has ended."""

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"status": {"const": "succeeded"}}},
            "then": {
                "required": ["latency_ms"],
                "properties": {"latency_ms": {"type": "number"}},
            },
        }
    )

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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "workflow_run": "run-7",
                    "steps": [
                        {"service": "saju-service", "latency_ms": 38.2, "status": "succeeded"},
                        {"service": "crawling-service", "latency_ms": 30000, "status": "timed_out"},
                        {"service": "test-service", "status": "pending"},
                    ],
                }
            ]
        }
    )

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
    """`resolved`: what was wrong is over, or a person said so. `rolled_back`: the report that
    raised it was compensated."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    ROLLED_BACK = "rolled_back"


class AuditEntry(StrictModel):
    """Something that happened to a report or an alert; entries are only ever added."""

    at: str
    event: str
    by: str | None = None
    note: str | None = None


class Alert(StrictModel):
    """Something a person should look at: about a step of a run (`report_id`, `workflow_run` and
    `step` say which), or about a condition that lasts (`cause` names it, one alert for each)."""

    id: str
    kind: AlertKind = Field(strict=False)
    status: AlertStatus = Field(strict=False)
    service: str
    message: str
    report_id: str | None = None
    workflow_run: str | None = None
    step: int | None = None
    cause: str | None = None
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
    disk_used_percent: float = Field(default=0.0, description="Of the disk the containers are on")


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
    """Who says so, and what should be remembered of it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"by": "kim", "note": "known"}]})

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


class ReportList(StrictModel):
    """Newest first."""

    reports: list[Report]


class TargetBody(StrictModel):
    """`mode`: whether this service asks it, or it tells by itself. `at` is when it last did."""

    name: str
    mode: Literal["scrape", "push"]
    url: str | None
    health: Literal["up", "down", "waiting"]
    at: str | None
    took_ms: float | None
    samples: int
    series: int
    failures: int
    error: str | None


class TargetList(StrictModel):
    interval_s: float
    targets: list[TargetBody]


class SeriesBody(StrictModel):
    """One scraped series: what is usual, from where on it is not, and what is wrong now."""

    name: str
    target: str
    subject: str
    measure: str
    unit: str
    points: int
    learning: bool
    usual: float | None
    limit: float | None
    last: float | None
    at: str | None
    wrong: Literal["unusual", "errors", "full", "growing"] | None


class SeriesList(StrictModel):
    series: list[SeriesBody]


class SeriesPoint(StrictModel):
    at: str
    value: float


class SeriesPoints(StrictModel):
    """Oldest first, 240 at most."""

    series: SeriesBody
    points: list[SeriesPoint]


class PushReply(StrictModel):
    job: str
    samples: int

"""What a test of a running service is asked and answers, as the OpenAPI document shows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from examiner.contract.plan import PHASES
from examiner.models import ReportStatus, ServiceName
from heal7_contract import StrictModel

Phase = Literal["examples", "coverage", "fuzzing", "stateful"]
Pattern = Annotated[str, Field(min_length=1, max_length=200)]
Patterns = Annotated[list[Pattern], Field(max_length=50)]


class Scope(StrEnum):
    """How much a contract test may do to a live service."""

    READ = "read"
    SAFE = "safe"
    ALL = "all"


class TargetRequest(StrictModel):
    """Names a service of this one's settings; never an address."""

    service: ServiceName = Field(description="A name of HEAL7_TEST_TARGETS")
    time_limit_s: int = Field(default=120, ge=1, le=3_600)
    wait: bool = Field(
        default=True, description="false: answer at once, and GET /reports/{id} shows how it goes"
    )
    must_pass: bool = Field(
        default=False, description="Answer 422 `examination_failed` when anything is wrong"
    )


class ContractTestRequest(TargetRequest):
    """`include` and `exclude` are patterns (`*`, `?`) of operations: `GET /reports/{report_id}`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"service": "saju-service", "max_examples": 25, "time_limit_s": 60},
                {"service": "paperwork-service", "scope": "read", "phases": ["coverage"]},
            ]
        }
    )

    max_examples: int = Field(
        default=25, ge=1, le=1_000, description="Random cases an operation (fuzzing, stateful)"
    )
    max_coverage: int = Field(
        default=300,
        ge=1,
        le=10_000,
        description="Coverage cases an operation; of more, as many of each kind as there is room "
        "for, and `left_out` says how many there are besides",
    )
    phases: Annotated[list[Phase], Field(min_length=1, max_length=4)] = Field(
        default_factory=lambda: list(PHASES)  # type: ignore[arg-type]
    )
    seed: int | None = Field(
        default=None, ge=0, lt=2**32, description="The same seed, the same cases; absent: a new one"
    )
    include: Patterns = Field(default_factory=list)
    exclude: Patterns = Field(default_factory=list)
    scope: Scope = Field(
        default=Scope.SAFE,
        strict=False,
        description="read: only GET, HEAD, OPTIONS. safe: changes and deletes only what the test "
        "made. all: any id; for a service that nobody else uses",
    )
    strict: bool = Field(
        default=False,
        description="Count a documented refusal of what the schema allows as a failure too",
    )


class KnownAnswersRequest(TargetRequest):
    """Asks a service for answers that are known: today the 132 verified vectors of saju-service."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"service": "saju-service"}]})


class CleanupBody(StrictModel):
    """What the test made at the target, how much of it is removed, and what could not be."""

    made: int = 0
    removed: int = 0
    left: list[str] = Field(default_factory=list)


class RunReport(StrictModel):
    """`passed` is null while it runs, and when it ended before anything could be said.

    `state`: running, completed, incomplete (`stopped_by` says why), or interrupted (this service
    was stopped meanwhile).
    """

    report_id: str
    action: str
    service: str
    workflow_run: str | None
    created_at: str
    state: Literal["running", "completed", "incomplete", "interrupted"] = "running"
    stopped_by: str | None = None
    passed: bool | None = None
    detail: str | None = None
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    cleanup: CleanupBody = Field(default_factory=CleanupBody)
    status: ReportStatus = Field(default=ReportStatus.VALID, strict=False)
    voided_at: str | None = None
    void_reason: str | None = None


class OperationBody(StrictModel):
    """`cases` by phase, `statuses` by HTTP status (`none`: no answer).

    `left_out`: coverage cases that the document makes beyond `max_coverage`; 0 is all were asked.
    """

    operation: str
    cases: dict[str, int]
    left_out: int = 0
    statuses: dict[str, int]
    failures: int


class FailureBody(StrictModel):
    """A failure, once; `curl` shows it again."""

    check: str
    operation: str
    phase: str
    title: str
    message: str
    status: int | None
    curl: str


class ErrorBody(StrictModel):
    """What kept an operation from being asked."""

    where: str
    message: str
    times: int


class PromiseBody(StrictModel):
    """`kept` is null where it could not be asked; `detail` says why."""

    promise: str
    of: str
    kept: bool | None
    detail: str


class ContractReport(RunReport):
    """`server_errors` counts answers of 500 and more; `refused` what the schema allows and the
    service refused with a documented status; `replaced_ids` what was spared because others own it.
    """

    seed: int
    max_examples: int
    max_coverage: int = 0
    phases: list[str]
    scope: str
    cases: int = 0
    left_out: int = 0
    server_errors: int = 0
    refused: int = 0
    replaced_ids: int = 0
    operations: list[OperationBody] = Field(default_factory=list)
    failures: list[FailureBody] = Field(default_factory=list)
    truncated: bool = False
    errors: list[ErrorBody] = Field(default_factory=list)
    promises: list[PromiseBody] = Field(default_factory=list)


class DifferenceBody(StrictModel):
    """One member of one vector that the service answers otherwise."""

    vector: str
    kind: str
    field: str
    expected: Any
    actual: Any


class AnswersReport(RunReport):
    """`differing` counts vectors, `differences` lists their members that differ, the first 200."""

    vectors: int = 0
    asked: int = 0
    differing: int = 0
    differences: list[DifferenceBody] = Field(default_factory=list)

"""What the examiner is asked and answers, as its OpenAPI shows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from examiner.rules import FieldName, JsonSchema, Rule
from examiner.rulesets import BY_SERVICE, RuleSet
from heal7_contract import StrictModel

MAX_RECORDS = 10_000
MAX_RULES = 100

ServiceName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
JsonObject = dict[str, Any]


class Criteria(StrictModel):
    """What to examine by. Several of these may be given; all of them apply."""

    rules: Annotated[list[Rule], Field(max_length=MAX_RULES)] = Field(default_factory=list)
    # In Python `schema` is taken: it is a method of every pydantic model.
    definition: JsonSchema | None = Field(
        default=None, alias="schema", description="JSON Schema, draft 2020-12, of each record"
    )
    ruleset: RuleSet | None = Field(
        default=None, strict=False, description="A rule set the service brings along"
    )
    must_pass: bool = Field(
        default=False, description="Answer 422 `examination_failed` when anything is wrong"
    )

    @property
    def given(self) -> bool:
        """Whether the request brings anything to examine by."""
        return bool(self.rules or self.definition is not None or self.ruleset)


class QualityCheckRequest(Criteria):
    """One result of one service. Without criteria, the service's own rule set applies."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "service": "crawling-service",
                    "result": {"pages": [{"url": "http://demo-site:8080/", "status": 200}]},
                    "rules": [{"rule": "equals", "field": "pages.0.status", "value": 200}],
                }
            ]
        }
    )

    service: ServiceName
    result: JsonObject

    @model_validator(mode="after")
    def _has_criteria(self) -> Self:
        if not self.given and self.service not in BY_SERVICE:
            known = ", ".join(sorted(BY_SERVICE))
            raise ValueError(
                f"there are no built-in rules for {self.service} (only for {known}); "
                "send rules, schema or ruleset"
            )
        return self


class ValidateRequest(Criteria):
    """Collected records. `group_by` parts them into tables, each examined by itself."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "records": [{"name": "a", "at": "09:30"}, {"name": "b", "at": "17:60"}],
                    "rules": [
                        {"rule": "unique", "fields": ["name"]},
                        {"rule": "time", "field": "at"},
                    ],
                }
            ]
        }
    )

    records: Annotated[list[JsonObject], Field(min_length=1, max_length=MAX_RECORDS)]
    group_by: Annotated[list[FieldName], Field(max_length=5)] = Field(default_factory=list)
    values_at: FieldName | None = Field(
        default=None, description="The member that holds a record's values, where it wraps them"
    )

    @model_validator(mode="after")
    def _has_criteria(self) -> Self:
        if not self.given:
            raise ValueError("send what to examine by: rules, schema or ruleset")
        return self


class FindingBody(StrictModel):
    """One thing wrong. `index` is the 0-based record of the request, null for a whole table."""

    group: str
    index: int | None
    rule: str
    field: str
    value: JsonValue
    message: str


class GroupBody(StrictModel):
    """One table; its name is what `group_by` gave, '' when nothing was grouped."""

    name: str
    records: int
    errors: int
    passed: bool


class ExaminationResult(StrictModel):
    """`errors` counts all findings; `findings` lists the first of them, `truncated` says if so."""

    report_id: str
    passed: bool
    records: int
    errors: int
    groups: list[GroupBody]
    findings: list[FindingBody]
    truncated: bool


class ReportStatus(StrEnum):
    """A void report was compensated: it is kept for the record and stands for nothing."""

    VALID = "valid"
    VOID = "void"


class Report(ExaminationResult):
    """An examination as it is kept. Times are UTC, ISO 8601."""

    action: str
    service: str | None
    workflow_run: str | None
    created_at: str
    status: ReportStatus = Field(default=ReportStatus.VALID, strict=False)
    voided_at: str | None = None
    void_reason: str | None = None


class ReportSummary(StrictModel):
    """A line of the list. `state` is set for tests of a running service."""

    report_id: str
    action: str
    service: str | None
    workflow_run: str | None
    created_at: str
    passed: bool | None
    state: str | None = None
    status: ReportStatus = Field(default=ReportStatus.VALID, strict=False)


class ReportList(StrictModel):
    """The newest first."""

    reports: list[ReportSummary]
    next_offset: int | None

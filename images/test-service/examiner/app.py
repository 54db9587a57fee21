"""The examiner's service: what it examines by rules, and where the rest is declared."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import JsonValue

from examiner import reports, runs
from examiner.examine import Examination, Finding, examine
from examiner.faults import shown
from examiner.models import (
    Criteria,
    ExaminationResult,
    FindingBody,
    GroupBody,
    QualityCheckRequest,
    Report,
    ValidateRequest,
)
from examiner.regexes import RuleError
from examiner.rules import Record, RuleBase, SchemaRule
from examiner.rulesets import BY_SERVICE, RULE_SETS
from heal7_contract import Context, Problem, Service, StoredAction

MAX_FINDINGS = 200
MAX_VALUE_CHARS = 200
FAULTS_IN_PROBLEM = 20

service = Service(name="test-service", version="0.1.0", port=8011, max_body_bytes=8 << 20)
reports.install(service, runs.shown)
runs.install(service)

ERRORS = {422: "The request is not valid, a rule cannot be applied, or `must_pass` was not met"}


@service.action(
    "quality-check", request=QualityCheckRequest, result=ExaminationResult, errors=ERRORS
)
def quality_check(body: QualityCheckRequest, ctx: Context) -> ExaminationResult:
    rules = rules_of(body)
    if not body.given:
        rules = RULE_SETS[BY_SERVICE[body.service]]
    return _examined(body, ctx, [body.result], rules, service_name=body.service)


@service.action("validate", request=ValidateRequest, result=ExaminationResult, errors=ERRORS)
def validate(body: ValidateRequest, ctx: Context) -> ExaminationResult:
    return _examined(
        body, ctx, body.records, rules_of(body), group_by=body.group_by, values_at=body.values_at
    )


@quality_check.compensate
def undo_quality_check(record: StoredAction, reason: str) -> None:
    reports.void(service, record, reason)


@validate.compensate
def undo_validate(record: StoredAction, reason: str) -> None:
    reports.void(service, record, reason)


def rules_of(criteria: Criteria) -> Sequence[RuleBase]:
    """The rule set's rules, then the schema, then the request's own rules."""
    named = RULE_SETS[criteria.ruleset] if criteria.ruleset else ()
    schema = (
        ()
        if criteria.definition is None
        else (SchemaRule.model_validate({"rule": "schema", "schema": criteria.definition}),)
    )
    return [*named, *schema, *criteria.rules]


def _examined(
    criteria: Criteria,
    ctx: Context,
    records: Sequence[Record],
    rules: Sequence[RuleBase],
    *,
    service_name: str | None = None,
    group_by: Sequence[str] = (),
    values_at: str | None = None,
) -> ExaminationResult:
    try:
        examination = examine(records, rules, group_by, values_at)
    except RuleError as error:
        raise Problem(
            422,
            code="rule_not_applicable",
            title="The rules cannot be applied",
            detail=str(error),
            remedy="Correct the rule, the schema or the grouping named in `detail`.",
        ) from error
    result = result_of(ctx.action_id, len(records), examination)
    kept = Report(
        **dict(result),
        action=ctx.action,
        service=service_name,
        workflow_run=ctx.run,
        created_at=reports.now(),
    )
    # Under the action's id, so that a repeat after a crash replaces it instead of adding one.
    ctx.store.put(reports.REPORTS, ctx.action_id, kept.model_dump(mode="json"))
    if criteria.must_pass and not result.passed:
        raise _not_passed(result)
    return result


def result_of(report_id: str, records: int, examination: Examination) -> ExaminationResult:
    """The reply: all counts, and the first findings."""
    findings = examination.findings
    return ExaminationResult(
        report_id=report_id,
        passed=not findings,
        records=records,
        errors=len(findings),
        groups=[
            GroupBody(name=g.name, records=g.records, errors=g.errors, passed=not g.errors)
            for g in examination.groups
        ],
        findings=[_finding_body(finding) for finding in findings[:MAX_FINDINGS]],
        truncated=len(findings) > MAX_FINDINGS,
    )


def _finding_body(finding: Finding) -> FindingBody:
    fault = finding.fault
    return FindingBody(
        group=finding.group,
        index=finding.index,
        rule=finding.rule,
        field=fault.field,
        value=_bounded(fault.value),
        message=fault.message,
    )


def _bounded(value: object) -> JsonValue:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = value if isinstance(value, str) else shown(value, MAX_VALUE_CHARS)
    return text if len(text) <= MAX_VALUE_CHARS else text[: MAX_VALUE_CHARS - 1] + "…"


def _not_passed(result: ExaminationResult) -> Problem:
    first = result.findings[0]
    more = f" (and {result.errors - 1} more)" if result.errors > 1 else ""
    where = "" if first.index is None else f"record {first.index}, "
    return Problem(
        422,
        code="examination_failed",
        title="The examination found faults",
        detail=f"{where}{first.field}: {first.message}{more}",
        remedy=f"GET /reports/{result.report_id} lists them; correct the source and run it again.",
        report_id=result.report_id,
        findings=[f.model_dump(mode="json") for f in result.findings[:FAULTS_IN_PROBLEM]],
    )

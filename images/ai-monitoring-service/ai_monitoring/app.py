"""The monitor's service: one action, the alerts it raises, and what it has learnt."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Annotated

from annotated_types import Ge, Le, MaxLen

from ai_monitoring import records
from ai_monitoring.baseline import GRACE, THRESHOLD, WINDOW, drop, normal_of
from ai_monitoring.host import host_figures
from ai_monitoring.models import (
    AckRequest,
    Alert,
    AlertList,
    AlertStatus,
    Anomaly,
    AuditEntry,
    BaselineBody,
    BaselineList,
    HostFigures,
    JudgedStepBody,
    MonitorRequest,
    MonitorResult,
    Report,
    ReportStatus,
)
from ai_monitoring.monitor import AlertDraft, Examination, JudgedStep, Outcome, Step, examine
from heal7_contract import Context, Problem, Service, StoredAction
from heal7_contract.documents import Document

DAY = 86_400

_log = logging.getLogger("ai_monitoring")

service = Service(name="ai-monitoring-service", version="0.1.0", port=8014)
service.documents(records.REPORTS, keep=5_000, max_age_s=30 * DAY)
service.documents(records.ALERTS, keep=20_000, max_age_s=30 * DAY)
service.documents(records.BASELINES, keep=records.MAX_BASELINES, max_age_s=90 * DAY)


@service.action("monitor", request=MonitorRequest, result=MonitorResult)
def monitor(body: MonitorRequest, ctx: Context) -> MonitorResult:
    steps = [Step(step.service, step.status, step.latency_ms) for step in body.steps]
    report_id, host = ctx.action_id, host_figures()
    with records.learning:
        known = records.load_baselines(ctx.store, (step.service for step in steps))
        before = {name: drop(baseline, report_id) for name, baseline in known.items()}
        examination = examine(steps, before, report_id)
        result = result_of(body.workflow_run, report_id, examination, host, records.now())
        records.save_report(ctx.store, result.report, result.alerts)
        records.save_baselines(ctx.store, before | dict(examination.baselines))
    for alert in result.alerts:
        _log.warning(alert.message, extra={"alert": alert.id, "kind": alert.kind.value})
    return result


@monitor.compensate
def undo_monitor(record: StoredAction, reason: str) -> None:
    records.void(service.store, record.id, reason)


@service.get("/alerts", response_model=AlertList)
def alerts(
    status: AlertStatus | None = None,
    service: Annotated[str | None, MaxLen(63)] = None,
    limit: Annotated[int, Ge(1), Le(1_000)] = 100,
    offset: Annotated[int, Ge(0), Le(1_000_000)] = 0,
) -> dict[str, list[Document]]:
    wanted = {"status": status.value if status else None, "service": service}
    where = {member: value for member, value in wanted.items() if value is not None}
    return {"alerts": _find_alerts(where, limit, offset)}


@service.post(
    "/alerts/{alert_id}/ack",
    response_model=Alert,
    errors={404: "No such alert", 409: "The alert was rolled back"},
)
def acknowledge(alert_id: str, body: AckRequest) -> Document:
    entry = AuditEntry(at=records.now(), event="acknowledged", by=body.by, note=body.note)

    def change(before: Document | None) -> Document | None:
        if before is None or before["status"] != AlertStatus.OPEN:
            return before
        return records.with_entry(before, AlertStatus.ACKNOWLEDGED, entry)

    alert = service.store.update(records.ALERTS, alert_id, change)
    if alert is None:
        raise _not_found("alert", alert_id, "GET /alerts lists them.")
    if alert["status"] == AlertStatus.ROLLED_BACK:
        raise Problem(
            409,
            code="alert_rolled_back",
            title="The alert was rolled back",
            detail=f"The report behind {alert_id} was compensated; nothing is left to acknowledge.",
            remedy="GET /alerts?status=open lists what still needs a person.",
        )
    return alert


@service.get("/baselines", response_model=BaselineList)
def baselines() -> BaselineList:
    listed = []
    for name, baseline in records.all_baselines(service.store).items():
        usual = normal_of(baseline)
        listed.append(
            BaselineBody(
                service=name,
                points=len(baseline.points),
                learning=baseline.learning,
                usual_ms=round(usual.median_ms, 3) if usual else None,
                limit_ms=round(usual.limit_ms, 3) if usual else None,
            )
        )
    return BaselineList(window=WINDOW, grace=GRACE, threshold=THRESHOLD, baselines=listed)


@service.get("/reports/{report_id}", response_model=Report, errors={404: "No such report"})
def report(report_id: str) -> Document:
    found = service.store.get(records.REPORTS, report_id)
    if found is None:
        raise _not_found("report", report_id, "Use the report's id from a monitor reply.")
    return found


def result_of(
    workflow_run: str, report_id: str, examination: Examination, host: HostFigures, at: str
) -> MonitorResult:
    """The reply, which is also what is stored. `at` is the time of the report."""
    judged = examination.steps
    made = Report(
        id=report_id,
        workflow_run=workflow_run,
        status=ReportStatus.VALID,
        created_at=at,
        steps=[_step_body(step) for step in judged],
        counts=dict(Counter(step.outcome.value for step in judged)),
        host=host,
        audit=[AuditEntry(at=at, event="created")],
    )
    anomalies = [_anomaly(index, step) for index, step in enumerate(judged) if _is_anomaly(step)]
    raised = [_alert(draft, made) for draft in examination.alerts]
    return MonitorResult(report=made, anomalies=anomalies, alerts=raised)


def _step_body(judged: JudgedStep) -> JudgedStepBody:
    usual = judged.normal
    return JudgedStepBody(
        service=judged.step.service,
        status=judged.step.status,
        latency_ms=judged.step.latency_ms,
        outcome=judged.outcome,
        z=None if judged.z is None else round(judged.z, 3),
        usual_ms=None if usual is None else round(usual.median_ms, 3),
        limit_ms=None if usual is None else round(usual.limit_ms, 3),
    )


def _is_anomaly(judged: JudgedStep) -> bool:
    return judged.outcome is Outcome.ANOMALOUS


def _anomaly(index: int, judged: JudgedStep) -> Anomaly:
    body = _step_body(judged)
    return Anomaly.model_validate({"step": index, **body.model_dump(exclude={"status", "outcome"})})


def _alert(draft: AlertDraft, made: Report) -> Alert:
    return Alert(
        id=records.alert_id(made.id, draft.step),
        kind=draft.kind,
        status=AlertStatus.OPEN,
        service=draft.service,
        message=draft.message,
        report_id=made.id,
        workflow_run=made.workflow_run,
        step=draft.step,
        created_at=made.created_at,
        audit=[AuditEntry(at=made.created_at, event="raised")],
    )


def _find_alerts(where: dict[str, str], limit: int, offset: int) -> list[Document]:
    return service.store.find(records.ALERTS, where=where, limit=limit, offset=offset)


def _not_found(what: str, key: str, remedy: str) -> Problem:
    return Problem(
        404,
        code=f"{what}_not_found",
        title=f"No such {what}",
        detail=f"There is no {what} {key}; they are kept for 30 days.",
        remedy=remedy,
    )

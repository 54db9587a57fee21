"""The monitor's service: one action, the alerts it raises, and what it has learnt."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from functools import cache
from typing import Annotated

from annotated_types import Ge, Le, MaxLen
from fastapi import Request

from ai_monitoring import book, records, told
from ai_monitoring.baseline import GRACE, THRESHOLD, WINDOW, drop, normal_of
from ai_monitoring.collector import Collector
from ai_monitoring.exposition import UnreadableError
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
    PushReply,
    Report,
    ReportList,
    ReportStatus,
    SeriesList,
    SeriesPoints,
    TargetList,
)
from ai_monitoring.monitor import (
    AlertDraft,
    AlertKind,
    Examination,
    JudgedStep,
    Outcome,
    Step,
    examine,
)
from ai_monitoring.settings import Settings, settings_from
from heal7_contract import Context, Problem, Service, StoredAction
from heal7_contract.documents import Document

DAY = 86_400

_log = logging.getLogger("ai_monitoring")

service = Service(name="ai-monitoring-service", version="0.1.0", port=8014)
service.documents(records.REPORTS, keep=5_000, max_age_s=30 * DAY)
service.documents(records.ALERTS, keep=20_000, max_age_s=30 * DAY)
service.documents(records.BASELINES, keep=records.MAX_BASELINES, max_age_s=90 * DAY)
service.documents(records.WATCHES, keep=records.MAX_BASELINES, max_age_s=90 * DAY)


@cache
def settings() -> Settings:
    """The environment's, read once. Raises ValueError naming a wrong one."""
    return settings_from(os.environ)


class _Collecting:
    """The collector of the running app; there is none before it starts."""

    now: Collector | None = None


def collector() -> Collector:
    """Raises Problem 503 where the settings could not be used."""
    if _Collecting.now is None:
        raise Problem(
            503,
            code="not_watching",
            title="Nothing is watched",
            detail="This service has just started, or its settings cannot be used.",
            remedy="GET /ready says what is wrong with the settings.",
            headers={"Retry-After": "2"},
        )
    return _Collecting.now


@service.background("collect")
async def collect() -> None:
    """Looks at the targets until the service stops; without usable settings, waits for a person."""
    _Collecting.now = None
    try:
        wanted = settings()
    except ValueError as error:
        _log.error("nothing is watched: %s", error)
        await asyncio.Event().wait()
        return
    _Collecting.now = Collector(wanted, service.store, service.offload)
    try:
        await _Collecting.now.run()
    finally:
        _Collecting.now = None


@service.ready_check("settings")
def settings_are_valid() -> str | None:
    """A sentence when HEAL7_MONITOR_… cannot be used."""
    try:
        settings()
    except ValueError as error:
        return str(error)
    return None


@service.action("monitor", request=MonitorRequest, result=MonitorResult)
def monitor(body: MonitorRequest, ctx: Context) -> MonitorResult:
    steps = [Step(step.service, step.status, step.latency_ms) for step in body.steps]
    report_id, host = ctx.action_id, host_figures()
    with records.learning:
        known = records.load_baselines(ctx.store, (step.service for step in steps))
        before = {name: drop(baseline, report_id) for name, baseline in known.items()}
        examination = examine(steps, before, report_id)
        result = result_of(body.workflow_run, report_id, examination, host, records.now())
        for name in sorted(examination.recovered):
            for kind in (AlertKind.SLOW, AlertKind.FAILED):
                where = {"service": name, "kind": kind.value}
                book.resolve_where(ctx.store, where, f"over, as report {report_id} shows")
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

    return _standing(alert_id, service.store.update(records.ALERTS, alert_id, change))


def _standing(alert_id: str, alert: Document | None) -> Document:
    """The alert, unless there is none or its report was undone."""
    if alert is None:
        raise _not_found("alert", alert_id, "GET /alerts lists them.")
    if alert["status"] == AlertStatus.ROLLED_BACK:
        raise Problem(
            409,
            code="alert_rolled_back",
            title="The alert was rolled back",
            detail=f"The report behind {alert_id} was compensated; nothing is left to do.",
            remedy="GET /alerts?status=open lists what still needs a person.",
        )
    return alert


@service.post(
    "/alerts/{alert_id}/resolve",
    response_model=Alert,
    errors={404: "No such alert", 409: "The alert was rolled back"},
)
def resolve(alert_id: str, body: AckRequest) -> Document:
    """A person says that it is over; a condition is told of anew when it begins anew."""
    entry = AuditEntry(at=records.now(), event="resolved", by=body.by, note=body.note)
    return _standing(alert_id, book.resolve(service.store, alert_id, entry))


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


@service.get("/reports", response_model=ReportList)
def reports(
    workflow_run: Annotated[str | None, MaxLen(200)] = None,
    limit: Annotated[int, Ge(1), Le(200)] = 50,
    offset: Annotated[int, Ge(0), Le(1_000_000)] = 0,
) -> dict[str, list[Document]]:
    """Of one run, or of all."""
    where = {} if workflow_run is None else {"workflow_run": workflow_run}
    return {"reports": service.store.find(records.REPORTS, where=where, limit=limit, offset=offset)}


@service.get("/targets", response_model=TargetList, errors={503: "Nothing is watched"})
async def targets() -> TargetList:
    """What is watched beside runs, and when each of it was last heard."""
    return told.targets(collector())


@service.get("/series", response_model=SeriesList, errors={503: "Nothing is watched"})
async def series(
    target: Annotated[str | None, MaxLen(63)] = None, wrong: bool | None = None
) -> SeriesList:
    """What was seen of the targets: of one, or only what is (not) wrong now."""
    listed = told.series(collector(), target)
    return SeriesList(
        series=[one for one in listed if wrong is None or (one.wrong is not None) is wrong]
    )


@service.get(
    "/series/{name}",
    response_model=SeriesPoints,
    errors={404: "No such series", 503: "Nothing is watched"},
)
async def series_points(name: str) -> SeriesPoints:
    """The last values of one series."""
    watch = collector().watches.get(name)
    if watch is None:
        raise _not_found("series", name, "GET /series lists them.")
    return told.points(watch)


_EXPOSITION = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {
                "schema": {"type": "string"},
                "example": "# TYPE process_resident_memory_bytes gauge\n"
                "process_resident_memory_bytes 5.2e+07\n",
            }
        },
    }
}
_PUSHED = {404: "No such job", 422: "It is not in Prometheus' text format"}


@service.route(
    "PUT",
    "/metrics/job/{job}",
    response_model=PushReply,
    errors=_PUSHED,
    openapi_extra=_EXPOSITION,
)
@service.post(
    "/metrics/job/{job}", response_model=PushReply, errors=_PUSHED, openapi_extra=_EXPOSITION
)
async def push(job: str, request: Request) -> PushReply:
    """For what cannot be asked: its metrics as text, where Pushgateway's clients send them."""
    watching = collector()
    if job not in watching.settings.pushed:
        raise Problem(
            404,
            code="job_not_found",
            title="No such job",
            detail=f"Nothing is expected from {job[:63]!r}.",
            remedy="Name it in HEAL7_MONITOR_PUSHED; GET /targets lists who may push.",
        )
    try:
        heard = await watching.pushed(job, (await request.body()).decode("utf-8", "replace"))
    except UnreadableError as error:
        raise Problem(
            422,
            code="unreadable_metrics",
            title="The metrics cannot be read",
            detail=f"What {job} pushed: {error}.",
            remedy="Send what its /metrics answers, unchanged.",
        ) from None
    return PushReply(job=job, samples=heard.snapshot.samples if heard.snapshot else 0)


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

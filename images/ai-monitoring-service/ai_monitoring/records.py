"""Baselines, reports and alerts as stored documents, and the order in which they are written.

An action may be cut short anywhere and asked again under the same id, or undone instead. So
everything an action writes hangs on its id; the report goes first, and names every service whose
baseline may have changed; and a repeat starts by dropping the points of the attempt before it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from ai_monitoring.baseline import Baseline, Point, drop
from ai_monitoring.measures import MEASURES
from ai_monitoring.models import Alert, AlertStatus, AuditEntry, Report, ReportStatus
from ai_monitoring.monitor import Outcome
from ai_monitoring.watch import Watch, Wrong
from heal7_contract import DocumentStore, clock
from heal7_contract.documents import Document

BASELINES = "baseline"
REPORTS = "report"
ALERTS = "alert"
WATCHES = "watch"
MAX_BASELINES = 500

# Judging reads a baseline, and learning writes it back: two runs at once would lose points.
learning = threading.Lock()


def load_baselines(store: DocumentStore, services: Iterable[str]) -> dict[str, Baseline]:
    """The baselines of these services, without those that are not known yet."""
    found = {service: store.get(BASELINES, service) for service in set(services)}
    return {service: loaded(document) for service, document in found.items() if document}


def all_baselines(store: DocumentStore) -> dict[str, Baseline]:
    """Every baseline, by service name."""
    documents = store.find(BASELINES, limit=MAX_BASELINES)
    return {d["service"]: loaded(d) for d in sorted(documents, key=lambda d: str(d["service"]))}


def save_baselines(store: DocumentStore, baselines: Mapping[str, Baseline]) -> None:
    """Writes them back; a baseline left without points is forgotten."""
    for service, baseline in baselines.items():
        if baseline.points or baseline.pending:
            store.put(BASELINES, service, {"service": service, **dumped(baseline)})
        else:
            store.delete(BASELINES, service)


def save_report(store: DocumentStore, report: Report, alerts: Sequence[Alert]) -> None:
    """The report with its alerts; what an earlier attempt of the same action wrote is replaced."""
    earlier = store.get(REPORTS, report.id)
    if earlier is not None:
        for step in _alerted(Report.model_validate(earlier)):
            store.delete(ALERTS, alert_id(report.id, step))
    store.put(REPORTS, report.id, report.model_dump(mode="json"))
    for alert in alerts:
        store.put(ALERTS, alert.id, alert.model_dump(mode="json"))


def alert_id(report_id: str, step: int) -> str:
    """The id of the alert about one step of a report."""
    return f"{report_id}-{step}"


def void(store: DocumentStore, report_id: str, reason: str) -> None:
    """Undo a report: its points dropped, its alerts closed, all of it kept with the reason why."""
    found = store.get(REPORTS, report_id)
    if found is None:
        return
    report = Report.model_validate(found)
    with learning:
        baselines = load_baselines(store, (step.service for step in report.steps))
        save_baselines(store, {name: drop(b, report_id) for name, b in baselines.items()})
    entry = AuditEntry(at=now(), event="compensated", note=reason)
    for step in _alerted(report):
        close_alert(store, alert_id(report_id, step), entry)
    if report.status is not ReportStatus.VOID:
        voided = report.model_copy(
            update={"status": ReportStatus.VOID, "audit": [*report.audit, entry]}
        )
        store.update(REPORTS, report_id, lambda _before: voided.model_dump(mode="json"))


def _alerted(report: Report) -> list[int]:
    """The steps that have an alert."""
    alarming = (Outcome.ANOMALOUS, Outcome.FAILED)
    return [index for index, step in enumerate(report.steps) if step.outcome in alarming]


def close_alert(store: DocumentStore, key: str, entry: AuditEntry) -> None:
    """Marks one alert as rolled back, once, if there is such an alert."""

    def change(before: Document | None) -> Document | None:
        if before is None or before["status"] == AlertStatus.ROLLED_BACK:
            return before
        return with_entry(before, AlertStatus.ROLLED_BACK, entry)

    store.update(ALERTS, key, change)


def with_entry(document: Document, status: AlertStatus, entry: AuditEntry) -> Document:
    """The document with a new status and one more line of audit."""
    audit = [*document["audit"], entry.model_dump(mode="json")]
    return document | {"status": status.value, "audit": audit}


def load_watches(store: DocumentStore) -> dict[str, Watch]:
    """Every series of the targets, by name."""
    found = {}
    for document in store.find(WATCHES, limit=MAX_BASELINES):
        wrong = document["wrong"]
        watch = Watch(
            target=document["target"],
            subject=document["subject"],
            measure=document["measure"],
            baseline=loaded(document["baseline"]),
            recent=tuple((at, value) for at, value in document["recent"]),
            bad=document["bad"],
            good=document["good"],
            wrong=Wrong(wrong) if wrong else None,
        )
        if watch.measure in MEASURES:
            found[watch.name] = watch
    return found


def save_watches(store: DocumentStore, watches: Iterable[Watch]) -> None:
    """As they are now."""
    for watch in watches:
        recent = [[round(at, 1), round(value, 4)] for at, value in watch.recent]
        document = {
            "target": watch.target,
            "subject": watch.subject,
            "measure": watch.measure,
            "baseline": dumped(watch.baseline),
            "recent": recent,
            "bad": watch.bad,
            "good": watch.good,
            "wrong": watch.wrong,
        }
        store.put(WATCHES, watch.name, document)


def now() -> str:
    """The time, as documents hold it."""
    return iso(clock.now())


def iso(at: float) -> str:
    """A time in seconds since 1970, as documents hold it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def dumped(baseline: Baseline) -> Document:
    """A baseline as JSON."""
    return {
        "points": [[point.value, point.report] for point in baseline.points],
        "pending": [[point.value, point.report] for point in baseline.pending],
        "well": baseline.well,
    }


def loaded(document: Document) -> Baseline:
    """What `dumped` made."""
    points, pending = (
        tuple(Point(value, report) for value, report in document.get(name, ()))
        for name in ("points", "pending")
    )
    return Baseline(points, pending, document.get("well", 0))

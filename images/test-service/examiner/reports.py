"""The reports of this service: kept for 30 days, listed, shown, exported, and void once undone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from xml.etree import ElementTree as Xml

from fastapi import Query, Response

from examiner.models import Report, ReportList, ReportStatus, ReportSummary
from examiner.run_models import AnswersReport, ContractReport
from heal7_contract import Problem, Service, StoredAction, clock
from heal7_contract.documents import Document

REPORTS = "report"
KEEP = 2_000
DAYS = 30
_DAY_S = 86_400

AnyReport = Report | ContractReport | AnswersReport
_UNSAYABLE = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNKNOWN = {404: "No such report"}


def install(service: Service, shown: Callable[[Document], Document]) -> None:
    """Declares the reports and their endpoints; `shown` is how a stored one is to be read."""
    service.documents(REPORTS, keep=KEEP, max_age_s=DAYS * _DAY_S)

    @service.get("/reports", response_model=ReportList, tags=["reports"])
    def list_reports(
        service_name: Annotated[
            str | None, Query(alias="service", max_length=63, description="Of this service only")
        ] = None,
        action: Annotated[str | None, Query(max_length=63)] = None,
        passed: Annotated[
            bool | None, Query(description="Only those that passed, or did not")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        offset: Annotated[int, Query(ge=0, le=KEEP)] = 0,
    ) -> ReportList:
        """The newest first; `next_offset` is null on the last page."""
        wanted = {"service": service_name, "action": action, "passed": passed}
        where = {name: value for name, value in wanted.items() if value is not None}
        found = service.store.find(REPORTS, where=where, limit=limit + 1, offset=offset)
        more = offset + limit if len(found) > limit else None
        return ReportList(reports=[_summary(shown(one)) for one in found[:limit]], next_offset=more)

    @service.get(
        "/reports/{report_id}", response_model=AnyReport, errors=_UNKNOWN, tags=["reports"]
    )
    def report(report_id: str) -> Document:
        """One report, also while its test runs."""
        return shown(_found(service, report_id))

    @service.get(
        "/reports/{report_id}/junit",
        response_class=Response,
        responses={200: {"content": {"application/xml": {"schema": {"type": "string"}}}}},
        errors=_UNKNOWN,
        tags=["reports"],
    )
    def junit(report_id: str) -> Response:
        """The same as JUnit XML, which build servers read."""
        return Response(junit_of(shown(_found(service, report_id))), media_type="application/xml")


def _found(service: Service, report_id: str) -> Document:
    found = service.store.get(REPORTS, report_id)
    if found is None:
        raise Problem(
            404,
            code="report_not_found",
            title="No such report",
            detail=f"There is no report {report_id}; they are kept for {DAYS} days.",
            remedy="GET /reports lists those that are kept.",
        )
    return found


def void(service: Service, record: StoredAction, reason: str) -> None:
    """Marks the report as undone; there is none when the action never got that far."""

    def change(before: Document | None) -> Document | None:
        if before is None or before["status"] == ReportStatus.VOID:
            return before
        return before | {"status": ReportStatus.VOID, "voided_at": now(), "void_reason": reason}

    service.store.update(REPORTS, record.id, change)


def now() -> str:
    """UTC, to the second, as the reports hold it."""
    return datetime.fromtimestamp(clock.now(), UTC).isoformat(timespec="seconds")


def _summary(document: Document) -> ReportSummary:
    names = ReportSummary.model_fields
    return ReportSummary.model_validate(
        {name: document[name] for name in names if name in document}, strict=False
    )


def junit_of(report: Mapping[str, Any]) -> bytes:
    """Pure: a suite of what was examined; a case of an operation, promise, vector or group."""
    suite = Xml.Element("testsuite", name=f"{report['action']} {report['service'] or ''}".strip())
    suite.set("timestamp", str(report["created_at"]))
    failed = 0
    cases = list(_junit_cases(report))
    for name, fault in cases:
        case = Xml.SubElement(suite, "testcase", name=name, classname=str(report["action"]))
        if fault is not None:
            failed += 1
            shown = Xml.SubElement(case, "failure", message=_plain(fault[0])[:500])
            shown.text = _plain(fault[1])
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(failed))
    return bytes(Xml.tostring(suite, encoding="utf-8", xml_declaration=True))


_JunitCase = tuple[str, tuple[str, str] | None]


def _junit_cases(report: Mapping[str, Any]) -> Iterator[_JunitCase]:
    for promise in report.get("promises", ()):
        broken = promise["kept"] is False
        fault = (promise["promise"], promise["detail"]) if broken else None
        yield f"{promise['of']}: {promise['promise']}", fault
    for operation in report.get("operations", ()):
        name = operation["operation"]
        faults = [f for f in report["failures"] if f["operation"] == name]
        text = "\n\n".join(f"{f['title']}: {f['message']}\n{f['curl']}" for f in faults)
        yield name, (faults[0]["title"], text) if faults else None
    for error in report["errors"] if "promises" in report else ():
        yield error["where"], ("could not be asked", error["message"])
    for found in report.get("differences", ()):
        text = f"expected {found['expected']!r}, got {found['actual']!r}"
        yield f"{found['vector']} {found['field']}", ("differs from the known answer", text)
    for group in report.get("groups", ()):
        faults = [f for f in report["findings"] if f["group"] == group["name"]]
        lines = "\n".join(f"{f['index']}: {f['field']}: {f['message']}" for f in faults)
        yield group["name"] or "records", (f"{group['errors']} faults", lines) if faults else None


def _plain(text: str) -> str:
    """XML has no way to say control characters."""
    return _UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", text)

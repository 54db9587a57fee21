"""The two actions that ask a running service: contract-test and known-answers.

Their reports are written while they run. An undo ends a run at once and voids its report.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from examiner import reports
from examiner.contract.plan import Plan
from examiner.contract.run import BusyError, Runs, Snapshot
from examiner.contract.vectors import VECTORS
from examiner.run_models import (
    AnswersReport,
    ContractReport,
    ContractTestRequest,
    KnownAnswersRequest,
    RunReport,
    TargetRequest,
)
from examiner.targets import SETTING, targets_from_env
from heal7_contract import Context, Problem, Service, StoredAction
from heal7_contract.documents import Document

ERRORS = {
    409: "The key was used otherwise or undone, or another test of a service is under way",
    422: "The request is not valid, names an unknown service, or `must_pass` was not met",
    424: "The service cannot be reached, or its OpenAPI document cannot be used",
}
_REMEDIES = {
    "target_unusable": "See that the service runs and answers GET /openapi.json; ask again.",
    "nothing_selected": "Widen include, exclude or scope; /openapi.json of the service lists all.",
}
_log = logging.getLogger("heal7.examiner")
_under_way = Runs()
_tasks: set[asyncio.Task[Document]] = set()


def install(service: Service) -> None:
    """Declares both actions, their undo, and the check of the settings."""

    @service.action(
        "contract-test", request=ContractTestRequest, result=ContractReport, errors=ERRORS
    )
    async def contract_test(body: ContractTestRequest, ctx: Context) -> ContractReport:
        seed = int(ctx.action_id[-8:], 16) if body.seed is None else body.seed
        plan = Plan(
            kind="contract",
            service=body.service,
            url=_target(body.service),
            report_id=ctx.action_id,
            max_examples=body.max_examples,
            max_coverage=body.max_coverage,
            phases=tuple(dict.fromkeys(body.phases)),
            time_limit_s=body.time_limit_s,
            seed=seed,
            include=tuple(body.include),
            exclude=tuple(body.exclude),
            scope=body.scope.value,
            strict=body.strict,
        )
        begun = ContractReport(
            **_begun(body, ctx),
            seed=seed,
            max_examples=plan.max_examples,
            max_coverage=plan.max_coverage,
            phases=list(plan.phases),
            scope=plan.scope,
        )
        return ContractReport.model_validate(await _run(service, body, ctx, plan, begun))

    @service.action(
        "known-answers", request=KnownAnswersRequest, result=AnswersReport, errors=ERRORS
    )
    async def known_answers(body: KnownAnswersRequest, ctx: Context) -> AnswersReport:
        url = _target(body.service)
        if body.service not in VECTORS:
            raise _refused(
                "no_known_answers", f"There are no known answers of {body.service}.", VECTORS
            )
        plan = Plan("answers", body.service, url, ctx.action_id, time_limit_s=body.time_limit_s)
        begun = AnswersReport(**_begun(body, ctx))
        return AnswersReport.model_validate(await _run(service, body, ctx, plan, begun))

    for action in (contract_test, known_answers):
        action.interrupt(_under_way.stop)

        @action.compensate
        async def undo(record: StoredAction, reason: str) -> None:
            _under_way.stop(record.id)
            await service.offload(reports.void, service, record, reason)

    @service.ready_check("targets")
    def targets_are_valid() -> str | None:
        try:
            targets_from_env(os.environ)
        except ValueError as error:
            return str(error)
        return None


def _target(name: str) -> str:
    targets = targets_from_env(os.environ)
    if name not in targets:
        raise _refused("unknown_target", f"{name} is no service that this one may ask.", targets)
    return targets[name]


def _refused(code: str, detail: str, names: Any) -> Problem:
    return Problem(
        422,
        code=code,
        title="The service is not one to be tested",
        detail=detail,
        remedy=f"Name one of {', '.join(sorted(names))}; {SETTING} holds those that may be asked.",
    )


def _begun(body: TargetRequest, ctx: Context) -> dict[str, Any]:
    return {
        "report_id": ctx.action_id,
        "action": ctx.action,
        "service": body.service,
        "workflow_run": ctx.run,
        "created_at": reports.now(),
    }


async def _run(
    service: Service, body: TargetRequest, ctx: Context, plan: Plan, begun: RunReport
) -> Document:
    try:
        _under_way.claim(ctx.action_id)
    except BusyError as busy:
        raise Problem(
            409,
            code="test_running",
            title="Another test is under way",
            detail=f"One test of a service at a time; {busy.report_id} is under way.",
            remedy=f"GET /reports/{busy.report_id} shows how far it is; ask again when it is over.",
            report_id=busy.report_id,
        ) from None
    document = begun.model_dump(mode="json")
    task = asyncio.create_task(_drive(service, plan, document))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    if not body.wait:
        return document
    # The run goes on when the caller goes away; the report is there for whoever asks.
    ended = await asyncio.shield(task)
    if ended["stopped_by"] in _REMEDIES:
        raise _unusable(ended)
    if ended["stopped_by"] == "crash":
        raise RuntimeError(f"the child process of {plan.report_id} failed")
    if body.must_pass and ended["passed"] is not True:
        raise _not_passed(ended)
    return ended


async def _drive(service: Service, plan: Plan, document: Document) -> Document:
    async def tell(snapshot: Snapshot) -> None:
        known = {name: value for name, value in snapshot.items() if name in document}
        await service.offload(_write, service, plan.report_id, known)

    try:
        await service.offload(service.store.put, reports.REPORTS, plan.report_id, document)
        ended = ending(document, await _under_way.follow(plan, tell))
        await service.offload(_write, service, plan.report_id, ended)
        return ended
    finally:
        _under_way.release(plan.report_id)


def _write(service: Service, report_id: str, news: Document) -> None:
    """Everything but what an undo wrote meanwhile."""
    kept = {
        name: value
        for name, value in news.items()
        if name not in ("status", "voided_at", "void_reason")
    }

    def change(before: Document | None) -> Document | None:
        return None if before is None else before | kept

    service.store.update(reports.REPORTS, report_id, change)


def ending(begun: Document, last: Snapshot) -> Document:
    """Pure: the report, once the last snapshot of a run is there."""
    fault = last.get("fault")
    stopped = fault["code"] if fault else last.get("stopped_by")
    known = {name: value for name, value in last.items() if name in begun}
    report = {**begun, **known, "stopped_by": stopped}
    report["state"] = "incomplete" if stopped else "completed"
    report["passed"] = _verdict(report)
    if fault:
        report["detail"] = fault["detail"]
    elif last.get("child"):
        _log.error("a test of %s ended: %s: %s", begun["service"], stopped, last["child"])
        report["detail"] = "the log of this service holds the cause"
    return report


def _verdict(report: Document) -> bool | None:
    """False for any fault seen; what was cut short is only judged where time was the bound."""
    broken = any(promise["kept"] is False for promise in report.get("promises", ()))
    faults = ("failures", "errors", "differences", "server_errors")
    if broken or any(report.get(name) for name in faults):
        return False
    if report["stopped_by"] == "server_unavailable":
        return False
    asked = report.get("cases", 0) + report.get("asked", 0)
    return True if asked and report["stopped_by"] in (None, "time_limit") else None


def _unusable(report: Document) -> Problem:
    code = str(report["stopped_by"])
    return Problem(
        424 if code == "target_unusable" else 422,
        code=code,
        title="The service cannot be tested",
        detail=str(report["detail"]),
        remedy=_REMEDIES[code],
        report_id=report["report_id"],
    )


def _not_passed(report: Document) -> Problem:
    counted = {
        name: len(report[name])
        for name in ("failures", "errors", "differences")
        if report.get(name)
    }
    counted["broken promises"] = sum(p["kept"] is False for p in report.get("promises", ()))
    seen = ", ".join(f"{count} {name}" for name, count in counted.items() if count)
    return Problem(
        422,
        code="examination_failed",
        title="The examination found faults",
        detail=f"{report['service']}: {seen or report['stopped_by'] or 'nothing was asked'}.",
        remedy=f"GET /reports/{report['report_id']} lists them; mend the service, test it again.",
        report_id=report["report_id"],
    )


def shown(report: Document) -> Document:
    """A report as it is to be read: one that says `running` while nothing runs was cut short."""
    if report.get("state") == "running" and _under_way.current != report["report_id"]:
        return {**report, "state": "interrupted", "stopped_by": "restart"}
    return report

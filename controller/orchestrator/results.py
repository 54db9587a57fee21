"""From the outcomes of a plan's operations to one result a service; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from controller.model.text import text
from controller.model.view import OperationStatus, ServiceResult, StepView
from controller.orchestrator.outcome import Outcome, Status, passes
from controller.orchestrator.plan import Op, Plan, PlannedOp

_SETTLED = {
    "already_running": text("result.already_running"),
    "already_stopped": text("result.already_stopped"),
    "completed": text("result.completed"),
    "not_built": text("result.not_built"),
    "not_pulled": text("result.not_pulled"),
}


def results(plan: Plan, outcomes: Mapping[int, Outcome]) -> dict[str, ServiceResult]:
    """How the plan ended for each service it speaks of."""
    ended = {n: ServiceResult(outcome, _SETTLED[outcome], 0) for n, outcome in plan.settled.items()}
    for name in plan.services:
        if name not in ended:
            ended[name] = result_of(plan, name, outcomes)
    return ended


def is_over(plan: Plan, service: str, outcomes: Mapping[int, Outcome]) -> bool:
    """Whether nothing more is going to be done to the service."""
    return all(op.id in outcomes and outcomes[op.id].status.over for op in plan.of(service))


def steps(plan: Plan, outcomes: Mapping[int, Outcome]) -> tuple[StepView, ...]:
    """The plan's operations with where each stands."""
    waiting = Outcome(Status.WAITING)
    standing = ((op, outcomes.get(op.id, waiting)) for op in plan.ops)
    return tuple(
        StepView(op.op, op.service, op.cause, _shown(now.status), now.progress)
        for op, now in standing
    )


def status_of(ended: Mapping[str, ServiceResult]) -> OperationStatus:
    good = all(result.good for result in ended.values())
    return OperationStatus.SUCCEEDED if good else OperationStatus.FAILED


def _shown(status: Status) -> str:
    return "failed" if status is Status.UNHEALTHY else status.value


def result_of(plan: Plan, name: str, outcomes: Mapping[int, Outcome]) -> ServiceResult:
    """How it ended for one service, whose operations are all over."""
    own = plan.of(name)
    took = round(1000 * max(outcomes[op.id].at for op in own))
    for op in own:
        outcome = outcomes[op.id]
        if outcome.status in (Status.FAILED, Status.UNHEALTHY):
            cause = outcome.cause or text("fail.engine", detail="")
            word = "unknown" if outcome.unknown else "failed"
            return ServiceResult(word, cause, took, outcome.detail)
    skipped = [op for op in own if outcomes[op.id].status is Status.SKIPPED]
    if skipped:
        return _skipped(plan, skipped[0], outcomes, took)
    return ServiceResult(_done(own), plan.causes.get(name, own[0].cause), took)


def _skipped(
    plan: Plan, op: PlannedOp, outcomes: Mapping[int, Outcome], took: int
) -> ServiceResult:
    by_id = {o.id: o for o in plan.ops}
    stopped_by = (e.id for e in op.edges if not passes(outcomes[e.id], e.tolerance))
    blamed = next((by_id[i] for i in stopped_by), None)
    why = outcomes[op.id].cause
    if blamed is None or blamed.service == op.service:
        return ServiceResult("blocked", why or text("result.cancelled"), took)
    cause = text("result.blocked", dependency=blamed.service)
    return ServiceResult("blocked", cause, took, outcomes[op.id].detail)


def _done(own: Sequence[PlannedOp]) -> str:
    kinds = {op.op for op in own}
    if kinds <= {Op.UNPAUSE, Op.STOP, Op.REMOVE} and Op.REMOVE in kinds:
        return "removed"
    if Op.STOP in kinds and Op.START not in kinds:
        return "stopped"
    if Op.CREATE in kinds and Op.REMOVE in kinds:
        return "recreated"
    if Op.STOP in kinds:
        return "restarted"
    if kinds & {Op.START, Op.UNPAUSE}:
        return "started"
    if kinds == {Op.BUILD}:
        return "built"
    if kinds == {Op.PULL}:
        return "pulled"
    return "already_running" if Op.READY in kinds else "completed"

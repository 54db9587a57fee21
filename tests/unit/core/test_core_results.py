"""From operations to one result a service."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from core_builders import CHAIN, container, seen, service, stack

from controller.model.text import text
from controller.model.view import OperationKind, OperationStatus, ServiceResult
from controller.orchestrator import goals
from controller.orchestrator.outcome import Outcome, Status, passes
from controller.orchestrator.plan import Op, Plan, Tolerance
from controller.orchestrator.reconcile import reconcile
from controller.orchestrator.results import results, status_of, steps

DONE = Outcome(Status.DONE, at=0.25)
SICK = text("fail.not_ready", why="x")
BROKEN = text("fail.engine", detail="no")


def planned(kind: OperationKind, *running: str, healthy: str = "", drifted: str = "") -> Plan:
    found = seen(
        *(container(n, config_hash="old" if n in drifted.split() else "h1") for n in running)
    )
    containers = {name: found.of(name) for name in CHAIN.services}
    goal = goals.requested(CHAIN, kind, CHAIN.managed, containers, True)
    return reconcile(CHAIN, goal, found, frozenset(healthy.split()))


def ended(plan: Plan, **by_step: Outcome) -> Mapping[int, Outcome]:
    """All done, but the operations named `op_service`, and what waits for them in vain."""
    outcomes: dict[int, Outcome] = {}
    for op in plan.ops:
        blocking = [outcomes[e.id] for e in op.edges if not passes(outcomes[e.id], e.tolerance)]
        skipped = [Outcome(Status.SKIPPED, b.cause, b.detail) for b in blocking[:1]]
        named = by_step.get(f"{op.op.name.lower()}_{op.service}", DONE)
        outcomes[op.id] = skipped[0] if skipped else named
    return outcomes


@pytest.mark.parametrize(
    ("status", "tolerance", "goes_on"),
    [
        (Status.DONE, Tolerance.NONE, True),
        (Status.DONE, Tolerance.UNHEALTHY, True),
        (Status.DONE, Tolerance.ANY, True),
        (Status.UNHEALTHY, Tolerance.NONE, False),
        (Status.UNHEALTHY, Tolerance.UNHEALTHY, True),
        (Status.UNHEALTHY, Tolerance.ANY, True),
        (Status.FAILED, Tolerance.NONE, False),
        (Status.FAILED, Tolerance.UNHEALTHY, False),
        (Status.FAILED, Tolerance.ANY, True),
        (Status.SKIPPED, Tolerance.NONE, False),
        (Status.SKIPPED, Tolerance.UNHEALTHY, False),
        (Status.SKIPPED, Tolerance.ANY, True),
    ],
)
def test_who_goes_on_after_what(status: Status, tolerance: Tolerance, goes_on: bool) -> None:
    assert passes(Outcome(status), tolerance) is goes_on


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (planned(OperationKind.START), "started"),
        (planned(OperationKind.RESTART, "db", "api", "web", healthy="db api web"), "restarted"),
        (planned(OperationKind.START, "db", "api", "web", healthy="db api web"), "already_running"),
        (planned(OperationKind.START, "db", "api", "web"), "already_running"),
        (planned(OperationKind.STOP, "db", "api", "web"), "stopped"),
        (planned(OperationKind.STOP), "already_stopped"),
        (planned(OperationKind.START, "db", "api", "web", drifted="db api web"), "recreated"),
    ],
)
def test_success_is_named_by_what_was_done(plan: Plan, expected: str) -> None:
    found = results(plan, ended(plan))
    assert {name: r.outcome for name, r in found.items()} == dict.fromkeys(CHAIN.services, expected)
    assert status_of(found) is OperationStatus.SUCCEEDED


def test_a_finished_one_shot_is_completed() -> None:
    declared = stack(service("web", "job:completed"), service("job"))
    goal = goals.requested(declared, OperationKind.START, ("job",), {}, False)
    plan = reconcile(declared, goal, seen(container("job")))
    assert results(plan, ended(plan))["job"].outcome == "completed"


def test_a_failure_blocks_what_needs_it_and_names_it() -> None:
    plan = planned(OperationKind.START)
    found = results(plan, ended(plan, start_db=Outcome(Status.FAILED, BROKEN, "the log", at=1.5)))
    assert found["db"] == ServiceResult("failed", BROKEN, 1500, "the log")
    assert (found["api"].outcome, found["api"].cause) == (
        "blocked",
        text("result.blocked", dependency="db"),
    )
    assert found["web"].cause == text("result.blocked", dependency="api")
    assert status_of(found) is OperationStatus.FAILED


def test_an_unhealthy_dependency_is_tolerated_by_those_that_only_need_it_started() -> None:
    plan = planned(OperationKind.START)
    found = results(plan, ended(plan, ready_api=Outcome(Status.UNHEALTHY, SICK)))
    assert {n: r.outcome for n, r in found.items()} == {
        "db": "started",
        "api": "failed",
        "web": "started",
    }


def test_the_tolerated_failure_is_not_the_one_blamed() -> None:
    declared = stack(service("web", "cache?", "db"), service("cache"), service("db"))
    goal = goals.requested(declared, OperationKind.START, ("web",), {}, False)
    plan = reconcile(declared, goal, seen())
    broken = Outcome(Status.FAILED, BROKEN)
    found = results(plan, ended(plan, start_cache=broken, start_db=broken))
    assert found["web"].cause == text("result.blocked", dependency="db")


def test_what_the_engine_did_not_answer_is_unknown() -> None:
    plan = planned(OperationKind.START)
    gone = text("fail.engine_gone", detail="no answer")
    found = results(plan, ended(plan, create_db=Outcome(Status.FAILED, gone, unknown=True)))
    assert found["db"].outcome == "unknown"
    assert not found["db"].good


def test_cancelled_before_it_began_is_blocked_by_the_person() -> None:
    plan = planned(OperationKind.START)
    skipped = Outcome(Status.SKIPPED, text("result.cancelled"))
    found = results(plan, {op.id: skipped for op in plan.ops})
    assert found["db"].cause == text("result.cancelled")


def test_steps_show_what_waits_and_call_unhealthy_failed() -> None:
    plan = planned(OperationKind.STOP, "db")
    assert [(s.op, s.service, s.status) for s in steps(plan, {})] == [(Op.STOP, "db", "waiting")]
    sick = {1: Outcome(Status.UNHEALTHY, SICK)}
    assert steps(plan, sick)[0].status == "failed"

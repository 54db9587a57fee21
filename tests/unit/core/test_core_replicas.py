"""A service in several containers: what its name means, and what goes that is too many."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import container, needs, seen, service, stack

from controller.model.observation import ContainerObs, State
from controller.model.spec import ServiceSpec, StackSpec, replica
from controller.model.text import text
from controller.model.view import OperationKind
from controller.orchestrator import goals
from controller.orchestrator.orphans import orphans
from controller.orchestrator.plan import Op, PlannedOp, Tolerance
from controller.orchestrator.reconcile import reconcile


def several(name: str, count: int) -> list[ServiceSpec]:
    return [
        replace(service(replica(name, n)), replica_of=name, number=n) for n in range(1, count + 1)
    ]


def scaled(count: int) -> StackSpec:
    """`web` in so many containers, and `user` that needs them."""
    members = several("web", count)
    user = replace(service("user"), depends_on=tuple(needs(m.name) for m in members))
    return replace(stack(*members, user), replicas={"web": count})


def numbered(number: int, state: State = State.RUNNING) -> ContainerObs:
    return container(
        "web",
        state,
        number=number,
        container_id=f"{number:064}",
        container_name=f"heal7-web-{number}",
    )


def planned(spec: StackSpec, *found: ContainerObs, everything: bool = True) -> list[PlannedOp]:
    """The plan of a start of all that is managed, where these were found."""
    by_key: dict[str, tuple[ContainerObs, ...]] = {}
    for one in found:
        key = spec.key_of(one.service, one.number)
        by_key[key] = (*by_key.get(key, ()), one)
    observed = replace(seen(), containers=by_key)
    containers = {name: observed.of(name) for name in spec.services}
    goal = goals.requested(spec, OperationKind.START, spec.managed, containers, everything)
    return list(reconcile(spec, goal, observed, frozenset(spec.services)).ops)


def test_a_name_means_every_container() -> None:
    spec = scaled(3)
    assert spec.members("web") == ("web-1", "web-2", "web-3")
    assert spec.members("web-2") == ("web-2",)
    assert spec.members("user") == ("user",)
    assert spec.members("nobody") == ()
    assert spec.declared_as("web-2") == "web"
    assert spec.declared_as("user") == "user"
    assert spec.declares("web")
    assert not spec.declares("web-4")


@pytest.mark.parametrize(
    ("label", "number", "key"),
    [
        ("web", 1, "web-1"),
        ("web", 4, "web-4"),
        ("user", 1, "user"),
        ("user", 2, "user-2"),
        ("nobody", 2, "nobody"),
    ],
)
def test_the_key_of_a_container(label: str, number: int, key: str) -> None:
    assert scaled(3).key_of(label, number) == key


def test_what_is_too_many_goes_before_the_others_start() -> None:
    ops = planned(scaled(2), *map(numbered, (1, 2, 3)))
    gone = [(op.op, op.service) for op in ops if op.service not in ("web-1", "web-2", "user")]
    assert gone == [(Op.STOP, "web-3"), (Op.REMOVE, "web-3")]
    starts = planned(scaled(2), numbered(3, State.PAUSED))
    removal = next(op.id for op in starts if op.op is Op.REMOVE)
    waiting = {op.service for op in starts if op.op is Op.START and removal in op.after}
    assert waiting == {"web-1", "web-2"}
    assert [op.op for op in starts if op.service == "web-3"] == [Op.UNPAUSE, Op.STOP, Op.REMOVE]


def test_one_of_a_service_with_one_stays_and_the_second_goes() -> None:
    ops = planned(stack(service("web")), *map(numbered, (1, 2)))
    assert [(op.op, op.subject) for op in ops] == [
        (Op.STOP, "heal7-web-2"),
        (Op.REMOVE, "heal7-web-2"),
    ]


def test_none_goes_where_all_do_only_if_everything_is_asked_for() -> None:
    spec = replace(stack(service("user")), replicas={"web": 0})
    assert [op.op for op in planned(spec, numbered(1)) if op.service == "web-1"] == [
        Op.STOP,
        Op.REMOVE,
    ]
    assert not [op for op in planned(spec, numbered(1), everything=False) if op.service == "web-1"]


def test_healing_ends_nothing_that_is_too_many() -> None:
    spec = scaled(1)
    observed = replace(
        seen(), containers={"web-1": (numbered(1, State.EXITED),), "web-2": (numbered(2),)}
    )
    goal = goals.convergence(spec, {}, (), {})
    goal = replace(
        goal, run=("web-1",), causes=dict.fromkeys(spec.services, text("cause.converge"))
    )
    assert {op.service for op in reconcile(spec, goal, observed).ops} == {"web-1"}


def test_too_many_is_no_orphan() -> None:
    observed = replace(seen(), containers={"web-3": (numbered(3),)})
    assert orphans(scaled(2), observed) == ()


def restarted(spec: StackSpec, name: str | None, *found: ContainerObs) -> list[PlannedOp]:
    """The plan of a restart of one service as the files name it, or of everything."""
    held = {spec.key_of(one.service, one.number): (one,) for one in found}
    observed = replace(seen(), containers=held)
    containers = {key: observed.of(key) for key in spec.services}
    targets = spec.members(name) if name else spec.managed
    goal = goals.requested(spec, OperationKind.RESTART, targets, containers, name is None)
    return list(reconcile(spec, goal, observed, frozenset(held)).ops)


def kinds(ops: list[PlannedOp], *wanted: Op) -> list[tuple[Op, str]]:
    return [(op.op, op.service) for op in ops if op.op in wanted]


def test_they_restart_one_after_the_other_each_when_the_one_before_is_well() -> None:
    ops = restarted(scaled(3), "web", *map(numbered, (1, 2, 3)))
    assert kinds(ops, Op.STOP, Op.READY) == [
        (op, f"web-{number}") for number in (1, 2, 3) for op in (Op.STOP, Op.READY)
    ]
    by_id = {op.id: op for op in ops}
    for number in (2, 3):
        (stop,) = [op for op in ops if op.op is Op.STOP and op.service == f"web-{number}"]
        (edge,) = stop.edges
        assert (by_id[edge.id].op, by_id[edge.id].service) == (Op.READY, f"web-{number - 1}")
        assert edge.tolerance is Tolerance.NONE  # what is not well again holds up the others


def test_they_end_at_once_where_what_they_need_ends() -> None:
    spec = stack(*several("web", 2), service("db"))
    web = {n: replace(spec.services[n], depends_on=(needs("db"),)) for n in ("web-1", "web-2")}
    spec = replace(spec, services={**spec.services, **web}, replicas={"web": 2})
    ops = restarted(spec, None, *map(numbered, (1, 2)), container("db"))
    assert kinds(ops, Op.STOP)[-1] == (Op.STOP, "db")
    assert {name for _, name in kinds(ops[:2], Op.STOP)} == {"web-1", "web-2"}
    ops = restarted(spec, "web", *map(numbered, (1, 2)), container("db"))
    assert kinds(ops, Op.STOP, Op.START) == [
        (op, f"web-{number}") for number in (1, 2) for op in (Op.STOP, Op.START)
    ]


def test_one_that_is_down_starts_and_the_others_wait_for_it() -> None:
    ops = restarted(scaled(2), "web", numbered(1, State.EXITED), numbered(2))
    assert kinds(ops, Op.STOP, Op.START, Op.READY) == [
        (Op.START, "web-1"),
        (Op.READY, "web-1"),
        (Op.STOP, "web-2"),
        (Op.START, "web-2"),
        (Op.READY, "web-2"),
    ]

"""When a network is made anew: what counts as a change, and who has to leave for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from core_builders import NET, container, seen, service, stack
from core_simulator import Simulator

from controller.model.observation import NetworkObs, Observation, State
from controller.model.spec import AddressPool, NetworkSpec, StackSpec
from controller.model.text import text
from controller.orchestrator.network_changes import changed
from controller.orchestrator.plan import Op, Plan
from controller.orchestrator.reconcile import Goal, reconcile
from controller.orchestrator.supply import Supply

PLAIN = NetworkSpec("default", NET)
POOL = AddressPool("10.9.0.0/24", None, "10.9.0.1")
THERE = NetworkObs(
    "n1",
    driver_opts={"com.docker.network.bridge.name": "br-x", "more": "1"},
    ipam_pools=(AddressPool("10.9.0.0/24", "10.9.0.128/25", "10.9.0.1", (("nas", "10.9.0.7"),)),),
    labels={"team": "a", "com.docker.compose.project": "heal7"},
)


@pytest.mark.parametrize(
    "same",
    [
        PLAIN,
        replace(PLAIN, driver="bridge"),
        replace(PLAIN, driver_opts=(("more", "1"),)),
        replace(PLAIN, ipam_driver="default"),
        replace(PLAIN, ipam_pools=(POOL,)),
        replace(PLAIN, ipam_pools=(AddressPool("10.9.0.77/24"),)),
        replace(PLAIN, ipam_pools=(AddressPool(None, None, "10.9.0.99"),)),
        replace(PLAIN, labels=(("team", "a"), ("com.docker.compose.version", "other"))),
    ],
)
def test_what_is_declared_is_as_it_is_and_the_rest_is_left_to_whoever_made_it(
    same: NetworkSpec,
) -> None:
    assert changed(same, THERE) is None


@pytest.mark.parametrize(
    ("other", "setting"),
    [
        (replace(PLAIN, driver="macvlan"), "driver"),
        (replace(PLAIN, internal=True), "internal"),
        (replace(PLAIN, attachable=True), "attachable"),
        (replace(PLAIN, enable_ipv6=True), "enable_ipv6"),
        (replace(PLAIN, driver_opts=(("more", "2"),)), "driver_opts.more"),
        (replace(PLAIN, labels=(("team", "b"),)), "labels.team"),
        (replace(PLAIN, ipam_driver="other"), "ipam.driver"),
        (replace(PLAIN, ipam_options=(("x", "1"),)), "ipam.options.x"),
        (replace(PLAIN, ipam_pools=(AddressPool("10.8.0.0/24"),)), "subnet"),
        (replace(PLAIN, ipam_pools=(replace(POOL, gateway="10.9.0.2"),)), "gateway"),
        (replace(PLAIN, ipam_pools=(replace(POOL, ip_range="10.9.0.0/25"),)), "ip_range"),
        (
            replace(PLAIN, ipam_pools=(replace(POOL, aux_addresses=(("nas", "10.9.0.8"),)),)),
            "aux_addresses.nas",
        ),
    ],
)
def test_what_is_declared_otherwise_is_named(other: NetworkSpec, setting: str) -> None:
    found = changed(other, THERE)
    assert found is not None
    assert dict(found.params)["setting"] == setting


def test_a_network_that_was_made_of_this_declaration_is_never_made_anew() -> None:
    made = replace(THERE, config_hash="h9")
    assert changed(replace(PLAIN, driver="macvlan", config_hash="h9"), made) is None
    assert changed(replace(PLAIN, driver="macvlan", config_hash="h8"), made) is not None


PAIR = stack(service("web", "db"), service("db"), service("far", networks=("heal7_far",)))
OLD = {NET: NetworkObs("n1", "macvlan"), "heal7_far": NetworkObs("n2")}
EVERYTHING = ("db", "web", "far")


def planned(goal: Goal, found: Observation, declared: StackSpec = PAIR, **needed: Supply) -> Plan:
    healthy = frozenset(n for n, held in found.containers.items() if held[0].state is State.RUNNING)
    return reconcile(declared, goal, found, healthy, needed)


def everything(*drifted: str) -> Goal:
    return Goal(
        EVERYTHING,
        replace_drifted=frozenset(drifted or EVERYTHING),
        causes=dict.fromkeys(EVERYTHING, text("cause.start_all")),
    )


def running() -> Observation:
    found = seen(*(container(name) for name in EVERYTHING))
    return replace(found, networks=OLD)


def test_everything_leaves_a_changed_network_before_it_is_made_anew() -> None:
    found = running()
    plan = planned(everything(), found)
    order = [(op.op, op.service) for op in plan.ops if op.op not in (Op.READY, Op.START)]
    assert order == [
        (Op.STOP, "web"),
        (Op.STOP, "db"),
        (Op.REMOVE, "db"),
        (Op.REMOVE, "web"),
        (Op.RENEW, "db"),
        (Op.CREATE, "db"),
        (Op.CREATE, "web"),
    ]
    assert plan.settled == {"far": "already_running"}
    renewal = next(op for op in plan.ops if op.op is Op.RENEW)
    assert renewal.subject == NET
    assert all(renewal.id in op.after for op in plan.ops if op.op is Op.CREATE)
    after = Simulator(PAIR, found).carry_out(plan)
    assert planned(everything(), after).ops == ()


def test_nobody_leaves_while_somebody_else_has_to_stay() -> None:
    plan = planned(everything("web", "far"), running())
    assert plan.ops == ()
    goal = Goal(("db",), causes={"db": text("cause.heal")})  # as healing has it
    stopped = replace(
        seen(container("db", State.EXITED), container("web", State.EXITED)), networks=OLD
    )
    assert {op.op for op in planned(goal, stopped).ops} == {Op.START, Op.READY}


def test_no_network_is_made_anew_where_somebody_is_to_stop() -> None:
    goal = Goal(
        ("db",),
        ("web",),
        replace_drifted=frozenset({"db"}),
        causes=dict.fromkeys(("db", "web"), text("cause.converge")),
    )
    found = running()
    assert {op.op for op in planned(goal, found).ops} == {Op.STOP}
    after = Simulator(PAIR, found).carry_out(planned(goal, found))
    assert planned(goal, after).ops == ()


def test_nobody_is_stopped_before_the_images_of_all_are_there() -> None:
    supply = Supply("heal7/web:1", pull=text("cause.image_missing", image="heal7/web:1"))
    plan = planned(everything(), running(), web=supply)
    pull = next(op for op in plan.ops if op.op is Op.PULL)
    assert all(pull.id in op.after for op in plan.ops if op.op is Op.STOP)


def test_a_stopped_container_of_a_network_that_was_made_anew_meanwhile_is_made_anew_too() -> None:
    held = replace(container("far", State.EXITED), networks={"heal7_far": "gone"})
    found = replace(seen(held), networks={"heal7_far": NetworkObs("n2")})
    goal = Goal(("far",), causes={"far": text("cause.start")})
    plan = planned(goal, found)
    assert Op.CREATE in [op.op for op in plan.ops]
    assert plan.of("far")[0].cause == text("cause.network_gone", network="heal7_far")
    same = replace(held, networks={"heal7_far": "n2"})
    plan = planned(goal, replace(found, containers={"far": (same,)}))
    assert Op.CREATE not in [op.op for op in plan.ops]

"""What must hold of every plan, over random stacks, observations and goals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from core_builders import BORN, IMAGE, IMAGE_ID, NOW, container, leftover, service, stack
from core_simulator import Simulator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from controller.i18n import LANGUAGES, render
from controller.model.graph import one_shots
from controller.model.observation import ContainerObs, NetworkObs, Observation, State
from controller.model.spec import Condition, Dependency, StackSpec
from controller.model.view import Desired, OperationKind, OperationStatus, OperationView, Wish
from controller.orchestrator import goals
from controller.orchestrator.drift import drift
from controller.orchestrator.network_changes import renewable
from controller.orchestrator.plan import Op, Plan, PlannedOp, Tolerance
from controller.orchestrator.reconcile import Goal, reconcile

NAMES = ("db", "api", "web", "job", "bus")
ALIVE = (State.RUNNING, State.PAUSED, State.RESTARTING)
NETWORKS = ("heal7_front", "heal7_back")

run_many = settings(max_examples=150, deadline=None, database=None)


class Situation:
    """Not a dataclass: hypothesis would print every field of it, over pages."""

    def __init__(self, declared: StackSpec, seen: Observation, goal: Goal, healthy: Iterable[str]):
        self.stack = declared
        self.seen = seen
        self.goal = goal
        self.healthy = frozenset(healthy)

    def plan(self) -> Plan:
        return reconcile(self.stack, self.goal, self.seen, self.healthy)

    def __repr__(self) -> str:
        lines = [f"{self.goal}", f"healthy: {set(self.healthy)}", f"has: {self.seen.networks}"]
        for name, spec in self.stack.services.items():
            found = [f"{c.name} {c.state} {c.config_hash}" for c in self.seen.containers[name]]
            lines.append(f"{name}: {found} needs {spec.depends_on}")
        return "\n".join([*lines, str(self.plan())])


@st.composite
def stacks(draw: st.DrawFn) -> StackSpec:
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    services = []
    for index, name in enumerate(names):
        found = draw(st.lists(st.sampled_from(names[:index]), unique=True)) if index else []
        needed = tuple(
            Dependency(
                other,
                draw(st.sampled_from(Condition)),
                restart=draw(st.booleans()),
                required=draw(st.booleans()),
            )
            for other in found
        )
        declared = service(
            name,
            networks=draw(st.lists(st.sampled_from(NETWORKS), unique=True)),
            volumes=draw(st.lists(st.sampled_from(("heal7_data",)), unique=True)),
        )
        services.append(replace(declared, depends_on=needed))
    return stack(*draw(st.permutations(services)))


@st.composite
def containers_of(draw: st.DrawFn, name: str) -> tuple[ContainerObs, ...]:
    hashes = st.sampled_from(("h1", "old"))
    found: list[ContainerObs] = []
    if draw(st.booleans()):
        found.append(
            container(
                name,
                draw(st.sampled_from([s for s in State if s is not State.MISSING])),
                config_hash=draw(hashes),
                image_id=draw(st.sampled_from((IMAGE_ID, "sha256:older"))),
                exit_code=draw(st.sampled_from((0, 1))),
            )
        )
    if draw(st.integers(0, 3)) == 0:
        left = leftover(name, draw(hashes))
        found.append(replace(left, id=f"{NAMES.index(name):x}" + "f" * 63))
    return tuple(found)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    declared = draw(stacks())
    containers = {name: draw(containers_of(name)) for name in declared.services}
    seen = Observation(
        taken_at=NOW,
        containers=containers,
        networks=draw(_networks(_in_use(declared, containers))),
        volumes=frozenset(draw(st.lists(st.just("heal7_data")))),
        images={IMAGE: IMAGE_ID} if draw(st.booleans()) else {},
    )
    running = [n for n in declared.services if _state(seen, n) is State.RUNNING]
    healthy = draw(st.lists(st.sampled_from(running), unique=True)) if running else []
    goal = draw(_converged(declared, seen) if draw(st.booleans()) else _asked(declared, seen))
    return Situation(declared, seen, goal, healthy)


@st.composite
def _networks(draw: st.DrawFn, in_use: frozenset[str]) -> dict[str, NetworkObs]:
    """Those in use and some more; some are not as they are declared."""
    there = sorted(in_use | draw(st.frozensets(st.sampled_from(NETWORKS))))
    drivers = st.sampled_from(("bridge", "bridge", "macvlan"))
    return {name: NetworkObs(f"id of {name}", draw(drivers)) for name in there}


def _in_use(
    declared: StackSpec, containers: Mapping[str, tuple[ContainerObs, ...]]
) -> frozenset[str]:
    """The engine keeps a network for as long as something that runs is on it."""
    return frozenset(
        attached.network
        for name, found in containers.items()
        if any(c.state in ALIVE for c in found)
        for attached in declared.services[name].container.networks
    )


@st.composite
def _asked(draw: st.DrawFn, declared: StackSpec, seen: Observation) -> Goal:
    kinds = (OperationKind.START, OperationKind.STOP, OperationKind.RESTART)
    kind = draw(st.sampled_from(kinds))
    everything = draw(st.booleans())
    one = (draw(st.sampled_from(declared.managed)),)
    targets = declared.managed if everything else one
    return goals.requested(declared, kind, targets, _containers(declared, seen), everything)


@st.composite
def _converged(draw: st.DrawFn, declared: StackSpec, seen: Observation) -> Goal:
    wishes: dict[str, Wish] = {}
    for name in declared.services:
        found = seen.of(name)
        lives = [None, "another@life", *([found.incarnation] if found else [])]
        owed = draw(st.sampled_from(lives))
        running = Wish(Desired.RUNNING, owed)
        wish = draw(st.sampled_from((None, Wish(Desired.STOPPED), running)))
        if wish is not None:
            wishes[name] = wish
    begun = draw(st.lists(st.sampled_from(tuple(declared.services)), unique=True))
    kind = draw(st.sampled_from((OperationKind.STOP, OperationKind.START)))
    view = OperationView("op_1", kind, OperationStatus.INTERRUPTED, tuple(begun), BORN, "someone")
    return goals.convergence(declared, wishes, [view], _containers(declared, seen))


def _containers(declared: StackSpec, seen: Observation) -> dict[str, ContainerObs | None]:
    return {name: seen.of(name) for name in declared.services}


def _state(seen: Observation, name: str) -> State:
    found = seen.of(name)
    return found.state if found else State.MISSING


def _changed_one_shot_still_works(situation: Situation) -> bool:
    return any(
        found is not None
        and found.state in ALIVE
        and name not in situation.goal.replace_drifted
        and drift(situation.stack.services[name], found, situation.seen) is not None
        for name in one_shots(situation.stack) & set(situation.goal.run)
        for found in (situation.seen.of(name),)
    )


def _gates(plan: Plan) -> dict[str, int]:
    return {op.service: op.id for op in plan.ops if op.op in (Op.READY, Op.FINISHED)}


def _stops(plan: Plan) -> dict[str, PlannedOp]:
    return {op.service: op for op in plan.ops if op.op is Op.STOP}


def ids_count_up_and_edges_point_back(situation: Situation, plan: Plan) -> None:
    ops = plan.ops
    assert [op.id for op in ops] == list(range(1, len(ops) + 1))
    assert all(edge.id < op.id for op in ops for edge in op.edges)


def nothing_outside_the_goal_is_touched(situation: Situation, plan: Plan) -> None:
    named = {*situation.goal.run, *situation.goal.stop}
    assert {op.service for op in plan.ops} | set(plan.settled) == named


def starts_await_the_gate_of_every_required_dependency(situation: Situation, plan: Plan) -> None:
    gates = _gates(plan)
    for op in plan.ops:
        if op.op is not Op.START:
            continue
        tolerances = {edge.id: edge.tolerance for edge in op.edges}
        for dependency in situation.stack.services[op.service].depends_on:
            gate = gates.get(dependency.service)
            if gate is None:
                continue
            if not dependency.required:
                assert tolerances[gate] is Tolerance.ANY
            elif dependency.condition is Condition.STARTED:
                assert tolerances[gate] is Tolerance.UNHEALTHY
            else:
                assert tolerances[gate] is Tolerance.NONE


def what_runs_well_is_left_alone(situation: Situation, plan: Plan) -> None:
    goal, ended = situation.goal, {Op.STOP, Op.REMOVE}
    touched = {op.container_id for op in plan.ops if op.op in ended}
    renewed = renewable(situation.stack, situation.seen, goal.run, goal.replace_drifted)
    for name in situation.healthy:
        found = situation.seen.of(name)
        assert found is not None
        differs = drift(situation.stack.services[name], found, situation.seen) is not None
        wanted_gone = (
            name in goal.stop
            or goal.restart.get(name) == found.incarnation
            or (differs and name in goal.replace_drifted)
            or situation.stack.services[name].network_names & renewed.keys()
        )
        if not wanted_gone:
            assert found.id not in touched


def dependants_stop_before_what_they_need(situation: Situation, plan: Plan) -> None:
    stops = _stops(plan)
    for name, stop in stops.items():
        for dependency in situation.stack.services[name].depends_on:
            if dependency.service in stops:
                first = next(op for op in plan.ops if _ends(op, dependency.service))
                assert stop.id in first.after


def _ends(op: PlannedOp, service_name: str) -> bool:
    return op.service == service_name and op.op in (Op.UNPAUSE, Op.STOP)


def every_operation_says_why_in_both_languages(situation: Situation, plan: Plan) -> None:
    for op in plan.ops:
        assert all(render(op.cause, language) for language in LANGUAGES)


def success_leaves_nothing_to_do(situation: Situation, after: Observation) -> None:
    goal = situation.goal
    well = frozenset(n for n in goal.run if _state(after, n) is State.RUNNING)
    again = reconcile(situation.stack, goal, after, well)
    assert again.ops == ()
    assert set(again.settled) == {*goal.run, *goal.stop}


def success_is_what_the_goal_wanted(situation: Situation, after: Observation) -> None:
    for name in situation.goal.stop:
        assert _state(after, name) not in ALIVE
    for name in situation.goal.run:
        found = after.of(name)
        assert found is not None
        assert found.state is State.RUNNING or found.exit_code == 0
        assert not found.is_replacement
        assert situation.goal.restart.get(name) != found.incarnation


@run_many
@given(situations())
def test_every_plan_keeps_its_promises(situation: Situation) -> None:
    plan = situation.plan()
    ids_count_up_and_edges_point_back(situation, plan)
    nothing_outside_the_goal_is_touched(situation, plan)
    starts_await_the_gate_of_every_required_dependency(situation, plan)
    what_runs_well_is_left_alone(situation, plan)
    dependants_stop_before_what_they_need(situation, plan)
    every_operation_says_why_in_both_languages(situation, plan)


@run_many
@given(situations())
def test_every_plan_can_be_carried_out_and_is_enough(situation: Situation) -> None:
    after = Simulator(situation.stack, situation.seen).carry_out(situation.plan())
    success_is_what_the_goal_wanted(situation, after)
    # Such a one may finish as it is; that it runs anew next time is what its change asks for.
    assume(not _changed_one_shot_still_works(situation))
    success_leaves_nothing_to_do(situation, after)

"""From a request, or from what a dead hub owed, to the goal."""

from __future__ import annotations

from core_builders import CHAIN, NOW, container, service, stack

from controller.model.graph import dependants, followers, one_shots, with_dependencies
from controller.model.observation import ContainerObs, State
from controller.model.spec import StackSpec
from controller.model.text import text
from controller.model.view import Desired, OperationKind, OperationStatus, OperationView, Wish
from controller.orchestrator import goals
from controller.orchestrator.reconcile import Goal

START, STOP, RESTART = OperationKind.START, OperationKind.STOP, OperationKind.RESTART
FOLLOWING = stack(service("web", "api!"), service("api", "db!"), service("db"), service("log"))
RUN, HALT = Wish(Desired.RUNNING), Wish(Desired.STOPPED)


def seen(**states: State) -> dict[str, ContainerObs | None]:
    return {name: container(name, state) for name, state in states.items()}


def life(name: str) -> str:
    return container(name).incarnation


def begun(kind: OperationKind, *targets: str) -> OperationView:
    return OperationView("op_1", kind, OperationStatus.INTERRUPTED, targets, NOW, "someone")


# -- the graph


def test_dependencies_come_first_and_once() -> None:
    assert with_dependencies(CHAIN, ["web"]) == ("db", "api", "web")
    assert with_dependencies(CHAIN, ["web", "db"]) == ("db", "api", "web")
    assert with_dependencies(CHAIN, ["db"]) == ("db",)


def test_dependants_are_the_direct_ones() -> None:
    assert dependants(CHAIN, "db") == ("api",)
    assert dependants(CHAIN, "web") == ()


def test_followers_are_those_that_asked_to() -> None:
    assert followers(FOLLOWING, ["db"]) == {"api": "db", "web": "api"}
    assert followers(FOLLOWING, ["db", "api"]) == {"web": "api"}
    assert followers(CHAIN, ["db"]) == {}


def test_one_shots_are_those_waited_for_to_finish() -> None:
    assert one_shots(stack(service("web", "job:completed"), service("job"))) == {"job"}
    assert one_shots(CHAIN) == frozenset()


# -- what a person asks for


def test_start_brings_dependencies_and_says_who_needs_them() -> None:
    goal = goals.requested(CHAIN, START, ("web",), {}, False)
    assert goal.run == ("db", "api", "web")
    assert goal.replace_drifted == {"web"}
    assert goal.causes == {
        "db": text("cause.dependency_of", service="api"),
        "api": text("cause.dependency_of", service="web"),
        "web": text("cause.start"),
    }


def test_all_is_said_as_all() -> None:
    goal = goals.requested(CHAIN, STOP, ("web", "api", "db"), {}, True)
    assert list(goal.causes.values()) == [text("cause.stop_all")] * 3
    assert goal.stop == ("web", "api", "db")
    assert goal.run == ()


def test_restart_names_the_lives_that_must_end() -> None:
    containers = seen(db=State.RUNNING, api=State.PAUSED, web=State.EXITED)
    goal = goals.requested(FOLLOWING, RESTART, ("db",), containers, False)
    assert goal.run == ("db", "api", "web")
    assert goal.restart == {"db": life("db"), "api": life("api")}
    assert goal.causes["api"] == text("cause.dependent_restart", service="db")


def test_involved_is_everything_the_goal_acts_on() -> None:
    for kind in (START, STOP, RESTART):
        goal = goals.requested(FOLLOWING, kind, ("api",), {}, False)
        assert {*goal.run, *goal.stop} == set(goals.involved(FOLLOWING, kind, ("api",)))


def test_wishes_are_stored_for_all_that_shall_run_or_stop() -> None:
    restart = goals.requested(CHAIN, RESTART, ("api",), seen(api=State.RUNNING), False)
    assert goals.wishes_of(restart) == {"db": RUN, "api": Wish(Desired.RUNNING, life("api"))}
    stop = goals.requested(CHAIN, STOP, ("api",), {}, False)
    assert goals.wishes_of(stop) == {"api": HALT}


# -- what a hub that comes back owes


def owed(
    declared: StackSpec,
    containers: dict[str, ContainerObs | None],
    *operations: OperationView,
    **wishes: Wish,
) -> Goal:
    return goals.convergence(declared, wishes, operations, containers)


def test_what_runs_as_wished_is_left_alone() -> None:
    goal = owed(CHAIN, seen(db=State.RUNNING), db=RUN)
    assert (goal.run, goal.stop) == ((), ())


def test_what_should_run_and_does_not_is_started() -> None:
    for state in (State.EXITED, State.CREATED, State.PAUSED, State.DEAD):
        assert owed(CHAIN, seen(db=state), db=RUN).run == ("db",)
    assert owed(CHAIN, {}, db=RUN).run == ("db",)


def test_what_a_person_stopped_stays_stopped_even_if_needed() -> None:
    goal = owed(CHAIN, {}, web=RUN, api=HALT, db=RUN)
    assert goal.run == ("db", "web")


def test_an_interrupted_stop_is_finished() -> None:
    goal = owed(CHAIN, seen(db=State.RUNNING), begun(STOP, "db"), db=HALT)
    assert goal.stop == ("db",)
    assert goal.causes["db"] == text("cause.finish")


def test_a_stopped_one_that_someone_runs_outside_the_hub_is_left() -> None:
    goal = owed(CHAIN, seen(db=State.RUNNING), db=HALT)
    assert (goal.run, goal.stop) == ((), ())


def test_an_owed_restart_is_kept_until_the_life_has_ended() -> None:
    goal = owed(CHAIN, seen(db=State.RUNNING), db=Wish(Desired.RUNNING, life("db")))
    assert goal.restart == {"db": life("db")}


def test_only_what_was_asked_for_is_replaced_where_it_changed() -> None:
    goal = owed(CHAIN, seen(db=State.RUNNING), begun(START, "api"), db=RUN, api=RUN)
    assert goal.run == ("db", "api")
    assert goal.replace_drifted == {"api"}


def test_what_is_left_to_healing_is_neither_started_nor_stopped_nor_started_for_another() -> None:
    wishes, left = {"web": RUN, "db": RUN, "api": RUN}, frozenset({"db"})
    goal = goals.convergence(CHAIN, wishes, [begun(START, "db")], {}, left)
    assert goal.run == ("api", "web")
    goal = goals.convergence(CHAIN, {"db": HALT}, [begun(STOP, "db")], seen(db=State.RUNNING), left)
    assert goal.stop == ()


def test_what_people_had_asked_for_when_the_hub_died_is_known_with_its_moment() -> None:
    started, healed = begun(START, "db"), begun(OperationKind.HEAL, "api")
    assert goals.asked_for([started, healed]) == {"db": started.requested_at}


def test_wishes_for_services_that_are_gone_are_ignored() -> None:
    assert owed(CHAIN, {}, elsewhere=RUN).run == ()


def test_what_runs_and_was_never_spoken_of_is_adopted() -> None:
    declared = stack(service("a"), service("b"), service("c"), service("d", managed=False))
    containers = seen(a=State.RUNNING, b=State.EXITED, c=State.RUNNING, d=State.RUNNING)
    assert goals.adoptable(declared, {"c": HALT}, containers) == {"a": RUN}

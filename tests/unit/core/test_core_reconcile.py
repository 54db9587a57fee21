"""What the planner plans, as text: a reader sees at once what would happen, and why."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent

import pytest
from core_builders import (
    BORN,
    CHAIN,
    NET,
    container,
    leftover,
    long_id,
    seen,
    service,
    stack,
)

from controller.model.host_settings import HostSettings
from controller.model.observation import ContainerObs, Observation, State
from controller.model.spec import Mount, StackSpec
from controller.model.view import Desired, OperationKind, Wish
from controller.orchestrator import goals
from controller.orchestrator.plan import Op, Plan
from controller.orchestrator.reconcile import reconcile
from controller.orchestrator.sharing import bound, lost_share

START, STOP, RESTART = OperationKind.START, OperationKind.STOP, OperationKind.RESTART
ONE = stack(service("web"))
MIGRATED = stack(service("web", "migrate:completed"), service("migrate"))


def asked(
    kind: OperationKind,
    target: str | None,
    declared: StackSpec,
    found: Observation,
    healthy: str = "",
) -> Plan:
    """The plan for a person's request; None is every service."""
    targets = (target,) if target else declared.managed
    containers = {name: found.of(name) for name in declared.services}
    goal = goals.requested(declared, kind, targets, containers, target is None)
    return reconcile(declared, goal, found, frozenset(healthy.split()))


def converged(declared: StackSpec, found: Observation, healthy: str = "", **wishes: Wish) -> Plan:
    """The plan of a hub that comes back to these wishes."""
    containers = {name: found.of(name) for name in declared.services}
    goal = goals.convergence(declared, wishes, (), containers)
    return reconcile(declared, goal, found, frozenset(healthy.split()))


def says(plan: Plan, expected: str) -> None:
    assert str(plan) == dedent(expected).strip()


def all_of(*names: str, state: State = State.RUNNING) -> tuple[ContainerObs, ...]:
    return tuple(container(name, state) for name in names)


RUN = Wish(Desired.RUNNING)


# -- from nothing


def test_nothing_is_there() -> None:
    says(
        asked(START, "web", ONE, seen(networks=())),
        """
        1 create_network web [heal7_net]: cause.network_missing(service=web, network=heal7_net)
        2 create web [heal7-web-1] after 1: cause.missing
        3 start web [heal7-web-1] after 2: cause.start
        4 await_healthy web [heal7-web-1] after 3: cause.readiness
        """,
    )


def test_start_all_creates_at_once_and_starts_in_order() -> None:
    says(
        asked(START, None, CHAIN, seen(networks=())),
        """
        1 create_network db [heal7_net]: cause.network_missing(service=db, network=heal7_net)
        2 create db [heal7-db-1] after 1: cause.missing
        3 create api [heal7-api-1] after 1: cause.missing
        4 create web [heal7-web-1] after 1: cause.missing
        5 start db [heal7-db-1] after 2: cause.start_all
        6 await_healthy db [heal7-db-1] after 5: cause.readiness
        7 start api [heal7-api-1] after 3,6: cause.start_all
        8 await_healthy api [heal7-api-1] after 7: cause.readiness
        9 start web [heal7-web-1] after 4,8~: cause.start_all
        10 await_healthy web [heal7-web-1] after 9: cause.readiness
        """,
    )


def test_start_of_one_brings_what_it_needs() -> None:
    says(
        asked(START, "web", CHAIN, seen(container("db")), healthy="db"),
        """
        = db: already_running
        1 create api [heal7-api-1]: cause.missing
        2 create web [heal7-web-1]: cause.missing
        3 start api [heal7-api-1] after 1: cause.dependency_of(service=web)
        4 await_healthy api [heal7-api-1] after 3: cause.readiness
        5 start web [heal7-web-1] after 2,4~: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_start_of_one_leaves_its_dependants() -> None:
    says(
        asked(START, "db", CHAIN, seen()),
        """
        1 create db [heal7-db-1]: cause.missing
        2 start db [heal7-db-1] after 1: cause.start
        3 await_healthy db [heal7-db-1] after 2: cause.readiness
        """,
    )


def test_a_shared_network_and_volume_are_made_once() -> None:
    declared = stack(
        service("a", volumes=["data"]),
        service("b", volumes=["data"], networks=[NET, "heal7_back"]),
    )
    says(
        asked(START, None, declared, seen(networks=())),
        """
        1 create_network a [heal7_net]: cause.network_missing(service=a, network=heal7_net)
        2 create_volume a [data]: cause.volume_missing(service=a, volume=data)
        3 create a [heal7-a-1] after 1,2: cause.missing
        4 create_network b [heal7_back]: cause.network_missing(service=b, network=heal7_back)
        5 create b [heal7-b-1] after 4,1,2: cause.missing
        6 start a [heal7-a-1] after 3: cause.start_all
        7 await_healthy a [heal7-a-1] after 6: cause.readiness
        8 start b [heal7-b-1] after 5: cause.start_all
        9 await_healthy b [heal7-b-1] after 8: cause.readiness
        """,
    )


def test_a_volume_that_is_there_is_left() -> None:
    declared = stack(service("a", volumes=["data"]))
    says(
        asked(START, "a", declared, seen(volumes=["data"])),
        """
        1 create a [heal7-a-1]: cause.missing
        2 start a [heal7-a-1] after 1: cause.start
        3 await_healthy a [heal7-a-1] after 2: cause.readiness
        """,
    )


# -- one container, in every state


def test_created_but_not_started() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.CREATED))),
        """
        1 start web [heal7-web-1]: cause.start
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_exited() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.EXITED))),
        """
        1 start web [heal7-web-1]: cause.start
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_running_and_healthy_is_settled() -> None:
    says(
        asked(START, "web", ONE, seen(container("web")), healthy="web"),
        """
        = web: already_running
        """,
    )


def test_running_but_not_healthy_yet_is_waited_for() -> None:
    says(
        asked(START, "web", ONE, seen(container("web"))),
        """
        1 await_healthy web [heal7-web-1]: cause.readiness
        """,
    )


def test_restarting_by_the_engine() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.RESTARTING))),
        """
        1 start web [heal7-web-1]: cause.start
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_paused_is_resumed() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.PAUSED))),
        """
        1 unpause web [heal7-web-1]: cause.start
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_a_container_on_its_way_out_counts_as_missing() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.REMOVING))),
        """
        1 create web [heal7-web-1]: cause.missing
        2 start web [heal7-web-1] after 1: cause.start
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_a_dead_container_can_only_be_replaced() -> None:
    says(
        asked(START, "web", ONE, seen(container("web", State.DEAD))),
        """
        1 create web [752752752752_heal7-web-1]: cause.not_running(state=dead)
        2 remove web [heal7-web-1] after 1: cause.replace
        3 rename web [heal7-web-1] after 2: cause.replace
        4 start web [heal7-web-1] after 3: cause.start
        5 await_healthy web [heal7-web-1] after 4: cause.readiness
        """,
    )


# -- containers that are not what their definition says


def test_changed_definition_of_a_running_container_is_replaced_when_asked() -> None:
    found = seen(container("web", config_hash="old"))
    says(
        asked(START, "web", ONE, found, healthy="web"),
        """
        1 create web [752752752752_heal7-web-1]: cause.hash_changed
        2 stop web [heal7-web-1] after 1: cause.hash_changed
        3 remove web [heal7-web-1] after 1,2: cause.replace
        4 rename web [heal7-web-1] after 3: cause.replace
        5 start web [heal7-web-1] after 4,2: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_changed_definition_of_a_running_container_is_left_by_convergence() -> None:
    declared = stack(service("web", "db"), service("db"))
    found = seen(container("db", config_hash="old"), container("web", State.EXITED))
    says(
        converged(declared, found, healthy="db", web=RUN, db=RUN),
        """
        = db: already_running
        1 start web [heal7-web-1]: cause.converge
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_changed_definition_of_a_stopped_container_is_replaced_by_convergence() -> None:
    found = seen(container("web", State.EXITED, config_hash="old"))
    says(
        converged(ONE, found, web=RUN),
        """
        1 create web [752752752752_heal7-web-1]: cause.hash_changed
        2 remove web [heal7-web-1] after 1: cause.replace
        3 rename web [heal7-web-1] after 2: cause.replace
        4 start web [heal7-web-1] after 3: cause.converge
        5 await_healthy web [heal7-web-1] after 4: cause.readiness
        """,
    )


def test_changed_definition_of_a_dependency_is_left_when_it_was_not_asked_for() -> None:
    found = seen(container("db", config_hash="old"))
    declared = stack(service("web", "db"), service("db"))
    says(
        asked(START, "web", declared, found, healthy="db"),
        """
        = db: already_running
        1 create web [heal7-web-1]: cause.missing
        2 start web [heal7-web-1] after 1: cause.start
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_changed_image() -> None:
    found = seen(container("web", State.EXITED, image_id="sha256:older"))
    says(
        asked(START, "web", ONE, found),
        """
        1 create web [752752752752_heal7-web-1]: cause.image_changed
        2 remove web [heal7-web-1] after 1: cause.replace
        3 rename web [heal7-web-1] after 2: cause.replace
        4 start web [heal7-web-1] after 3: cause.start
        5 await_healthy web [heal7-web-1] after 4: cause.readiness
        """,
    )


def test_an_image_that_is_not_here_changes_nothing() -> None:
    found = seen(container("web", State.EXITED), images={})
    says(
        asked(START, "web", ONE, found),
        """
        1 start web [heal7-web-1]: cause.start
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_stopped_container_whose_network_is_gone_is_replaced() -> None:
    found = seen(container("web", State.EXITED), networks=())
    says(
        asked(START, "web", ONE, found),
        """
        1 create_network web [heal7_net]: cause.network_missing(service=web, network=heal7_net)
        2 create web [752752752752_heal7-web-1] after 1: cause.network_gone(network=heal7_net)
        3 remove web [heal7-web-1] after 2: cause.replace
        4 rename web [heal7-web-1] after 3: cause.replace
        5 start web [heal7-web-1] after 4: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_paused_and_changed_is_resumed_to_be_stopped() -> None:
    found = seen(container("web", State.PAUSED, config_hash="old"))
    says(
        asked(START, "web", ONE, found),
        """
        1 create web [752752752752_heal7-web-1]: cause.hash_changed
        2 unpause web [heal7-web-1] after 1: cause.paused
        3 stop web [heal7-web-1] after 2: cause.hash_changed
        4 remove web [heal7-web-1] after 1,3: cause.replace
        5 rename web [heal7-web-1] after 4: cause.replace
        6 start web [heal7-web-1] after 5,3: cause.start
        7 await_healthy web [heal7-web-1] after 6: cause.readiness
        """,
    )


def test_replacing_a_dependency_stops_its_replaced_dependant_first() -> None:
    found = seen(container("db", config_hash="old"), container("web", config_hash="old"))
    declared = stack(service("web", "db"), service("db"))
    says(
        asked(START, None, declared, found, healthy="db web"),
        """
        1 create db [424242424242_heal7-db-1]: cause.hash_changed
        2 create web [752752752752_heal7-web-1]: cause.hash_changed
        3 stop web [heal7-web-1] after 2: cause.hash_changed
        4 stop db [heal7-db-1] after 1,3?: cause.hash_changed
        5 remove db [heal7-db-1] after 1,4: cause.replace
        6 rename db [heal7-db-1] after 5: cause.replace
        7 start db [heal7-db-1] after 6,4: cause.start_all
        8 await_healthy db [heal7-db-1] after 7: cause.readiness
        9 remove web [heal7-web-1] after 2,3: cause.replace
        10 rename web [heal7-web-1] after 9: cause.replace
        11 start web [heal7-web-1] after 10,3,8~: cause.start_all
        12 await_healthy web [heal7-web-1] after 11: cause.readiness
        """,
    )


# -- what a hub that died in the middle of a replacement left


def test_leftover_beside_its_main_container_is_removed() -> None:
    found = seen(container("web"), leftover("web"))
    says(
        asked(START, "web", ONE, found, healthy="web"),
        """
        = web: already_running
        1 remove web [752752752752_heal7-web-1]: cause.leftover
        """,
    )


def test_leftover_is_gone_before_its_name_is_taken_again() -> None:
    found = seen(container("web", State.EXITED, config_hash="old"), leftover("web"))
    says(
        asked(START, "web", ONE, found),
        """
        1 remove web [752752752752_heal7-web-1]: cause.leftover
        2 create web [752752752752_heal7-web-1] after 1: cause.hash_changed
        3 remove web [heal7-web-1] after 2: cause.replace
        4 rename web [heal7-web-1] after 3: cause.replace
        5 start web [heal7-web-1] after 4: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_leftover_without_main_container_takes_over() -> None:
    says(
        asked(START, "web", ONE, seen(leftover("web"))),
        """
        1 rename web [heal7-web-1]: cause.interrupted_replacement
        2 start web [heal7-web-1] after 1: cause.start
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_leftover_without_main_container_that_differs_is_made_anew() -> None:
    says(
        asked(START, "web", ONE, seen(leftover("web", config_hash="old"))),
        """
        1 remove web [752752752752_heal7-web-1]: cause.hash_changed
        2 create web [heal7-web-1] after 1: cause.hash_changed
        3 start web [heal7-web-1] after 2: cause.start
        4 await_healthy web [heal7-web-1] after 3: cause.readiness
        """,
    )


# -- restart


def test_restart_of_one() -> None:
    found = seen(*all_of("db", "api", "web"))
    says(
        asked(RESTART, "db", CHAIN, found, healthy="db api web"),
        """
        1 stop db [heal7-db-1]: cause.restart
        2 start db [heal7-db-1] after 1: cause.restart
        3 await_healthy db [heal7-db-1] after 2: cause.readiness
        """,
    )


def test_restart_takes_those_along_that_asked_to_follow() -> None:
    declared = stack(service("web", "api!"), service("api", "db:healthy!"), service("db"))
    found = seen(*all_of("db", "api", "web"))
    says(
        asked(RESTART, "db", declared, found, healthy="db api web"),
        """
        1 stop web [heal7-web-1]: cause.dependent_restart(service=api)
        2 stop api [heal7-api-1] after 1?: cause.dependent_restart(service=db)
        3 stop db [heal7-db-1] after 2?: cause.restart
        4 start db [heal7-db-1] after 3: cause.restart
        5 await_healthy db [heal7-db-1] after 4: cause.readiness
        6 start api [heal7-api-1] after 2,5: cause.dependent_restart(service=db)
        7 await_healthy api [heal7-api-1] after 6: cause.readiness
        8 start web [heal7-web-1] after 1,7~: cause.dependent_restart(service=api)
        9 await_healthy web [heal7-web-1] after 8: cause.readiness
        """,
    )


def test_restart_all_stops_in_reverse_and_starts_in_order() -> None:
    found = seen(*all_of("db", "api", "web"))
    says(
        asked(RESTART, None, CHAIN, found, healthy="db api web"),
        """
        1 stop web [heal7-web-1]: cause.restart_all
        2 stop api [heal7-api-1] after 1?: cause.restart_all
        3 stop db [heal7-db-1] after 2?: cause.restart_all
        4 start db [heal7-db-1] after 3: cause.restart_all
        5 await_healthy db [heal7-db-1] after 4: cause.readiness
        6 start api [heal7-api-1] after 2,5: cause.restart_all
        7 await_healthy api [heal7-api-1] after 6: cause.readiness
        8 start web [heal7-web-1] after 1,7~: cause.restart_all
        9 await_healthy web [heal7-web-1] after 8: cause.readiness
        """,
    )


def test_restart_of_a_stopped_one_starts_it() -> None:
    says(
        asked(RESTART, "web", ONE, seen(container("web", State.EXITED))),
        """
        1 start web [heal7-web-1]: cause.restart
        2 await_healthy web [heal7-web-1] after 1: cause.readiness
        """,
    )


def test_restart_of_an_absent_one_creates_it() -> None:
    says(
        asked(RESTART, "web", ONE, seen()),
        """
        1 create web [heal7-web-1]: cause.missing
        2 start web [heal7-web-1] after 1: cause.restart
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_restart_of_a_paused_one() -> None:
    says(
        asked(RESTART, "web", ONE, seen(container("web", State.PAUSED))),
        """
        1 unpause web [heal7-web-1]: cause.paused
        2 stop web [heal7-web-1] after 1: cause.restart
        3 start web [heal7-web-1] after 2: cause.restart
        4 await_healthy web [heal7-web-1] after 3: cause.readiness
        """,
    )


def test_owed_restart_that_happened_already_is_not_done_again() -> None:
    owed = Wish(Desired.RUNNING, f"{long_id('web')}@2026-03-01T10:00:00+00:00")
    says(
        converged(ONE, seen(container("web")), healthy="web", web=owed),
        """
        = web: already_running
        """,
    )


def test_owed_restart_is_done() -> None:
    owed = Wish(Desired.RUNNING, f"{long_id('web')}@{BORN.isoformat()}")
    says(
        converged(ONE, seen(container("web")), healthy="web", web=owed),
        """
        1 stop web [heal7-web-1]: cause.converge
        2 start web [heal7-web-1] after 1: cause.converge
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


# -- dependencies


def test_optional_dependency_may_fail_in_any_way() -> None:
    declared = stack(service("web", "cache?"), service("cache"))
    says(
        asked(START, "web", declared, seen()),
        """
        1 create cache [heal7-cache-1]: cause.missing
        2 create web [heal7-web-1]: cause.missing
        3 start cache [heal7-cache-1] after 1: cause.dependency_of(service=web)
        4 await_healthy cache [heal7-cache-1] after 3: cause.readiness
        5 start web [heal7-web-1] after 2,4?: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_dependency_that_is_not_declared_is_not_waited_for() -> None:
    declared = stack(service("web", "elsewhere?"))
    says(
        asked(START, "web", declared, seen()),
        """
        1 create web [heal7-web-1]: cause.missing
        2 start web [heal7-web-1] after 1: cause.start
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_started_tolerates_an_unhealthy_dependency_and_healthy_does_not() -> None:
    declared = stack(service("web", "db", "queue:healthy"), service("db"), service("queue"))
    says(
        asked(START, "web", declared, seen()),
        """
        1 create db [heal7-db-1]: cause.missing
        2 create queue [heal7-queue-1]: cause.missing
        3 create web [heal7-web-1]: cause.missing
        4 start db [heal7-db-1] after 1: cause.dependency_of(service=web)
        5 await_healthy db [heal7-db-1] after 4: cause.readiness
        6 start queue [heal7-queue-1] after 2: cause.dependency_of(service=web)
        7 await_healthy queue [heal7-queue-1] after 6: cause.readiness
        8 start web [heal7-web-1] after 3,5~,7: cause.start
        9 await_healthy web [heal7-web-1] after 8: cause.readiness
        """,
    )


def test_unhealthy_running_dependency_is_waited_for() -> None:
    found = seen(container("db"), container("api", State.EXITED))
    says(
        asked(START, "api", CHAIN, found),
        """
        1 await_healthy db [heal7-db-1]: cause.readiness
        2 start api [heal7-api-1] after 1: cause.start
        3 await_healthy api [heal7-api-1] after 2: cause.readiness
        """,
    )


# -- services that finish


def test_one_shot_is_waited_for_to_finish() -> None:
    says(
        asked(START, "web", MIGRATED, seen()),
        """
        1 create migrate [heal7-migrate-1]: cause.missing
        2 create web [heal7-web-1]: cause.missing
        3 start migrate [heal7-migrate-1] after 1: cause.dependency_of(service=web)
        4 await_completion migrate [heal7-migrate-1] after 3: cause.completion
        5 start web [heal7-web-1] after 2,4: cause.start
        6 await_healthy web [heal7-web-1] after 5: cause.readiness
        """,
    )


def test_finished_one_shot_is_not_run_again() -> None:
    found = seen(container("migrate", State.EXITED))
    says(
        asked(START, "web", MIGRATED, found),
        """
        = migrate: completed
        1 create web [heal7-web-1]: cause.missing
        2 start web [heal7-web-1] after 1: cause.start
        3 await_healthy web [heal7-web-1] after 2: cause.readiness
        """,
    )


def test_failed_one_shot_is_run_again() -> None:
    found = seen(container("migrate", State.EXITED, exit_code=1))
    says(
        asked(START, "web", MIGRATED, found),
        """
        1 create web [heal7-web-1]: cause.missing
        2 start migrate [heal7-migrate-1]: cause.dependency_of(service=web)
        3 await_completion migrate [heal7-migrate-1] after 2: cause.completion
        4 start web [heal7-web-1] after 1,3: cause.start
        5 await_healthy web [heal7-web-1] after 4: cause.readiness
        """,
    )


def test_one_shot_that_still_works_is_waited_for_even_if_healthy() -> None:
    found = seen(container("migrate"))
    says(
        asked(START, "web", MIGRATED, found, healthy="migrate"),
        """
        1 create web [heal7-web-1]: cause.missing
        2 await_completion migrate [heal7-migrate-1]: cause.completion
        3 start web [heal7-web-1] after 1,2: cause.start
        4 await_healthy web [heal7-web-1] after 3: cause.readiness
        """,
    )


# -- stop


def test_stop_all_stops_dependants_first() -> None:
    says(
        asked(STOP, None, CHAIN, seen(*all_of("db", "api", "web"))),
        """
        1 stop web [heal7-web-1]: cause.stop_all
        2 stop api [heal7-api-1] after 1?: cause.stop_all
        3 stop db [heal7-db-1] after 2?: cause.stop_all
        """,
    )


def test_stop_all_of_independent_services_waits_for_nothing() -> None:
    declared = stack(service("a"), service("b"))
    says(
        asked(STOP, None, declared, seen(*all_of("a", "b"))),
        """
        1 stop b [heal7-b-1]: cause.stop_all
        2 stop a [heal7-a-1]: cause.stop_all
        """,
    )


def test_stop_of_one_leaves_its_dependants() -> None:
    says(
        asked(STOP, "db", CHAIN, seen(*all_of("db", "api", "web"))),
        """
        1 stop db [heal7-db-1]: cause.stop
        """,
    )


def test_stop_of_an_absent_one() -> None:
    says(
        asked(STOP, "web", ONE, seen()),
        """
        = web: already_stopped
        """,
    )


def test_stop_of_one_that_has_ended() -> None:
    says(
        asked(STOP, "web", ONE, seen(container("web", State.EXITED))),
        """
        = web: already_stopped
        """,
    )


def test_stop_of_a_paused_one_resumes_it_first() -> None:
    says(
        asked(STOP, "web", ONE, seen(container("web", State.PAUSED))),
        """
        1 unpause web [heal7-web-1]: cause.paused
        2 stop web [heal7-web-1] after 1: cause.stop
        """,
    )


def test_stop_of_one_that_the_engine_restarts() -> None:
    says(
        asked(STOP, "web", ONE, seen(container("web", State.RESTARTING))),
        """
        1 stop web [heal7-web-1]: cause.stop
        """,
    )


def test_stop_does_not_replace_what_changed() -> None:
    found = seen(container("web", config_hash="old"))
    says(
        asked(STOP, "web", ONE, found),
        """
        1 stop web [heal7-web-1]: cause.stop
        """,
    )


# -- containers that share another's


RIDDEN = stack(service("net"), service("app", "net!", joins=("net",)))


def test_who_shares_is_made_after_whom_it_shares() -> None:
    says(
        asked(START, "app", RIDDEN, seen()),
        """
        1 create net [heal7-net-1]: cause.missing
        2 start net [heal7-net-1] after 1: cause.dependency_of(service=app)
        3 await_healthy net [heal7-net-1] after 2: cause.readiness
        4 create app [heal7-app-1] after 1: cause.missing
        5 start app [heal7-app-1] after 4,3~: cause.start
        6 await_healthy app [heal7-app-1] after 5: cause.readiness
        """,
    )


def test_who_shares_is_made_anew_with_whom_it_shares() -> None:
    found = seen(container("net", config_hash="old"), container("app"))
    says(
        asked(START, None, RIDDEN, found, "net app"),
        """
        1 create net [e54e54e54e54_heal7-net-1]: cause.hash_changed
        2 stop app [heal7-app-1]: cause.shared_replaced(service=net)
        3 stop net [heal7-net-1] after 1,2?: cause.hash_changed
        4 remove net [heal7-net-1] after 1,3: cause.replace
        5 rename net [heal7-net-1] after 4: cause.replace
        6 start net [heal7-net-1] after 5,3: cause.start_all
        7 await_healthy net [heal7-net-1] after 6: cause.readiness
        8 remove app [heal7-app-1] after 2,5: cause.shared_replaced(service=net)
        9 create app [heal7-app-1] after 8,5: cause.shared_replaced(service=net)
        10 start app [heal7-app-1] after 9,2,7~: cause.start_all
        11 await_healthy app [heal7-app-1] after 10: cause.readiness
        """,
    )


MINE, OLD, NEW = ("/own", "1" * 64), ("/data", "2" * 64), ("/data", "3" * 64)
BORROWING = stack(service("db"), service("app", "db", borrows=("db",)))


def test_who_holds_a_share_of_a_container_that_is_gone_is_made_anew() -> None:
    alone = replace(container("app"), joined=frozenset({"gone"}))
    says(
        asked(START, "app", RIDDEN, seen(container("net"), alone), "net app"),
        """
        = net: already_running
        1 create app [100100100100_heal7-app-1]: cause.shared_gone(service=net)
        2 stop app [heal7-app-1] after 1: cause.shared_gone(service=net)
        3 remove app [heal7-app-1] after 1,2: cause.replace
        4 rename app [heal7-app-1] after 3: cause.replace
        5 start app [heal7-app-1] after 4,2: cause.start
        6 await_healthy app [heal7-app-1] after 5: cause.readiness
        """,
    )


@pytest.mark.parametrize("as_known", ["id", "name"])
def test_who_holds_a_share_of_the_container_that_is_there_stays(as_known: str) -> None:
    theirs = container("net")
    bound = replace(container("app"), joined=frozenset({getattr(theirs, as_known)}))
    assert lost_share(RIDDEN.services["app"], bound, seen(theirs, bound)) is None
    assert lost_share(RIDDEN.services["app"], bound, seen(bound)) is None, "nobody to compare with"


@pytest.mark.parametrize(
    ("mounted", "lost"),
    [((OLD,), "db"), ((NEW,), None), ((), None), ((MINE, OLD), "db"), ((MINE,), None)],
)
def test_volumes_that_are_borrowed_are_those_of_now(
    mounted: tuple[tuple[str, str], ...], lost: str | None
) -> None:
    theirs = replace(container("db"), anonymous_volumes=(NEW,))
    borrower = replace(container("app"), anonymous_volumes=mounted)
    assert lost_share(BORROWING.services["app"], borrower, seen(theirs, borrower)) == lost


def test_a_volume_of_its_own_at_the_same_place_is_no_share() -> None:
    own = service("app", "db", borrows=("db",))
    own = replace(own, container=replace(own.container, mounts=(Mount("volume", "/data"),)))
    theirs = replace(container("db"), anonymous_volumes=(NEW,))
    borrower = replace(container("app"), anonymous_volumes=(OLD,))
    assert lost_share(own, borrower, seen(theirs, borrower)) is None


def test_a_borrower_that_is_made_anew_keeps_its_own_volumes_only() -> None:
    theirs = replace(container("db"), anonymous_volumes=(NEW,))
    borrower = replace(container("app"), anonymous_volumes=(MINE, OLD))
    plan = asked(START, "app", BORROWING, seen(theirs, borrower), "db app")
    (made,) = (op for op in plan.ops if op.op is Op.CREATE)
    assert (made.service, made.volumes) == ("app", (MINE,))


def test_who_shares_stays_where_nothing_changed() -> None:
    says(
        asked(START, None, RIDDEN, seen(*all_of("net", "app")), "net app"),
        """
        = net: already_running
        = app: already_running
        """,
    )


def test_what_is_shared_is_bound_by_id_whatever_its_name() -> None:
    theirs = container("net", container_name="heal7_net_1")
    joining = service("app", joins=("net",), borrows=("net",))
    spec = replace(
        joining.container,
        network_mode="container:heal7-net-1",
        pid="host",
        ipc="container:a-stranger",
        settings=HostSettings(volumes_from=("heal7-net-1:ro", "a-stranger:rw")),
    )
    declared = stack(service("net"), joining)
    made = bound(spec, joining, declared, seen(theirs))
    assert (made.network_mode, made.pid, made.ipc) == (
        f"container:{theirs.id}",
        "host",
        "container:a-stranger",
    )
    assert made.settings.volumes_from == (f"{theirs.id}:ro", "a-stranger:rw")
    assert bound(spec, joining, declared, seen()) == spec

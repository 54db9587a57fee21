"""Which images are pulled and built, when, and what waits for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from textwrap import dedent

import pytest
from core_builders import IMAGE, IMAGE_ID, NOW, container, seen, service, stack

from controller.model.build import BuildSpec, Pull, PullPolicy, Source
from controller.model.observation import Observation
from controller.model.spec import ServiceSpec, StackSpec
from controller.model.text import text
from controller.model.view import Desired, OperationKind, OperationStatus, OperationView, Wish
from controller.orchestrator import goals
from controller.orchestrator.outcome import Outcome, Status
from controller.orchestrator.reconcile import reconcile
from controller.orchestrator.results import results
from controller.orchestrator.supply import builder_of, only_images, supplies

BUILT = BuildSpec("/srv/app", "/srv")
DAY = timedelta(days=1)
Images = dict[str, str]


def of(
    name: str,
    policy: Pull = Pull.MISSING,
    *,
    build: bool = False,
    named: bool = True,
    image: str = IMAGE,
    every_s: float = 0,
    joins: tuple[str, ...] = (),
) -> ServiceSpec:
    source = Source(BUILT if build else None, PullPolicy(policy, every_s), named)
    return replace(service(name, image=image, joins=joins), source=source)


HERE: Images = {IMAGE: IMAGE_ID}
# (service, here, by hand, what is done); `pull?` may fail.
RULES: list[tuple[ServiceSpec, bool, bool, str]] = [
    (of("a"), True, True, ""),
    (of("a"), False, True, "pull"),
    (of("a"), False, False, "pull"),
    (of("a", build=True), True, True, ""),
    (of("a", build=True), False, True, "pull? build"),
    (of("a", build=True, named=False), False, True, "build"),
    (of("a", build=True, named=False), True, True, ""),
    (of("a", Pull.ALWAYS), True, True, "pull"),
    (of("a", Pull.ALWAYS), True, False, ""),
    (of("a", Pull.ALWAYS), False, False, "pull"),
    (of("a", Pull.ALWAYS, build=True), True, True, "pull?"),
    (of("a", Pull.ALWAYS, build=True), False, True, "pull? build"),
    (of("a", Pull.ALWAYS, build=True, named=False), True, True, ""),
    (of("a", Pull.NEVER), False, True, ""),
    (of("a", Pull.NEVER, build=True), False, True, "build"),
    (of("a", Pull.NEVER, build=True), True, True, ""),
    (of("a", Pull.BUILD, build=True), True, True, "build"),
    (of("a", Pull.BUILD, build=True), True, False, ""),
    (of("a", Pull.BUILD, build=True), False, False, "build"),
    (of("a", Pull.BUILD), False, True, ""),
    (of("a", Pull.REFRESH, every_s=86_400), False, True, "pull"),
    (of("a", Pull.REFRESH, every_s=86_400), True, True, "pull"),
    (of("a", Pull.REFRESH, every_s=86_400), True, False, ""),
]


def needs(spec: ServiceSpec, images: Images, pulls: timedelta | None, by_hand: bool) -> str:
    pulled = {} if pulls is None else {spec.container.image: NOW - pulls}
    declared = stack(spec)
    found = supplies(declared, seen(images=images), pulled, NOW, by_hand=by_hand).get(spec.name)
    if found is None:
        return ""
    pull = ("pull?" if found.lenient else "pull") if found.pull else ""
    return f"{pull} {'build' if found.build else ''}".strip()


@pytest.mark.parametrize(("spec", "here", "by_hand", "done"), RULES)
def test_what_an_image_needs(spec: ServiceSpec, here: bool, by_hand: bool, done: str) -> None:
    assert needs(spec, HERE if here else {}, None, by_hand) == done


@pytest.mark.parametrize(
    ("age", "done"),
    [(timedelta(0), ""), (DAY - timedelta(seconds=1), ""), (DAY, "pull"), (-DAY, "")],
)
def test_a_refresh_is_due_when_the_last_pull_is_old_enough(age: timedelta, done: str) -> None:
    spec = of("a", Pull.REFRESH, every_s=DAY.total_seconds())
    assert needs(spec, HERE, age, by_hand=True) == done


def test_another_service_may_build_the_image() -> None:
    declared = stack(of("worker", image="app:latest"), of("web", build=True, image="app"))
    builder = builder_of(declared, declared.services["worker"])
    assert builder is declared.services["web"]
    found = supplies(declared, seen(images={}), {}, NOW, by_hand=True)
    assert found["worker"].build == text("cause.image_missing", image="app:latest")
    assert builder_of(declared, of("other", image="b")) is None


# -- in a plan


def planned(declared: StackSpec, found: Observation, expected: str) -> None:
    targets = declared.managed
    containers = {name: found.of(name) for name in declared.services}
    goal = goals.requested(declared, OperationKind.START, targets, containers, True)
    needed = supplies(declared, found, {}, NOW, by_hand=True)
    assert str(reconcile(declared, goal, found, frozenset(), needed)) == dedent(expected).strip()


def test_an_image_that_several_need_is_had_once_and_others_do_not_wait() -> None:
    declared = stack(
        of("a", build=True, image="own"), of("b", image="own"), of("c"), of("d", image="far")
    )
    planned(
        declared,
        seen(images=HERE),
        """
        1 pull_image a [own]: cause.image_missing(image=own)
        2 build_image a [own] after 1: cause.image_missing(image=own)
        3 create a [heal7-a-1] after 2: cause.missing
        4 create b [heal7-b-1] after 2: cause.missing
        5 create c [heal7-c-1]: cause.missing
        6 pull_image d [far]: cause.image_missing(image=far)
        7 create d [heal7-d-1] after 6: cause.missing
        8 start a [heal7-a-1] after 3: cause.start_all
        9 await_healthy a [heal7-a-1] after 8: cause.readiness
        10 start b [heal7-b-1] after 4: cause.start_all
        11 await_healthy b [heal7-b-1] after 10: cause.readiness
        12 start c [heal7-c-1] after 5: cause.start_all
        13 await_healthy c [heal7-c-1] after 12: cause.readiness
        14 start d [heal7-d-1] after 7: cause.start_all
        15 await_healthy d [heal7-d-1] after 14: cause.readiness
        """,
    )


def test_the_old_container_is_stopped_only_when_the_new_image_is_there() -> None:
    planned(
        stack(of("a", Pull.BUILD, build=True)),
        seen(container("a", config_hash="old"), images=HERE),
        """
        1 build_image a [heal7/app:1]: cause.image_policy(policy=build)
        2 create a [111111111111_heal7-a-1] after 1: cause.hash_changed
        3 stop a [heal7-a-1] after 2: cause.hash_changed
        4 remove a [heal7-a-1] after 2,3: cause.replace
        5 rename a [heal7-a-1] after 4: cause.replace
        6 start a [heal7-a-1] after 5,3: cause.start_all
        7 await_healthy a [heal7-a-1] after 6: cause.readiness
        """,
    )


def test_what_shares_a_container_is_not_stopped_before_its_own_image_is_there() -> None:
    declared = stack(of("a"), of("b", image="far", joins=("a",)))
    planned(
        declared,
        seen(container("a", config_hash="old"), container("b"), images=HERE),
        """
        1 create a [111111111111_heal7-a-1]: cause.hash_changed
        2 pull_image b [far]: cause.image_missing(image=far)
        3 stop b [heal7-b-1] after 2: cause.shared_replaced(service=a)
        4 stop a [heal7-a-1] after 1: cause.hash_changed
        5 remove a [heal7-a-1] after 1,4: cause.replace
        6 rename a [heal7-a-1] after 5: cause.replace
        7 start a [heal7-a-1] after 6,4: cause.start_all
        8 await_healthy a [heal7-a-1] after 7: cause.readiness
        9 remove b [heal7-b-1] after 3,6: cause.shared_replaced(service=a)
        10 create b [heal7-b-1] after 9,6,2: cause.shared_replaced(service=a)
        11 start b [heal7-b-1] after 10,3: cause.start_all
        12 await_healthy b [heal7-b-1] after 11: cause.readiness
        """,
    )


# -- asked for by themselves


def test_only_what_is_built_is_built_and_only_the_rest_is_pulled() -> None:
    declared = stack(of("a", build=True), of("b"))
    build = only_images(declared, OperationKind.BUILD, ("a", "b"))
    assert str(build) == "= b: not_built\n1 build_image a [heal7/app:1]: cause.build"
    pull = only_images(declared, OperationKind.PULL, ("a", "b"))
    assert str(pull) == "= a: not_pulled\n1 pull_image b [heal7/app:1]: cause.pull"
    ended = results(build, {1: Outcome(Status.DONE, at=2.5)})
    assert {name: result.outcome for name, result in ended.items()} == {
        "a": "built",
        "b": "not_built",
    }
    assert all(result.good for result in ended.values())
    assert results(pull, {1: Outcome(Status.DONE)})["b"].outcome == "pulled"


def test_the_one_image_of_several_containers_is_built_once() -> None:
    both = [replace(of(f"a-{n}", build=True), replica_of="a", number=n) for n in (1, 2)]
    plan = only_images(stack(*both), OperationKind.BUILD, ("a-1", "a-2"))
    assert str(plan) == "1 build_image a-1 [heal7/app:1]: cause.build"


def test_a_build_that_was_cut_short_moves_no_container() -> None:
    declared = stack(of("a", build=True))
    cut = OperationView(
        "op_1", OperationKind.BUILD, OperationStatus.RUNNING, ("a",), NOW, "someone"
    )
    running = {"a": container("a", config_hash="old")}
    goal = goals.convergence(declared, {"a": Wish(Desired.RUNNING)}, [cut], running)
    assert goal == goals.Goal()
    assert goals.asked_for([cut]) == {}

"""From a request to the goal it means: which services, in which state, and why; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from controller.model.graph import followers, with_dependencies
from controller.model.incident import Act
from controller.model.observation import ALIVE, ContainerObs, State
from controller.model.spec import StackSpec
from controller.model.text import Text, text
from controller.model.view import Desired, OperationKind, OperationView, Wish
from controller.orchestrator.reconcile import Goal
from controller.recovery.scene import Order

Containers = Mapping[str, ContainerObs | None]


def involved(stack: StackSpec, kind: OperationKind, targets: Iterable[str]) -> tuple[str, ...]:
    """Every service the request will act on, dependencies first."""
    targets = tuple(targets)
    if kind is OperationKind.STOP or kind.on_images:
        return targets
    if kind is OperationKind.RESTART:
        targets = (*targets, *followers(stack, targets))
    return with_dependencies(stack, targets)


def requested(
    stack: StackSpec,
    kind: OperationKind,
    targets: tuple[str, ...],
    containers: Containers,
    everything: bool,
) -> Goal:
    """The goal of a person's request."""
    asked = text(f"cause.{kind}_all" if everything else f"cause.{kind}")
    if kind is OperationKind.STOP:
        return Goal(stop=targets, causes=dict.fromkeys(targets, asked))
    run = involved(stack, kind, targets)
    causes: dict[str, Text] = {}
    for name in reversed(run):
        needed_by = next(
            (o for o in run if any(d.service == name for d in stack.services[o].depends_on)), ""
        )
        causes[name] = text("cause.dependency_of", service=needed_by)
    restart: dict[str, str] = {}
    if kind is OperationKind.RESTART:
        follow = followers(stack, targets)
        causes |= {n: text("cause.dependent_restart", service=w) for n, w in follow.items()}
        restart = _incarnations((*targets, *follow), containers)
    causes |= dict.fromkeys(targets, asked)
    tidy = {stack.declared_as(name) for name in targets if stack.services[name].number == 1}
    if everything:
        tidy |= {name for name, count in stack.replicas.items() if not count}
    return Goal(run, (), restart, frozenset(targets), tidy=frozenset(tidy), causes=causes)


def wishes_of(goal: Goal) -> dict[str, Wish]:
    """What the goal makes people's wishes, to be stored before anything is done."""
    wanted = {name: Wish(Desired.RUNNING, goal.restart.get(name)) for name in goal.run}
    return wanted | {name: Wish(Desired.STOPPED) for name in goal.stop}


def convergence(
    stack: StackSpec,
    wishes: Mapping[str, Wish],
    interrupted: Iterable[OperationView],
    containers: Containers,
    exempt: frozenset[str] = frozenset(),
) -> Goal:
    """What a hub that comes back still owes: what should run and does not, restarts and stops
    that were begun. Whatever runs as wished is left alone, and `exempt` to healing."""
    begun = {n: op.kind for op in interrupted if not op.kind.on_images for n in op.targets}
    declared = {n: w for n, w in wishes.items() if n in stack.services and n not in exempt}
    run = [
        name
        for name, wish in declared.items()
        if wish.state is Desired.RUNNING
        and (not _runs(containers.get(name)) or name in begun or wish.restart_of)
    ]
    stop = [
        name
        for name, wish in declared.items()
        if wish.state is Desired.STOPPED and name in begun and _runs(containers.get(name))
    ]
    # What a person stopped stays stopped, even where something that runs would need it.
    stopped = {name for name, wish in wishes.items() if wish.state is Desired.STOPPED}
    ordered = tuple(n for n in with_dependencies(stack, run) if n not in stopped | exempt)
    causes = dict.fromkeys(ordered, text("cause.converge"))
    causes |= dict.fromkeys(stop, text("cause.finish"))
    restart = {n: w.restart_of for n, w in declared.items() if w.restart_of and n in ordered}
    return Goal(ordered, tuple(stop), restart, frozenset(begun) & frozenset(run), causes=causes)


def asked_for(interrupted: Iterable[OperationView]) -> dict[str, datetime]:
    """Services for which a person's request was under way, each with when it was made."""
    people = [op for op in interrupted if not op.kind.by_hub and not op.kind.on_images]
    return {name: op.requested_at for op in people for name in op.targets}


def healed(order: Order, containers: Containers) -> Goal:
    """The goal of healing one service: it lives another life, and those that follow it too."""
    names = (order.service, *order.followers)
    causes = {n: text("cause.dependent_restart", service=order.service) for n in order.followers}
    return Goal(
        run=names,
        restart=_incarnations(names, containers),
        replace_drifted=frozenset({order.service}),
        replace=frozenset({order.service}) if order.act is Act.REPLACE else frozenset(),
        causes={**causes, order.service: order.cause},
    )


def adoptable(
    stack: StackSpec, wishes: Mapping[str, Wish], containers: Containers
) -> dict[str, Wish]:
    """Wishes for managed services that run although nobody ever told this hub to run them."""
    return {
        name: Wish(Desired.RUNNING)
        for name in stack.managed
        if name not in wishes and _runs(containers.get(name))
    }


def _runs(container: ContainerObs | None) -> bool:
    return container is not None and container.state is State.RUNNING


def _incarnations(names: Iterable[str], containers: Containers) -> dict[str, str]:
    return {
        name: container.incarnation
        for name in names
        if (container := containers.get(name)) and container.state in ALIVE
    }

"""Containers that carry the project's label and that no file speaks of any more; pure.

A service that was renamed or taken out leaves its container behind, which goes on running, holds
its port and its data, and belongs to nobody. It is named; only a person has it removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controller.errors import NotFoundError
from controller.model.observation import ContainerObs, Observation, State
from controller.model.spec import StackSpec
from controller.model.text import text
from controller.model.view import OrphanView
from controller.orchestrator.plan import Edge, Op, Plan, PlannedOp, removal_of

GRACE_S = 10.0
"""What nothing declares gets the grace that Compose gives."""


def orphans(stack: StackSpec, seen: Observation) -> tuple[ContainerObs, ...]:
    """Those whose service is neither enabled nor in a profile that is not, by name. One-offs are
    never observed, and a hub is nobody's orphan."""
    found = [
        container
        for containers in seen.containers.values()
        for container in containers
        if not stack.declares(container.service)
        and container.state is not State.REMOVING
        and not container.is_hub
    ]
    return tuple(sorted(found, key=lambda container: container.name))


def orphan_views(
    stack: StackSpec, seen: Observation, busy: Mapping[str, str]
) -> tuple[OrphanView, ...]:
    """They as people see them; `busy` names the operation that acts on a service."""
    return tuple(
        OrphanView(
            name=found.name,
            service=found.service,
            container_id=found.id,
            image=found.image,
            state=found.state,
            since=found.created_at,
            busy=busy.get(found.service),
        )
        for found in orphans(stack, seen)
    )


def chosen(found: Sequence[ContainerObs], wanted: Iterable[str]) -> tuple[ContainerObs, ...]:
    """Those of the orphans that are wanted, by name or id. Raises NotFoundError for one that is
    not among them: nothing but an orphan is ever removed."""
    by_key = {key: container for container in found for key in (container.name, container.id)}
    picked: dict[str, ContainerObs] = {}
    for key in wanted:
        if key not in by_key:
            raise NotFoundError(
                f"{key} is not an orphan of this project.",
                remedy="See which there are: `heal7 compose orphans`.",
            )
        picked[by_key[key].id] = by_key[key]
    return tuple(picked.values())


def removal(found: Iterable[ContainerObs]) -> Plan:
    """The plan that stops and removes them, all at once; volumes stay."""
    ops: list[PlannedOp] = []

    def add(op: Op, container: ContainerObs, edges: tuple[Edge, ...]) -> tuple[Edge, ...]:
        number = len(ops) + 1
        cause = text("cause.orphan", service=container.service)
        ops.append(
            PlannedOp(number, op, container.service, cause, container.name, edges, container.id)
        )
        return (Edge(number),)

    for container in found:
        edges: tuple[Edge, ...] = ()
        for op in removal_of(container.state):
            edges = add(op, container, edges)
    return Plan(tuple(ops))

"""A plan: ordered operations on the engine, each with the cause that a person may ask for; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from controller.model.observation import State
from controller.model.text import Text


class Op(StrEnum):
    """What one operation does. READY and FINISHED only wait for a verdict."""

    PULL = "pull_image"
    BUILD = "build_image"
    NETWORK = "create_network"
    RENEW = "recreate_network"
    VOLUME = "create_volume"
    CREATE = "create"
    RENAME = "rename"
    UNPAUSE = "unpause"
    STOP = "stop"
    REMOVE = "remove"
    START = "start"
    READY = "await_healthy"
    FINISHED = "await_completion"


def removal_of(state: State) -> tuple[Op, ...]:
    """What removes a container that is in this state, in order."""
    if state is State.PAUSED:
        return (Op.UNPAUSE, Op.STOP, Op.REMOVE)
    alive = state in (State.RUNNING, State.RESTARTING)
    return (Op.STOP, Op.REMOVE) if alive else (Op.REMOVE,)


class Tolerance(StrEnum):
    """How bad the awaited operation may end for its successor to go on.

    UNHEALTHY: the dependency runs without being well, and only "started" was asked for.
    ANY: the dependency is not required, or only order matters.
    """

    NONE = "none"
    UNHEALTHY = "unhealthy"
    ANY = "any"


_MARKS = {Tolerance.NONE: "", Tolerance.UNHEALTHY: "~", Tolerance.ANY: "?"}


@dataclass(frozen=True, slots=True)
class Edge:
    """Go only after operation `id` has ended."""

    id: int
    tolerance: Tolerance = Tolerance.NONE

    def __str__(self) -> str:
        return f"{self.id}{_MARKS[self.tolerance]}"


@dataclass(frozen=True, slots=True)
class PlannedOp:
    """One operation. `subject` is the name of the container, network, volume or image it is about;
    `container_id` the container to act on where it exists already; `volumes` the anonymous ones
    (target, engine's name) that a replacement takes over. A `lenient` pull may fail."""

    id: int
    op: Op
    service: str
    cause: Text
    subject: str
    edges: tuple[Edge, ...] = ()
    container_id: str | None = None
    volumes: tuple[tuple[str, str], ...] = ()
    lenient: bool = False

    @property
    def after(self) -> tuple[int, ...]:
        return tuple(sorted({edge.id for edge in self.edges}))


@dataclass(frozen=True, slots=True)
class Plan:
    """`settled` are services that are already as wished, with the outcome to report."""

    ops: tuple[PlannedOp, ...] = ()
    settled: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[str, Text] = field(default_factory=dict)

    @property
    def acts_on(self) -> tuple[str, ...]:
        """Every service that has an operation."""
        return tuple(dict.fromkeys(op.service for op in self.ops))

    def of(self, service: str) -> tuple[PlannedOp, ...]:
        """The operations of one service."""
        return tuple(op for op in self.ops if op.service == service)

    @property
    def services(self) -> tuple[str, ...]:
        """Every service the plan speaks of."""
        return tuple(dict.fromkeys((*self.settled, *self.acts_on)))

    def __str__(self) -> str:
        """One line an operation; `~` and `?` mark what may end unhealthy or in any way."""
        lines = [f"= {name}: {outcome}" for name, outcome in self.settled.items()]
        for op in self.ops:
            after = f" after {','.join(map(str, op.edges))}" if op.edges else ""
            lines.append(f"{op.id} {op.op} {op.service} [{op.subject}]{after}: {op.cause}")
        return "\n".join(lines)

"""Services where they are only mentioned: by name, and how each is.

A service that runs in several containers is mentioned by its own name too, as all of them are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.i18n import word
from controller.model.view import Health, OperationKind, OperationView, ServiceView, StackView


class Tone(StrEnum):
    """The five moods of the page; each has a colour, and never a colour alone."""

    OK = "ok"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


LOOK: Mapping[Health, tuple[Tone, str]] = {
    Health.HEALTHY: (Tone.OK, "check"),
    Health.STARTING: (Tone.BUSY, "busy"),
    Health.UNHEALTHY: (Tone.WARN, "warn"),
    Health.BLOCKED: (Tone.WARN, "blocked"),
    Health.HELD: (Tone.WARN, "held"),
    Health.UNKNOWN: (Tone.WARN, "question"),
    Health.FAILED: (Tone.BAD, "fail"),
    Health.STOPPED: (Tone.IDLE, "stopped"),
}
SEVERITY = (
    Health.FAILED,
    Health.UNHEALTHY,
    Health.BLOCKED,
    Health.HELD,
    Health.UNKNOWN,
    Health.STARTING,
    Health.HEALTHY,
    Health.STOPPED,
)
ATTENTION = frozenset(SEVERITY[:5])


@dataclass(frozen=True, slots=True)
class Mark:
    """A service by name and how it is, where it is only mentioned.

    `attention`: something is wrong and nobody is at it yet.
    """

    name: str
    tone: Tone
    icon: str
    word: str
    attention: bool = False
    containers: int = 1


def marks(
    view: StackView, operations: Sequence[OperationView], language: str
) -> Mapping[str, Mark]:
    """Every service by name; one that an operation acts on shows what is being done to it."""
    kinds = {operation.id: operation.kind for operation in operations}
    groups = {name: _mark_of(several, kinds, language) for name, several in replicas(view).items()}
    return {s.name: _mark(s, kinds, language) for s in view.services} | groups


def replicas(view: StackView) -> Mapping[str, Sequence[ServiceView]]:
    """The containers of each service that has several."""
    found: dict[str, list[ServiceView]] = {}
    for service in view.services:
        if service.replica_of:
            found.setdefault(service.replica_of, []).append(service)
    return found


def _mark_of(
    several: Sequence[ServiceView], kinds: Mapping[str, OperationKind], language: str
) -> Mark:
    """As the worst of them is; how many are well says the rest."""
    worst = min(several, key=lambda s: (s.busy is None, SEVERITY.index(s.health)))
    shown = replace(_mark(worst, kinds, language), name=worst.replica_of, containers=len(several))
    well = sum(1 for one in several if one.health is Health.HEALTHY)
    if worst.busy is not None or well == len(several):
        return shown
    return replace(shown, word=word("ui.replicas.well", language, n=well, of=len(several)))


def _mark(service: ServiceView, kinds: Mapping[str, OperationKind], language: str) -> Mark:
    if service.busy is not None:
        kind = kinds.get(service.busy, OperationKind.CONVERGE)
        return Mark(service.name, Tone.BUSY, "busy", word(f"ui.busy.{kind}", language))
    tone, icon = LOOK[service.health]
    says = word(f"ui.health.{service.health}", language)
    return Mark(service.name, tone, icon, says, service.health in ATTENTION)

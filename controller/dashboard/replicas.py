"""What there is to say and to do of a service that runs in several containers, as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from controller.dashboard import marks
from controller.dashboard.marks import Mark
from controller.dashboard.present import Action, verbs_for
from controller.i18n import word
from controller.model.view import StackView


@dataclass(frozen=True, slots=True)
class Replicas:
    """All of them as one, each by itself, and what can be asked of all."""

    mark: Mark
    members: tuple[Mark, ...]
    actions: tuple[Action, ...]


def replicas(
    name: str, view: StackView, known: Mapping[str, Mark], language: str
) -> Replicas | None:
    """None where the service has one container, or there is none of that name."""
    several = marks.replicas(view).get(name)
    if several is None:
        return None
    busy = any(one.busy is not None for one in several)
    actions = tuple(
        Action(
            verb,
            word(f"ui.action.{verb}", language),
            word(f"ui.confirm.{verb}", language, service=name),
            primary=verb == "start",
            busy=busy,
        )
        for verb in verbs_for(several)
    )
    return Replicas(known[name], tuple(known[one.name] for one in several), actions)

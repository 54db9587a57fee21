"""What a workflow is: steps across services, how each is asked, and how it is undone; pure data.

A definition is stored with its hash beside every run of it, so that a change of config.yaml never
touches a run that is under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from controller.model.expression import may_name


@dataclass(frozen=True, slots=True)
class Retry:
    """How often one step is asked before it counts as failed, and how long the pauses are."""

    attempts: int = 3
    backoff_s: float = 0.5
    max_backoff_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to a service. `input` is its JSON body, which may hold expressions.

    `action` is set where the call is one of the contract's actions: then it is idempotent by key.
    """

    method: str
    path: str
    input: Any = None
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `needs` are ids of steps that must be over before; `undo` is None where nothing is
    undone; `when` is an expression or None; `start` lets it start what a person has stopped."""

    id: str
    service: str
    call: Call
    needs: tuple[str, ...] = ()
    when: Any = None
    retry: Retry = field(default_factory=Retry)
    timeout_s: float = 30.0
    undo: Call | None = None
    start: bool = False


class OnLimit(StrEnum):
    """What happens to a run that would be one too many."""

    QUEUE = "queue"
    REJECT = "reject"
    CANCEL_OLDEST = "cancel_oldest"


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many runs of a workflow may be under way at once."""

    limit: int
    on_limit: OnLimit = OnLimit.QUEUE


@dataclass(frozen=True)
class Definition:
    """A whole workflow, checked. `description` is by language; `input_schema` a JSON Schema or
    None; `schedule` a cron line; `hash` is of everything else in it."""

    name: str
    steps: tuple[Step, ...]
    hash: str
    description: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 3600.0
    output: Any = None
    input_schema: Mapping[str, Any] | None = None
    schedule: str | None = None
    concurrency: Concurrency | None = None

    @cached_property
    def seeing(self) -> frozenset[str]:
        """Steps whose request can depend on other steps: of their expressions one may name them."""
        return frozenset(
            step.id for step in self.steps if _sees(step.call) or may_name(step.when, "steps")
        )

    @cached_property
    def undo_seeing(self) -> frozenset[str]:
        """Steps whose compensation's request can depend on steps."""
        return frozenset(step.id for step in self.steps if step.undo and _sees(step.undo))

    @cached_property
    def by_id(self) -> Mapping[str, Step]:
        return {step.id: step for step in self.steps}


def _sees(call: Call) -> bool:
    return may_name(call.path, "steps") or may_name(call.input, "steps")

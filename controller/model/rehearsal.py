"""A fault injected on purpose, measured and undone; pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.text import Text


class Fault(StrEnum):
    """What can be rehearsed. `crash`: the main process is killed; `hang`: every process of the
    container is frozen; `slow`: they are frozen most of the time; `stop`: stopped beside the hub,
    which must leave it alone."""

    CRASH = "crash"
    HANG = "hang"
    SLOW = "slow"
    STOP = "stop"


class Stage(StrEnum):
    """Where a rehearsal stands; `passed`, `failed` and `aborted` are final."""

    INJECTING = "injecting"
    DETECTING = "detecting"
    HEALING = "healing"
    DEPENDANTS = "dependants"
    PASSED = "passed"
    FAILED = "failed"
    ABORTED = "aborted"


FINAL = (Stage.PASSED, Stage.FAILED, Stage.ABORTED)


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal. Times count from `injected_at`, in milliseconds; None is "not seen".

    `dependants_ms` maps each dependant that was disturbed to when it was well again; `verdict` is
    the sentence that says how it ended, or how far it is.
    """

    id: str
    service: str
    fault: Fault
    stage: Stage
    requested_at: datetime
    requested_by: str
    objective_s: float
    verdict: Text
    injected_at: datetime | None = None
    detected_ms: int | None = None
    healed_ms: int | None = None
    dependants_ms: Mapping[str, int | None] = field(default_factory=dict)
    incident: str | None = None
    ended_at: datetime | None = None

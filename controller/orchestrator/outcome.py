"""How one operation of a plan stands or ended, and whether its successors may go on; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from controller.model.text import Text
from controller.orchestrator.plan import Tolerance


class Status(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    UNHEALTHY = "unhealthy"
    SKIPPED = "skipped"

    @property
    def over(self) -> bool:
        return self not in (Status.WAITING, Status.RUNNING)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one operation stands or ended. `at` is seconds since the plan began; `progress` how far
    one is that takes long."""

    status: Status
    cause: Text | None = None
    detail: str | None = None
    unknown: bool = False
    at: float = 0.0
    progress: Text | None = None


def passes(before: Outcome, tolerance: Tolerance) -> bool:
    """Whether an operation that awaits `before` with this tolerance may begin."""
    if before.status is Status.DONE or tolerance is Tolerance.ANY:
        return True
    return before.status is Status.UNHEALTHY and tolerance is Tolerance.UNHEALTHY

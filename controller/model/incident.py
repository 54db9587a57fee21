"""What went wrong with one service, what was done about it and why; pure data.

An incident is the hub's answer to "why did it restart at 03:12?". It is opened when the verdict
turns bad, dated back to the first bad sign, and closed by the verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.probe import ProbeResult
from controller.model.text import Text


class Kind(StrEnum):
    """What kind of fault it is, in the words of the API."""

    CRASH = "crash"
    HANG = "hang"
    UNHEALTHY = "unhealthy"
    OOM = "oom"
    STOPPED_OUTSIDE = "stopped_outside"
    CONFIG_ERROR = "config_error"
    DEPENDENCY = "dependency"


class Ending(StrEnum):
    """How an incident ended: by itself or the hub, by giving up, by a person through the hub
    (operator) or beside it (external)."""

    RECOVERED = "recovered"
    GAVE_UP = "gave_up"
    OPERATOR = "operator"
    EXTERNAL = "external"


class Act(StrEnum):
    """One entry of an incident's timeline. The first three act on the container; `hold` and
    `block` are restarts that were *not* made; the rest are facts worth a line."""

    START = "start"
    RESTART = "restart"
    REPLACE = "replace"
    HOLD = "hold"
    BLOCK = "block"
    UNBLOCK = "unblock"
    WAIT = "wait"
    GIVE_UP = "give_up"
    OPERATOR = "operator"


TOUCHES = (Act.START, Act.RESTART, Act.REPLACE)
SUPPRESSES = (Act.HOLD, Act.BLOCK)


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the timeline. `outcome` is running, done, failed, unknown or interrupted for what
    acts, '' for what only says; `failure` is why it failed, `detail` what the container or the
    engine said then."""

    at: datetime
    act: Act
    cause: Text
    outcome: str = ""
    ended_at: datetime | None = None
    failure: Text | None = None
    detail: str | None = None
    operation: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was seen, kept although the container may be replaced. `log_tail` is oldest first."""

    container_id: str | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    engine_error: str = ""
    last_probes: tuple[ProbeResult, ...] = ()
    log_tail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage of one service. `root` is the id of the incident that caused it, where another
    service did; `rehearsal` the id of the rehearsal that injected it; `runs_held` ids of runs."""

    id: str
    service: str
    kind: Kind
    cause: Text
    opened_at: datetime
    detected_at: datetime
    life: str = ""
    closed_at: datetime | None = None
    outcome: Ending | None = None
    evidence: Evidence = field(default_factory=Evidence)
    timeline: tuple[Entry, ...] = ()
    root: str | None = None
    rehearsal: str | None = None
    runs_held: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def detect_ms(self) -> int:
        """From the first bad sign to the verdict."""
        return _ms(self.opened_at, self.detected_at)

    @property
    def recover_ms(self) -> int | None:
        """From the first bad sign to well again; None where it is not (yet) well."""
        if self.closed_at is None or self.outcome is Ending.GAVE_UP:
            return None
        return _ms(self.opened_at, self.closed_at)

    @property
    def restarts(self) -> int:
        """How often the hub acted on the container."""
        return sum(1 for entry in self.timeline if entry.act in TOUCHES)

    @property
    def suppressed(self) -> tuple[Entry, ...]:
        """What the hub did not do on purpose, and why."""
        return tuple(entry for entry in self.timeline if entry.act in SUPPRESSES)


def _ms(start: datetime, end: datetime) -> int:
    return max(0, round((end - start).total_seconds() * 1000))

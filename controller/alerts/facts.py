"""What is known in one turn, as plain values: all that the decisions look at; pure.

None and absence mean "not seen". Nothing here is a judgement yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from controller.model.incident import Incident
from controller.model.text import Text
from controller.model.view import Desired, Health


@dataclass(frozen=True, slots=True)
class Need:
    """One thing a service cannot do without. `finishes`: it only has to end well."""

    service: str
    finishes: bool = False


@dataclass(frozen=True, slots=True)
class ServiceFact:
    """One managed service. `by_person`: somebody acts on it through the hub right now;
    `rehearsing`: what is wrong with it was done to it on purpose. `p95_ms` is None where too few
    answers were seen; `restarts` are the moments at which healing restarted it."""

    name: str
    desired: Desired
    health: Health
    reason: Text
    since: datetime
    needs: tuple[Need, ...] = ()
    by_person: bool = False
    rehearsing: bool = False
    incident: Incident | None = None
    p95_ms: float | None = None
    restarts: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class DiskFact:
    """A file system. `what` is a key of the catalogue that says whose it is."""

    path: str
    what: str
    free_bytes: int
    total_bytes: int

    @property
    def free_percent(self) -> float:
        return 100.0 * self.free_bytes / self.total_bytes if self.total_bytes else 100.0


@dataclass(frozen=True, slots=True)
class Counted:
    """So many lines of a service within the rule's window. `pattern` is '' for errors, `last` what
    the newest of them says."""

    service: str
    count: int
    first_at: datetime
    pattern: str = ""
    last: str = ""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run of a workflow is over. `good`: there is nothing to see to any more; `undo_failed`: it
    could not be undone either."""

    run: str
    workflow: str
    at: float
    good: bool
    undo_failed: bool = False
    reason: Text | None = None
    retry_of: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """One turn's. `services` are the managed ones, `declared` all of them.

    `ill`: the hub does not trust its own probes; `storm_since` is since when over half of the stack
    fails its probes at once, where that is so; `problems` maps a store of the hub's own to why it
    cannot be written; `dead` a channel to since when and why.
    """

    now: datetime
    connected: bool = True
    engine_since: datetime | None = None
    known: bool = True
    paused: bool = False
    ill: bool = False
    storm_since: datetime | None = None
    services: Mapping[str, ServiceFact] = field(default_factory=dict)
    declared: frozenset[str] = frozenset()
    disks: tuple[DiskFact, ...] = ()
    certificate_until: datetime | None = None
    problems: Mapping[str, str] = field(default_factory=dict)
    dead: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)
    counted: tuple[Counted, ...] = ()
    run_ends: tuple[RunEnd, ...] = ()

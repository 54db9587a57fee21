"""What healing looks at and what it answers: values only, so that a simulator can play the world.

A `Scene` is all that is known at one moment. A `Turn` is what follows from it: what to remember and
tell first, and only then what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from controller.model.incident import Act, Evidence, Incident
from controller.model.observation import State
from controller.model.recovery import ByHand, Claim, Healing, Pause, Record
from controller.model.spec import ServiceSpec, StackSpec
from controller.model.text import Text
from controller.model.view import Desired, Verdict

DOWN = (State.EXITED, State.DEAD, State.CREATED, State.MISSING, State.REMOVING)
"""States in which no process of the container runs."""


class Busy(StrEnum):
    """Who is acting on a service now."""

    NO = "no"
    PERSON = "person"
    HUB = "hub"


@dataclass(frozen=True, slots=True)
class Sight:
    """One service at one moment.

    `life` is the container's incarnation ('' where there is none); `verdict` the bare one, blind to
    healing; `since` when the first bad sign was, where it is bad. `suspect`: its newest probe
    failed; `good_at` when the newest good probe began. `silent`: it accepts and never answers.
    `by_hand` is how a person ended it, as far as the engine remembers.
    """

    spec: ServiceSpec
    desired: Desired
    state: State
    life: str
    verdict: Verdict
    since: datetime
    suspect: bool = False
    silent: bool = False
    probed: bool = False
    good_at: datetime | None = None
    exit_code: int | None = None
    oom_killed: bool = False
    busy: Busy = Busy.NO
    by_hand: ByHand | None = None
    evidence: Evidence = field(default_factory=Evidence)


@dataclass(frozen=True, slots=True)
class Scene:
    """The stack at one moment.

    `pause` is a person's "watch, don't touch"; `ill` what the hub's own self-check complains of;
    `arrival` why services may be found dead that nobody killed: the hub or the engine was away.
    `rehearsals` maps a service to the rehearsal that disturbs it now.
    """

    stack: StackSpec
    sights: Mapping[str, Sight]
    connected: bool = True
    pause: Pause | None = None
    ill: Text | None = None
    arrival: Text | None = None
    rehearsals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """What healing knows from before: records by service, open incidents by id, and since when
    over half of the stack has been failing at once."""

    records: Mapping[str, Record] = field(default_factory=dict)
    incidents: Mapping[str, Incident] = field(default_factory=dict)
    storm_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Act on one container, now. `life` is the incarnation to act on, `state` what it was in when
    that was decided; `followers` are dependants that asked to restart along with it; `claims` the
    lives that are asked to end for it, by service."""

    service: str
    act: Act
    life: str
    state: State
    cause: Text
    grace_s: float
    incident: str
    followers: tuple[str, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows from a scene. `memory` is the whole new memory; `records` and `incidents` are
    the parts of it that changed and must be stored before `orders` are carried out. `ask` are
    services to probe now; `forgive` those whose old failures are not theirs; `look_again_at` is
    when something is due at the latest."""

    memory: Memory
    records: Mapping[str, Record]
    incidents: tuple[Incident, ...]
    opened: tuple[str, ...]
    orders: tuple[Order, ...]
    shown: Mapping[str, Healing]
    ask: frozenset[str] = frozenset()
    forgive: tuple[str, ...] = ()
    look_again_at: datetime | None = None

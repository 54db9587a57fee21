"""What healing remembers of one service between two looks, and after the hub was killed; pure data.

Attempts are counted here before they are made: a hub that dies half-way neither forgets one nor
counts it twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.model.incident import Act
from controller.model.text import Text
from controller.model.view import Verdict


class ByHand(StrEnum):
    """How a person took a container down beside the hub."""

    STOPPED = "stopped"
    REMOVED = "removed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Held:
    """A person took it down beside the hub: it is left alone until a person brings it back.
    `life` is the incarnation that ended ('' where the container is gone)."""

    how: ByHand
    life: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at healing, recorded before it is made. `life` is the incarnation it found."""

    at: datetime
    act: Act
    life: str
    cause: Text


@dataclass(frozen=True, slots=True)
class Asking:
    """The hub set out to ask for the end of a life: not before `since`, and not after `until`,
    which is None as long as it may yet ask."""

    since: datetime
    until: datetime | None = None

    def covers(self, at: datetime, now: datetime) -> bool:
        """Whether a request that the engine saw then may be this one. Where `since` lies ahead the
        clock was set back after it, and nobody knows when that was by the clock of now."""
        begun = self.since <= at or now < self.since
        return begun and (self.until is None or at <= self.until)


@dataclass(frozen=True, slots=True)
class Claim:
    """Each time the hub, or one before it, set out to end this life, oldest first."""

    life: str
    askings: tuple[Asking, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One service's healing history.

    `restarts` are the times of tries within the longest window, oldest first; `streak` the tries
    since the last reset and `delay_s` the pause decided for the newest of them; `next_at` when a
    decided try is due; `well_since` since when it is well without a break; `freed_at` when what
    it waited for became well; `gave_up_life` the incarnation that was given up on; `claim` the
    newest one that the hub itself set out to end, which nobody else is to be blamed for;
    `wished_life` the one that was down when a person asked the hub to run the service again: who
    took that one down no longer matters; `owed_at` when the newest request was made that a hub
    died over and that was taken up since.
    """

    restarts: tuple[datetime, ...] = ()
    streak: int = 0
    total: int = 0
    delay_s: float = 0.0
    next_at: datetime | None = None
    well_since: datetime | None = None
    freed_at: datetime | None = None
    held: Held | None = None
    gave_up_at: datetime | None = None
    gave_up_life: str = ""
    attempt: Attempt | None = None
    incident: str | None = None
    claim: Claim | None = None
    wished_life: str | None = None
    owed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Watch, don't touch: since when, and who asked for it."""

    since: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Healing:
    """What healing adds to a service's verdict: the verdict to show while it is at work, how often
    it restarted the service, and the id of the open incident."""

    verdict: Verdict | None = None
    restarts: int = 0
    incident: str | None = None

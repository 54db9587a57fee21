"""What a person is told of by itself: one thing that is wrong, from its first sign to its end.

An incident is the story of one outage and is always kept; an alert is what wakes somebody. So what
heals soon, what a person did on purpose and what another alert explains is an incident, and no
alert.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from controller.model.text import Text


class Severity(StrEnum):
    """How soon somebody should look: now, today, or when there is time."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """The worse, the higher."""
        return {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}[self]


class Rule(StrEnum):
    """What can be wrong, in the words of config.yaml and of the API."""

    SERVICE_DOWN = "service_down"
    UNHEALTHY = "unhealthy"
    FLAPPING = "flapping"
    GAVE_UP = "gave_up"
    STACK_FAILING = "stack_failing"
    SLOW = "slow"
    ERROR_RATE = "error_rate"
    LOG_PATTERN = "log_pattern"
    RUN_FAILED = "run_failed"
    COMPENSATION_FAILED = "compensation_failed"
    DISK_FULL = "disk_full"
    ENGINE_UNREACHABLE = "engine_unreachable"
    CERTIFICATE_EXPIRING = "certificate_expiring"
    STORE_FAILING = "store_failing"
    CHANNEL_DEAD = "channel_dead"


class AlertState(StrEnum):
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that is wrong. `key` names it as long as it lasts; `since` is the first sign.

    `folded` are services that are ill because of it; `runs` those that ended badly and that nobody
    has seen to; `page` where a person finds more. `gone_since` is since when it seems over,
    `told_at` when the last message about it was made, `told_as` of which rule and severity.
    """

    id: str
    key: str
    rule: Rule
    severity: Severity
    cause: Text
    since: datetime
    opened_at: datetime
    service: str | None = None
    page: str = "/dashboard/alerts"
    incident: str | None = None
    folded: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    count: int = 1
    acked_at: datetime | None = None
    acked_by: str | None = None
    resolved_at: datetime | None = None
    resolved_why: Text | None = None
    gone_since: datetime | None = None
    told_at: datetime | None = None
    told_as: str | None = None

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def state(self) -> AlertState:
        if self.resolved_at is not None:
            return AlertState.RESOLVED
        return AlertState.ACKNOWLEDGED if self.acked_at is not None else AlertState.FIRING


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of what fits until then. None fits everything."""

    id: str
    until: datetime
    created_at: datetime
    by: str
    service: str | None = None
    rule: Rule | None = None
    comment: str = ""

    def covers(self, alert: Alert, now: datetime) -> bool:
        """Whether it keeps this alert quiet now. What folds a service in is not about it."""
        if now >= self.until:
            return False
        fits = self.service is None or self.service == alert.service
        return fits and (self.rule is None or self.rule is alert.rule)


class News(StrEnum):
    """What a message says of an alert. `test` is of none: somebody tries a channel."""

    OPENED = "opened"
    WORSE = "worse"
    STILL = "still"
    RESOLVED = "resolved"
    TEST = "test"


class DeliveryState(StrEnum):
    """`dropped`: something newer was to be told before it could be sent; `failed`: given up."""

    WAITING = "waiting"
    SENT = "sent"
    DROPPED = "dropped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one channel, kept until it is sent, and for a while after."""

    id: str
    channel: str
    news: News
    severity: Severity
    title: str
    body: str
    created_at: datetime
    next_at: datetime
    alert: str | None = None
    attempts: int = 0
    state: DeliveryState = DeliveryState.WAITING
    ended_at: datetime | None = None
    error: str | None = None

"""The shapes of the API's answers about alerts, for OpenAPI and for who writes clients."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.config.settings_alerts import Wait
from controller.model.alert import AlertState, DeliveryState, News, Rule, Severity


class AlertShape(BaseModel):
    """One thing that is wrong, from its first sign to its end."""

    id: str
    rule: Rule
    severity: Severity
    state: AlertState
    service: str | None
    title: str
    cause: str
    since: str = Field(description="The first sign of it.")
    opened_at: str
    acked_at: str | None
    acked_by: str | None
    resolved_at: str | None
    resolved_why: str | None
    told_at: str | None = Field(
        description="When the last message about it was made; its deliveries say what arrived."
    )
    incident: str | None
    folded: list[str] = Field(description="Services that are ill because of it.")
    runs: list[str] = Field(description="Runs that ended badly, as far as they are listed.")
    count: int = Field(description="How many runs, or lines of a log, it is about.")
    page: str = Field(description="Path of the page that tells more.")
    silenced_until: str | None = Field(description="Nobody is told of it until then.")


class DeliveryShape(BaseModel):
    """A message to one channel."""

    id: str
    channel: str
    alert: str | None
    news: News
    state: DeliveryState
    title: str
    created_at: str
    ended_at: str | None
    next_at: str | None = Field(description="When it is tried next; null where it is over.")
    attempts: int
    error: str | None


class AlertWhole(AlertShape):
    """An alert, and whom it was told to."""

    deliveries: list[DeliveryShape]


class AlertPage(BaseModel):
    alerts: list[AlertShape]
    next: str | None = Field(description="Cursor of what follows; null where there is no more.")


class SilenceShape(BaseModel):
    """Nobody is told of what fits, until then."""

    id: str
    service: str | None
    rule: Rule | None
    until: str
    created_at: str
    by: str
    comment: str


class ChannelShape(BaseModel):
    """A channel. Of its address only the kind is shown."""

    name: str
    kind: str
    state: Literal["working", "failing", "untried"]
    last_sent_at: str | None
    failing_since: str | None
    error: str | None
    waiting: int = Field(description="Messages that are still to arrive.")


class SilenceRequest(BaseModel):
    """What is to be silenced, and for how long."""

    model_config = ConfigDict(extra="forbid")

    duration: Annotated[Wait, Field(ge=1)] = Field(
        description="Seconds, or text like 30m or 8h; at most 30 days."
    )
    service: str | None = Field(None, description="Only of this service. Default: of anything.")
    rule: Rule | None = Field(None, description="Only of this rule. Default: of all.")
    comment: str = Field("", max_length=500, description="Why, for the others.")

"""Alerts to page: what is wrong and nobody has seen to first, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.alerts import message
from controller.alerts.outbox import Pulse
from controller.dashboard import wording
from controller.dashboard.incidents import Badge
from controller.dashboard.marks import Tone
from controller.dashboard.present import Headline
from controller.i18n import render, word
from controller.model.alert import (
    Alert,
    AlertState,
    Delivery,
    DeliveryState,
    News,
    Rule,
    Severity,
    Silence,
)

DURATIONS = ("30m", "2h", "8h", "1d", "7d")
_SEVERITY: Mapping[Severity, tuple[Tone, str]] = {
    Severity.CRITICAL: (Tone.BAD, "fail"),
    Severity.WARNING: (Tone.WARN, "warn"),
    Severity.INFO: (Tone.IDLE, "question"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One alert. `state` is a word where it is more than "firing"; `where` names its page."""

    id: str
    title: str
    cause: str
    badge: Badge
    service: str | None
    state: str
    since: datetime
    since_text: str
    folded: tuple[str, ...]
    page: str
    where: str
    can_acknowledge: bool
    silenced: bool
    is_open: bool
    why: str
    lasted: str
    over: datetime | None
    over_text: str


def line(alert: Alert, silence: Silence | None, language: str, now: datetime) -> Line:
    about = alert.service or message.alert_subject(alert, language)
    lasted = ((alert.resolved_at or now) - alert.since).total_seconds()
    return Line(
        id=alert.id,
        title=word(f"alert.title.{alert.rule}", language, about=about),
        cause=render(alert.cause, language),
        badge=_badge(alert, language),
        service=alert.service,
        state=_state(alert, silence, language, now),
        since=alert.since,
        since_text=wording.ago(alert.since, now, language),
        folded=alert.folded,
        page=alert.page,
        where=word(_where(alert), language),
        can_acknowledge=alert.state is AlertState.FIRING,
        silenced=silence is not None,
        is_open=alert.is_open,
        why=render(alert.resolved_why, language) if alert.resolved_why else "",
        lasted=wording.duration(lasted, language),
        over=alert.resolved_at,
        over_text=wording.ago(alert.resolved_at, now, language) if alert.resolved_at else "",
    )


def _badge(alert: Alert, language: str) -> Badge:
    if not alert.is_open:
        return Badge(Tone.OK, "check", word("ui.alerts.state.resolved", language))
    tone, icon = _SEVERITY[alert.severity]
    return Badge(tone, icon, word(f"ui.alerts.severity.{alert.severity}", language))


def _state(alert: Alert, silence: Silence | None, language: str, now: datetime) -> str:
    if alert.acked_at is not None:
        who = wording.who(alert.acked_by or "", language)
        return word("ui.alerts.acked", language, who=who)
    if silence is not None:
        left = wording.duration((silence.until - now).total_seconds(), language)
        return word("ui.alerts.silenced", language, left=left)
    return ""


def _where(alert: Alert) -> str:
    """What the page that tells more is about."""
    for part in ("incidents", "runs", "logs"):
        if f"/{part}" in alert.page:
            return f"ui.alerts.where.{part}"
    return "ui.alerts.where.services"


def headline(open_ones: Sequence[Alert], language: str) -> Headline:
    """The sentence over the page. It says what is told of, and vouches for nothing else."""
    firing = [alert for alert in open_ones if alert.state is AlertState.FIRING]
    if firing:
        worst = max(firing, key=lambda alert: alert.severity.rank)
        tone, icon = _SEVERITY[worst.severity]
        key = "firing_one" if len(firing) == 1 else "firing"
        return Headline(tone, icon, word(f"ui.alerts.{key}", language, n=len(firing)))
    if open_ones:
        key = "known_one" if len(open_ones) == 1 else "known"
        text = word(f"ui.alerts.{key}", language, n=len(open_ones))
        return Headline(Tone.WARN, "person", text)
    return Headline(Tone.OK, "check", word("ui.alerts.none", language))


_ARRIVED: Mapping[DeliveryState, tuple[Tone, str]] = {
    DeliveryState.SENT: (Tone.OK, "check"),
    DeliveryState.WAITING: (Tone.WARN, "wait"),
    DeliveryState.FAILED: (Tone.BAD, "fail"),
}


def told(deliveries: Iterable[Delivery], language: str) -> Mapping[str, tuple[Badge, ...]]:
    """By alert, each channel it was told over and whether that arrived: the newest message of each.
    `deliveries` are newest first."""
    found: dict[str, dict[str, Badge]] = {}
    for one in deliveries:
        if one.alert is None or one.state not in _ARRIVED:
            continue
        tone, icon = _ARRIVED[one.state]
        says = word(f"ui.alerts.delivery.{one.state}", language, channel=one.channel)
        found.setdefault(one.alert, {}).setdefault(one.channel, Badge(tone, icon, says))
    return {alert: tuple(badges.values()) for alert, badges in found.items()}


@dataclass(frozen=True, slots=True)
class Quiet:
    """One silence."""

    id: str
    what: str
    until: datetime
    left: str
    who: str
    comment: str


def quiet(silence: Silence, language: str, now: datetime) -> Quiet:
    parts = [
        silence.service or word("ui.alerts.any_service", language),
        rule_name(silence.rule, language) if silence.rule else "",
    ]
    return Quiet(
        id=silence.id,
        what=" – ".join(part for part in parts if part),
        until=silence.until,
        left=wording.duration((silence.until - now).total_seconds(), language),
        who=wording.who(silence.by, language),
        comment=silence.comment,
    )


def rule_name(rule: Rule, language: str) -> str:
    return word(f"ui.alerts.rule.{rule}", language)


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel, and whether messages arrive."""

    name: str
    kind: str
    badge: Badge
    said: str
    error: str
    waiting: int


def channels(
    pulses: Mapping[str, Pulse],
    kinds: Mapping[str, str],
    waiting: Iterable[Delivery],
    language: str,
    now: datetime,
) -> tuple[Channel, ...]:
    left = [delivery.channel for delivery in waiting]
    return tuple(
        _channel(name, kinds.get(name, ""), pulse, left.count(name), language, now)
        for name, pulse in pulses.items()
    )


def _channel(
    name: str, kind: str, pulse: Pulse, waiting: int, language: str, now: datetime
) -> Channel:
    if pulse.bad_since is not None:
        badge = Badge(Tone.BAD, "fail", word("ui.alerts.channel.failing", language))
        since = wording.ago(pulse.bad_since, now, language)
        said = word("ui.alerts.channel.since", language, when=since)
    elif pulse.sent_at is not None:
        badge = Badge(Tone.OK, "check", word("ui.alerts.channel.working", language))
        when = wording.ago(pulse.sent_at, now, language)
        said = word("ui.alerts.channel.last", language, when=when)
    else:
        badge = Badge(Tone.IDLE, "wait", word("ui.alerts.channel.untried", language))
        said = word("ui.alerts.channel.try", language)
    return Channel(name, kind, badge, said, pulse.error if pulse.bad_since else "", waiting)


def tested(delivery: Delivery, language: str) -> Headline | None:
    """How the test that was asked for went; None where it is no test."""
    if delivery.news is not News.TEST:
        return None
    if delivery.state is DeliveryState.SENT:
        text = word("ui.alerts.test.sent", language, channel=delivery.channel)
        return Headline(Tone.OK, "check", text)
    why = delivery.error or ""
    text = word("ui.alerts.test.failed", language, channel=delivery.channel, why=why)
    return Headline(Tone.BAD, "fail", text)

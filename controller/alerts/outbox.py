"""What is to be sent, to whom and when: retries with growing pauses, and nothing stale; pure.

A channel that was dead for an hour must not ring twelve times when it comes back: what something
newer says of the same alert takes the place of what was not sent yet.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from controller.alerts import message
from controller.alerts.life import Telling
from controller.alerts.rules import Rules
from controller.model.alert import Alert, Delivery, DeliveryState, News, Rule

_FIRST_S = 5.0
_MOST_S = 300.0
_GIVE_UP_S = 24 * 3600.0
_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Pulse:
    """How a channel is: `bad_since` is when it began to fail, None while it works or was never
    tried."""

    sent_at: datetime | None = None
    bad_since: datetime | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Outbox:
    """All that waits, by id, and how each channel is."""

    waiting: Mapping[str, Delivery] = field(default_factory=dict)
    pulses: Mapping[str, Pulse] = field(default_factory=dict)


def queued(
    outbox: Outbox,
    tellings: Iterable[Telling],
    in_flight: Collection[str],
    rules: Rules,
    now: datetime,
    new_id: Callable[[], str],
    moment: message.Moment,
) -> tuple[Outbox, tuple[Delivery, ...]]:
    """The outbox with what is to be told now, and every delivery that changed."""
    waiting = dict(outbox.waiting)
    changed: dict[str, Delivery] = {}
    for telling in tellings:
        alert, news = telling.alert, telling.news
        title = message.title(alert, news, rules.language)
        body = message.body(alert, news, rules.language, rules.link, moment)
        for channel in _channels(alert, rules):
            for old in _superseded(waiting.values(), channel, alert.id, in_flight):
                changed[old.id] = replace(old, state=DeliveryState.DROPPED, ended_at=now)
                del waiting[old.id]
            made = Delivery(
                new_id(), channel, news, alert.severity, title, body, now, now, alert.id
            )
            waiting[made.id] = changed[made.id] = made
    return replace(outbox, waiting=waiting), tuple(changed.values())


def _channels(alert: Alert, rules: Rules) -> tuple[str, ...]:
    """Whom to tell; of a dead channel it cannot tell itself, and whoever else there is should
    know."""
    if alert.rule is Rule.CHANNEL_DEAD:
        dead = alert.key.partition(":")[2]
        return tuple(name for name in rules.channels if name != dead)
    return rules.channels_for(alert.severity, alert.service)


def _superseded(
    waiting: Iterable[Delivery], channel: str, alert: str, in_flight: Collection[str]
) -> list[Delivery]:
    """What is in flight may have arrived already."""
    return [
        one
        for one in waiting
        if one.channel == channel and one.alert == alert and one.id not in in_flight
    ]


def due(outbox: Outbox, busy: Collection[str], now: datetime) -> tuple[Delivery, ...]:
    """What to send now: at most one for each channel that is not `busy`, oldest first."""
    found: dict[str, Delivery] = {}
    for one in sorted(outbox.waiting.values(), key=lambda d: (d.next_at, d.created_at, d.id)):
        # A clock that was set back would keep it waiting for as long as it was set back.
        far = (one.next_at - now).total_seconds() > 2 * _MOST_S
        if (one.next_at <= now or far) and one.channel not in busy:
            found.setdefault(one.channel, one)
    return tuple(found.values())


def ended(
    outbox: Outbox,
    delivery: Delivery,
    error: str | None,
    now: datetime,
    jitter: Callable[[float, float], float],
) -> tuple[Outbox, Delivery]:
    """The outbox after an attempt; `error` None where it arrived."""
    pulse = outbox.pulses.get(delivery.channel, Pulse())
    attempts = delivery.attempts + 1
    if error is None:
        after = replace(
            delivery, state=DeliveryState.SENT, attempts=attempts, ended_at=now, error=None
        )
        pulse = Pulse(sent_at=now)
    else:
        after = replace(delivery, attempts=attempts, error=error)
        pulse = replace(pulse, bad_since=pulse.bad_since or now, error=error)
        old = (now - delivery.created_at).total_seconds() >= _GIVE_UP_S
        if old or delivery.news is News.TEST:
            after = replace(after, state=DeliveryState.FAILED, ended_at=now)
        elif _overtaken(outbox, delivery):
            after = replace(after, state=DeliveryState.DROPPED, ended_at=now)
        else:
            pause = min(_MOST_S, _FIRST_S * 2 ** min(attempts - 1, _DOUBLINGS))
            after = replace(after, next_at=now + timedelta(seconds=jitter(pause, 0.1)))
    waiting = {one.id: one for one in outbox.waiting.values() if one.id != delivery.id}
    if after.state is DeliveryState.WAITING:
        waiting[after.id] = after
    pulses = {**outbox.pulses, delivery.channel: pulse}
    return Outbox(waiting, pulses), after


def _overtaken(outbox: Outbox, delivery: Delivery) -> bool:
    """Whether something newer was to be told while this one was in flight."""
    return any(
        one.alert == delivery.alert and one.channel == delivery.channel and one.id != delivery.id
        for one in outbox.waiting.values()
    )


def dead(outbox: Outbox) -> dict[str, tuple[datetime, str]]:
    """Channels that fail, each since when and why."""
    return {
        name: (pulse.bad_since, pulse.error)
        for name, pulse in outbox.pulses.items()
        if pulse.bad_since is not None
    }


def pulses_of(last: Iterable[Delivery], waiting: Iterable[Delivery]) -> dict[str, Pulse]:
    """How each channel was when the hub ended: by its last message that arrived or was given up,
    and by those that failed and still wait."""
    found: dict[str, Pulse] = {}
    for one in last:
        good = one.state is DeliveryState.SENT
        found[one.channel] = (
            Pulse(sent_at=one.ended_at)
            if good
            else Pulse(bad_since=one.ended_at, error=one.error or "")
        )
    for one in sorted(waiting, key=lambda d: d.created_at):
        before = found.get(one.channel, Pulse())
        if one.error is not None and before.bad_since is None:
            found[one.channel] = replace(before, bad_since=one.created_at, error=one.error)
    return found


def without_channels(
    outbox: Outbox, channels: Collection[str], now: datetime
) -> tuple[Outbox, tuple[Delivery, ...]]:
    """What is to go over a channel that is not configured any more never will."""
    gone = [one for one in outbox.waiting.values() if one.channel not in channels]
    left = {one.id: one for one in outbox.waiting.values() if one.channel in channels}
    dropped = tuple(replace(one, state=DeliveryState.DROPPED, ended_at=now) for one in gone)
    pulses = {name: pulse for name, pulse in outbox.pulses.items() if name in channels}
    return Outbox(left, pulses), dropped


def withdrawn(
    outbox: Outbox, alert: str, in_flight: Collection[str], now: datetime
) -> tuple[Outbox, tuple[Delivery, ...]]:
    """Somebody knows already: what was not sent of it need not be."""
    gone = [d for d in outbox.waiting.values() if d.alert == alert and d.id not in in_flight]
    left = {d.id: d for d in outbox.waiting.values() if d not in gone}
    dropped = tuple(replace(d, state=DeliveryState.DROPPED, ended_at=now) for d in gone)
    return replace(outbox, waiting=left), dropped

"""When a service may be restarted next, from its history alone; pure.

A calculator in the manner of Nomad's restart tracker: what happened and what time it is go in,
"now", "then" or "never again" comes out, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.model.recovery import Asking, Claim, Record
from controller.model.spec import RecoverySpec
from controller.model.text import Text, text

Jitter = Callable[[float, float], float]
"""Moves a duration by at most ± the given fraction of it."""

_JITTER = 0.25
_MEND_FIRST_S = 10.0
_SETTLE_MAX_S = 60.0
_MINUTE_S = 60.0
_REQUEST_S = 1.0


@dataclass(frozen=True, slots=True)
class Ruling:
    """The next try: after `delay_s`, or never (`None`). `cause` says why then."""

    delay_s: float | None
    cause: Text


def rule(
    spec: RecoverySpec, record: Record, now: datetime, jitter: Jitter, *, mending: bool
) -> Ruling:
    """When to try next. `mending`: a person must change something first (an image, a port), so
    tries are slow and never used up."""
    if not mending and is_spent(spec, record, now):
        count = restarts_within(record, spec.window_s, now)
        minutes = round(spec.window_s / 60, 1)
        return Ruling(None, text("incident.gave_up", count=count, minutes=minutes))
    if mending:
        delay = min(spec.max_backoff_s, _MEND_FIRST_S * 2 ** min(record.streak, 16))
        return _after(jitter(delay, _JITTER), record)
    if record.streak == 0:
        return Ruling(0.0, cause_of(record))
    delay = min(spec.max_backoff_s, spec.backoff_s * 2 ** min(record.streak - 1, 32))
    return _after(jitter(delay, _JITTER), record)


def _after(delay_s: float, record: Record) -> Ruling:
    return Ruling(delay_s, cause_of(replace(record, delay_s=delay_s)))


def cause_of(record: Record) -> Text:
    """Why the next try comes when it comes."""
    if record.delay_s == 0:
        return text("incident.at_once")
    seconds = shown_s(record.delay_s)
    return text("incident.after_pause", number=record.streak + 1, seconds=seconds)


def shown_s(seconds: float) -> float:
    """Seconds as people read them."""
    return round(seconds, 1) if seconds < 10 else round(seconds)


def restarts_within(record: Record, window_s: float, now: datetime) -> int:
    """How many tries fell into the window that ends now."""
    return sum(1 for at in record.restarts if (now - at).total_seconds() < window_s)


def is_spent(spec: RecoverySpec, record: Record, now: datetime) -> bool:
    """Whether the window has no room for one more try."""
    return restarts_within(record, spec.window_s, now) >= spec.max_restarts


def settle_s(record: Record) -> float:
    """How long it must stay well before that counts: nothing after a first restart, then as long
    as the pause that led to it, so that a crash loop is never shown as running."""
    return min(record.delay_s, _SETTLE_MAX_S) if record.streak > 1 else 0.0


def begun(record: Record, spec: RecoverySpec, now: datetime, *, counted: bool) -> Record:
    """The record with one more try; one that is not `counted` takes nothing from the budget."""
    oldest = now - timedelta(seconds=max(spec.window_s, _MINUTE_S))
    kept = tuple(at for at in record.restarts if at > oldest)
    return replace(
        record,
        restarts=(*kept, now) if counted else kept,
        streak=record.streak + 1,
        total=record.total + 1,
        next_at=None,
        well_since=None,
    )


def rested(record: Record, spec: RecoverySpec, trouble_since: datetime) -> Record:
    """The record at the beginning of new trouble: long enough well makes the next try the first."""
    if record.well_since is None:
        return record
    well_s = (trouble_since - record.well_since).total_seconds()
    if well_s >= spec.reset_s:
        record = replace(record, streak=0, delay_s=0.0)
    return replace(record, well_since=None)


def claimed(record: Record, life: str, since: datetime) -> Record:
    """The record of a hub that is about to ask for the end of that life."""
    return replace(record, claim=Claim(life, (*_askings(record, life), Asking(since))))


def disclaimed(record: Record, life: str) -> Record:
    """The record where the newest request was not made, or not heeded, after all."""
    left = _askings(record, life)[:-1]
    return replace(record, claim=Claim(life, left) if left else None)


def disowned(
    records: Mapping[str, Record], claims: Mapping[str, Claim], ended: Mapping[str, int]
) -> dict[str, Record]:
    """The records of those whose claimed life was not ended after all: whoever does that is
    somebody else. `ended` is how often the hub ended a life."""
    return {
        name: disclaimed(records[name], claim.life)
        for name, claim in claims.items()
        if name in records and not ended.get(claim.life)
    }


def outlived(record: Record, life: str, now: datetime) -> Record:
    """The record of a life that nobody is acting on and that lives on: a request to end it that
    comes later is somebody else's. One of a hub that died may still be on its way to the engine."""
    askings = _askings(record, life)
    if all(asking.until for asking in askings):
        return record
    closed = tuple(
        asking if asking.until else replace(asking, until=_arrived_by(asking, now))
        for asking in askings
    )
    return replace(record, claim=Claim(life, closed))


def _arrived_by(asking: Asking, now: datetime) -> datetime:
    return max(asking.since, now) + timedelta(seconds=_REQUEST_S)


def own_requests(
    claim: Claim | None,
    life: str,
    ended: Mapping[str, int],
    requests: Iterable[datetime],
    now: datetime,
) -> int:
    """How many of the `requests` to end that life were the hub's own, or those of hubs before it:
    what it `ended` itself it knows, what they may have asked for they claimed."""
    left, found = sorted(requests), 0
    for asking in claim.askings if claim is not None and claim.life == life else ():
        mine = next((at for at in left if asking.covers(at, now)), None)
        if mine is not None:
            left.remove(mine)
            found += 1
    return max(ended.get(life, 0), found)


def _askings(record: Record, life: str) -> tuple[Asking, ...]:
    claim = record.claim
    return claim.askings if claim is not None and claim.life == life else ()


def owed(record: Record, life: str, since: datetime, *, alive: bool) -> Record:
    """The record where a hub died over what a person had asked of it at `since`: whether it did end
    that life, or is about to, the service is to run. Once for each request: what people do beside
    the hubs that come after stands."""
    if record.owed_at == since:
        return record
    record = replace(record, held=None, owed_at=since)
    return claimed(record, life, since) if alive else replace(record, wished_life=life)


def afresh(record: Record) -> Record:
    """The record after a person took over: only the count, the open incident and the request that
    was taken up are left."""
    return Record(total=record.total, incident=record.incident, owed_at=record.owed_at)


def sane(record: Record, now: datetime) -> Record:
    """The record under a clock that was set back: nothing in it lies further ahead than it may."""
    furthest = now + timedelta(seconds=record.delay_s)
    wrong = any(at > now for at in record.restarts)
    wrong |= record.next_at is not None and record.next_at > furthest
    wrong |= record.well_since is not None and record.well_since > now
    wrong |= record.freed_at is not None and record.freed_at > now
    if not wrong:
        return record
    return replace(
        record,
        restarts=tuple(min(at, now) for at in record.restarts),
        next_at=min(record.next_at, furthest) if record.next_at else None,
        well_since=min(record.well_since, now) if record.well_since else None,
        freed_at=min(record.freed_at, now) if record.freed_at else None,
    )

"""The life of alerts: what holds, what was open and what time it is go in, what to keep and whom to
tell comes out; pure.

A condition has to last before it becomes an alert and has to be gone for a while before that is
over, so nothing that comes and goes rings twice. While nobody can say whether something holds its
alert stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from controller.alerts.condition import Condition, Seen
from controller.alerts.rules import Rules, rank_of
from controller.model.alert import Alert, News, Rule, Severity, Silence
from controller.model.text import Text, text

Pending = Mapping[tuple[str, Rule], datetime]
"""Since when a condition has been seen without a break, by its key and rule."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Something to tell of an alert."""

    news: News
    alert: Alert


@dataclass(frozen=True, slots=True)
class Turn:
    """What follows. `open` are all alerts that are open now; `changed` those to store and publish,
    the resolved ones included."""

    open: Mapping[str, Alert]
    pending: Pending
    changed: tuple[Alert, ...]
    tellings: tuple[Telling, ...]


def turn(
    seen: Seen,
    alerts: Mapping[str, Alert],
    pending: Pending,
    silences: Iterable[Silence],
    rules: Rules,
    now: datetime,
    new_id: Callable[[], str],
) -> Turn:
    """One turn. `alerts` are the open ones, by key."""
    waiting = _pending(seen, pending, now)
    ripe = _ripe(seen.conditions, waiting, rules, now)
    holding = {condition.key for condition in seen.conditions}
    silent = tuple(silences)
    after: dict[str, Alert] = {}
    changed: list[Alert] = []
    tellings: list[Telling] = []
    for key in {**alerts, **ripe}:
        before = alerts.get(key)
        if before is not None:
            alert = _step(before, ripe.get(key), key in holding, seen, rules, now)
        else:
            condition = ripe[key]
            first = min(waiting[(key, condition.rule)], condition.since)
            alert = _opened(condition, first, now, new_id())
        told, news = _tell(alert, silent, rules, now)
        if news is not None:
            tellings.append(Telling(news, told))
        if told != before:
            changed.append(told)
        if told.is_open:
            after[key] = told
    return Turn(after, waiting, tuple(changed), tuple(tellings))


def acknowledged(alert: Alert, by: str, now: datetime) -> Alert:
    """Somebody knows. Of what cannot become well by itself that is the end."""
    known = replace(alert, acked_at=now, acked_by=by)
    if not alert.runs:
        return known
    return replace(known, resolved_at=now, resolved_why=text("alert.ended.acknowledged"))


def _pending(seen: Seen, before: Pending, now: datetime) -> dict[tuple[str, Rule], datetime]:
    """A clock that was set back begins anew: what lies ahead was not yet."""
    return {(c.key, c.rule): min(before.get((c.key, c.rule), now), now) for c in seen.conditions}


def _ripe(
    conditions: Iterable[Condition], pending: Pending, rules: Rules, now: datetime
) -> dict[str, Condition]:
    """By key, what has lasted long enough; where several have, what says most."""
    found: dict[str, Condition] = {}
    for condition in conditions:
        lasted = (now - pending[(condition.key, condition.rule)]).total_seconds()
        if lasted < rules.of(condition.rule).after_s:
            continue
        other = found.get(condition.key)
        if other is None or rank_of(condition.rule) > rank_of(other.rule):
            found[condition.key] = condition
    return found


def _step(
    before: Alert,
    ripe: Condition | None,
    holds: bool,
    seen: Seen,
    rules: Rules,
    now: datetime,
) -> Alert:
    if ripe is not None:
        return _renewed(before, ripe)
    if holds or seen.is_blind(before.key):
        # It holds in a way that has not lasted yet, or nobody can say.
        return replace(before, gone_since=None)
    gone = before.gone_since if before.gone_since and before.gone_since <= now else now
    if (now - gone).total_seconds() < rules.of(before.rule).quiet_s:
        return replace(before, gone_since=gone)
    why = _why(before, seen, rules)
    return replace(before, gone_since=gone, resolved_at=now, resolved_why=why)


def _opened(condition: Condition, since: datetime, now: datetime, new_id: str) -> Alert:
    return Alert(
        id=new_id,
        key=condition.key,
        rule=condition.rule,
        severity=condition.severity,
        cause=condition.cause,
        since=since,
        opened_at=now,
        service=condition.service,
        page=condition.page,
        incident=condition.incident,
        folded=condition.folded,
        runs=condition.runs,
        count=condition.count,
    )


def _renewed(before: Alert, condition: Condition) -> Alert:
    """The alert with what is known now. Who was ill because of it once is told to the end; figures
    that change with every look are not followed, or it would be stored each second."""
    folded = (*before.folded, *(n for n in condition.folded if n not in before.folded))
    same = _gist(before.cause) == _gist(condition.cause) and not condition.runs
    alert = replace(
        before,
        rule=condition.rule,
        severity=condition.severity,
        cause=before.cause if same else condition.cause,
        page=condition.page if condition.incident or condition.latched else before.page,
        incident=condition.incident or before.incident,
        folded=folded,
        runs=condition.runs,
        count=condition.count if condition.latched else before.count,
        gone_since=None,
    )
    # What gets worse is news, also to who knew of it before.
    if _worse(before, alert):
        alert = replace(alert, acked_at=None, acked_by=None)
    return alert


def _gist(cause: Text) -> tuple[str, str]:
    """What it says, without figures."""
    why = cause.params.get("why")
    return cause.key, why.key if isinstance(why, Text) else ""


def _worse(before: Alert, after: Alert) -> bool:
    if after.severity.rank != before.severity.rank:
        return after.severity.rank > before.severity.rank
    return rank_of(after.rule) > rank_of(before.rule) and after.rule is Rule.GAVE_UP


def _why(alert: Alert, seen: Seen, rules: Rules) -> Text:
    if not rules.of(alert.rule).enabled:
        return text("alert.ended.disabled")
    given = next((why for key, why in seen.ended if alert.key.startswith(key)), None)
    return given or text(f"alert.ended.{alert.rule}")


def _level(alert: Alert) -> str:
    """What somebody who was told knows of it."""
    return f"{alert.rule}:{alert.severity}"


def _tell(
    alert: Alert, silences: tuple[Silence, ...], rules: Rules, now: datetime
) -> tuple[Alert, News | None]:
    """The alert as it is after somebody was told, and what they are told; None where nobody is."""
    if not alert.is_open:
        # Who never heard of it need not hear that it is over; nor where silence was asked for.
        heard = alert.told_at is not None and not any(s.covers(alert, now) for s in silences)
        return alert, News.RESOLVED if heard else None
    if alert.acked_at is not None or any(silence.covers(alert, now) for silence in silences):
        return alert, None
    news = _news(alert, rules, now)
    if news is None:
        return alert, None
    return replace(alert, told_at=now, told_as=_level(alert)), news


def _news(alert: Alert, rules: Rules, now: datetime) -> News | None:
    if alert.told_at is None:
        # What seems over already need not be told of any more.
        return News.OPENED if alert.gone_since is None else None
    if _worse_than_told(alert):
        return News.WORSE
    lasted = abs((now - alert.told_at).total_seconds())
    if alert.gone_since is None and lasted >= rules.renotify_s > 0:
        return News.STILL
    return None


def _worse_than_told(alert: Alert) -> bool:
    """Whether who was told knows it in a milder form, also where it got worse while nobody was to
    be told."""
    rule, _, severity = (alert.told_as or "").partition(":")
    if severity and Severity(severity) is not alert.severity:
        return alert.severity.rank > Severity(severity).rank
    return alert.rule is Rule.GAVE_UP and rule != Rule.GAVE_UP

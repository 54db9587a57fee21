"""Runs of workflows that ended badly, until somebody has seen to them; pure.

A run is over once and cannot become well by itself, so its alert stays until its repetition ends
well, its undo is resumed to a good end, or somebody says that they know. All runs of a workflow
that fail are one alert: a broken service fails a hundred of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from controller.alerts.condition import Condition
from controller.alerts.facts import RunEnd
from controller.alerts.rules import Rules
from controller.model.alert import Alert, Rule
from controller.model.text import Text, text

_LISTED = 50
_KEYS = {Rule.RUN_FAILED: "run_failed:", Rule.COMPENSATION_FAILED: "compensation_failed:"}
PREFIXES = tuple(_KEYS.values())


@dataclass(frozen=True, slots=True)
class _Open:
    """The runs of one workflow that nobody has seen to, oldest first, and the newest's reason."""

    workflow: str
    rule: Rule
    runs: tuple[str, ...]
    count: int
    cause: Text
    since: datetime


def run_conditions(
    alerts: Iterable[Alert], ends: Iterable[RunEnd], rules: Rules
) -> tuple[Condition, ...]:
    """What holds after these runs have ended. The alerts are all that is remembered."""
    held = {a.key: _of_alert(a) for a in alerts if a.is_open and a.key.startswith(PREFIXES)}
    for end in ends:
        resumed = any(end.run in one.runs for one in _undone(held))
        held = {key: _without(one, {end.run, end.retry_of}) for key, one in held.items()}
        # Undone at last: that it failed was told before.
        if not end.good and not (resumed and not end.undo_failed):
            held = _with(held, end, rules)
    return tuple(
        _condition(key, one, rules)
        for key, one in held.items()
        if one.runs and rules.of(one.rule).enabled
    )


def _undone(held: Mapping[str, _Open]) -> Iterable[_Open]:
    return (one for one in held.values() if one.rule is Rule.COMPENSATION_FAILED)


def _of_alert(alert: Alert) -> _Open:
    workflow = alert.key.partition(":")[2]
    return _Open(workflow, alert.rule, alert.runs, alert.count, alert.cause, alert.since)


def _without(one: _Open, runs: set[str | None]) -> _Open:
    left = tuple(run for run in one.runs if run not in runs)
    return replace(one, runs=left, count=one.count - (len(one.runs) - len(left)))


def _with(held: Mapping[str, _Open], end: RunEnd, rules: Rules) -> dict[str, _Open]:
    rule = Rule.COMPENSATION_FAILED if end.undo_failed else Rule.RUN_FAILED
    if not rules.of(rule).enabled:
        return dict(held)
    key = f"{_KEYS[rule]}{end.workflow}"
    why = end.reason or text("alert.run.no_reason")
    before = held.get(key)
    if before is None or not before.runs:
        at = datetime.fromtimestamp(end.at, UTC)
        before = _Open(end.workflow, rule, (), 0, why, at)
    runs = (*before.runs, end.run)[-_LISTED:]
    one = replace(before, runs=runs, count=before.count + 1, cause=why)
    return {**held, key: one}


def _condition(key: str, one: _Open, rules: Rules) -> Condition:
    why = one.cause
    if why.key.startswith("alert.run_") or why.key.startswith("alert.compensation_"):
        inner = why.params.get("why")
        why = inner if isinstance(inner, Text) else why
    many = "_many" if one.count > 1 else ""
    return Condition(
        key=key,
        rule=one.rule,
        severity=rules.of(one.rule).severity,
        cause=text(
            f"alert.{one.rule}{many}",
            workflow=one.workflow,
            run=one.runs[-1],
            count=one.count,
            why=why,
        ),
        since=one.since,
        page=f"/dashboard/workflows/runs/{one.runs[-1]}",
        runs=one.runs,
        count=one.count,
        latched=True,
    )

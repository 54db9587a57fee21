"""Turns measurements into the JSON that clients get."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from controller.clock import rfc3339
from controller.i18n import render
from controller.metrics.answer import Comparison, Values
from controller.metrics.library import History, Summary
from controller.model.metric import METRICS, Bucket, Form, Metric, Scope, Subject, quantile

_FIGURES = 7


def at(seconds: float) -> str | None:
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def short(value: float | None) -> float | int | None:
    """What is kept has so many figures; more would only take room."""
    if value is None:
        return None
    rounded = float(f"{value:.{_FIGURES}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def shorts(values: Values) -> list[float | int | None]:
    return [short(value) for value in values]


def history(
    subject: Subject, found: History, compare_s: int | None, problem: str | None
) -> dict[str, Any]:
    """Lines over a window."""
    return {
        "scope": subject.scope,
        "name": subject.name,
        "since": at(found.over.since),
        "until": at(found.over.until),
        "step_s": found.over.step,
        "series": [_series(one, found, compare_s) for one in found.lines],
        "problem": problem,
    }


def _series(one: Comparison, found: History, compare_s: int | None) -> dict[str, Any]:
    earlier = None
    if one.before is not None and compare_s is not None:
        earlier = {
            "since": at(found.over.since - compare_s),
            "values": shorts(one.before.values),
            "whole": short(one.before.whole),
        }
    return {
        "metric": one.now.metric.name,
        "unit": one.now.metric.unit,
        "values": shorts(one.now.values),
        "low": shorts(one.now.low),
        "high": shorts(one.now.high),
        "whole": short(one.now.whole),
        "earlier": earlier,
        "change": short(one.change),
    }


def latest(metric: Metric, bucket: Bucket | None) -> float | None:
    """What the newest sample says of a metric; nothing of what adds up over a longer time."""
    if bucket is None:
        return None
    if metric.form is Form.GAUGE:
        found = bucket.gauges.get(metric.kept)
        return None if found is None else found.mean
    if metric.form is Form.QUANTILE:
        return quantile(bucket.latencies, metric.q)
    return None


def measured(one: Summary, language: str, health: str | None = None) -> dict[str, Any]:
    """One subject."""
    metrics = METRICS[one.subject.scope]
    return {
        "name": one.subject.name,
        "health": health,
        "metrics": {
            name: {
                "unit": metrics[name].unit,
                "now": short(latest(metrics[name], one.last)),
                "whole": short(found.now.whole),
                "change": short(found.change),
                "points": shorts(found.now.values),
            }
            for name, found in one.lines.items()
        },
        "availability": {
            name: {"share": short(found.share), "expected_s": round(found.due_s)}
            for name, found in one.availability.items()
        },
        "trend": None if one.trend is None else render(one.trend, language),
    }


def summary(
    found: Sequence[Summary],
    healths: Mapping[str, str],
    interval_s: int,
    size: int | None,
    problem: str | None,
    language: str,
) -> dict[str, Any]:
    """Everything that is measured, at a glance."""
    by_scope = {
        scope: [
            measured(one, language, healths.get(one.subject.name))
            if scope is Scope.SERVICE
            else measured(one, language)
            for one in found
            if one.subject.scope is scope
        ]
        for scope in Scope
    }
    over = found[0].over
    return {
        "since": at(over.since),
        "until": at(over.until),
        "interval_s": interval_s,
        "services": by_scope[Scope.SERVICE],
        "workflows": by_scope[Scope.WORKFLOW],
        "hub": by_scope[Scope.HUB][0],
        "size_bytes": size,
        "problem": problem,
    }

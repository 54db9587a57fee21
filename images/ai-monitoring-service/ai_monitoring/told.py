"""Targets and series in the wire's form. Pure."""

from __future__ import annotations

from ai_monitoring.baseline import normal_of
from ai_monitoring.collector import Collector
from ai_monitoring.measures import MEASURES
from ai_monitoring.models import SeriesBody, SeriesPoint, SeriesPoints, TargetBody, TargetList
from ai_monitoring.records import iso
from ai_monitoring.targets import Target
from ai_monitoring.watch import Watch


def targets(collector: Collector) -> TargetList:
    """Every target, in the order of its name."""
    listed = [
        _target(target, sum(watch.target == name for watch in collector.watches.values()))
        for name, target in sorted(collector.targets.items())
    ]
    return TargetList(interval_s=collector.settings.interval_s, targets=listed)


def series(collector: Collector, target: str | None) -> list[SeriesBody]:
    """Those of one target, or all."""
    watches = sorted(collector.watches.items())
    return [one_series(watch) for _, watch in watches if target in (None, watch.target)]


def points(watch: Watch) -> SeriesPoints:
    """One series with its last values."""
    return SeriesPoints(
        series=one_series(watch),
        points=[SeriesPoint(at=iso(at), value=round(value, 4)) for at, value in watch.recent],
    )


def one_series(watch: Watch) -> SeriesBody:
    """Without its values. Errors are judged by a fixed share and have nothing usual."""
    measure = MEASURES[watch.measure]
    usual = None if watch.measure == "error_percent" else normal_of(watch.baseline)
    last = watch.recent[-1] if watch.recent else None
    return SeriesBody.model_validate(
        {
            "name": watch.name,
            "target": watch.target,
            "subject": watch.subject,
            "measure": watch.measure,
            "unit": measure.unit,
            "points": len(watch.baseline.points),
            "learning": watch.baseline.learning,
            "usual": None if usual is None else round(usual.median_ms, 4),
            "limit": None if usual is None else round(max(usual.limit_ms, measure.least), 4),
            "last": None if last is None else round(last[1], 4),
            "at": None if last is None else iso(last[0]),
            "wrong": None if watch.wrong is None else watch.wrong.value,
        }
    )


def _target(target: Target, series_count: int) -> TargetBody:
    return TargetBody.model_validate(
        {
            "name": target.name,
            "mode": "push" if target.pushes else "scrape",
            "url": target.url,
            "health": target.standing.value,
            "at": None if target.at is None else iso(target.at),
            "took_ms": None if target.took_ms is None else round(target.took_ms, 1),
            "samples": target.snapshot.samples if target.snapshot else 0,
            "series": series_count,
            "failures": target.failures,
            "error": target.error,
        }
    )

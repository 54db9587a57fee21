"""From two looks at a target to what it did in between, one value a series. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ai_monitoring.exposition import Snapshot

# Fewer requests have no 95th percentile worth the name.
LEAST_REQUESTS = 5


@dataclass(frozen=True, slots=True)
class Measure:
    """A kind of series. Below `least` no value is an anomaly, however unusual: 3 ms for 1 ms is."""

    name: str
    unit: str
    least: float
    says: str


MEASURES = {
    one.name: one
    for one in (
        Measure("request_p95_ms", "ms", 25.0, "answers slowly"),
        Measure("probe_p95_ms", "ms", 25.0, "answers the hub's probes slowly"),
        Measure("event_loop_lag_ms", "ms", 100.0, "is slow to turn to what it is asked"),
        Measure("memory_mb", "MB", 32.0, "uses unusually much memory"),
        Measure("cpu_percent", "%", 50.0, "uses unusually much CPU"),
        Measure("open_files", "files", 64.0, "holds unusually many files and connections open"),
        Measure("error_percent", "%", 0.0, "fails"),
        Measure("load_per_cpu", "", 1.5, "is unusually busy"),
        Measure("memory_used_percent", "%", 80.0, "uses unusually much memory"),
        Measure("disk_used_percent", "%", 80.0, "has unusually little disk left"),
    )
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a series. `subject` is "" for the target itself."""

    subject: str
    measure: str
    value: float


def values(before: Snapshot | None, after: Snapshot, seconds: float) -> list[Value]:
    """What can be said of the time between; nothing is invented across a restart of the target."""
    found = [*_gauges(after)]
    if before is not None and seconds > 0 and not _restarted(before, after):
        found += _rates(before, after, seconds)
        found += _latencies(before, after)
    return found


def _gauges(after: Snapshot) -> Iterator[Value]:
    for (subject, name), value in after.gauges.items():
        if name == "memory_bytes":
            yield Value(subject, "memory_mb", value / 1e6)
        elif name == "event_loop_lag_s":
            yield Value(subject, "event_loop_lag_ms", value * 1e3)
        elif name == "open_files":
            yield Value(subject, "open_files", value)


def _restarted(before: Snapshot, after: Snapshot) -> bool:
    began = ("", "started_at")
    if before.gauges.get(began) != after.gauges.get(began):
        return True
    return any(after.counters.get(key, 0.0) < value for key, value in before.counters.items())


def _rates(before: Snapshot, after: Snapshot, seconds: float) -> Iterator[Value]:
    def grown(name: str) -> float:
        return after.counters.get(("", name), 0.0) - before.counters.get(("", name), 0.0)

    if ("", "cpu_s") in before.counters:
        yield Value("", "cpu_percent", 100 * grown("cpu_s") / seconds)
    if grown("requests") >= LEAST_REQUESTS:
        yield Value("", "error_percent", 100 * grown("errors") / grown("requests"))


def _latencies(before: Snapshot, after: Snapshot) -> Iterator[Value]:
    for (subject, name), buckets in after.histograms.items():
        earlier = before.histograms.get((subject, name), {})
        grown = {bound: count - earlier.get(bound, 0.0) for bound, count in buckets.items()}
        # The hub probes a service a few times between two looks; each says something.
        p95 = quantile(grown, 0.95, 1 if subject else LEAST_REQUESTS)
        if p95 is not None:
            yield Value(subject, f"{name}_p95_ms", p95 * 1e3)


def quantile(buckets: Mapping[float, float], share: float, least: int) -> float | None:
    """By cumulative buckets, straight within the bucket; None for fewer than `least` observations.

    What lies beyond the last bound is told as that bound: more is not known.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total < least:
        return None
    rank, below, low = share * total, 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank:
            if math.isinf(bound):
                return low
            inside = count - below
            return low + (bound - low) * ((rank - below) / inside if inside else 1.0)
        below, low = count, bound
    return low

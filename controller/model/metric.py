"""What is measured, under which name and in which unit; and how measurements add up.

A bucket is what was seen within a length of time. Buckets of neighbouring times merge into one that
says the same of both, so that a month needs no more room than a person can look at.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """Of what kind it is that is measured."""

    SERVICE = "service"
    WORKFLOW = "workflow"
    HUB = "hub"


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """What is measured; the hub itself has no name."""

    scope: Scope
    name: str = ""


HUB = Subject(Scope.HUB)


class Form(StrEnum):
    """What is kept of a metric: how much it was, how often something happened, how long it took, or
    a part of what is due."""

    GAUGE = "gauge"
    COUNT = "count"
    QUANTILE = "quantile"
    SHARE = "share"


@dataclass(frozen=True, slots=True)
class Metric:
    """One series. `source` is what is kept of it where that has another name; `q` of a quantile."""

    name: str
    unit: str
    form: Form = Form.GAUGE
    source: str = ""
    q: float = 0.0

    @property
    def kept(self) -> str:
        return self.source or self.name


PERCENT, BYTES, RATE, MS, COUNT, RATIO = "percent", "bytes", "bytes_per_s", "ms", "count", "ratio"

CPU = Metric("cpu_percent", PERCENT)
"""100 is one core."""
MEMORY = Metric("memory_bytes", BYTES)
RECEIVED = Metric("network_rx_bytes_per_s", RATE)
SENT = Metric("network_tx_bytes_per_s", RATE)
READ = Metric("disk_read_bytes_per_s", RATE)
WRITTEN = Metric("disk_write_bytes_per_s", RATE)
PORT_OPEN = Metric("port_open", RATIO)
RESTARTS = Metric("restarts", COUNT, Form.COUNT)
P50 = Metric("response_p50_ms", MS, Form.QUANTILE, q=0.5)
P95 = Metric("response_p95_ms", MS, Form.QUANTILE, q=0.95)
P99 = Metric("response_p99_ms", MS, Form.QUANTILE, q=0.99)
UP_S, DUE_S = "up_s", "due_s"
"""Seconds in which it was healthy, of those in which it should have been."""
AVAILABILITY = Metric("availability", RATIO, Form.SHARE)

LAG = Metric("loop_lag_ms", MS)
STORE = Metric("store_bytes", BYTES)
STREAMS = Metric("event_streams", COUNT)
LOG_RATE = Metric("log_entries_per_s", "per_s")

ENDINGS = ("succeeded", "compensated", "failed", "compensation_failed", "cancelled")
RUNS = tuple(Metric(f"runs_{ending}", COUNT, Form.COUNT) for ending in ENDINGS)

STEPS = tuple(Metric(f"step_p{q}_ms", MS, Form.QUANTILE, q=q / 100) for q in (50, 95, 99))

METRICS: Mapping[Scope, Mapping[str, Metric]] = {
    scope: {metric.name: metric for metric in metrics}
    for scope, metrics in {
        Scope.SERVICE: (
            CPU, MEMORY, RECEIVED, SENT, READ, WRITTEN, P50, P95, P99, AVAILABILITY, RESTARTS,
            PORT_OPEN,
        ),
        Scope.WORKFLOW: (*RUNS, *STEPS),
        Scope.HUB: (CPU, MEMORY, LAG, STORE, STREAMS, LOG_RATE),
    }.items()
}  # fmt: skip


# -- how long something took

_FIRST_MS = 0.05
_PER_OCTAVE = 4
_LAST = 255


def latency_class(ms: float) -> int:
    """The class of a length of time. Each is 19 % wider than the one before; the last holds all
    that is longer."""
    if ms <= _FIRST_MS:
        return 0
    return min(_LAST, math.ceil(math.log2(ms / _FIRST_MS) * _PER_OCTAVE))


def latency_of(number: int) -> float:
    """The upper end of a class, in milliseconds."""
    return float(_FIRST_MS * 2 ** (number / _PER_OCTAVE))


def quantile(classes: Mapping[int, float], q: float) -> float | None:
    """The time within which the share `q` was done; None where nothing was. Wrong by 9 % at most:
    within the class it falls into, times are taken as spread evenly."""
    total = sum(classes.values())
    if total <= 0:
        return None
    wanted, before = q * total, 0.0
    for number in sorted(classes):
        count = classes[number]
        if before + count >= wanted and count > 0:
            low = latency_of(number - 1) if number else 0.0
            inside = (wanted - before) / count
            return low + (latency_of(number) - low) * min(1.0, max(0.0, inside))
        before += count
    return latency_of(max(classes))


# -- buckets


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of the same: the least, their mean, the most, and how many."""

    low: float
    mean: float
    high: float
    n: float = 1.0

    def __add__(self, other: Spread) -> Spread:
        n = self.n + other.n
        mean = (self.mean * self.n + other.mean * other.n) / n
        return Spread(min(self.low, other.low), mean, max(self.high, other.high), n)


def spread(value: float) -> Spread:
    """One measurement."""
    return Spread(value, value, value)


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was seen of one subject in the `step` seconds from `at` (seconds since 1970). What is
    absent was not seen."""

    at: int
    step: int
    gauges: Mapping[str, Spread] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)
    latencies: Mapping[int, float] = field(default_factory=dict)


def merged(buckets: Iterable[Bucket], at: int, step: int) -> Bucket:
    """One bucket that says what all of them say."""
    gauges: dict[str, Spread] = {}
    counts: dict[str, float] = {}
    latencies: dict[int, float] = {}
    for one in buckets:
        for name, found in one.gauges.items():
            gauges[name] = gauges[name] + found if name in gauges else found
        for name, count in one.counts.items():
            counts[name] = counts.get(name, 0.0) + count
        for number, count in one.latencies.items():
            latencies[number] = latencies.get(number, 0.0) + count
    return Bucket(at, step, gauges, counts, latencies)


def down_sampled(buckets: Iterable[Bucket], step: int) -> list[Bucket]:
    """Neighbours merged to buckets of `step` seconds that begin at whole multiples of it."""
    grouped: dict[int, list[Bucket]] = {}
    for one in buckets:
        grouped.setdefault(one.at - one.at % step, []).append(one)
    return [merged(group, at, step) for at, group in sorted(grouped.items())]

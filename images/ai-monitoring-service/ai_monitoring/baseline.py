"""What a latency, or another measure, usually is, and how far from usual one more value lies.

Latencies are skewed and their outliers are what we hunt, so a mean and a standard deviation would
be pulled along by the very points they should expose. The median and quantiles of the *logarithm*
are not, and a factor ("three times slower") means the same for a service of 5 ms as for one of 5 s.

The centre is the median of the latest points, so that a rush hour is not an anomaly of the night;
the spread is that of all points around the centres of their time. It is the largest of three robust
ones (half, nine tenths and 98 of 100 points), so that a service with a long tail, or with two kinds
of work, is judged by what it does and not by a bell curve. Pure: no clock, no store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

WINDOW = 300
GRACE = 60
# Over nine kinds of synthetic series this finds 97 % with one false alarm in 9,000 points;
# bench figures are in the README.
THRESHOLD = 4.0
# Deviations from which on a point of the grace is taken for an accident.
STRAY = 6.0
# Points that say what is usual at this time of the day.
LOCAL = 40
# So many anomalies in a row are no accident any more but how it is now.
SHIFT_AFTER = 8

# Make each robust spread of normally distributed values equal to one standard deviation.
_HALF, _NINE_TENTHS, _TAIL = 0.6745, 1.2816 / 0.9, 2.0537
# A service that answers in the same 12 ms every time has a MAD of zero, and any jitter would be
# infinitely unusual. Below a spread of 5 % nobody calls a difference an anomaly.
MIN_SIGMA = 0.05
# Timers of whole milliseconds report 0; the logarithm needs something above it.
MIN_LATENCY_MS = 0.01


class Call(StrEnum):
    """What is said of one latency."""

    LEARNING = "learning"
    NORMAL = "normal"
    ANOMALOUS = "anomalous"


@dataclass(frozen=True, slots=True)
class Point:
    """One latency that counts as usual. `value` is ln(ms); `report` names who brought it."""

    value: float
    report: str


@dataclass(frozen=True, slots=True)
class Normal:
    """What a window of points says is usual, in ms. `limit_ms` is the slowest that still is."""

    median_ms: float
    sigma: float
    limit_ms: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """One latency against the points before it. `z` and `normal` are None while learning."""

    call: Call
    z: float | None = None
    normal: Normal | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """A new level, taken for the usual one from now on; in ms (or the measure's own unit)."""

    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Baseline:
    """The last points of one service, oldest first, never more than WINDOW.

    `pending` are the anomalies since the last usual point, `well` the usual ones since the last
    anomaly; one of them is always empty.
    """

    points: tuple[Point, ...] = ()
    pending: tuple[Point, ...] = ()
    well: int = 0

    @property
    def learning(self) -> bool:
        """Too few points to judge by: they are taken in unjudged."""
        return len(self.points) < GRACE


def log_ms(latency_ms: float) -> float:
    """ln of a latency in ms, with a floor that keeps 0 ms finite."""
    return math.log(max(latency_ms, MIN_LATENCY_MS))


def centre_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Of at least one log value, oldest first: the centre now, and the robust deviation."""
    rest: list[float] = []
    for end in range(len(values), 0, -LOCAL):
        block = values[max(0, end - LOCAL) : end]
        middle = median(block)
        rest += [value - middle for value in block]
    half = max(median(abs(value) for value in rest) / _HALF, MIN_SIGMA)
    near = sorted(value for value in rest if value <= STRAY * half)
    # A few far ones were taken in unjudged; many of them are a second kind of work.
    if len(near) >= 0.8 * len(rest):
        rest = near
    rest.sort()
    above = rest[int(0.9 * len(rest))] / _NINE_TENTHS
    tail = rest[int(0.98 * len(rest))] / _TAIL
    return median(values[-LOCAL:]), max(half, above, tail)


def normal_of(baseline: Baseline) -> Normal | None:
    """What is usual by this baseline, or None when it has no points."""
    if not baseline.points:
        return None
    centre, sigma = centre_and_spread([point.value for point in baseline.points])
    return Normal(math.exp(centre), sigma, math.exp(centre + THRESHOLD * sigma))


def judge(baseline: Baseline, latency_ms: float) -> Judgement:
    """Compare one latency (ms, ≥ 0) with the points before it. Only slowness is an anomaly."""
    if baseline.learning:
        return Judgement(Call.LEARNING)
    normal = normal_of(baseline)
    assert normal is not None
    z = (log_ms(latency_ms) - math.log(normal.median_ms)) / normal.sigma
    call = Call.ANOMALOUS if z > THRESHOLD else Call.NORMAL
    return Judgement(call, z, normal)


def absorb(baseline: Baseline, judgement: Judgement, latency_ms: float, report: str) -> Baseline:
    """The baseline after this point: an anomaly waits beside it, else the window rolls on."""
    point = Point(log_ms(latency_ms), report)
    if judgement.call is Call.ANOMALOUS:
        return Baseline(baseline.points, (*baseline.pending, point)[-WINDOW:])
    return Baseline((*baseline.points, point)[-WINDOW:], (), baseline.well + 1)


def settle(baseline: Baseline) -> tuple[Baseline, Shift | None]:
    """Takes a level that has lasted for the usual one: told once, and judged by from now on.

    What was known of the spread is kept: the old points move to the new level.
    """
    if len(baseline.pending) < SHIFT_AFTER or not baseline.points:
        return baseline, None
    before = median(point.value for point in baseline.points[-LOCAL:])
    after = median(point.value for point in baseline.pending)
    moved = tuple(Point(p.value + after - before, p.report) for p in baseline.points)
    settled = Baseline((*moved, *baseline.pending)[-WINDOW:])
    return settled, Shift(math.exp(before), math.exp(after))


def drop(baseline: Baseline, report: str) -> Baseline:
    """The baseline without what `report` brought. Points that rolled out since do not return, and
    a level that was taken for the usual one stays so."""

    def without(points: tuple[Point, ...]) -> tuple[Point, ...]:
        return tuple(point for point in points if point.report != report)

    points = without(baseline.points)
    well = max(0, baseline.well - (len(baseline.points) - len(points)))
    return Baseline(points, without(baseline.pending), well)

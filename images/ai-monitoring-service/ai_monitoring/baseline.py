"""What a service's latency usually is, and how far from usual one more latency lies.

Latencies are skewed and their outliers are what we hunt, so a mean and a standard deviation would
be pulled along by the very points they should expose. The median and the median absolute deviation
(MAD) of the *logarithm* are not, and a factor ("three times slower") means the same for a service
of 5 ms as for one of 5 s. Pure: no clock, no store.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

WINDOW = 300
GRACE = 60
THRESHOLD = 3.5

# Makes the MAD of normally distributed values equal to one standard deviation.
MAD_TO_SIGMA = 1.0 / 0.6745
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
class Baseline:
    """The last points of one service, oldest first, never more than WINDOW."""

    points: tuple[Point, ...] = ()

    @property
    def learning(self) -> bool:
        """Too few points to judge by: they are taken in unjudged."""
        return len(self.points) < GRACE


def log_ms(latency_ms: float) -> float:
    """ln of a latency in ms, with a floor that keeps 0 ms finite."""
    return math.log(max(latency_ms, MIN_LATENCY_MS))


def centre_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Median and robust standard deviation of at least one log latency."""
    centre = median(values)
    mad = median(abs(value - centre) for value in values)
    return centre, max(mad * MAD_TO_SIGMA, MIN_SIGMA)


def normal_of(baseline: Baseline) -> Normal | None:
    """What is usual by this baseline, or None when it has no points."""
    if not baseline.points:
        return None
    centre, sigma = centre_and_spread([point.value for point in baseline.points])
    return Normal(math.exp(centre), sigma, math.exp(centre + THRESHOLD * sigma))


def judge(baseline: Baseline, latency_ms: float) -> Judgement:
    """Compare one latency (ms, ≥ 0) with the points before it. Only slowness is an anomaly."""
    normal = normal_of(baseline)
    if baseline.learning or normal is None:
        return Judgement(Call.LEARNING)
    z = (log_ms(latency_ms) - math.log(normal.median_ms)) / normal.sigma
    call = Call.ANOMALOUS if z > THRESHOLD else Call.NORMAL
    return Judgement(call, z, normal)


def absorb(baseline: Baseline, judgement: Judgement, latency_ms: float, report: str) -> Baseline:
    """The baseline after this point: an anomaly stays out, else the window rolls on by one."""
    if judgement.call is Call.ANOMALOUS:
        return baseline
    points = (*baseline.points, Point(log_ms(latency_ms), report))
    return Baseline(points[-WINDOW:])


def drop(baseline: Baseline, report: str) -> Baseline:
    """The baseline without what `report` brought. Points that rolled out since do not return."""
    return Baseline(tuple(point for point in baseline.points if point.report != report))

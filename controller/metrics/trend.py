"""Whether something really grows, and when it will be too much; pure.

A straight line can be laid through anything. A trend is told only where hours of it say so, where a
test that does not care about the shape of the noise (Mann and Kendall's) finds chance all but
impossible, where the line explains nearly all there is and both halves agree on it, and where what
grew is worth a sentence.
The slope is Theil and Sen's, the median of all slopes between two points, which one peak does not
bend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from controller.model.text import Text, text

POINT_S = 900
"""Length of a point. Within a quarter of an hour, what is measured hangs together too much for each
measurement to count as a witness of its own."""
_LEAST_POINTS = 16
_SURE = 4.0
_EXPLAINED = 0.85
_WORTH = 0.1
_FORESEEN_S = 14 * 86_400
_HOUR_S, _DAY_S = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Trend:
    """What grows (or shrinks) by `per_hour`, for `hours`; `full_in_s` is when it reaches its
    limit, where it has one and does so within two weeks."""

    per_hour: float
    hours: float
    full_in_s: float | None = None


def trend(values: Sequence[float | None], step_s: int, limit: float | None = None) -> Trend | None:
    """The trend of values that are `step_s` apart, the last one now; None where there is none that
    one may speak of."""
    points = [(i * step_s, value) for i, value in enumerate(values) if value is not None]
    if len(points) < _LEAST_POINTS or len(points) < 0.9 * len(values):
        return None
    slopes = [(b - a) / (t - s) for (s, a), (t, b) in combinations(points, 2)]
    slope = median(slopes)
    if _certainty(slopes, len(points)) < _SURE or _explained(points, slope) < _EXPLAINED:
        return None
    if not _steady(points, slope):
        return None
    length = points[-1][0] - points[0][0]
    level = sum(value for _, value in points) / len(points)
    if abs(slope) * length < _WORTH * abs(level):
        return None
    return Trend(slope * _HOUR_S, length / _HOUR_S, _full_in(points[-1][1], slope, limit))


def memory_sentence(found: Trend | None) -> Text | None:
    """What is told of memory: that it grows. That it shrinks alarms nobody."""
    if found is None or found.per_hour <= 0:
        return None
    facts: dict[str, str | int | float] = {
        "mb": _rounded(found.per_hour / (1 << 20)),
        "hours": round(found.hours),
    }
    if found.full_in_s is None:
        return text("metrics.trend.memory", **facts)
    if found.full_in_s < 2 * _DAY_S:
        hours = max(1, round(found.full_in_s / _HOUR_S))
        return text("metrics.trend.memory_full_hours", **facts, left=hours)
    return text("metrics.trend.memory_full_days", **facts, left=round(found.full_in_s / _DAY_S))


def _certainty(slopes: Sequence[float], n: int) -> float:
    """How many standard deviations the number of rises is from that of chance."""
    score = sum((slope > 0) - (slope < 0) for slope in slopes)
    deviation = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return max(0.0, abs(score) - 1) / deviation


def _explained(points: Sequence[tuple[int, float]], slope: float) -> float:
    """The share of the variance that the line takes away."""
    mean = sum(value for _, value in points) / len(points)
    whole = sum((value - mean) ** 2 for _, value in points)
    if whole == 0:
        return 0.0
    begin = median(value - slope * at for at, value in points)
    rest = sum((value - begin - slope * at) ** 2 for at, value in points)
    return 1 - rest / whole


def _steady(points: Sequence[tuple[int, float]], slope: float) -> bool:
    """Whether both halves say the same: what wanders by chance now and then looks like a line as a
    whole, but seldom in each of its parts."""
    middle = len(points) // 2
    for half in (points[:middle], points[middle:]):
        own = median((b - a) / (t - s) for (s, a), (t, b) in combinations(half, 2))
        if not 0.5 <= own / slope <= 2:
            return False
    return True


def _full_in(now: float, slope: float, limit: float | None) -> float | None:
    if limit is None or slope <= 0 or now >= limit:
        return None
    left = (limit - now) / slope
    return left if left <= _FORESEEN_S else None


def _rounded(value: float) -> float | int:
    return round(value) if value >= 10 else round(value, 1)

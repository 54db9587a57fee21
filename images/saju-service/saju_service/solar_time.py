"""Solar time: where the sun stands at a longitude, which the civil clock only approximates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import asin, atan2, cos, degrees, radians, sin

_J2000 = datetime(2000, 1, 1, 12, tzinfo=UTC)
_DAYS_PER_CENTURY = 36_525.0


def mean_solar(utc: datetime, longitude_deg: float) -> datetime:
    """Local mean solar time: four minutes a degree, east positive."""
    return utc.replace(tzinfo=None) + timedelta(seconds=round(240 * longitude_deg, 3))


def apparent_solar(utc: datetime, longitude_deg: float) -> datetime:
    """Local apparent solar time: what a sundial shows."""
    return mean_solar(utc, longitude_deg) + timedelta(seconds=equation_of_time_s(utc))


def equation_of_time_s(utc: datetime) -> float:
    """Apparent minus mean solar time in seconds, between about -860 and +990.

    By J. Meeus, Astronomical Algorithms (2nd ed.), chapters 25 and 28; within 3 s for 1900-2050.
    """
    t = (utc - _J2000).total_seconds() / 86_400 / _DAYS_PER_CENTURY
    mean_longitude = 280.46646 + 36_000.76983 * t + 0.0003032 * t * t
    anomaly = radians(357.52911 + 35_999.05029 * t - 0.0001537 * t * t)
    centre = (
        (1.914602 - 0.004817 * t - 0.000014 * t * t) * sin(anomaly)
        + (0.019993 - 0.000101 * t) * sin(2 * anomaly)
        + 0.000289 * sin(3 * anomaly)
    )
    node = radians(125.04 - 1934.136 * t)
    nutation = -0.00478 * sin(node)
    longitude = radians(mean_longitude + centre - 0.00569 + nutation)
    obliquity = radians(23.439291 - 0.0130042 * t + 0.00256 * cos(node))
    right_ascension = degrees(atan2(cos(obliquity) * sin(longitude), cos(longitude)))
    arc = mean_longitude - 0.0057183 - right_ascension + nutation * cos(obliquity)
    return degrees(asin(sin(radians(arc)))) * 240

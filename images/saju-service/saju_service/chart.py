"""The rules of the four pillars: from an instant and the chosen conventions to the chart. Pure.

Year and month turn at instants (입춘 and the twelve 절), compared in UTC. Day and hour follow a
local clock, and which clock that is, schools dispute: `time_basis` and `day_boundary` choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from saju_service import ganji, solar_time, terms
from saju_service.zones import Moment

TimeBasis = Literal["clock", "mean_solar", "apparent_solar"]
DayBoundary = Literal["midnight", "jasi", "split_jasi"]
Gender = Literal["male", "female"]

_IPCHUN = 2  # numbers of terms within the calendar year
_DAEUN_PILLARS = 8
# 3 days stand for a year, so 6 hours for a month and 12 minutes for a day.
_MS_PER_YEAR, _MS_PER_MONTH, _MS_PER_DAY = 259_200_000, 21_600_000, 720_000
_ROUNDING_DOUBT = 0.02


@dataclass(frozen=True, slots=True)
class Pillars:
    """Numbers in the sexagenary cycle."""

    year: int
    month: int
    day: int
    hour: int

    def all(self) -> tuple[int, int, int, int]:
        """In the order they are written."""
        return self.year, self.month, self.day, self.hour


@dataclass(frozen=True, slots=True)
class Daeun:
    """대운. `start_age_rounded` is None where a few seconds would decide the rounding."""

    direction: Literal["forward", "backward"]
    reference_term: str
    days_to_term: float
    years: int
    months: int
    days: int
    start_age_rounded: int | None
    pillars: tuple[int, ...]


def solar_clock(moment: Moment, basis: TimeBasis, longitude_deg: float) -> datetime:
    """The local clock (naive) that day and hour are read from."""
    if basis == "clock":
        return (moment.utc + moment.standard_offset).replace(tzinfo=None)
    if basis == "mean_solar":
        return solar_time.mean_solar(moment.utc, longitude_deg)
    return solar_time.apparent_solar(moment.utc, longitude_deg)


def pillars_of(utc_ms: int, clock: datetime, boundary: DayBoundary) -> Pillars:
    """All four; `clock` is what `solar_clock` answered for the instant."""
    year, month = _year_and_month(terms.jeol_around(utc_ms)[0])
    late = clock.hour == 23
    today = day_pillar(clock.date())
    day = (today + 1) % 60 if late and boundary == "jasi" else today
    # 야자시: the last hour keeps the day, but its stem is already the next day's.
    stem_day = (today + 1) % 60 if late and boundary == "split_jasi" else day
    branch = (clock.hour + 1) // 2 % 12
    return Pillars(year, month, day, ganji.index60((stem_day % 10 * 2 + branch) % 10, branch))


def day_pillar(day: date) -> int:
    """(Julian day number at noon + 49) mod 60."""
    return (day.toordinal() + 1_721_425 + 49) % 60


def daeun_of(utc_ms: int, pillars: Pillars, gender: Gender) -> Daeun:
    """Forward for a man of a yang year or a woman of a yin year, else backward."""
    previous, following = terms.jeol_around(utc_ms)
    forward = ganji.is_yang(pillars.year % 10) == (gender == "male")
    reference = following if forward else previous
    distance_ms = abs(reference.utc_ms - utc_ms)
    years, rest = divmod(distance_ms, _MS_PER_YEAR)
    months, rest = divmod(rest, _MS_PER_MONTH)
    step = 1 if forward else -1
    return Daeun(
        direction="forward" if forward else "backward",
        reference_term=reference.name,
        days_to_term=round(distance_ms / 86_400_000, 4),
        years=years,
        months=months,
        days=rest // _MS_PER_DAY,
        start_age_rounded=_rounded_age(distance_ms / _MS_PER_YEAR),
        pillars=tuple((pillars.month + step * n) % 60 for n in range(1, _DAEUN_PILLARS + 1)),
    )


def seconds_to_jeol(utc_ms: int) -> tuple[float, terms.Term]:
    """The distance to the nearest 절, and which one it is."""
    nearest = min(terms.jeol_around(utc_ms), key=lambda term: abs(term.utc_ms - utc_ms))
    return abs(nearest.utc_ms - utc_ms) / 1000, nearest


def seconds_to_day_boundary(clock: datetime, boundary: DayBoundary) -> float:
    """The distance to the nearest moment at which the day pillar changes."""
    into = (_seconds_of_day(clock) + (3600 if boundary == "jasi" else 0)) % 86_400
    return min(into, 86_400 - into)


def seconds_to_hour_boundary(clock: datetime) -> float:
    """The distance to the nearest odd hour, where the hour's branch changes."""
    into = (_seconds_of_day(clock) + 3600) % 7200
    return min(into, 7200 - into)


def _seconds_of_day(clock: datetime) -> float:
    return clock.hour * 3600 + clock.minute * 60 + clock.second + clock.microsecond / 1e6


def _year_and_month(jeol: terms.Term) -> tuple[int, int]:
    year = jeol.year if jeol.number >= _IPCHUN else jeol.year - 1
    year_pillar = (year - 4) % 60
    months_since_ipchun = (jeol.number // 2 - 1) % 12
    stem = (year_pillar % 10 % 5 * 2 + 2 + months_since_ipchun) % 10
    return year_pillar, ganji.index60(stem, (2 + months_since_ipchun) % 12)


def _rounded_age(years: float) -> int | None:
    if abs(years % 1 - 0.5) < _ROUNDING_DOUBT:
        return None
    return max(1, round(years))

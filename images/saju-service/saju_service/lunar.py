"""The Korean lunar calendar, not the Chinese one: they differ on 1,978 days of 1900-2050."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from threading import Lock

from korean_lunar_calendar import KoreanLunarCalendar  # type: ignore[import-untyped]

from saju_service import faults

FIRST, LAST = date(1900, 1, 1), date(2050, 12, 31)
_TEXT = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class LunarDate:
    """`leap_month`: the intercalary repetition (윤달) of `month`."""

    year: int
    month: int
    day: int
    leap_month: bool

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}-{self.day:02}"


def parse(text: str, leap_month: bool) -> LunarDate:
    """Reads YYYY-MM-DD, which may name days that no Gregorian month has, such as 02-30."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise faults.invalid_lunar_date(text, leap_month)
    year, month, day = (int(part) for part in found.groups())
    return LunarDate(year, month, day, leap_month)


def to_solar(lunar: LunarDate) -> date:
    """Raises Problem `invalid_lunar_date`, or `out_of_range` outside 1900 to 2050."""
    with _calendar() as calendar:
        # The library leaves an old date in place when it refuses: only its answer tells.
        if not calendar.setLunarDate(lunar.year, lunar.month, lunar.day, lunar.leap_month):
            raise faults.invalid_lunar_date(str(lunar), lunar.leap_month)
        solar = date(calendar.solarYear, calendar.solarMonth, calendar.solarDay)
    check_range(solar)
    return solar


def from_solar(solar: date) -> LunarDate:
    """Raises Problem `out_of_range` outside 1900 to 2050."""
    check_range(solar)
    with _calendar() as calendar:
        if not calendar.setSolarDate(solar.year, solar.month, solar.day):
            raise faults.out_of_range(solar.isoformat(), FIRST.isoformat(), LAST.isoformat())
        return LunarDate(
            calendar.lunarYear,
            calendar.lunarMonth,
            calendar.lunarDay,
            bool(calendar.isIntercalation),
        )


@contextmanager
def _calendar() -> Iterator[KoreanLunarCalendar]:
    """The one converter. A new one sums up a thousand years of days before its first answer, and
    each holds the date of its last question: so one is kept, and one asks at a time."""
    with _asking:
        yield _converter()


@lru_cache(maxsize=1)
def _converter() -> KoreanLunarCalendar:
    return KoreanLunarCalendar()


_asking = Lock()


def check_range(solar: date) -> None:
    """Raises Problem `out_of_range` outside 1900 to 2050."""
    if not FIRST <= solar <= LAST:
        raise faults.out_of_range(solar.isoformat(), FIRST.isoformat(), LAST.isoformat())

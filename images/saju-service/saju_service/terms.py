"""The instants of the 24 solar terms, from the table that scripts/make_terms.py computed."""

from __future__ import annotations

import json
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

# fmt: off
NAMES = (
    "소한", "대한", "입춘", "우수", "경칩", "춘분", "청명", "곡우",
    "입하", "소만", "망종", "하지", "소서", "대서", "입추", "처서",
    "백로", "추분", "한로", "상강", "입동", "소설", "대설", "동지",
)
HANJA = (
    "小寒", "大寒", "立春", "雨水", "驚蟄", "春分", "淸明", "穀雨",
    "立夏", "小滿", "芒種", "夏至", "小暑", "大暑", "立秋", "處暑",
    "白露", "秋分", "寒露", "霜降", "立冬", "小雪", "大雪", "冬至",
)
ENGLISH = (
    "Minor Cold", "Major Cold", "Start of Spring", "Rain Water", "Awakening of Insects",
    "Spring Equinox", "Clear and Bright", "Grain Rain", "Start of Summer", "Grain Buds",
    "Grain in Ear", "Summer Solstice", "Minor Heat", "Major Heat", "Start of Autumn",
    "End of Heat", "White Dew", "Autumn Equinox", "Cold Dew", "Frost's Descent",
    "Start of Winter", "Minor Snow", "Major Snow", "Winter Solstice",
)
# fmt: on
FIRST_YEAR, LAST_YEAR = 1900, 2051
_TABLE = Path(__file__).parent / "data" / "solar_terms.json"


@dataclass(frozen=True, slots=True)
class Term:
    """`number` counts from 0 (소한) to 23 (동지) within `year`; `utc_ms` since the Unix epoch."""

    year: int
    number: int
    utc_ms: int

    @property
    def name(self) -> str:
        """In hangul."""
        return NAMES[self.number]

    @property
    def hanja(self) -> str:
        """In hanja."""
        return HANJA[self.number]

    @property
    def english(self) -> str:
        """In English."""
        return ENGLISH[self.number]

    @property
    def sun_longitude_deg(self) -> int:
        """Where the sun stands at the instant."""
        return (285 + 15 * self.number) % 360


def _load() -> tuple[Term, ...]:
    years: dict[str, list[int]] = json.loads(_TABLE.read_text(encoding="utf-8"))["years"]
    return tuple(
        Term(int(year), number, utc_ms)
        for year, row in years.items()
        for number, utc_ms in enumerate(row)
    )


_TERMS = _load()
# The twelve 절 open the months; the 중기 between them decide nothing here.
_JEOL = _TERMS[::2]
_JEOL_MS = [term.utc_ms for term in _JEOL]


def of_year(year: int) -> tuple[Term, ...]:
    """The 24 terms of a calendar year in order of time; the year must be within the table."""
    start = (year - _TERMS[0].year) * 24
    return _TERMS[start : start + 24]


def jeol_around(utc_ms: int) -> tuple[Term, Term]:
    """The last 절 at or before the instant, and the next one."""
    following = bisect_right(_JEOL_MS, utc_ms)
    return _JEOL[following - 1], _JEOL[following]

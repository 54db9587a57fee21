"""Computes the table of solar-term instants that the service ships, once, on a developer's machine.

The service must answer fast and install from wheels alone, so it carries the instants instead of
an ephemeris. They come from pyerfa (the IAU SOFA models); lunar_python, an independent
implementation, must agree within MAX_DIFFERENCE_S or nothing is written.

    pip install pyerfa lunar_python && python images/saju-service/scripts/make_terms.py
"""

from __future__ import annotations

import json
import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import erfa  # type: ignore[import-untyped]
import numpy as np
from lunar_python import Lunar  # type: ignore[import-untyped]

FIRST_YEAR, LAST_YEAR = 1900, 2051
MAX_DIFFERENCE_S = 15.0
LIGHT_DAYS_PER_AU = 499.004783836 / 86_400
UNIX_EPOCH_JD = 2_440_587.5
MS_PER_DAY = 86_400_000
# lunar_python's names from 소한 on; its 冬至 is that of the year before, DONG_ZHI this one.
# fmt: off
CHINESE = (
    "小寒", "大寒", "立春", "雨水", "惊蛰", "春分", "清明", "谷雨",
    "立夏", "小满", "芒种", "夏至", "小暑", "大暑", "立秋", "处暑",
    "白露", "秋分", "寒露", "霜降", "立冬", "小雪", "大雪", "DONG_ZHI",
)
# fmt: on
OUTPUT = Path(__file__).parents[1] / "saju_service" / "data" / "solar_terms.json"


def sun_longitude_deg(jd_tt: float) -> float:
    """Apparent geocentric longitude of the sun, true equinox and ecliptic of date, in degrees."""
    day, fraction = math.floor(jd_tt), jd_tt - math.floor(jd_tt)
    heliocentric, earth = erfa.epv00(day, fraction)
    light = float(np.linalg.norm(heliocentric["p"])) * LIGHT_DAYS_PER_AU
    past_heliocentric, past_earth = erfa.epv00(day, fraction - light)
    towards = past_earth["p"] - past_heliocentric["p"] - earth["p"]
    distance = float(np.linalg.norm(towards))
    velocity = earth["v"] * LIGHT_DAYS_PER_AU
    lorentz = math.sqrt(1 - float(velocity @ velocity))
    apparent = erfa.ab(towards / distance, velocity, distance, lorentz)
    x, y, _ = erfa.ecm06(day, fraction) @ apparent
    nutation, _ = erfa.nut06a(day, fraction)
    return math.degrees(math.atan2(y, x) + float(nutation)) % 360


def crossing_jd_tt(longitude_deg: float, guess: float) -> float:
    """When the sun passes `longitude_deg`, near `guess`; both Julian dates in terrestrial time."""
    jd = guess
    for _ in range(12):
        off = (longitude_deg - sun_longitude_deg(jd) + 180) % 360 - 180
        jd += off * 365.2422 / 360
        if abs(off) < 5e-9:
            return jd
    raise ArithmeticError(f"no crossing of {longitude_deg} near {guess}")


def delta_t_s(jd: float) -> float:
    """Terrestrial minus civil time, in seconds.

    Before 1961 the polynomials of Espenak and Meeus (Five Millennium Canon of Solar Eclipses,
    NASA TP-2006-214141), since then the announced leap seconds, and the last of them for ever.
    """
    year = 2000 + (jd - 2_451_544.5) / 365.2425
    if year >= 1961:
        calendar = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=jd - UNIX_EPOCH_JD)
        return 32.184 + float(erfa.dat(min(calendar.year, 2026), calendar.month, 1, 0.0))
    if year >= 1941:
        t = year - 1950
        return 29.07 + 0.407 * t - t**2 / 233 + t**3 / 2547
    if year >= 1920:
        t = year - 1920
        return 21.20 + 0.84493 * t - 0.076100 * t**2 + 0.0020936 * t**3
    t = year - 1900
    return -2.79 + 1.494119 * t - 0.0598939 * t**2 + 0.0061966 * t**3 - 0.000197 * t**4


def instants_ms(year: int) -> list[int]:
    """The 24 instants of a calendar year, milliseconds since the Unix epoch, UTC."""
    start = datetime(year, 1, 6, tzinfo=UTC).timestamp() / 86_400 + UNIX_EPOCH_JD
    found = []
    for number in range(24):
        jd = crossing_jd_tt((285 + 15 * number) % 360, start + number * 15.2184)
        found.append(round((jd - UNIX_EPOCH_JD) * MS_PER_DAY - delta_t_s(jd) * 1000))
    return found


def reference_ms(year: int) -> list[int]:
    """The same by lunar_python, which answers in UTC+8 and in whole seconds."""
    table: dict[str, Any] = Lunar.fromYmd(year, 6, 15).getJieQiTable()
    found = []
    for name in CHINESE:
        solar = table[name]
        if solar.getYear() != year:
            raise ArithmeticError(f"lunar_python puts {name} of {year} in {solar.getYear()}")
        moment = datetime.fromisoformat(solar.toYmdHms()).replace(tzinfo=UTC)
        found.append(int((moment - timedelta(hours=8)).timestamp() * 1000))
    return found


def main() -> int:
    """Writes the table; answers 1 when the two sources disagree."""
    rows, worst = {}, 0.0
    for year in range(FIRST_YEAR, LAST_YEAR + 1):
        rows[str(year)] = instants_ms(year)
        pairs = zip(rows[str(year)], reference_ms(year), strict=True)
        worst = max(worst, *(abs(ours - theirs) / 1000 for ours, theirs in pairs))
    sys.stdout.write(f"largest difference from lunar_python: {worst:.1f} s\n")
    if worst > MAX_DIFFERENCE_S:
        return 1
    lines = ",\n".join(f'  "{year}": {json.dumps(row)}' for year, row in rows.items())
    source = (
        f"pyerfa {erfa.__version__} (epv00, IAU 2006/2000A precession-nutation), apparent "
        "longitude of the sun; terrestrial to civil time by Espenak-Meeus before 1961 and leap "
        f"seconds since; within {worst:.1f} s of lunar_python; made by scripts/make_terms.py"
    )
    OUTPUT.write_text(
        f'{{"source": {json.dumps(source)},\n'
        '"unit": "milliseconds since 1970-01-01T00:00:00Z; 24 a year, from 소한 to 동지",\n'
        f'"years": {{\n{lines}\n}}}}\n',
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

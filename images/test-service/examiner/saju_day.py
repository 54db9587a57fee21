"""Day and hour pillar anew, from the instant and the options that the chart itself echoes.

The day needs no ephemeris, only a Julian day number, so it can be computed a second time, by code
that shares nothing with saju-service. `apparent_solar` needs the equation of time, hence a sun, and
is left out: there the chart's own consistency has to do. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from examiner.faults import MISSING, Fault, given
from examiner.saju import Pillar, hour_stem

# Julian day number of 0001-01-01 less its proleptic Gregorian ordinal.
JDN_OF_ORDINAL = 1_721_425
DST = timedelta(hours=1)
MINUTES_PER_DEGREE = 4.0


def day_and_hour(local: datetime, day_boundary: str) -> tuple[Pillar, Pillar]:
    """Day and hour pillar of a time already corrected to its basis.

    `day_boundary` is `midnight`, `jasi` or `split_jasi`; it decides between 23:00 and 24:00 only.
    """
    today = sixty((local.date().toordinal() + JDN_OF_ORDINAL + 49) % 60)
    late = local.hour == 23
    day = today.shifted(1) if late and day_boundary == "jasi" else today
    counted_from = today.shifted(1) if late and day_boundary != "midnight" else today
    branch = (local.hour + 1) // 2 % 12
    return day, Pillar(hour_stem(counted_from.stem, branch), branch)


def sixty(index: int) -> Pillar:
    """The pillar at a place (0 = 甲子) of the cycle of sixty."""
    return Pillar(index % 10, index % 12)


def corrected(result: Mapping[str, object]) -> datetime | None:
    """The time, on the chart's own basis, that day and hour are read from.

    Shape: `utc` (ISO, ends in Z), `options.time_basis`, and for `mean_solar` `options.longitude`,
    for `clock` `standard_offset_minutes`, or else `utc_offset_minutes` (summer time included, taken
    for an hour) and `dst`. None where something is missing or the basis is `apparent_solar`.
    """
    instant = _instant(given(result, "utc"))
    basis = given(result, "options.time_basis")
    longitude = _number(given(result, "options.longitude"))
    offset = _number(given(result, "utc_offset_minutes"))
    standard = _number(given(result, "standard_offset_minutes"))
    if instant is None:
        return None
    if basis == "clock" and standard is not None:
        return instant + timedelta(minutes=standard)
    if basis == "mean_solar" and longitude is not None:
        return instant + timedelta(minutes=longitude * MINUTES_PER_DEGREE)
    if basis == "clock" and offset is not None:
        summer = DST if given(result, "dst") is True else timedelta()
        return instant + timedelta(minutes=offset) - summer
    return None


def day_faults(result: Mapping[str, object]) -> Iterator[Fault]:
    """Where the chart's day or hour differs from the one computed here."""
    local = corrected(result)
    boundary = given(result, "options.day_boundary")
    if local is None or not isinstance(boundary, str):
        return
    day, hour = day_and_hour(local, boundary)
    for position, right in (("day", day), ("hour", hour)):
        field = f"pillars.{position}.hanja"
        said = given(result, field)
        if said is not MISSING and said != right.hanja:
            message = f"{local:%Y-%m-%d %H:%M} on the chart's time basis has {right.hanja}"
            yield Fault(field, message, said)


def _instant(value: object) -> datetime | None:
    if not isinstance(value, str) or not value.endswith("Z"):
        return None
    try:
        return datetime.fromisoformat(value.removesuffix("Z"))
    except ValueError:
        return None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

"""From a wall clock to an instant, by the history of its time zone.

The zone data come from the tzdata package alone, never from the machine: a chart must not change
with the image it was computed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from saju_service import faults

_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")
# Britain's clocks stayed ahead from February 1940 to October 1945.
_LONGEST_SUMMER_WEEKS = 300
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """`standard_offset` is the legal offset without summer time; `ambiguous`: it occurred twice."""

    utc: datetime
    offset: timedelta
    standard_offset: timedelta
    ambiguous: bool

    @property
    def utc_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return (self.utc - _EPOCH) // timedelta(milliseconds=1)


def resolve(local: datetime, timezone: str, fold: int) -> Moment:
    """The instant that `local` (naive) names. Raises Problem `nonexistent_local_time`."""
    zone = _zone(timezone)
    aware = local.replace(tzinfo=zone, fold=fold)
    utc = aware.astimezone(UTC)
    if utc.astimezone(zone).replace(tzinfo=None) != local:
        raise faults.nonexistent_local_time(local.isoformat(timespec="minutes"), timezone)
    offset = aware.utcoffset() or timedelta()
    standard = offset - _summer_time(aware)
    other = local.replace(tzinfo=zone, fold=1 - fold).utcoffset()
    return Moment(utc, offset, standard, ambiguous=other != offset)


def _summer_time(aware: datetime) -> timedelta:
    """How far the clocks were ahead of standard time.

    zoneinfo compares neighbouring periods, so it answers one hour for the double summer time of
    the 1940s, which follows upon single summer time; hence the look back at the last winter.
    Where a law calls the summer's time standard (Ireland), winter is no summer time.
    """
    stated = aware.dst() or timedelta()
    if stated <= timedelta():
        return timedelta()
    before = aware
    for _ in range(_LONGEST_SUMMER_WEEKS):
        before -= timedelta(weeks=1)
        if not before.dst():
            return max(stated, (aware.utcoffset() or stated) - (before.utcoffset() or timedelta()))
    return stated


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    if not _NAME.fullmatch(name):
        raise faults.unknown_timezone(name)
    source = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    try:
        with source.open("rb") as stream:
            return ZoneInfo.from_file(stream, key=name)
    except (OSError, ValueError) as error:
        raise faults.unknown_timezone(name) from error

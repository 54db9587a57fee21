"""What a reader of a chart must know: where a minute would change it, and what was assumed. Pure.

Each warning has a stable code for programs, and a sentence in English and in Korean for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from saju_service import chart
from saju_service.models import SEOUL_LONGITUDE_DEG, CalculateRequest, DaeunOut, Warned
from saju_service.zones import Moment

NEAR_S = 60


def warnings(
    request: CalculateRequest, moment: Moment, clock: datetime, daeun: DaeunOut | None
) -> list[Warned]:
    """All that holds of this chart; `clock` is what day and hour were read from."""
    return [*_boundaries(request, moment, clock), *_assumed(request, moment, daeun)]


def _boundaries(request: CalculateRequest, moment: Moment, clock: datetime) -> Iterator[Warned]:
    seconds, nearest = chart.seconds_to_jeol(moment.utc_ms)
    if seconds <= NEAR_S:
        yield Warned(
            code="near_solar_term",
            message=f"{seconds:.0f} s from {nearest.name} ({nearest.english}): the month pillar, "
            "and at 입춘 the year pillar, hang on the minute",
            message_ko=f"{nearest.name} 절입 시각과 {seconds:.0f}초 차이입니다. 몇 초에 따라 "
            "월주가(입춘이면 연주도) 달라질 수 있습니다.",
        )
    seconds = chart.seconds_to_day_boundary(clock, request.day_boundary)
    if seconds <= NEAR_S:
        yield Warned(
            code="near_day_boundary",
            message=f"{seconds:.0f} s from where the day changes ({request.day_boundary}): the "
            "day pillar hangs on the minute",
            message_ko=f"날이 바뀌는 경계({request.day_boundary})와 {seconds:.0f}초 차이입니다. "
            "1분에 따라 일주가 달라질 수 있습니다.",
        )
    seconds = chart.seconds_to_hour_boundary(clock)
    if seconds <= NEAR_S:
        yield Warned(
            code="near_hour_boundary",
            message=f"{seconds:.0f} s from a change of the hour: the hour pillar hangs on the "
            "minute",
            message_ko=f"시진이 바뀌는 경계와 {seconds:.0f}초 차이입니다. 1분에 따라 시주가 "
            "달라질 수 있습니다.",
        )


def _assumed(request: CalculateRequest, moment: Moment, daeun: DaeunOut | None) -> Iterator[Warned]:
    if moment.ambiguous:
        yield Warned(
            code="ambiguous_local_time",
            message=f"the clocks showed this time twice; fold {request.fold} was used",
            message_ko="시계를 되돌려 두 번 있었던 시각입니다. fold "
            f"{request.fold}({'나중' if request.fold else '먼저'} 시각)을 썼습니다.",
        )
    if request.longitude is None and request.time_basis != "clock":
        yield Warned(
            code="longitude_assumed",
            message=f"no longitude given: {SEOUL_LONGITUDE_DEG} (Seoul) was used",
            message_ko=f"경도가 없어 서울({SEOUL_LONGITUDE_DEG}°)로 계산했습니다.",
        )
    if daeun is None:
        yield Warned(
            code="gender_missing",
            message="no gender given: 대운 depends on it and is left out",
            message_ko="성별이 없어 대운은 계산하지 않았습니다.",
        )
    elif daeun.start_age_rounded is None:
        yield Warned(
            code="daeun_age_undecided",
            message="days / 3 lies so near a half that seconds would decide the rounded age",
            message_ko="대운수가 반올림 경계에 있어 몇 초에 따라 달라지므로 비워 두었습니다.",
        )

"""From a request to the reply: reads the date, asks the rules, says what it took for granted."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from saju_service import chart, faults, ganji, lunar, models, terms, zones
from saju_service.models import CalculateRequest, CalculateResult, Pillar, TermOut, Warned

FIRST, LAST = date(1908, 4, 1), date(2050, 12, 31)
_KST = timezone(timedelta(hours=9))
_JEOL_WARNING_S = 60
_HOUR_WARNING_S = 60


def calculate(request: CalculateRequest, reading_id: str) -> CalculateResult:
    """The chart. Raises Problem 422 with one of the codes of `faults`."""
    local = local_datetime(request)
    moment = zones.resolve(local, request.timezone, request.fold)
    longitude = _longitude(request)
    clock = chart.solar_clock(moment, request.time_basis, longitude or 0.0)
    pillars = chart.pillars_of(moment.utc_ms, clock, request.day_boundary)
    previous, following = terms.jeol_around(moment.utc_ms)
    return CalculateResult(
        reading_id=reading_id,
        pillars=models.PillarsOut(
            year=pillar(pillars.year),
            month=pillar(pillars.month),
            day=pillar(pillars.day),
            hour=pillar(pillars.hour),
        ),
        ohaeng=ganji.element_counts(pillars.all()),
        sipsin=_relations(pillars),
        gongmang=list(ganji.void_branches(pillars.day)),
        daeun=_daeun(moment.utc_ms, pillars, request.gender),
        local_datetime=local.isoformat(timespec="seconds"),
        utc=_utc(moment.utc),
        utc_offset_minutes=_minutes(moment.offset),
        dst=moment.offset != moment.standard_offset,
        day_hour_clock=clock.isoformat(timespec="seconds"),
        prev_jeol=term(previous),
        next_jeol=term(following),
        options=models.Options(
            calendar=request.calendar,
            timezone=request.timezone,
            fold=request.fold,
            longitude=longitude,
            time_basis=request.time_basis,
            day_boundary=request.day_boundary,
            gender=request.gender,
        ),
        warnings=_warnings(request, moment, clock),
    )


def local_datetime(request: CalculateRequest) -> datetime:
    """The naive local time asked for, within 1908-04-01 to 2050-12-31."""
    if request.calendar == "lunar":
        found = lunar.to_solar(lunar.parse(request.date or "", request.leap_month))
        text = f"{found.isoformat()}T{request.time}"
    else:
        text = request.datetime or f"{request.date}T{request.time}"
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        raise faults.invalid_date(text) from None
    if not FIRST <= local.date() <= LAST:
        raise faults.out_of_range(text, FIRST.isoformat(), LAST.isoformat())
    return local


def term(found: terms.Term) -> TermOut:
    """The instant to the second (not rounded up), in UTC and in today's Korean time."""
    utc = datetime.fromtimestamp(found.utc_ms // 1000, UTC)
    return TermOut(
        term=found.name,
        sun_longitude_deg=found.sun_longitude_deg,
        utc=_utc(utc),
        kst=utc.astimezone(_KST).isoformat(timespec="seconds"),
    )


def pillar(number: int) -> Pillar:
    """Both scripts of a pillar."""
    return Pillar(hanja=ganji.hanja(number), hangul=ganji.hangul(number))


def _longitude(request: CalculateRequest) -> float | None:
    if request.longitude is not None or request.time_basis == "clock":
        return request.longitude
    if request.timezone != models.KOREAN_TIME:
        raise faults.missing_longitude(request.timezone)
    return models.SEOUL_LONGITUDE_DEG


def _relations(pillars: chart.Pillars) -> models.Relations:
    master = pillars.day % 10

    def of(number: int) -> models.Relation:
        return models.Relation(
            stem=ganji.relation(master, number % 10),
            branch=ganji.branch_relation(master, number % 12),
        )

    day = models.Relation(stem=ganji.DAY_MASTER, branch=of(pillars.day).branch)
    return models.Relations(
        year=of(pillars.year), month=of(pillars.month), day=day, hour=of(pillars.hour)
    )


def _daeun(
    utc_ms: int, pillars: chart.Pillars, gender: chart.Gender | None
) -> models.DaeunOut | None:
    if gender is None:
        return None
    found = chart.daeun_of(utc_ms, pillars, gender)
    return models.DaeunOut(
        direction=found.direction,
        reference_term=found.reference_term,
        days_to_term=found.days_to_term,
        start_exact=models.Span(years=found.years, months=found.months, days=found.days),
        start_age_rounded=found.start_age_rounded,
        pillars=[pillar(number) for number in found.pillars],
    )


def _warnings(request: CalculateRequest, moment: zones.Moment, clock: datetime) -> list[Warned]:
    found = []
    seconds, nearest = chart.seconds_to_jeol(moment.utc_ms)
    if seconds <= _JEOL_WARNING_S:
        text = f"{seconds:.0f} s from {nearest.name}: month (and at 입춘 year) hang on the minute"
        found.append(Warned(code="near_solar_term", message=text))
    seconds = chart.seconds_to_hour_boundary(clock)
    if seconds <= _HOUR_WARNING_S:
        text = f"{seconds:.0f} s from a change of the hour: the hour pillar hangs on the minute"
        found.append(Warned(code="near_hour_boundary", message=text))
    if moment.ambiguous:
        text = f"the clocks showed this time twice; fold {request.fold} was used"
        found.append(Warned(code="ambiguous_local_time", message=text))
    if request.longitude is None and request.time_basis != "clock":
        text = f"no longitude given: {models.SEOUL_LONGITUDE_DEG} (Seoul) was used"
        found.append(Warned(code="longitude_assumed", message=text))
    if request.gender is None:
        text = "no gender given: 대운 depends on it and is left out"
        found.append(Warned(code="gender_missing", message=text))
    return found


def _utc(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _minutes(offset: timedelta) -> int | float:
    minutes = offset.total_seconds() / 60
    return int(minutes) if minutes.is_integer() else round(minutes, 4)

"""From a request to the reply: reads the date, asks the rules, says what it took for granted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TypeVar

from saju_service import chart, doubts, faults, ganji, labels, lunar, models, terms, zones
from saju_service.models import CalculateRequest, CalculateResult, Pillar, TermOut

FIRST, LAST = date(1908, 4, 1), date(2050, 12, 31)
_KST = timezone(timedelta(hours=9))
T = TypeVar("T")


def calculate(request: CalculateRequest, reading_id: str) -> CalculateResult:
    """The chart. Raises Problem 422 with one of the codes of `faults`."""
    local = local_datetime(request)
    moment = zones.resolve(local, request.timezone, request.fold)
    longitude = _longitude(request)
    clock = chart.solar_clock(moment, request.time_basis, longitude or 0.0)
    pillars = chart.pillars_of(moment.utc_ms, clock, request.day_boundary)
    previous, following = terms.jeol_around(moment.utc_ms)
    daeun = _daeun(moment.utc_ms, pillars, request.gender)
    relations = _relations(pillars)
    unseong = _by_pillar(pillars, lambda branch: ganji.stage(pillars.day % 10, branch))
    return CalculateResult(
        reading_id=reading_id,
        pillars=models.PillarsOut(
            year=pillar(pillars.year),
            month=pillar(pillars.month),
            day=pillar(pillars.day),
            hour=pillar(pillars.hour),
        ),
        ohaeng=ganji.element_counts(pillars.all()),
        sipsin=relations,
        gongmang=list(ganji.void_branches(pillars.day)),
        jijanggan=_by_pillar(pillars, ganji.hidden_stems),
        unseong=unseong,
        daeun=daeun,
        local_datetime=local.isoformat(timespec="seconds"),
        utc=_utc(moment.utc),
        utc_offset_minutes=_minutes(moment.offset),
        standard_offset_minutes=_minutes(moment.standard_offset),
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
        warnings=doubts.warnings(request, moment, clock, daeun),
        labels=_labels(request.labels, pillars, daeun, relations, unseong),
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
    minute = datetime.fromtimestamp((found.utc_ms + 30_000) // 60_000 * 60, UTC)
    return TermOut(
        term=found.name,
        hanja=found.hanja,
        english=found.english,
        sun_longitude_deg=found.sun_longitude_deg,
        utc=_utc(utc),
        kst=utc.astimezone(_KST).isoformat(timespec="seconds"),
        kst_minute_rounded=f"{minute.astimezone(_KST):%Y-%m-%d %H:%M}",
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


def _labels(
    wanted: labels.Labels,
    pillars: chart.Pillars,
    daeun: models.DaeunOut | None,
    relations: models.Relations,
    unseong: models.ByPillar[str],
) -> models.ChartLabels | None:
    if wanted == "none":
        return None
    related = (relations.year, relations.month, relations.day, relations.hour)
    stages = (unseong.year, unseong.month, unseong.day, unseong.hour)
    year, month, day, hour = (_pillar_labels(number, wanted) for number in pillars.all())
    step = 1 if daeun is None or daeun.direction == "forward" else -1
    return models.ChartLabels(
        year=year,
        month=month,
        day=day,
        hour=hour,
        daeun=[
            labels.only(labels.pillar((pillars.month + step * n) % 60), wanted)
            for n in range(1, len(daeun.pillars) + 1 if daeun else 1)
        ],
        direction=labels.only(labels.DIRECTIONS[daeun.direction], wanted) if daeun else None,
        ohaeng=labels.chosen(labels.ELEMENTS, ganji.ELEMENTS, wanted),
        sipsin=labels.chosen(
            labels.RELATIONS, (word for r in related for word in (r.stem, r.branch)), wanted
        ),
        unseong=labels.chosen(labels.STAGES, stages, wanted),
    )


def _pillar_labels(number: int, wanted: labels.Labels) -> models.PillarLabels:
    return models.PillarLabels(
        number=number + 1,
        name=labels.only(labels.pillar(number), wanted),
        stem=labels.only(labels.stem(number % 10), wanted),
        branch=labels.only(labels.branch(number % 12), wanted),
    )


def _by_pillar(pillars: chart.Pillars, of: Callable[[int], T]) -> models.ByPillar[T]:
    year, month, day, hour = (of(number % 12) for number in pillars.all())
    return models.ByPillar(year=year, month=month, day=day, hour=hour)


def _utc(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _minutes(offset: timedelta) -> int | float:
    minutes = offset.total_seconds() / 60
    return int(minutes) if minutes.is_integer() else round(minutes, 4)

"""The shapes of requests and replies. What a request may leave out, the reply echoes as used."""

from __future__ import annotations

from typing import Generic, Literal, Self, TypeVar

from pydantic import ConfigDict, Field, model_validator

from heal7_contract import StrictModel
from saju_service.chart import DayBoundary, Gender, TimeBasis
from saju_service.labels import Labels, Name

SEOUL_LONGITUDE_DEG = 126.978
KOREAN_TIME = "Asia/Seoul"
T = TypeVar("T")
_DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"
_DATETIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$"


class CalculateRequest(StrictModel):
    """Either `datetime` (solar), or `date`, `time` and `leap_month` (lunar; or solar in parts)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calendar": "solar",
                    "datetime": "1990-05-15T14:30",
                    "timezone": "Asia/Seoul",
                    "longitude": SEOUL_LONGITUDE_DEG,
                    "gender": "female",
                },
                {
                    "calendar": "lunar",
                    "date": "2033-11-01",
                    "leap_month": True,
                    "time": "10:00",
                    "gender": "male",
                },
            ]
        }
    )

    calendar: Literal["solar", "lunar"] = "solar"
    datetime: str | None = Field(
        default=None,
        pattern=_DATETIME,
        description="Local clock time",
        examples=["1990-05-15T14:30"],
    )
    date: str | None = Field(default=None, pattern=_DATE, examples=["1990-04-21"])
    time: str | None = Field(default=None, pattern=_TIME, examples=["14:30"])
    leap_month: bool = Field(default=False, description="윤달, for lunar dates")
    timezone: str = Field(default=KOREAN_TIME, min_length=1, max_length=64)
    fold: Literal[0, 1] = Field(default=0, description="Which of two equal clock times")
    longitude: float | None = Field(
        default=None, ge=-180, le=180, description="Degrees, east positive; Seoul if left out"
    )
    time_basis: TimeBasis = "mean_solar"
    day_boundary: DayBoundary = "split_jasi"
    gender: Gender | None = Field(default=None, description="대운 needs it")
    labels: Labels = Field(default="both", description="Languages of `result.labels`")

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        parts = self.date is not None and self.time is not None
        if self.datetime is not None and (self.date is not None or self.time is not None):
            raise ValueError("give either datetime, or date and time, not both")
        if self.calendar == "lunar" and not parts:
            raise ValueError("calendar lunar needs date and time")
        if self.calendar == "solar" and self.datetime is None and not parts:
            raise ValueError("give datetime, or date and time")
        if self.calendar == "solar" and self.leap_month:
            raise ValueError("leap_month is for calendar lunar")
        return self


class Pillar(StrictModel):
    hanja: str
    hangul: str


class PillarsOut(StrictModel):
    year: Pillar
    month: Pillar
    day: Pillar
    hour: Pillar


class Relation(StrictModel):
    stem: str
    branch: str


class Relations(StrictModel):
    year: Relation
    month: Relation
    day: Relation
    hour: Relation


class Span(StrictModel):
    years: int
    months: int
    days: int


class DaeunOut(StrictModel):
    """`start_age_rounded` is null where the rounding hangs on less than the table's precision."""

    direction: Literal["forward", "backward"]
    reference_term: str
    days_to_term: float
    start_exact: Span
    start_age_rounded: int | None
    pillars: list[Pillar]


class TermOut(StrictModel):
    """`kst_minute_rounded` is how almanacs print it."""

    term: str
    hanja: str
    english: str
    sun_longitude_deg: int
    utc: str
    kst: str
    kst_minute_rounded: str


class Options(StrictModel):
    """What was used, given or assumed. `longitude` is null where the clock alone decided."""

    calendar: Literal["solar", "lunar"]
    timezone: str
    fold: Literal[0, 1]
    longitude: float | None
    time_basis: TimeBasis
    day_boundary: DayBoundary
    gender: Gender | None


class Warned(StrictModel):
    code: str
    message: str
    message_ko: str


class PillarLabels(StrictModel):
    """`number` is the place in the cycle of sixty, 1 = 갑자."""

    number: int
    name: Name
    stem: Name
    branch: Name


class ChartLabels(StrictModel):
    """Names of all that the chart uses, each under the word that the chart has for it."""

    year: PillarLabels
    month: PillarLabels
    day: PillarLabels
    hour: PillarLabels
    daeun: list[Name]
    direction: Name | None
    ohaeng: dict[str, Name]
    sipsin: dict[str, Name]
    unseong: dict[str, Name]


class ByPillar(StrictModel, Generic[T]):
    """Something of each pillar."""

    year: T
    month: T
    day: T
    hour: T


class CalculateResult(StrictModel):
    """`day_hour_clock` is the clock that day and hour were read from; `jijanggan` are the hidden
    stems (the last is the main one), `unseong` the twelve stages of the day's stem."""

    reading_id: str
    pillars: PillarsOut
    ohaeng: dict[str, int]
    sipsin: Relations
    gongmang: list[str]
    jijanggan: ByPillar[list[str]]
    unseong: ByPillar[str]
    daeun: DaeunOut | None
    local_datetime: str
    utc: str
    utc_offset_minutes: int | float
    standard_offset_minutes: int | float
    dst: bool
    day_hour_clock: str
    prev_jeol: TermOut
    next_jeol: TermOut
    options: Options
    warnings: list[Warned]
    labels: ChartLabels | None


class SolarTerms(StrictModel):
    year: int
    terms: list[TermOut]


class Lunar(StrictModel):
    year: int = Field(ge=1000, le=9999)
    month: int = Field(ge=1, le=99)
    day: int = Field(ge=1, le=99)
    leap_month: bool = False


class ConvertRequest(StrictModel):
    """One of the two."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"solar": "2025-01-29"},
                {"lunar": {"year": 2025, "month": 6, "day": 1, "leap_month": True}},
            ]
        }
    )

    solar: str | None = Field(default=None, pattern=_DATE, examples=["2025-01-29"])
    lunar: Lunar | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Self:
        if (self.solar is None) == (self.lunar is None):
            raise ValueError("give either solar or lunar")
        return self


class ConvertReply(StrictModel):
    solar: str
    lunar: Lunar
    day_pillar: Pillar


class Reading(StrictModel):
    """A stored chart; `request` as it was sent."""

    id: str
    request: CalculateRequest
    result: CalculateResult


class ReadingRow(StrictModel):
    """What a list says of a reading; the whole is at /readings/{id}."""

    id: str
    local_datetime: str
    timezone: str
    pillars: PillarsOut


class ReadingList(StrictModel):
    """`total` counts all that are kept, not only those shown."""

    total: int
    readings: list[ReadingRow]

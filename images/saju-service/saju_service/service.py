"""What saju-service offers, on the contract all five services share."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from annotated_types import Ge, Le
from fastapi.responses import JSONResponse, Response

from heal7_contract import Context, Problem, Service, StoredAction
from heal7_contract.documents import Document
from saju_service import __version__, chart, faults, lunar, models, terms
from saju_service import calculate as charts
from saju_service.models import (
    CalculateRequest,
    CalculateResult,
    ConvertReply,
    ConvertRequest,
    PillarsOut,
    Reading,
    ReadingList,
    ReadingRow,
    SolarTerms,
)

service = Service(name="saju-service", version=__version__, port=8012, max_body_bytes=64 << 10)
service.documents("readings", keep=10_000, max_age_s=30 * 86_400)

_REFUSED = {422: "The input names no moment that can be charted; `code` says why"}
_UNKNOWN = {404: "There is no such reading (or no more)"}


@service.action("calculate", request=CalculateRequest, result=CalculateResult, errors=_REFUSED)
def calculate(body: CalculateRequest, ctx: Context) -> CalculateResult:
    """Charts a moment and keeps the reading under the action's id."""
    result = charts.calculate(body, ctx.action_id)
    reading = Reading(id=ctx.action_id, request=body, result=result)
    ctx.store.put("readings", ctx.action_id, reading.model_dump(mode="json", exclude_unset=True))
    return result


@calculate.compensate
def forget(record: StoredAction, _reason: str) -> None:
    """The reading is the only trace a calculation leaves."""
    service.store.delete("readings", record.id)


@service.get("/readings", response_model=ReadingList, tags=["readings"])
def readings(
    limit: Annotated[int, Ge(1), Le(1_000)] = 100, offset: Annotated[int, Ge(0)] = 0
) -> ReadingList:
    """The charts that are kept, newest first."""
    found = service.store.find("readings", limit=limit, offset=offset)
    return ReadingList(
        total=service.store.count("readings"), readings=[_row(document) for document in found]
    )


@service.get("/readings/{reading_id}", errors=_UNKNOWN, response_model=Reading, tags=["readings"])
def reading(reading_id: str) -> Response:
    """A chart computed before, for as long as it is kept, as it was answered then."""
    found = service.store.get("readings", reading_id)
    if found is None:
        raise _no_reading(reading_id)
    return JSONResponse(found)


@service.delete("/readings/{reading_id}", errors=_UNKNOWN, status_code=204, tags=["readings"])
def delete_reading(reading_id: str) -> None:
    """Forgets a chart."""
    if not service.store.delete("readings", reading_id):
        raise _no_reading(reading_id)


@service.get("/solar-terms/{year}", errors=_REFUSED, response_model=SolarTerms, tags=["calendar"])
async def solar_terms(year: int) -> SolarTerms:
    """The 24 solar terms of a calendar year, 1900 to 2051."""
    if not terms.FIRST_YEAR <= year <= terms.LAST_YEAR:
        raise faults.out_of_range(str(year), str(terms.FIRST_YEAR), str(terms.LAST_YEAR))
    return SolarTerms(year=year, terms=[charts.term(found) for found in terms.of_year(year)])


@service.post("/calendar/convert", errors=_REFUSED, response_model=ConvertReply, tags=["calendar"])
async def convert(body: ConvertRequest) -> ConvertReply:
    """Between the Gregorian and the Korean lunar calendar, 1900 to 2050."""
    if body.lunar is not None:
        given = lunar.LunarDate(**body.lunar.model_dump())
        solar = lunar.to_solar(given)
    else:
        solar = _solar(body.solar or "")
        given = lunar.from_solar(solar)
    return ConvertReply(
        solar=solar.isoformat(),
        lunar=models.Lunar(
            year=given.year, month=given.month, day=given.day, leap_month=given.leap_month
        ),
        day_pillar=charts.pillar(chart.day_pillar(solar)),
    )


def _row(document: Document) -> ReadingRow:
    """Of a stored reading what a list shows; an older version may have stored less."""
    result = document["result"]
    return ReadingRow(
        id=document["id"],
        local_datetime=result["local_datetime"],
        timezone=result["options"]["timezone"],
        pillars=PillarsOut.model_validate(result["pillars"]),
    )


def _solar(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise faults.invalid_date(text) from None


def _no_reading(reading_id: str) -> Problem:
    return Problem(
        404,
        code="unknown_reading",
        title="No such reading",
        detail=f"There is no reading {reading_id}; they are kept for 30 days.",
        remedy="POST /actions/calculate again.",
    )

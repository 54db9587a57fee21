"""What the vectors leave open: readings, undo, warnings, options, ranges and the calendar."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from heal7_contract.testing import client
from saju_service import terms
from saju_service.service import service

BIRTH = {"datetime": "1990-05-15T14:30", "gender": "female"}


@pytest.fixture
async def http(tmp_path: Path):
    async with client(service, tmp_path) as opened:
        yield opened


async def calculate(http: httpx.AsyncClient, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post("/actions/calculate", json=body, headers=headers)


async def test_a_reading_is_kept_and_forgotten(http) -> None:
    reply = (await calculate(http, **BIRTH)).json()
    kept = (await http.get(f"/readings/{reply['id']}")).json()
    assert kept["id"] == reply["id"] == reply["result"]["reading_id"]
    assert kept["result"] == reply["result"]
    assert kept["request"]["datetime"] == BIRTH["datetime"]
    assert (await http.delete(f"/readings/{reply['id']}")).status_code == 204
    for method in ("GET", "DELETE"):
        gone = await http.request(method, f"/readings/{reply['id']}")
        assert (gone.status_code, gone.json()["code"]) == (404, "unknown_reading")


async def test_undo_takes_the_reading_back(http) -> None:
    ident = (await calculate(http, "run-1:calculate", **BIRTH)).json()["id"]
    body = {"idempotency_key": "run-1:calculate", "reason": "a later step failed"}
    undone = await http.post("/actions/calculate/compensate", json=body)
    assert undone.json() == {"id": ident, "status": "compensated"}
    assert (await http.get(f"/readings/{ident}")).status_code == 404
    assert (await calculate(http, "run-1:calculate", **BIRTH)).status_code == 409


async def test_defaults_are_echoed_and_named(http) -> None:
    result = (await calculate(http, datetime="1990-05-15T14:30")).json()["result"]
    assert result["options"] == {
        "calendar": "solar",
        "timezone": "Asia/Seoul",
        "fold": 0,
        "longitude": 126.978,
        "time_basis": "mean_solar",
        "day_boundary": "split_jasi",
        "gender": None,
    }
    assert result["daeun"] is None
    assert {w["code"] for w in result["warnings"]} == {"longitude_assumed", "gender_missing"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"datetime": "2024-02-04T17:27", "time_basis": "clock"}, "near_solar_term"),
        ({"datetime": "1987-10-11T02:30", "time_basis": "clock"}, "ambiguous_local_time"),
        ({"datetime": "2000-03-03T15:01", "time_basis": "clock"}, "near_hour_boundary"),
        ({"datetime": "2000-03-03T12:00"}, "longitude_assumed"),
        ({"datetime": "2000-03-03T00:01", "time_basis": "clock"}, "near_day_boundary"),
    ],
)
async def test_warnings(http, body, code) -> None:
    warned = (await calculate(http, **body, gender="male")).json()["result"]["warnings"]
    assert [w["code"] for w in warned] == [code]
    assert re.search("[가-힣]", warned[0]["message_ko"])
    assert re.search("[a-z]{3}", warned[0]["message"])


@pytest.mark.parametrize(
    ("boundary", "time", "near"),
    [
        ("midnight", "00:00:30", {"near_day_boundary"}),
        ("split_jasi", "23:59:30", {"near_day_boundary"}),
        ("split_jasi", "22:59:30", {"near_hour_boundary"}),
        ("jasi", "22:59:30", {"near_day_boundary", "near_hour_boundary"}),
        ("jasi", "23:59:30", set()),
    ],
)
async def test_the_day_changes_where_the_school_says(http, boundary, time, near) -> None:
    body = {"datetime": f"2000-03-03T{time}", "time_basis": "clock", "day_boundary": boundary}
    warned = (await calculate(http, **body, gender="male")).json()["result"]["warnings"]
    assert {w["code"] for w in warned} == near


async def test_an_age_that_seconds_would_decide_is_left_out_with_a_warning(http) -> None:
    # One of the vectors: days ÷ 3 lies within 0.02 of a half.
    body = {"datetime": "1977-08-06T13:03", "longitude": 126.5312, "gender": "female"}
    result = (await calculate(http, **body)).json()["result"]
    assert result["daeun"]["start_age_rounded"] is None
    assert [w["code"] for w in result["warnings"]] == ["daeun_age_undecided"]


async def test_no_warning_where_nothing_is_in_doubt(http) -> None:
    body = {"datetime": "2000-03-03T12:00", "longitude": 127, "gender": "male"}
    assert (await calculate(http, **body)).json()["result"]["warnings"] == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"datetime": "1908-03-31T23:59"}, "out_of_range"),
        ({"datetime": "2051-01-01T00:00"}, "out_of_range"),
        ({"calendar": "lunar", "date": "1908-02-29", "time": "10:00"}, "out_of_range"),
        ({"datetime": "2023-02-29T10:00"}, "invalid_date"),
        ({"datetime": "2023-01-01T24:30"}, "invalid_date"),
        ({"date": "2023-04-31", "time": "10:00"}, "invalid_date"),
        ({"calendar": "lunar", "date": "2024-01-30", "time": "10:00"}, "invalid_lunar_date"),
        ({"calendar": "lunar", "date": "2024-13-01", "time": "10:00"}, "invalid_lunar_date"),
        ({"datetime": "2020-01-01T10:00", "timezone": "Asia/Soul"}, "unknown_timezone"),
        ({"datetime": "2020-01-01T10:00", "timezone": "../../etc/passwd"}, "unknown_timezone"),
        ({"datetime": "2020-01-01T10:00", "timezone": "zone.tab"}, "unknown_timezone"),
        ({"datetime": "2020-01-01T10:00", "timezone": "Europe"}, "unknown_timezone"),
        ({"datetime": "2020-01-01T10:00", "timezone": "Europe/Oslo"}, "missing_longitude"),
        ({"datetime": "2020-01-01 10:00"}, "invalid_input"),
        ({"datetime": "2020-01-01T10:00+09:00"}, "invalid_input"),
        ({"datetime": "2020-01-01T10:00", "longitude": 181}, "invalid_input"),
        ({"datetime": "2020-01-01T10:00", "longitude": "127"}, "invalid_input"),
        ({"datetime": "2020-01-01T10:00", "leap_month": True}, "invalid_input"),
        ({"datetime": "2020-01-01T10:00", "date": "2020-01-01"}, "invalid_input"),
        ({"calendar": "lunar", "datetime": "2020-01-01T10:00"}, "invalid_input"),
        ({"calendar": "lunar", "date": "2020-01-01"}, "invalid_input"),
        ({"fold": 2, "datetime": "2020-01-01T10:00"}, "invalid_input"),
        ({}, "invalid_input"),
    ],
)
async def test_refusals(http, body, code) -> None:
    reply = await calculate(http, **body)
    assert (reply.status_code, reply.json()["code"]) == (422, code)


async def test_names_in_both_languages_or_in_the_one_asked_for(http) -> None:
    body = {"datetime": "1990-05-15T14:30", "longitude": 126.978, "gender": "female"}
    both = (await calculate(http, **body)).json()["result"]
    assert both["pillars"]["year"] == {"hanja": "庚午", "hangul": "경오"}
    assert both["labels"]["year"] == {
        "number": 7,
        "name": {"ko": "경오(庚午)", "en": "Gyeong-o (Yang Metal Horse)"},
        "stem": {"ko": "경(庚), 양금", "en": "Gyeong, Yang Metal"},
        "branch": {"ko": "오(午), 양화, 말", "en": "O, Yang Fire, Horse"},
    }
    used = {word for relation in both["sipsin"].values() for word in relation.values()}
    assert set(both["labels"]["sipsin"]) == used
    assert set(both["labels"]["unseong"]) == set(both["unseong"].values())
    assert both["labels"]["ohaeng"]["화"] == {"ko": "화(火, 불)", "en": "Fire"}
    first = both["daeun"]["pillars"][0]
    assert both["labels"]["daeun"][0]["ko"] == f"{first['hangul']}({first['hanja']})"
    english = (await calculate(http, **body, labels="en")).json()["result"]
    assert english["labels"]["year"]["name"] == {"en": "Gyeong-o (Yang Metal Horse)"}
    bare = (await calculate(http, **body, labels="none")).json()["result"]
    assert bare["labels"] is None
    different = {"labels", "reading_id"}
    assert {k: v for k, v in bare.items() if k not in different} == {
        k: v for k, v in both.items() if k not in different
    }


async def test_readings_are_listed_newest_first(http) -> None:
    ids = [
        (await calculate(http, datetime=f"1990-05-{day}T14:30", gender="male")).json()["id"]
        for day in (15, 16, 17)
    ]
    listed = (await http.get("/readings", params={"limit": 2})).json()
    assert listed["total"] == 3
    assert [row["id"] for row in listed["readings"]] == ids[:0:-1]
    assert listed["readings"][0]["local_datetime"] == "1990-05-17T14:30:00"
    assert listed["readings"][0]["timezone"] == "Asia/Seoul"
    rest = (await http.get("/readings", params={"offset": 2})).json()
    assert [row["id"] for row in rest["readings"]] == ids[:1]
    assert (await http.get("/readings", params={"limit": 0})).status_code == 422


@pytest.mark.parametrize(
    ("zone", "local", "offset", "standard"),
    [
        ("Asia/Seoul", "1988-08-01T12:00", 600, 540),
        ("Asia/Seoul", "1957-08-01T12:00", 570, 510),
        ("Australia/Lord_Howe", "2020-01-01T12:00", 660, 630),
        # Double summer time, and the single one of the winters between.
        ("Europe/London", "1944-07-10T12:00", 120, 0),
        ("Europe/London", "1944-01-10T12:00", 60, 0),
        ("Europe/Berlin", "1945-06-10T12:00", 180, 60),
        # The law calls the summer's time standard; winter is no summer time for that.
        ("Europe/Dublin", "2020-01-10T12:00", 0, 0),
    ],
)
async def test_standard_time_is_the_clock_without_summer_time(
    http, zone, local, offset, standard
) -> None:
    body = {"datetime": local, "timezone": zone, "time_basis": "clock", "gender": "male"}
    result = (await calculate(http, **body)).json()["result"]
    assert (result["utc_offset_minutes"], result["standard_offset_minutes"]) == (offset, standard)
    assert result["dst"] is (offset != standard)
    ahead = datetime.fromisoformat(local) - datetime.fromisoformat(result["day_hour_clock"])
    assert ahead.total_seconds() / 60 == offset - standard


async def test_the_ends_of_the_range(http) -> None:
    for text in ("1908-04-01T00:30", "2050-12-31T23:59"):
        assert (await calculate(http, datetime=text, gender="male")).status_code == 200


async def test_elsewhere_the_instant_decides_year_and_month(http) -> None:
    here = await calculate(http, datetime="2024-02-04T17:29", gender="male")
    there = await calculate(
        http,
        datetime="2024-02-04T09:29",
        timezone="Europe/Oslo",
        longitude=10.75,
        gender="male",
    )
    assert there.json()["result"]["utc"] == here.json()["result"]["utc"]
    for name in ("year", "month"):
        assert there.json()["result"]["pillars"][name] == here.json()["result"]["pillars"][name]
    assert there.json()["result"]["pillars"]["hour"]["hangul"].endswith("사")


async def test_apparent_time_is_mean_time_and_the_equation(http) -> None:
    body = {"datetime": "2000-11-03T09:00", "longitude": 126.978, "gender": "male"}
    clocks = {}
    for basis in ("mean_solar", "apparent_solar"):
        reply = await calculate(http, **body, time_basis=basis)
        clocks[basis] = datetime.fromisoformat(reply.json()["result"]["day_hour_clock"])
    ahead = clocks["apparent_solar"] - clocks["mean_solar"]
    assert ahead.total_seconds() == pytest.approx(985.9, abs=3)


async def test_solar_terms_of_a_year(http) -> None:
    reply = await http.get("/solar-terms/2024")
    rows = reply.json()["terms"]
    assert [row["term"] for row in rows] == list(terms.NAMES)
    assert rows[2] == {
        "term": "입춘",
        "hanja": "立春",
        "english": "Start of Spring",
        "sun_longitude_deg": 315,
        "utc": "2024-02-04T08:27:07Z",
        "kst": "2024-02-04T17:27:07+09:00",
        "kst_minute_rounded": "2024-02-04 17:27",
    }
    for year, code in (("1899", "out_of_range"), ("2052", "out_of_range"), ("x", "invalid_input")):
        refused = await http.get(f"/solar-terms/{year}")
        assert (refused.status_code, refused.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"solar": "1899-12-31"}, "out_of_range"),
        ({"solar": "2051-01-01"}, "out_of_range"),
        ({"solar": "2023-02-29"}, "invalid_date"),
        ({"lunar": {"year": 2023, "month": 3, "day": 1, "leap_month": True}}, "invalid_lunar_date"),
        ({"lunar": {"year": 2050, "month": 11, "day": 19}}, "invalid_lunar_date"),
        ({"lunar": {"year": 1899, "month": 11, "day": 1}}, "out_of_range"),
        ({"solar": "2023-01-01", "lunar": {"year": 2023, "month": 1, "day": 1}}, "invalid_input"),
        ({}, "invalid_input"),
    ],
)
async def test_conversion_refusals(http, body, code) -> None:
    reply = await http.post("/calendar/convert", json=body)
    assert (reply.status_code, reply.json()["code"]) == (422, code)


async def test_the_openapi_document_names_the_models_and_its_examples_work(http) -> None:
    schemas = (await http.get("/openapi.json")).json()["components"]["schemas"]
    assert {"CalculateRequest", "CalculateResult", "ConvertReply", "Reading"} <= set(schemas)
    for path, name in (
        ("/actions/calculate", "CalculateRequest"),
        ("/calendar/convert", "ConvertRequest"),
    ):
        for example in schemas[name]["examples"]:
            assert (await http.post(path, json=example)).status_code == 200, example

"""All verified vectors hold through HTTP, exactly as a client would ask."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from heal7_contract.testing import client
from saju_service.service import service

# Source: verified vectors, generated 2026-11-22; the file names its own sources (pyerfa,
# lunar_python, sxtwl, KASI records, korean-lunar-calendar, IANA tzdata and others).
_VECTORS = json.loads((Path(__file__).parent / "saju_vectors.json").read_text(encoding="utf-8"))
_PILLARS = ("year", "month", "day", "hour")


def _of(kind: str) -> list[Any]:
    return [pytest.param(v, id=v["id"]) for v in _VECTORS["vectors"] if v["kind"] == kind]


@pytest.fixture
async def http(tmp_path: Path):
    async with client(service, tmp_path) as opened:
        yield opened


async def _calculate(http: httpx.AsyncClient, body: dict[str, Any]) -> httpx.Response:
    return await http.post("/actions/calculate", json=body)


async def _result(http: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    reply = await _calculate(http, body)
    assert reply.status_code == 200, reply.text
    result: dict[str, Any] = reply.json()["result"]
    return result


def test_every_vector_is_of_a_kind_that_is_tested() -> None:
    kinds = {v["kind"] for v in _VECTORS["vectors"]}
    assert kinds == {
        "four_pillars",
        "invalid_input",
        "lunar_conversion",
        "solar_term",
        "utc_offset",
    }
    assert len(_VECTORS["vectors"]) == _VECTORS["count"] == 132


@pytest.mark.parametrize("vector", _of("four_pillars"))
async def test_chart(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    result = await _result(http, vector["input"])
    expected = dict(vector["expected"])
    pillars = {name: expected.pop(name) for name in _PILLARS}
    assert result["pillars"] == pillars
    assert {name: result[name] for name in expected} == expected
    derived = vector["derived"]
    assert result["utc"] == derived["utc"]
    assert result["utc_offset_minutes"] == derived["utc_offset_minutes"]
    assert result["day_hour_clock"] == derived["day_hour_clock"]
    for name in ("prev_jeol", "next_jeol"):
        term, kst = derived[name].split()
        assert result[name]["term"] == term
        assert _seconds_between(result[name]["kst"], kst) <= 1


@pytest.mark.parametrize(
    "vector", [p for p in _of("four_pillars") if "equivalent_lunar_input" in p.values[0]]
)
async def test_chart_from_the_lunar_date(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    solar = {k: v for k, v in vector["input"].items() if k not in ("calendar", "datetime")}
    result = await _result(http, {**solar, **vector["equivalent_lunar_input"]})
    assert result["pillars"] == {name: vector["expected"][name] for name in _PILLARS}
    assert result["utc"] == vector["derived"]["utc"]


@pytest.mark.parametrize("vector", _of("utc_offset"))
async def test_clock_history(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    result = await _result(http, vector["input"])
    assert {name: result[name] for name in vector["expected"]} == vector["expected"]


@pytest.mark.parametrize("vector", _of("invalid_input"))
async def test_refused_input(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    reply = await _calculate(http, vector["input"])
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == vector["expected"]["error"]
    assert reply.json()["remedy"]


@pytest.mark.parametrize("vector", _of("solar_term"))
async def test_solar_term(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    asked, expected = vector["input"], vector["expected"]
    reply = await http.get(f"/solar-terms/{asked['year']}")
    rows = reply.json()["terms"]
    assert len(rows) == 24
    assert [row["utc"] for row in rows] == sorted(row["utc"] for row in rows)
    (row,) = [row for row in rows if row["term"] == asked["term"]]
    assert row["sun_longitude_deg"] == asked["sun_longitude_deg"]
    # The reference tolerates 30 s; the table was made by the same models, so it must do better.
    assert _seconds_between(row["utc"], expected["utc"]) <= 1
    assert _seconds_between(row["kst"], expected["kst"]) <= 1
    assert row["kst_minute_rounded"] == expected["kst_minute_rounded"]


@pytest.mark.parametrize("vector", _of("lunar_conversion"))
async def test_conversion_both_ways(http: httpx.AsyncClient, vector: dict[str, Any]) -> None:
    whole = {**vector["input"], **vector["expected"]}
    there = await http.post("/calendar/convert", json=vector["input"])
    back = await http.post("/calendar/convert", json={"lunar": vector["expected"]["lunar"]})
    assert there.json() == whole
    assert back.json() == whole


def _seconds_between(left: str, right: str) -> float:
    moments = [datetime.fromisoformat(text) for text in (left, right)]
    return abs((moments[0] - moments[1]).total_seconds())

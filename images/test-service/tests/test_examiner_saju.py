"""59 charts that several implementations agree on pass; each kind of slip in one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from examiner.saju import Pillar, chart_faults, parse_pillar
from examiner.saju_day import corrected, day_faults, sixty

CHARTS = json.loads((Path(__file__).parent / "data" / "charts.json").read_text("utf-8"))["charts"]
SPLIT_JASI = next(c for c in CHARTS if c["result"]["pillars"]["hour"]["hanja"] == "丙子")


def said(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(fault.field, fault.message) for fault in (*chart_faults(result), *day_faults(result))]


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart["id"])
def test_an_agreed_chart_has_no_fault(chart: dict[str, Any]) -> None:
    assert said(chart["result"]) == []
    assert corrected(chart["result"]) is not None, "day and hour were computed anew"


def test_there_are_charts() -> None:
    assert len(CHARTS) == 59


def put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(result: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            result = result[int(parent)] if isinstance(result, list) else result[parent]
        result[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        (put("pillars.year.hanja", "甲丑"), "pillars.year.hanja", "not one of the sixty"),
        (put("pillars.year.hanja", "子甲"), "pillars.year.hanja", "not one of the ten stems"),
        (put("pillars.year.hanja", "甲甲"), "pillars.year.hanja", "not one of the twelve branches"),
        (put("pillars.year.hanja", "甲"), "pillars.year.hanja", "two hanja"),
        (put("pillars.year.hanja", None), "pillars.year.hanja", "missing"),
        (put("pillars.year.hangul", "갑자"), "pillars.year.hangul", "is read 임자"),
        (
            put("pillars.month.hanja", "丁巳"),
            "pillars.month.hanja",
            "in a 壬 year the 巳 month is 乙巳",
        ),
        (
            put("pillars.hour.hanja", "甲戌"),
            "pillars.hour.hanja",
            "on a 庚 day the 戌 hour is 丙戌",
        ),
        (put("ohaeng.목", 2), "ohaeng", "sum to 9, not 8"),
        (put("ohaeng", None), "ohaeng", "missing"),
        (put("sipsin.year.stem", "정재"), "sipsin.year.stem", "by the day's 庚 this is 식신"),
        (put("gongmang", ["자", "축"]), "gongmang", "인 and 묘"),
        (put("daeun.direction", "backward"), "daeun.direction", "for a male born in a 壬 year"),
        (put("daeun.direction", "up"), "daeun.direction", "forward or backward"),
        (put("daeun.pillars.1.hanja", "丙午"), "daeun.pillars.1.hanja", "comes 丁未"),
        (put("daeun.pillars", None), "daeun.pillars", "missing"),
        (put("utc", "1912-06-04T11:55:00Z"), "pillars.day.hanja", "has 辛亥"),
    ],
)
def test_a_slip_is_named(change: Callable[[dict[str, Any]], None], field: str, words: str) -> None:
    result = deepcopy(CHARTS[0]["result"])
    change(result)
    matching = [message for where, message in said(result) if where == field]
    assert matching, said(result)
    assert any(words in message for message in matching), matching


def test_counts_that_sum_to_eight_can_still_be_wrong() -> None:
    result = deepcopy(CHARTS[0]["result"])
    result["ohaeng"] = {"목": 0, "화": 3, "토": 2, "금": 1, "수": 2}
    [(field, message)] = said(result)
    assert field == "ohaeng"
    assert message == "the eight characters hold 목 1, 화 2, 토 2, 금 1, 수 2"


def test_the_late_rat_hour_counts_from_tomorrow_only_where_the_day_is_split() -> None:
    result = deepcopy(SPLIT_JASI["result"])
    assert result["options"]["day_boundary"] == "split_jasi"
    result["options"]["day_boundary"] = "midnight"
    assert "pillars.hour.hanja" in {field for field, _ in said(result)}


def test_nothing_to_check_is_said_to_be_missing() -> None:
    assert [field for field, _ in said({})] == [
        f"pillars.{position}.hanja" for position in ("year", "month", "day", "hour")
    ]


def test_an_apparent_solar_chart_is_left_to_its_own_consistency() -> None:
    result = deepcopy(CHARTS[0]["result"])
    result["options"]["time_basis"] = "apparent_solar"
    assert corrected(result) is None
    assert said(result) == []


def test_summer_time_need_not_be_an_hour() -> None:
    result = {
        "utc": "2020-01-01T01:00:00Z",
        "utc_offset_minutes": 660,
        "standard_offset_minutes": 630,
        "dst": True,
        "options": {"time_basis": "clock"},
    }
    local = corrected(result)
    assert local is not None
    assert local.isoformat() == "2020-01-01T11:30:00"


def test_the_cycle_closes() -> None:
    assert sixty(0).hanja == "甲子"
    assert sixty(59).shifted(1) == sixty(0)
    assert {parse_pillar(sixty(i).hanja) for i in range(60)} == {sixty(i) for i in range(60)}
    assert all(isinstance(parse_pillar(sixty(i).hanja), Pillar) for i in range(60))

"""Cleaning: what is changed is told, what is left out is a double for certain."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawling_service import app
from crawling_service.cleaning import Item, clean_items
from crawling_service.normalise import Wishes, iso_date, normalise, plain_number
from crawling_service.similar import jaccard, shingles, twins
from heal7_contract.testing import client

PLAIN = Wishes()


@pytest.mark.parametrize(
    ("given_text", "after", "rules"),
    [
        ("already clean", "already clean", []),
        (unicodedata.normalize("NFD", "한글"), "한글", ["unicode_nfc"]),
        ("  two\u00a0 \t words \r\n", "two words", ["whitespace"]),
        ("in\u200bvi\ufeffsible", "invisible", ["invisible"]),
        ("bell\x07", "bell", ["whitespace"]),
        ("a\n\n\n\nb", "a\n\nb", ["whitespace"]),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧", []),
    ],
)
def test_text_is_tidied_and_each_rule_told(given_text: str, after: str, rules: list[str]) -> None:
    done = normalise(given_text, "f", PLAIN)
    assert (done.value, [change.rule for change in done.changes]) == (after, rules)


@given(st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text, "f", PLAIN).value
    assert normalise(once, "f", PLAIN).value == once


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2025-03-04", "2025-03-04"),
        ("2025. 3. 4.", "2025-03-04"),
        ("2025/3/4", "2025-03-04"),
        ("2025년 3월 4일", "2025-03-04"),
        ("20250304", "2025-03-04"),
        ("4 March 2025", "2025-03-04"),
        ("Mar. 4, 2025", "2025-03-04"),
        ("03/04/2025", None),
        ("2025-02-30", None),
        ("4 Foo 2025", None),
        ("yesterday", None),
    ],
)
def test_a_date_is_read_or_left(text: str, found: str | None) -> None:
    assert iso_date(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1,650,000", "1650000"),
        ("₩1,650,000원", "1650000"),
        ("１２３", "123"),
        ("-3.50", "-3.50"),
        ("12 %", "12"),
        ("1.234,56", None),
        ("11650,000", None),
        ("12 to 15", None),
        ("", None),
    ],
)
def test_a_number_is_read_or_left(text: str, found: str | None) -> None:
    assert plain_number(text) == found


SENTENCE = (
    "입춘은 스물네 절기 가운데 첫째 절기로 봄의 시작을 알린다 해마다 이월 초에 들며 이날을 맞아 "
)
LONG = SENTENCE * 3


def items(*texts: str, group: str = "") -> list[Item]:
    return [Item(group, {"text": text}) for text in texts]


def test_a_near_double_is_found_and_one_that_differs_in_a_digit_is_not() -> None:
    near, other_year = LONG + "복을 빈다", LONG + "2025 복을"
    done = clean_items(
        items(LONG + "복을", near, other_year, "something else"), PLAIN, "near", 0.8, []
    )
    assert done.kept == [0, 2, 3]
    [removed] = done.removed
    assert (removed.index, removed.of, removed.kind) == (1, 0, "near")
    assert 0.8 <= removed.similarity < 1


def test_exact_doubles_are_compared_after_cleaning_and_within_their_group() -> None:
    same = [Item("a", {"x": " 1 "}), Item("a", {"x": "1"}), Item("b", {"x": "1"})]
    done = clean_items(same, PLAIN, "exact", 0.9, [])
    assert [(one.index, one.of) for one in done.removed] == [(1, 0)]
    keyed = [Item("", {"id": "1", "seen": "now"}), Item("", {"id": "1", "seen": "then"})]
    assert clean_items(keyed, PLAIN, "exact", 0.9, ["id"]).kept == [0]
    assert clean_items(keyed, PLAIN, "exact", 0.9, []).kept == [0, 1]
    assert clean_items(keyed, PLAIN, "none", 0.9, ["id"]).kept == [0, 1]


WORDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=40).map(" ".join)


@given(st.lists(WORDS, max_size=12), st.sampled_from([0.5, 0.7, 0.9, 1.0]))
@settings(max_examples=150, deadline=None)
def test_no_pair_is_missed(texts: list[str], threshold: float) -> None:
    """Against comparing every text with every one that stays."""
    stays: list[int] = []
    expected = set()
    for index, text in enumerate(texts):
        if any(jaccard(shingles(text), shingles(texts[i])) >= threshold for i in stays):
            expected.add(index)
        else:
            stays.append(index)
    assert {twin.index for twin in twins(texts, threshold)} == expected


async def post(http: httpx.AsyncClient, body: dict[str, Any], key: str = "k") -> httpx.Response:
    return await http.post("/actions/clean", json=body, headers={"Idempotency-Key": key})


async def test_records_are_cleaned_told_kept_and_undone(tmp_path: Path) -> None:
    body = {
        "records": [
            {"fields": {"name": " 홍  길동", "joined": "2025. 3. 4.", "fee": "₩1,650,000"}},
            {"fields": {"name": "홍 길동", "joined": "2025-03-04", "fee": "1650000"}},
            {"fields": {"name": "임꺽정", "joined": "03/04/2025", "fee": "삼천원"}},
            {"fields": {"name": " ", "joined": "", "fee": ""}},
        ],
        "normalise": {"dates": ["joined"], "numbers": ["fee"]},
    }
    async with client(app.service, tmp_path) as http:
        reply = await post(http, body)
        assert reply.status_code == 200, reply.text
        result = reply.json()["result"]
        assert [r["fields"]["name"] for r in result["records"]] == ["홍 길동", "임꺽정"]
        assert result["records"][0]["fields"]["fee"] == "1650000"
        assert result["counts"] == {
            "given": 4,
            "kept": 2,
            "changed": 4,
            "exact": 1,
            "near": 0,
            "empty": 1,
            "unreadable": 2,
        }
        assert [(r["record"], r["kind"], r["duplicate_of"]) for r in result["removed"]] == [
            (1, "exact", 0),
            (3, "empty", None),
        ]
        assert {(u["field"], u["value"]) for u in result["unreadable"]} == {
            ("joined", "03/04/2025"),
            ("fee", "삼천원"),
        }
        path = f"/cleanings/{result['clean_id']}"
        assert (await http.get(path)).json() == result
        undo = {"idempotency_key": "k", "reason": "rolled back"}
        assert (await http.post("/actions/clean/compensate", json=undo)).status_code == 200
        assert (await http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_input"),
        ({"crawl_id": "act_" + "0" * 32, "records": [{"fields": {}}]}, 422, "invalid_input"),
        ({"crawl_id": "act_" + "0" * 32}, 404, "crawl_not_found"),
        ({"records": [{"fields": {"a": 1}}]}, 422, "invalid_input"),
    ],
)
async def test_a_wrong_request_is_named(
    body: dict[str, Any], status: int, code: str, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        reply = await post(http, body)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["remedy"]

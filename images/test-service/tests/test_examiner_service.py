"""The service as the hub sees it: contract, both actions, reports and their undoing."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from examiner.app import service
from heal7_contract.testing import client

DATA = Path(__file__).parent / "data"
TERMS = Path(__file__).parents[2] / "crawling-service" / "demo_site" / "terms"
CHART = json.loads((DATA / "charts.json").read_text("utf-8"))["charts"][0]["result"]
ROW = re.compile("<tr>" + "<td>([^<]*)</td>" * 4 + "</tr>")


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client(service, tmp_path) as opened:
        yield opened


def records(page: str) -> list[dict[str, Any]]:
    """A page's table in the shape of crawling-service's records."""
    rows = ROW.findall((TERMS / page).read_text("utf-8"))
    names = ("절기", "한자", "날짜", "시각")
    source = f"http://demo-site:8080/terms/{page}"
    return [
        {
            "source": source,
            "table": "terms",
            "row": i + 1,
            "fields": dict(zip(names, row, strict=True)),
        }
        for i, row in enumerate(rows)
    ]


def crawled() -> dict[str, Any]:
    pages = ("2024.html", "2025.html", "2026.html", "2025-draft.html")
    return {
        "records": [record for page in pages for record in records(page)],
        "group_by": ["source"],
        "values_at": "fields",
        "ruleset": "solar_terms",
    }


async def test_three_tables_are_clean_and_the_draft_has_seven_errors(
    http: httpx.AsyncClient,
) -> None:
    reply = await http.post("/actions/validate", json=crawled())
    assert reply.status_code == 200, reply.text
    result = reply.json()["result"]
    assert (result["passed"], result["records"], result["errors"]) == (False, 95, 7)
    assert [(g["records"], g["errors"], g["passed"]) for g in result["groups"]] == [
        (24, 0, True),
        (24, 0, True),
        (24, 0, True),
        (23, 7, False),
    ]
    draft = "http://demo-site:8080/terms/2025-draft.html"
    assert {finding["group"] for finding in result["findings"]} == {draft}
    found = [(f["index"], f["rule"], f["field"], f["value"]) for f in result["findings"]]
    assert found == [
        (72 + 1, "time", "시각", "17:60"),
        (72 + 21, "pair", "한자", "大雪"),
        (72 + 5, "unique", "절기", "경칩"),
        (72 + 21, "unique", "절기", "대서"),
        (None, "complete", "절기", "춘분"),
        (None, "complete", "절기", "하지"),
        (None, "complete", "절기", "대설"),
    ]


async def test_a_chart_is_checked_without_being_told_how(http: httpx.AsyncClient) -> None:
    reply = await http.post(
        "/actions/quality-check", json={"service": "saju-service", "result": CHART}
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["result"]["passed"] is True


async def test_a_wrong_chart_is_a_verdict_not_a_failure(http: httpx.AsyncClient) -> None:
    pillars = CHART["pillars"] | {"month": {"hanja": "丁巳", "hangul": "정사"}}
    body = {"service": "saju-service", "result": CHART | {"pillars": pillars}}
    result = (await http.post("/actions/quality-check", json=body)).json()["result"]
    assert result["passed"] is False
    assert {finding["rule"] for finding in result["findings"]} == {"saju"}
    assert "pillars.month.hanja" in {finding["field"] for finding in result["findings"]}


async def test_rules_and_schema_of_the_request_all_apply(http: httpx.AsyncClient) -> None:
    body = {
        "service": "paperwork-service",
        "result": {"type": "invoice", "total": "1650000", "confidence": 1.2},
        "schema": {"properties": {"total": {"type": "integer"}}},
        "rules": [
            {"rule": "required", "fields": ["type", "fields.supplier"]},
            {"rule": "range", "field": "confidence", "min": 0, "max": 1},
            {"rule": "one_of", "field": "type", "values": ["invoice", "contract"]},
        ],
    }
    result = (await http.post("/actions/quality-check", json=body)).json()["result"]
    assert [(f["rule"], f["field"], f["value"]) for f in result["findings"]] == [
        ("schema", "total", "1650000"),
        ("required", "fields.supplier", None),
        ("range", "confidence", 1.2),
    ]


async def test_must_pass_makes_faults_fail_the_step_and_keeps_the_report(
    http: httpx.AsyncClient,
) -> None:
    reply = await http.post("/actions/validate", json=crawled() | {"must_pass": True})
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["code"] == "examination_failed"
    assert problem["detail"].endswith("(and 6 more)")
    assert len(problem["findings"]) == 7
    report = (await http.get(f"/reports/{problem['report_id']}")).json()
    assert (report["errors"], report["status"]) == (7, "valid")


async def test_the_report_stays_and_says_so_when_it_is_undone(http: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "run-1:quality", "X-Workflow-Run": "run-1"}
    body = {"service": "saju-service", "result": CHART}
    reply = (await http.post("/actions/quality-check", json=body, headers=headers)).json()
    path = f"/reports/{reply['result']['report_id']}"
    report = (await http.get(path)).json()
    assert report["workflow_run"] == "run-1"
    assert (report["action"], report["service"]) == ("quality-check", "saju-service")
    assert (report["status"], report["voided_at"]) == ("valid", None)

    undo = {"idempotency_key": "run-1:quality", "reason": "the run was cancelled"}
    for status in ("compensated", "already_compensated"):
        undone = await http.post("/actions/quality-check/compensate", json=undo)
        assert (undone.status_code, undone.json()["status"]) == (200, status)
    after = (await http.get(path)).json()
    assert (after["status"], after["void_reason"]) == ("void", "the run was cancelled")
    assert after["voided_at"] is not None
    assert after["passed"] is True


async def test_an_undo_that_comes_first_keeps_the_report_from_being_made(
    http: httpx.AsyncClient,
) -> None:
    undo = {"idempotency_key": "late", "reason": "gone"}
    assert (await http.post("/actions/validate/compensate", json=undo)).status_code == 200
    late = await http.post("/actions/validate", json=crawled(), headers={"Idempotency-Key": "late"})
    assert late.status_code == 409
    assert (await http.get(f"/reports/{late.json()['id']}")).status_code == 404


async def test_a_repeat_is_the_same_reply(http: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "again"}
    first = await http.post("/actions/validate", json=crawled(), headers=headers)
    again = await http.post("/actions/validate", json=crawled(), headers=headers)
    assert again.content == first.content
    other = await http.post(
        "/actions/validate", json=crawled() | {"must_pass": True}, headers=headers
    )
    assert other.status_code == 409


async def test_findings_are_bounded_but_counted(http: httpx.AsyncClient) -> None:
    body = {"records": [{"x": "y" * 500}] * 300, "rules": [{"rule": "time", "field": "x"}]}
    result = (await http.post("/actions/validate", json=body)).json()["result"]
    assert (result["errors"], len(result["findings"]), result["truncated"]) == (300, 200, True)
    assert len(result["findings"][0]["value"]) == 200


@pytest.mark.parametrize(
    ("action", "body", "field", "words"),
    [
        ("validate", {"records": [{}]}, "body", "send what to examine by"),
        ("validate", {"records": [], "ruleset": "saju"}, "body.records", "at least 1"),
        ("validate", {"records": [1], "ruleset": "saju"}, "body.records.0", "object"),
        ("validate", {"records": [{}], "ruleset": "x"}, "body.ruleset", "'solar_terms' or 'saju'"),
        ("validate", {"records": [{}], "schema": {"type": 1}}, "body.schema", "$.type"),
        (
            "quality-check",
            {"service": "crawling-service", "result": {}},
            "body",
            "no built-in rules",
        ),
        ("quality-check", {"service": "saju-service", "result": []}, "body.result", "object"),
    ],
)
async def test_a_request_that_cannot_be_examined(
    http: httpx.AsyncClient, action: str, body: dict[str, Any], field: str, words: str
) -> None:
    reply = await http.post(f"/actions/{action}", json=body)
    assert reply.status_code == 422
    problem = reply.json()
    assert problem["code"] == "invalid_input"
    assert problem["errors"][0]["field"] == field
    assert words in problem["errors"][0]["message"]


async def test_a_rule_that_turns_out_not_to_apply(http: httpx.AsyncClient) -> None:
    reply = await http.post("/actions/validate", json=crawled() | {"group_by": ["fields"]})
    assert reply.status_code == 422
    assert reply.json()["code"] == "rule_not_applicable"
    assert "record 0" in reply.json()["detail"]


async def test_what_is_not_there_is_a_404_with_a_remedy(http: httpx.AsyncClient) -> None:
    action = await http.post("/actions/no-such-action", json={"service": "saju-service"})
    report = await http.get("/reports/act_nothing")
    for reply in (action, report):
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json()["remedy"]


async def test_it_is_healthy_and_documents_itself(http: httpx.AsyncClient) -> None:
    health = (await http.get("/health")).json()
    assert health == {"status": "healthy", "service": "test-service", "version": "0.1.0"}
    assert (await http.get("/ready")).json()["ready"] is True
    document = (await http.get("/openapi.json")).json()
    assert {"/actions/quality-check", "/actions/validate", "/reports/{report_id}"} <= set(
        document["paths"]
    )
    assert {"QualityCheckRequest", "ValidateRequest", "ExaminationResult", "Unique"} <= set(
        document["components"]["schemas"]
    )

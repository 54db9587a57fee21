"""A contract test of a real server: what it finds, what it spares, and how it ends."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from examiner_target import Stranger, served

from examiner.app import service
from heal7_contract.testing import client

Json = dict[str, Any]


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with served(Stranger()) as target:
        yield target


@pytest.fixture
async def http(
    tmp_path: Path, stranger: Stranger, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    names = f"stranger={stranger.url},nobody=http://127.0.0.1:9"
    monkeypatch.setenv("HEAL7_TEST_TARGETS", names)
    async with client(service, tmp_path) as opened:
        yield opened


async def examine(http: httpx.AsyncClient, key: str | None = None, **more: Any) -> httpx.Response:
    body = {"service": "stranger", "max_examples": 5, "seed": 7, "time_limit_s": 60, **more}
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post("/actions/contract-test", json=body, headers=headers, timeout=90)


async def undo(http: httpx.AsyncClient, key: str) -> Json:
    body = {"idempotency_key": key, "reason": "no longer wanted"}
    reply = await http.post("/actions/contract-test/compensate", json=body)
    assert reply.status_code == 200
    said: Json = reply.json()
    return said


async def until(http: httpx.AsyncClient, report_id: str, what: Any) -> Json:
    """The report (or, without an id, the list), once `what(report)` holds."""
    path = f"/reports/{report_id}" if report_id else "/reports"
    async with asyncio.timeout(30):
        while not what(report := (await http.get(path)).json()):  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.02)
    found: Json = report
    return found


async def test_a_fault_is_found_and_its_curl_shows_it_again(
    http: httpx.AsyncClient, stranger: Stranger
) -> None:
    reply = await examine(http)
    assert reply.status_code == 200, reply.text
    report = reply.json()["result"]
    assert (report["state"], report["passed"]) == ("completed", False)
    assert report["server_errors"] > 0
    assert {phase for op in report["operations"] for phase in op["cases"]} >= {
        "coverage",
        "fuzzing",
    }
    (fault,) = [f for f in report["failures"] if f["check"] == "not_a_server_error"]
    assert (fault["operation"], fault["status"]) == ("GET /broken", 500)
    again = f"{fault['curl']} -s -o /dev/null -w '%{{http_code}}'"
    shown = await asyncio.to_thread(subprocess.check_output, ["bash", "-c", again], text=True)
    assert shown == "500"
    kept = (await http.get(f"/reports/{report['report_id']}")).json()
    assert kept == report


async def test_what_was_there_is_spared_and_what_was_made_is_removed(
    http: httpx.AsyncClient, stranger: Stranger
) -> None:
    report = (await examine(http, include=["* /items*"])).json()["result"]
    assert report["failures"] == []
    assert report["passed"] is True
    assert stranger.made > 3
    assert set(stranger.items) == {1, 2, 3}
    assert report["cleanup"]["made"] == report["cleanup"]["removed"] > 0
    assert any(asked.startswith("DELETE /items/") for asked in stranger.asked)


async def test_more_coverage_cases_than_are_wanted_are_left_out_and_counted(
    http: httpx.AsyncClient,
) -> None:
    asked = {"include": ["POST /items"], "phases": ["coverage"], "max_coverage": 5}
    (all_of_it,) = (await examine(http, **asked | {"max_coverage": 10_000})).json()["result"][
        "operations"
    ]
    report = (await examine(http, **asked)).json()["result"]
    (operation,) = report["operations"]
    there_are = all_of_it["cases"]["coverage"]
    assert there_are > 5
    assert all_of_it["left_out"] == 0
    assert operation["cases"] == {"coverage": 5}
    assert operation["left_out"] == report["left_out"] == there_are - 5
    assert (report["max_coverage"], report["passed"]) == (5, True)


async def test_reading_only_changes_nothing(http: httpx.AsyncClient, stranger: Stranger) -> None:
    report = (await examine(http, scope="read", phases=["fuzzing"])).json()["result"]
    assert {op["operation"].split()[0] for op in report["operations"]} == {"GET"}
    assert stranger.made == 3
    assert not [asked for asked in stranger.asked if asked.startswith(("POST", "DELETE"))]


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"service": "http-elsewhere"}, 422, "unknown_target"),
        ({"service": "nobody"}, 424, "target_unusable"),
        ({"include": ["GET /no-such"]}, 422, "nothing_selected"),
        ({"service": "http://127.0.0.1:1"}, 422, "invalid_input"),
        ({"include": ["GET /broken"], "must_pass": True}, 422, "examination_failed"),
    ],
)
async def test_what_cannot_be_done_is_said(
    http: httpx.AsyncClient, asked: Json, status: int, code: str
) -> None:
    reply = await examine(http, **asked)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert reply.json()["remedy"]


@pytest.mark.parametrize("wait", [True, False])
async def test_an_undo_ends_a_run_that_is_under_way(
    http: httpx.AsyncClient, stranger: Stranger, wait: bool
) -> None:
    asking = asyncio.create_task(examine(http, "k", wait=wait, max_examples=1_000))
    listing = await until(http, "", lambda found: found["reports"])
    (line,) = listing["reports"]
    assert (line["action"], line["state"], line["passed"]) == ("contract-test", "running", None)
    seen = await until(http, line["report_id"], lambda report: report["cases"] > 0)
    assert (seen["state"], seen["status"]) == ("running", "valid")
    other = await examine(http, "another")
    assert (other.status_code, other.json()["code"]) == (409, "test_running")
    assert other.json()["report_id"] == line["report_id"]

    assert (await undo(http, "k"))["status"] == "compensated"
    first = await asking
    if wait:
        assert (first.status_code, first.json()["code"]) == (409, "action_compensated")
    else:
        assert (first.status_code, first.json()["result"]["state"]) == (200, "running")
    report = await until(http, line["report_id"], lambda report: report["state"] != "running")
    assert (report["state"], report["stopped_by"]) == ("incomplete", "cancelled")
    # Who undoes it is a race between the attempt that ends and the compensation; once, in any case.
    reasons = ("no longer wanted", "undone while it ran") if wait else ("no longer wanted",)
    assert report["status"] == "void"
    assert report["void_reason"] in reasons
    asked = len(stranger.asked)
    assert (await examine(http, scope="read", max_examples=1)).status_code == 200
    assert len(stranger.asked) > asked


async def test_time_is_a_bound(http: httpx.AsyncClient) -> None:
    report = (await examine(http, max_examples=1_000, time_limit_s=6)).json()["result"]
    assert (report["state"], report["stopped_by"]) == ("incomplete", "time_limit")
    assert 6 <= report["seconds"] < 16
    assert report["cases"] > 0


async def test_a_report_of_a_run_that_a_stop_cut_short_says_so(
    http: httpx.AsyncClient,
) -> None:
    report = (await examine(http, scope="read", max_examples=1)).json()["result"]
    await asyncio.to_thread(
        service.store.put, "report", report["report_id"], {**report, "state": "running"}
    )
    shown = (await http.get(f"/reports/{report['report_id']}")).json()
    assert (shown["state"], shown["stopped_by"]) == ("interrupted", "restart")


async def test_reports_are_listed_filtered_and_exported(http: httpx.AsyncClient) -> None:
    broken = (await examine(http, include=["GET /broken"])).json()["result"]
    rules = {"records": [{"a": 1}], "rules": [{"rule": "required", "fields": ["a"]}]}
    assert (await http.post("/actions/validate", json=rules)).status_code == 200
    everything = (await http.get("/reports")).json()
    assert [line["action"] for line in everything["reports"]] == ["validate", "contract-test"]
    assert everything["next_offset"] is None
    first = (await http.get("/reports", params={"limit": 1})).json()
    assert first["next_offset"] == 1
    for params in ({"service": "stranger"}, {"passed": "false"}, {"action": "contract-test"}):
        found = (await http.get("/reports", params=params)).json()["reports"]
        assert [line["report_id"] for line in found] == [broken["report_id"]]
    xml = await http.get(f"/reports/{broken['report_id']}/junit")
    assert xml.headers["content-type"] == "application/xml"
    assert 'testcase name="GET /broken"' in xml.text
    assert "<failure" in xml.text

"""The service as the hub sees it: contract, alerts, baselines that outlive it, and the undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_monitoring.app import service
from ai_monitoring.baseline import GRACE
from heal7_contract.testing import client


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client(service, tmp_path) as opened:
        yield opened


def step(latency_ms: float | None, status: str = "succeeded") -> dict[str, Any]:
    return {"service": "saju-service", "latency_ms": latency_ms, "status": status}


async def monitor(http: httpx.AsyncClient, *steps: dict[str, Any], key: str) -> dict[str, Any]:
    reply = await http.post(
        "/actions/monitor",
        json={"workflow_run": key, "steps": list(steps)},
        headers={"Idempotency-Key": key},
    )
    assert reply.status_code == 200, reply.text
    result: dict[str, Any] = reply.json()["result"]
    return result


async def undo(http: httpx.AsyncClient, key: str) -> str:
    body = {"idempotency_key": key, "reason": "the run was cancelled"}
    reply = await http.post("/actions/monitor/compensate", json=body)
    assert reply.status_code == 200, reply.text
    return str(reply.json()["status"])


async def learnt(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await http.get("/baselines")).json()["baselines"]
    return listed


async def test_it_learns_then_calls_a_slow_step_out(http: httpx.AsyncClient) -> None:
    first = await monitor(http, *[step(10.0)] * GRACE, key="learn")
    assert first["report"]["counts"] == {"learning": GRACE}
    assert (first["anomalies"], first["alerts"]) == ([], [])

    second = await monitor(http, step(11), step(300.0), key="slow")
    assert second["report"]["counts"] == {"normal": 1, "anomalous": 1}
    [anomaly] = second["anomalies"]
    assert (anomaly["step"], anomaly["latency_ms"], anomaly["usual_ms"]) == (1, 300.0, 10.0)
    assert anomaly["z"] > 3.5
    assert anomaly["limit_ms"] < 300
    [alert] = second["alerts"]
    assert (alert["kind"], alert["status"], alert["step"]) == ("slow", "open", 1)
    assert (await http.get("/alerts")).json()["alerts"] == [alert]

    [baseline] = await learnt(http)
    assert (baseline["points"], baseline["learning"]) == (GRACE + 1, False)


async def test_a_report_can_be_read_again_and_shows_the_host(http: httpx.AsyncClient) -> None:
    report = (await monitor(http, step(5), step(None, "running"), key="r"))["report"]
    assert (await http.get(f"/reports/{report['id']}")).json() == report
    assert (report["workflow_run"], report["status"]) == ("r", "valid")
    assert report["host"]["cpus"] >= 1
    assert 0 < report["host"]["memory_used_percent"] <= 100
    assert [s["outcome"] for s in report["steps"]] == ["learning", "ignored"]


async def test_baselines_outlive_the_process(tmp_path: Path) -> None:
    async with client(service, tmp_path) as http:
        await monitor(http, *[step(10.0)] * GRACE, key="learn")
    async with client(service, tmp_path) as http:
        [baseline] = await learnt(http)
        assert (baseline["points"], baseline["usual_ms"]) == (GRACE, 10.0)
        assert len((await monitor(http, step(300.0), key="slow"))["alerts"]) == 1


async def test_alerts_are_filtered_and_acknowledged_once(http: httpx.AsyncClient) -> None:
    result = await monitor(http, step(5, "failed"), step(None, "timed_out"), key="bad")
    first, second = (alert["id"] for alert in result["alerts"])
    path = f"/alerts/{first}/ack"
    acked = await http.post(path, json={"by": "kim", "note": "known"})
    assert acked.status_code == 200
    assert acked.json()["status"] == "acknowledged"
    assert acked.json()["audit"][-1]["by"] == "kim"
    assert (await http.post(path, json={"by": "lee"})).json() == acked.json()

    async def listed(**query: str) -> list[str]:
        found = (await http.get("/alerts", params=query)).json()["alerts"]
        return [alert["id"] for alert in found]

    assert await listed(status="open") == [second]
    assert await listed(status="acknowledged", service="saju-service") == [first]
    assert await listed(service="paperwork-service") == []
    assert await listed(limit="1") == [second]


async def test_the_undo_voids_drops_closes_and_keeps_the_audit(http: httpx.AsyncClient) -> None:
    await monitor(http, *[step(10.0)] * GRACE, key="learn")
    result = await monitor(http, step(11.0), step(5.0, "failed"), key="undone")
    alert, report = result["alerts"][0], result["report"]
    assert (await learnt(http))[0]["points"] == GRACE + 1
    await http.post(f"/alerts/{alert['id']}/ack", json={"by": "kim"})

    assert await undo(http, "undone") == "compensated"
    assert await undo(http, "undone") == "already_compensated"

    assert (await learnt(http))[0]["points"] == GRACE
    voided = (await http.get(f"/reports/{report['id']}")).json()
    assert voided["status"] == "void"
    assert [entry["event"] for entry in voided["audit"]] == ["created", "compensated"]
    assert voided["audit"][-1]["note"] == "the run was cancelled"
    [closed] = (await http.get("/alerts", params={"status": "rolled_back"})).json()["alerts"]
    assert [e["event"] for e in closed["audit"]] == ["raised", "acknowledged", "compensated"]
    late = await http.post(f"/alerts/{alert['id']}/ack", json={"by": "lee"})
    assert (late.status_code, late.json()["code"]) == (409, "alert_rolled_back")


async def test_undoing_the_only_report_forgets_the_service(http: httpx.AsyncClient) -> None:
    await monitor(http, step(10.0), key="only")
    await undo(http, "only")
    assert await learnt(http) == []


async def test_an_undo_that_comes_first_keeps_the_report_from_being_made(
    http: httpx.AsyncClient,
) -> None:
    assert await undo(http, "late") == "compensated"
    body = {"workflow_run": "late", "steps": [step(10.0)]}
    late = await http.post("/actions/monitor", json=body, headers={"Idempotency-Key": "late"})
    assert late.status_code == 409
    assert await learnt(http) == []


async def test_a_repeat_teaches_nothing_twice(http: httpx.AsyncClient) -> None:
    first = await monitor(http, step(10.0), key="again")
    assert await monitor(http, step(10.0), key="again") == first
    assert (await learnt(http))[0]["points"] == 1


async def test_an_attempt_cut_short_is_replaced_by_the_next(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The crash comes after everything was written and before the reply was stored."""
    from ai_monitoring import app

    def crash(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("crash")

    body = {"workflow_run": "cut", "steps": [step(10.0), step(1.0, "failed")]}
    with monkeypatch.context() as patch:
        patch.setattr(app._log, "warning", crash)
        failed = await http.post("/actions/monitor", json=body, headers={"Idempotency-Key": "cut"})
        assert failed.status_code == 500
    assert (await learnt(http))[0]["points"] == 1

    await monitor(http, *body["steps"], key="cut")
    assert (await learnt(http))[0]["points"] == 1
    assert len((await http.get("/alerts")).json()["alerts"]) == 1


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"workflow_run": "r", "steps": []}, "body.steps", "at least 1"),
        ({"workflow_run": "", "steps": [step(1)]}, "body.workflow_run", "at least 1"),
        ({"workflow_run": "r", "steps": [step(None)]}, "body.steps.0", "has a latency_ms"),
        ({"workflow_run": "r", "steps": [step(-1)]}, "body.steps.0.latency_ms", "greater than"),
        ({"workflow_run": "r", "steps": [step(1, "fine")]}, "body.steps.0.status", "'succeeded'"),
        (
            {"workflow_run": "r", "steps": [step(1) | {"latency_ms": "1"}]},
            "body.steps.0.latency_ms",
            "valid number",
        ),
        (
            {"workflow_run": "r", "steps": [step(1) | {"service": "Saju Service"}]},
            "body.steps.0.service",
            "match pattern",
        ),
    ],
)
async def test_a_request_that_is_not_valid(
    http: httpx.AsyncClient, body: dict[str, Any], field: str, words: str
) -> None:
    reply = await http.post("/actions/monitor", json=body)
    assert reply.status_code == 422
    [fault] = reply.json()["errors"]
    assert fault["field"] == field
    assert words in fault["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/reports/act_nothing", 404),
        ("POST", "/alerts/act_nothing-0/ack", 404),
        ("POST", "/actions/predict", 404),
        ("GET", "/alerts?status=closed", 422),
        ("GET", "/alerts?limit=0", 422),
    ],
)
async def test_errors_are_problems_with_a_remedy(
    http: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    reply = await http.request(method, path, json={"by": "kim"} if method == "POST" else None)
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["remedy"]


async def test_it_is_healthy_and_documents_itself(http: httpx.AsyncClient) -> None:
    health = (await http.get("/health")).json()
    assert health == {"status": "healthy", "service": "ai-monitoring-service", "version": "0.1.0"}
    assert (await http.get("/ready")).json()["ready"] is True
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert {"/actions/monitor", "/alerts", "/alerts/{alert_id}/ack", "/baselines"} <= set(paths)


async def test_every_request_has_an_example_and_every_status_a_body(
    http: httpx.AsyncClient,
) -> None:
    document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for media in operation.get("requestBody", {}).get("content", {}).values():
                name = media["schema"].get("$ref", "").rpartition("/")[2]
                shown = schemas[name].get("examples") if name else media["example"]
                assert shown or path.endswith("/compensate")
            if "contract" not in operation.get("tags", []):
                assert {"200", "413", "422", "500", "503"} <= set(operation["responses"])

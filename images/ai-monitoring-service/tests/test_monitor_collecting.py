"""Targets watched over real sockets: what goes silent is one alert, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ai_monitoring import app, records
from ai_monitoring.scrape import ScrapeError, scrape
from ai_monitoring.settings import Settings
from ai_monitoring.watch import Watch
from heal7_contract import DocumentStore, clock
from heal7_contract.problem import store_unavailable
from heal7_contract.testing import client

METRICS = (
    b"# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes 5e7\n"
    b"# TYPE process_open_fds gauge\nprocess_open_fds 12\n"
)
NEVER_AGAIN_S = 3_600.0  # rounds are the test's own


class Service:
    """A target of a test: answers `reply` until it is closed, and can come back."""

    def __init__(self) -> None:
        self.reply = b"HTTP/1.0 200 OK\r\n\r\n" + METRICS
        self.port = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self.reply)
            await writer.drain()
            writer.close()

        self._server = await asyncio.start_server(serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


def looked_once() -> bool:
    return app._Collecting.now is not None and app._Collecting.now.rounds > 0


@asynccontextmanager
async def watching(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *targets: tuple[str, Service]
) -> AsyncIterator[httpx.AsyncClient]:
    urls = {name: f"http://127.0.0.1:{service.port}/metrics" for name, service in targets}
    wanted = Settings(urls, frozenset({"hub"}), NEVER_AGAIN_S)
    monkeypatch.setattr(app, "settings", lambda: wanted)
    async with client(app.service, folder) as http:
        async with asyncio.timeout(60):
            while not looked_once():  # noqa: ASYNC110 - a round of the service's own task
                await asyncio.sleep(0.01)
        yield http


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Service, Service]]:
    services = (Service(), Service())
    for service in services:
        await service.open()
    yield services
    for service in services:
        await service.close()


async def alerts(http: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await http.get("/alerts", params=query)).json()["alerts"]
    return listed


async def test_a_target_that_goes_and_returns_is_one_alert(
    pair: tuple[Service, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    async with watching(tmp_path, monkeypatch, ("a", a), ("b", b)) as http:
        listed = {t["name"]: t for t in (await http.get("/targets")).json()["targets"]}
        assert {name: t["health"] for name, t in listed.items()} == {
            "a": "up",
            "b": "up",
            "hub": "waiting",
        }
        assert (listed["a"]["samples"], listed["a"]["series"]) == (2, 2)
        await a.close()
        for _ in range(4):
            await app.collector().round()
        [alert] = await alerts(http, status="open")
        assert (alert["kind"], alert["service"], alert["cause"]) == ("target_down", "a", "target a")
        assert "cannot be reached" in alert["message"]
        await a.open()
        await app.collector().round()
        assert await alerts(http, status="open") == []
        [over] = await alerts(http, status="resolved")
        assert [entry["event"] for entry in over["audit"]] == ["raised", "resolved"]


async def test_an_alert_outlives_this_service_and_is_not_raised_twice(
    pair: tuple[Service, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    async with watching(tmp_path, monkeypatch, ("a", a), ("b", b)):
        await a.close()
        await app.collector().round()
        await app.collector().round()
    async with watching(tmp_path, monkeypatch, ("a", a), ("b", b)) as http:
        learnt = (await http.get("/series/b:open_files")).json()
        assert len(learnt["points"]) == 4, "three of the last process, and one of this"
        await app.collector().round()
        assert len(await alerts(http)) == 1
        assert [alert["status"] for alert in await alerts(http)] == ["open"]
        await a.open()
        await app.collector().round()
        assert [alert["status"] for alert in await alerts(http)] == ["resolved"]


async def test_all_silent_at_once_is_one_alert(
    pair: tuple[Service, Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    async with watching(tmp_path, monkeypatch, ("a", a), ("b", b)) as http:
        await a.close()
        await b.close()
        await app.collector().round()
        await app.collector().round()
        [alert] = await alerts(http, status="open")
        assert alert["service"] == "all targets"


async def test_the_hub_pushes_and_its_figures_become_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed = (
        "# TYPE heal7_event_loop_lag_seconds gauge\nheal7_event_loop_lag_seconds 0.002\n"
        "# TYPE heal7_service_memory_bytes gauge\n"
        'heal7_service_memory_bytes{service="saju-service"} 3e7\n'
    )
    async with watching(tmp_path, monkeypatch) as http:
        for method in ("PUT", "POST"):
            reply = await http.request(method, "/metrics/job/hub", content=pushed)
            assert (reply.status_code, reply.json()) == (200, {"job": "hub", "samples": 2})
        series = (await http.get("/series", params={"target": "hub"})).json()["series"]
        assert {one["name"]: one["last"] for one in series} == {
            "hub:event_loop_lag_ms": 2.0,
            "hub:saju-service:memory_mb": 30.0,
        }
        points = (await http.get("/series/hub:event_loop_lag_ms")).json()
        assert [point["value"] for point in points["points"]] == [2.0, 2.0]
        unknown = await http.put("/metrics/job/stranger", content=pushed)
        assert (unknown.status_code, unknown.json()["code"]) == (404, "job_not_found")
        wrong = await http.put("/metrics/job/hub", content="<html>")
        assert (wrong.status_code, wrong.json()["code"]) == (422, "unreadable_metrics")
        assert (await http.get("/series/nothing")).json()["code"] == "series_not_found"


async def test_what_is_unusual_is_told_resolved_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lag(seconds: float) -> str:
        return (
            f"# TYPE heal7_event_loop_lag_seconds gauge\nheal7_event_loop_lag_seconds {seconds}\n"
        )

    async with watching(tmp_path, monkeypatch) as http:
        for value in [0.01] * 60 + [0.9] * 3:
            await http.put("/metrics/job/hub", content=lag(value))
        [alert] = await alerts(http, status="open")
        assert (alert["kind"], alert["service"]) == ("unusual", "hub")
        assert "event_loop_lag_ms is 900.0 ms; 10.0 ms is usual" in alert["message"]
        by = {"by": "kim"}
        assert (await http.post(f"/alerts/{alert['id']}/ack", json=by)).status_code == 200
    async with watching(tmp_path, monkeypatch) as http:
        [one] = (await http.get("/series", params={"wrong": "true"})).json()["series"]
        assert (one["name"], one["wrong"]) == ("hub:event_loop_lag_ms", "unusual")
        for _ in range(3):
            await http.put("/metrics/job/hub", content=lag(0.01))
        assert [a["status"] for a in await alerts(http)] == ["resolved"]


async def test_a_person_resolves_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = [{"service": "a", "latency_ms": 5, "status": "failed"}]
    async with watching(tmp_path, monkeypatch) as http:
        body = {"workflow_run": "r", "steps": steps}
        key = {"Idempotency-Key": "k"}
        raised = (await http.post("/actions/monitor", json=body, headers=key)).json()
        ident = raised["result"]["alerts"][0]["id"]
        for _ in range(2):
            done = await http.post(f"/alerts/{ident}/resolve", json={"by": "kim"})
            assert (done.status_code, done.json()["status"]) == (200, "resolved")
        assert len(done.json()["audit"]) == 2
        undo = {"idempotency_key": "k", "reason": "rolled back"}
        await http.post("/actions/monitor/compensate", json=undo)
        late = await http.post(f"/alerts/{ident}/resolve", json={"by": "lee"})
        assert (late.status_code, late.json()["code"]) == (409, "alert_rolled_back")
        unknown = await http.post("/alerts/none/resolve", json={"by": "lee"})
        assert unknown.status_code == 404
        reports = (await http.get("/reports", params={"workflow_run": "r"})).json()["reports"]
        assert [report["status"] for report in reports] == ["void"]


async def test_a_service_that_is_well_again_ends_its_alerts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watching(tmp_path, monkeypatch) as http:

        async def run(key: str, *latencies: float) -> dict[str, Any]:
            steps = [{"service": "a", "latency_ms": x, "status": "succeeded"} for x in latencies]
            body = {"workflow_run": key, "steps": steps}
            reply = await http.post("/actions/monitor", json=body, headers={"Idempotency-Key": key})
            result: dict[str, Any] = reply.json()["result"]
            return result

        await run("learn", *[10.0] * 60)
        await run("slow", 300.0)
        assert [a["status"] for a in await alerts(http)] == ["open"]
        await run("well", 10.0, 10.0, 10.0)
        assert [a["status"] for a in await alerts(http)] == ["resolved"]
        shifted = await run("for good", *[300.0] * 10)
        kinds = [alert["kind"] for alert in shifted["alerts"]]
        assert (kinds.count("level_shift"), kinds.count("slow")) == (1, 8)
        assert (await run("after", 300.0))["anomalies"] == []


async def test_a_store_that_cannot_be_used_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = records.load_watches, [store_unavailable("disk I/O error")]

    def load(store: DocumentStore) -> dict[str, Watch]:
        if failures:
            raise failures.pop()
        return real(store)

    monkeypatch.setattr(records, "load_watches", load)
    monkeypatch.setattr(app, "settings", lambda: Settings({}, frozenset(), 0.01))
    async with client(app.service, tmp_path) as http:
        async with asyncio.timeout(60):
            while not looked_once():  # noqa: ASYNC110 - a round of the service's own task
                await asyncio.sleep(0.01)
        series = (await http.get("/series", params={"target": "host"})).json()["series"]
    assert not failures
    assert len(series) == 3


async def test_without_usable_settings_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.settings.cache_clear()
    monkeypatch.setenv("HEAL7_MONITOR_TARGETS", "nonsense")
    async with client(app.service, tmp_path) as http:
        ready = await http.get("/ready")
        assert ready.status_code == 503
        assert "HEAL7_MONITOR_TARGETS" in ready.json()["checks"]["settings"]
        refused = await http.get("/targets")
        assert (refused.status_code, refused.json()["code"]) == (503, "not_watching")
    app.settings.cache_clear()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"HTTP/1.0 503 Unavailable\r\n\r\n", "answered 503"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", "answered 302"),
        (b"HTTP/1.0 200 OK\r\n\r\n<html>", "not in Prometheus"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"# long\n" * 300_000, "larger than"),
        (b"nonsense\r\n\r\n", "cannot be reached"),
    ],
)
async def test_a_bad_answer_is_told(reply: bytes, why: str) -> None:
    service = Service()
    service.reply = reply
    await service.open()
    with pytest.raises(ScrapeError, match=why):
        await asyncio.to_thread(scrape, f"http://127.0.0.1:{service.port}/m", clock.monotonic)
    await service.close()

"""Health, readiness, metrics and background tasks."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest
from contract_demo import Demo

from heal7_contract.settings import from_env
from heal7_contract.tasks import guarded
from heal7_contract.testing import client


async def test_health_names_service_and_version(tmp_path: Path) -> None:
    async with client(Demo().service, tmp_path) as http:
        reply = await http.get("/health")
    assert reply.json() == {"status": "healthy", "service": "demo-service", "version": "1.2.3"}


async def test_ready_names_each_check(tmp_path: Path) -> None:
    demo = Demo()

    @demo.service.ready_check("model")
    def says() -> str:
        return "the model is not loaded"

    @demo.service.ready_check("peer")
    async def raises() -> None:
        raise ConnectionError("the peer is gone")

    @demo.service.ready_check("fine")
    def well() -> None:
        return None

    async with client(demo.service, tmp_path) as http:
        reply = await http.get("/ready")
    assert reply.status_code == 503
    assert reply.json() == {
        "ready": False,
        "checks": {
            "store": "ok",
            "model": "the model is not loaded",
            "peer": "the peer is gone",
            "fine": "ok",
        },
    }


async def test_ready_when_all_is_well(tmp_path: Path) -> None:
    async with client(Demo().service, tmp_path) as http:
        reply = await http.get("/ready")
    assert (reply.status_code, reply.json()["ready"]) == (200, True)


async def test_metrics_count_by_template_not_by_path(tmp_path: Path) -> None:
    async with client(Demo().service, tmp_path) as http:
        for number in range(3):
            await http.get(f"/notes/{number}")
            await http.get(f"/nowhere/{number}")
        await http.post("/actions/double", json={"number": 1}, headers={"Idempotency-Key": "k"})
        await http.post("/actions/double", json={"number": 1}, headers={"Idempotency-Key": "k"})
        reply = await http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    route = 'method="GET",route="/notes/{ident}",status="404"'
    assert f"heal7_http_requests_total{{{route}}} 3.0" in reply.text
    nowhere = 'method="any",route="unmatched",status="404"'
    assert f"heal7_http_requests_total{{{nowhere}}} 3.0" in reply.text
    assert 'heal7_actions_total{action="double",outcome="completed"} 1.0' in reply.text
    assert 'heal7_actions_total{action="double",outcome="replayed"} 1.0' in reply.text
    assert 'heal7_action_seconds_count{action="double"} 1.0' in reply.text
    assert "process_resident_memory_bytes" in reply.text


async def test_a_background_task_runs_and_is_cancelled(tmp_path: Path) -> None:
    demo, seen, started = Demo(), [], asyncio.Event()

    @demo.service.background("ticker")
    async def tick() -> None:
        seen.append("started")
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("stopped")

    async with client(demo.service, tmp_path) as http:
        assert (await http.get("/health")).status_code == 200
        await started.wait()
    assert seen == ["started", "stopped"]


@pytest.mark.parametrize("fails", [True, False])
async def test_a_background_task_that_ends_stops_the_service(fails: bool) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)

    async def task() -> None:
        if fails:
            raise RuntimeError("lost")

    try:
        await guarded("task", task)
        async with asyncio.timeout(60):
            await stopped.wait()
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    bare = from_env({}, name="x-service", port=1234)
    assert (bare.host, bare.port, bare.log_level) == ("0.0.0.0", 1234, "INFO")
    assert bare.data == Path("/data/x-service.sqlite3")
    env = {"HEAL7_PORT": "99", "HEAL7_HOST": "127.0.0.1", "HEAL7_LOG_LEVEL": "debug"}
    given = from_env({**env, "HEAL7_DATA": str(tmp_path)}, name="x", port=1)
    assert (given.host, given.port, given.log_level) == ("127.0.0.1", 99, "DEBUG")
    assert given.data == tmp_path / "x.sqlite3"
    assert from_env({"HEAL7_DATA": "/a/b.db"}, name="x", port=1).data == Path("/a/b.db")

"""`/metrics/history`, `/metrics/summary` and the families of `/metrics`, over a hub without an
engine that measured one of its services anyway."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from controller import clock
from controller.bootstrap.app import create_app
from controller.bootstrap.hub import Hub
from controller.config.load import load
from controller.metrics.meter import Reading
from controller.metrics.sampler import Sampler
from controller.model.metric import HUB, METRICS, Bucket, Scope, Subject, spread
from tests.unit.cli.fakes import ROOT
from tests.unit.metrics.metrics_builders import sample

CONFIG = load(ROOT / "config.yaml", {})
NAME = CONFIG.stack.managed[0]
SUBJECT = Subject(Scope.SERVICE, NAME)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", f"unix://{folder}/nobody.sock")
        patch.setattr(signal, "raise_signal", lambda number: None)
        patch.setattr(Sampler, "run", never)
        yield Hub(CONFIG, folder / "state")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(hub: Hub, end: int) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(hub)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost:8015") as opened,
    ):
        record = hub.metrics._recorder.record
        for at in range(end - 120, end, 10):
            if at != end - 60:
                own = Bucket(at, 10, {"loop_lag_ms": spread(1.5)})
                await record(at, {SUBJECT: sample(at, 4.0, took_ms=[8.0]), HUB: own})
        yield opened


@pytest.fixture(scope="module")
def end() -> int:
    """When the last sample ends: just now, or it is not shown as now."""
    return int(clock.epoch()) // 10 * 10


async def never(self: Sampler) -> None:
    """What is measured is what the test says."""
    await asyncio.Event().wait()


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_history_has_its_points_and_its_gap(client: httpx.AsyncClient, end: int) -> None:
    asked = f"since={stamp(end - 120)}&until={stamp(end)}&points=12"
    found = await get(
        client, f"/metrics/history?service={NAME}&metric=cpu_percent,response_p95_ms&{asked}"
    )
    assert (found["scope"], found["name"], found["step_s"]) == ("service", NAME, 10)
    assert found["since"].startswith(stamp(end - 120)[:-1])
    cpu, p95 = found["series"]
    assert cpu["values"] == [4, 4, 4, 4, 4, 4, None, 4, 4, 4, 4, 4]
    assert (cpu["unit"], cpu["whole"], cpu["earlier"], cpu["change"]) == ("percent", 4, None, None)
    assert p95["whole"] == pytest.approx(8, rel=0.2)
    assert p95["low"] == []


async def test_without_a_metric_all_are_told_and_without_a_service_the_hub(
    client: httpx.AsyncClient,
) -> None:
    found = await get(client, "/metrics/history?since=10m&compare=yesterday")
    assert [s["metric"] for s in found["series"]] == list(METRICS[Scope.HUB])
    lag = next(s for s in found["series"] if s["metric"] == "loop_lag_ms")
    assert lag["whole"] is not None
    assert set(lag["earlier"]["values"]) == {None}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("service=nobody", 404),
        ("workflow=nothing", 404),
        ("service=a&workflow=b", 422),
        ("metric=happiness", 422),
        ("since=soon", 422),
        ("since=1h&until=2h", 422),
        ("since=1970-01-01T00:00:00Z", 422),
        ("since=999999w", 422),
        ("points=0", 422),
        ("points=99999", 422),
        ("compare=tomorrow", 422),
        ("until=9999-12-31T23:59:59Z", 422),
    ],
)
async def test_bad_questions_are_problems(
    client: httpx.AsyncClient, query: str, status: int
) -> None:
    answer = await client.get(f"/metrics/history?{query}")
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_a_summary_has_everything(client: httpx.AsyncClient) -> None:
    found = await get(client, "/metrics/summary?window=6h")
    assert [one["name"] for one in found["services"]] == list(CONFIG.stack.managed)
    assert [one["name"] for one in found["workflows"]] == list(CONFIG.workflows)
    assert (found["interval_s"], found["problem"]) == (10, None)
    first, second = found["services"][:2]
    assert list(first["metrics"]) == list(METRICS[Scope.SERVICE])
    assert first["metrics"]["cpu_percent"]["whole"] == 4
    assert first["metrics"]["availability"]["whole"] == 1
    assert first["availability"]["24h"] == {"share": 1, "expected_s": 110}
    assert first["metrics"]["memory_bytes"]["now"] == 1 << 20
    assert second["metrics"]["cpu_percent"]["whole"] is None
    assert second["availability"]["30d"]["share"] is None
    assert found["hub"]["availability"] == {}
    assert (await client.get("/metrics/summary?window=2h")).status_code == 422


async def test_prometheus_gets_counters_in_base_units(
    client: httpx.AsyncClient, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Reading("id@1", 1.0, 12.5, 77, received=1000, sent=None, read=0, written=4096)
    sources = hub.metrics.sources
    monkeypatch.setattr(
        hub.metrics, "sources", type("S", (), {f: getattr(sources, f) for f in sources.__slots__})
    )
    monkeypatch.setattr(hub.metrics.sources, "readings", lambda: {"web": seen})
    hub.metrics.meter.told(hub.view().services[0], clock.monotonic())
    text = (await client.get("/metrics")).text
    for line in (
        'heal7_service_cpu_seconds_total{service="web"} 12.5',
        'heal7_service_network_receive_bytes_total{service="web"} 1000.0',
        'heal7_service_disk_read_bytes_total{service="web"} 0.0',
        'heal7_service_disk_written_bytes_total{service="web"} 4096.0',
        f'heal7_service_expected_seconds_total{{service="{NAME}"}} 0.0',
        "heal7_event_streams 0.0",
    ):
        assert line in text.splitlines()
    assert "heal7_service_network_transmit_bytes_total{" not in text
    assert "\nprocess_cpu_seconds_total " in text
    assert "id@1" not in text


async def test_readyz_tells_why_nothing_is_written(client: httpx.AsyncClient, hub: Hub) -> None:
    checks = (await client.get("/readyz?verbose=true")).json()["checks"]
    assert checks["metrics"] == "ok"
    hub.metrics._recorder.problem = "disk full"
    assert (await client.get("/readyz")).json()["checks"]["metrics"] == "disk full"
    assert (await get(client, "/metrics/history"))["problem"] == "disk full"
    hub.metrics._recorder.problem = None

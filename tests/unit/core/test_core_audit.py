"""Who asked for what: kept in order, told in pages, over the API and on the hub's own page."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from controller import clock
from controller.api import audit as api
from controller.api import problems
from controller.bootstrap.app import create_app
from controller.bootstrap.hub import Hub
from controller.bootstrap.state import settings_in_effect
from controller.config.load import load
from controller.i18n import catalogue
from controller.store import audit
from controller.store.database import Database
from controller.store.state import StateStore

ROOT = Path(__file__).parents[3]
CONFIG = load(ROOT / "config.yaml", {})
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(tmp_path / "state" / "hub.sqlite3")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    return Hub(CONFIG, tmp_path / "state")


@pytest.fixture(autouse=True, scope="module")
def words() -> None:
    """Read before any loop runs, as the hub does."""
    catalogue()


async def _ask(database: Database, n: int) -> None:
    for number in range(n):
        cause = "cause.restart" if number % 2 else "cause.dependency_of"
        await database.write(
            lambda c, number=number, cause=cause: audit.write(
                c, at=AT, who="local heal7/0.1.0", action=f"act-{number}", targets=["web"],
                cause=cause, operation=None,
            )
        )  # fmt: skip


class _Port:
    def __init__(self, store: StateStore) -> None:
        self.audit = store.audit


async def test_the_newest_comes_first_and_pages_follow_without_gap(database: Database) -> None:
    await _ask(database, 7)
    app = FastAPI()
    problems.install(app)
    app.include_router(api.router(_Port(StateStore(database))))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        first = (await client.get("/audit?limit=4")).json()
        rest = (await client.get(f"/audit?limit=4&cursor={first['next']}")).json()
        told = [entry["action"] for entry in (*first["entries"], *rest["entries"])]
        assert told == [f"act-{number}" for number in reversed(range(7))]
        assert rest["next"] is None
        assert first["entries"][1] == {
            "id": 6,
            "at": "2026-03-01T12:00:00.000Z",
            "who": "local heal7/0.1.0",
            "action": "act-5",
            "targets": ["web"],
            "cause": "restart was asked for",
            "operation": None,
        }
        # Stored without the facts that its sentence needs.
        assert first["entries"][0]["cause"] == "cause.dependency_of"
        for cursor in ("x", "-1", "1e3", "٣", "9" * 40):
            assert (await client.get("/audit", params={"cursor": cursor})).status_code == 422
        for limit in ("0", "501", "x"):
            assert (await client.get("/audit", params={"limit": limit})).status_code == 422


@pytest.fixture
def web(hub: Hub) -> FastAPI:
    return create_app(hub)


async def test_the_hub_tells_everything_of_itself(hub: Hub, web: FastAPI) -> None:
    app, config = web, CONFIG
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://localhost:8015") as client,
    ):
        begun = clock.now()
        assert (await client.post("/orchestration/pause")).status_code == 200
        page = await client.get("/dashboard/admin")
        async with asyncio.timeout(60):
            # What is still being opened is told as a problem; asking again lets it be.
            while any(store.problem for store in (await hub.state()).stores):
                pass
        state = await hub.state()
    assert page.status_code == 200
    assert "Pause healing" in page.text
    assert not state.engine.connected
    assert (state.engine.version, state.engine.root) == ("", "")
    assert state.engine.address.endswith("nobody.sock")
    # What is measured may have nothing to write down yet.
    sizes = {store.name: store.size for store in state.stores}
    assert all(sizes[name] for name in ("hub", "logs", "runs")), sizes
    assert not any(store.problem for store in state.stores)
    names = {task.name for task in state.tasks}
    assert names >= {"observe", "heal", "follow engine events", "write logs"}
    assert all(task.since <= begun for task in state.tasks if task.name == "observe")
    settings = dict(state.settings)
    assert settings["server.port"] == "8015"
    assert settings["orchestration.managed_services"].split(", ") == list(config.stack.managed)
    assert state.files == tuple(str(path) for path in config.sources)


def test_what_is_secret_in_settings_is_not_told() -> None:
    config = CONFIG
    logs = config.settings.logs.model_copy(update={"mask": ["hunter2"]})
    settings = config.settings.model_copy(update={"logs": logs})
    told = dict(settings_in_effect(replace(config, settings=settings)))
    assert told["logs.mask"] == "•••"
    assert not re.search("hunter2", str(told))

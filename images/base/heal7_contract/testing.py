"""For the tests of the services: the app in this process, with its own data file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from heal7_contract import clock
from heal7_contract.service import Service


@asynccontextmanager
async def client(
    service: Service, folder: Path, now: Callable[[], float] = clock.now
) -> AsyncIterator[httpx.AsyncClient]:
    """`async with client(service, tmp_path) as http:`; start-up and shut-down are run."""
    app = service.fresh(folder / f"{service.name}.sqlite3", now)
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://service") as http,
    ):
        yield http

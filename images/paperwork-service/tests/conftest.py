"""Makes this folder's helper modules importable under every import mode of pytest, and the client
that most tests speak to the service with."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from heal7_contract.testing import client
from paperwork_service import app
from paperwork_service.limits import LIMITS
from paperwork_service.open_document import Opener

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def http(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service on an empty folder; `tmp_path / "documents"` are its files."""
    monkeypatch.setenv("HEAL7_DATA", str(tmp_path))
    monkeypatch.setattr(app, "opener", Opener(LIMITS))
    async with client(app.service, tmp_path) as connection:
        yield connection

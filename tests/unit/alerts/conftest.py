"""What the desk's tests share: sentences, a real receiver, and an office that tells it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controller.i18n import catalogue
from tests.unit.alerts.receiver import RULES, Office, Receiver, opened, receiving


@pytest.fixture(autouse=True)
def sentences() -> None:
    """Read before the loop runs, which must not wait for the disk."""
    catalogue()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
async def office(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Office]:
    async with opened(tmp_path, RULES, {"ops": receiver.address}) as office:
        yield office

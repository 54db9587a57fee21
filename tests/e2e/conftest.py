"""The home stack for the tests that need the real thing."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from tests.e2e.e2e_support import HUB_PORT, Home, shell
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient


@pytest.fixture(scope="session")
def machine() -> Iterator[Home]:
    """The engine and the hub's address, whatever runs there."""
    engine = docker.from_env(timeout=60)
    engine.ping()
    client = HubClient(HUB_PORT)
    yield Home(client, Witness(engine))
    client.close()
    engine.close()


@pytest.fixture
def home(machine: Home) -> Iterator[Home]:
    """The home stack, five services healthy; the same again when the test is over."""
    shell("make up")
    machine.wait_healthy()
    yield machine
    shell("make up")
    machine.wait_healthy()

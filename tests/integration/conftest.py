"""A real engine, real hubs, and stacks that leave nothing behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

# Read when testcontainers is imported: its reaper's image cannot be pulled without a registry.
os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"

import docker
import pytest

from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_ports import Ports
from tests.integration.it_postgres import Cluster, Look, running_cluster
from tests.integration.it_stack import Service, Stack

_BASE = "heal7/service-base:latest"
MakeStack = Callable[..., Stack]
MakeHub = Callable[..., HubProcess]


@pytest.fixture(scope="session")
def witness() -> Iterator[Witness]:
    """The machine's engine. Where there is none the tests fail: they are about nothing else."""
    client = docker.from_env(timeout=60)
    client.ping()
    yield Witness(client)
    client.close()


@pytest.fixture(scope="session")
def image(witness: Witness) -> Iterator[str]:
    """A tag of our own on the services' base, so that a rebuild meanwhile changes nothing here."""
    tag = f"heal7-it-base:{os.getpid()}"
    witness.api.images.get(_BASE).tag(tag)
    yield tag
    witness.api.images.remove(tag, noprune=True)


@pytest.fixture(scope="session")
def free_port() -> Ports:
    return Ports()


@pytest.fixture(scope="session")
def _serial() -> Iterator[int]:
    return iter(range(1, 10_000))


@pytest.fixture(scope="module")
def make_stack(
    witness: Witness, tmp_path_factory: pytest.TempPathFactory, _serial: Iterator[int]
) -> Iterator[MakeStack]:
    """Makes stacks with project names of their own; the module's end sweeps them away."""
    with ExitStack() as at_end:

        def make(services: dict[str, Service], **more: object) -> Stack:
            project = f"heal7-it-{os.getpid()}-{next(_serial)}"
            folder: Path = tmp_path_factory.mktemp(project)
            stack = Stack(project, folder, services, **more)  # type: ignore[arg-type]
            stack.write()
            at_end.callback(witness.sweep, project)
            return stack

        yield make


@pytest.fixture(scope="module")
def make_hub(make_stack: MakeStack, free_port: Ports) -> Iterator[MakeHub]:
    """Makes hubs (not started yet) for stacks; stopped before their stacks are swept away."""
    with ExitStack() as at_end:

        def make(stack: Stack, **environment: str) -> HubProcess:
            hub = HubProcess(stack.config, stack.state, free_port(), environment)
            at_end.callback(hub.close)
            return hub

        yield make


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of our own."""
    with running_cluster() as made:
        yield made


@pytest.fixture
def dsn(cluster: Cluster) -> str:
    """The address of a database in which there never was a hub."""
    return cluster.empty_database()


@pytest.fixture
def look(dsn: str) -> Look:
    """Beside the hubs, at what is in that database."""
    return Look(dsn)

"""Looks at the engine overlap: an answer that took long must not undo what was seen since."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from core_builders import container, service, stack

from controller.engine.client import DockerEngine
from controller.engine.pool import EnginePool
from controller.model.observation import ContainerObs, State
from controller.orchestrator.world import World


class SlowEngine(DockerEngine):
    """Reads what is so at once; the answer about the whole project waits for `let_go`."""

    def __init__(self) -> None:
        super().__init__()
        self.now: dict[str, ContainerObs] = {}
        self.read = threading.Event()
        self.let_go = threading.Event()

    def list_containers(self, project: str, service: str | None = None) -> list[ContainerObs]:
        found = [c for name, c in self.now.items() if service in (None, name)]
        if service is None:
            self.read.set()
            assert self.let_go.wait(60)
        return found


class Nobody:
    """Listens to nothing."""

    def service(self, view: object) -> None: ...
    def orphans(self, found: object) -> None: ...
    def operation(self, view: object) -> None: ...
    def engine(self, connected: bool, since: object) -> None: ...

    def incident(self, incident: object) -> None: ...

    def rehearsal(self, rehearsal: object) -> None: ...

    def paused(self, pause: object) -> None: ...


@pytest.fixture
async def engine() -> AsyncIterator[SlowEngine]:
    engine = SlowEngine()
    yield engine
    engine.let_go.set()


@pytest.fixture
async def world(engine: SlowEngine) -> AsyncIterator[World]:
    world = World(stack(service("a"), service("b")), EnginePool(engine), Nobody())
    yield world
    await world.close()


async def _slow_pass_begun(world: World, engine: SlowEngine) -> asyncio.Task[None]:
    task = asyncio.create_task(world.look())
    assert await asyncio.to_thread(engine.read.wait, 10)
    return task


async def test_a_full_pass_does_not_bring_back_what_a_later_look_saw_change(
    world: World, engine: SlowEngine
) -> None:
    engine.now = {"a": container("a", State.CREATED), "b": container("b", State.CREATED)}
    task = await _slow_pass_begun(world, engine)
    engine.now["a"] = container("a", State.RUNNING)
    await world.look(["a"])
    engine.let_go.set()
    await task
    assert _states(world) == {"a": State.RUNNING, "b": State.CREATED}


async def test_a_full_pass_neither_forgets_the_new_nor_keeps_the_gone(
    world: World, engine: SlowEngine
) -> None:
    engine.now = {"b": container("b", State.RUNNING)}
    await world.look(["b"])
    engine.now = {}
    task = await _slow_pass_begun(world, engine)
    engine.now = {"a": container("a", State.RUNNING)}
    await world.look(["a"])
    engine.let_go.set()
    await task
    assert _states(world) == {"a": State.RUNNING, "b": None}


def _states(world: World) -> dict[str, State | None]:
    found = {name: world.container(name) for name in ("a", "b")}
    return {name: seen.state if seen else None for name, seen in found.items()}

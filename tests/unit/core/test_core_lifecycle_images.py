"""Operations that must pull or build first: what goes on meanwhile, and what it comes to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from core_builders import IMAGE_ID, container, service, stack
from core_fake_engine import FakeEngine
from test_core_lifecycle import Hub, outcomes

from controller import clock
from controller.engine.context import ContextError
from controller.engine.mapping import ImageMissingError
from controller.engine.progress import BuildError
from controller.engine.supplies import PullError, SilentRegistryError, Stop, StoppedError, Told
from controller.errors import ConflictError, EngineError
from controller.model.build import BuildSpec, Pull, PullPolicy, Source
from controller.model.observation import ContainerObs
from controller.model.spec import ServiceSpec, StackSpec
from controller.model.text import Text, text
from controller.model.view import Desired, Health, OperationKind, OperationStatus, Wish
from controller.orchestrator import supplier

START, STOP, BUILD = OperationKind.START, OperationKind.STOP, OperationKind.BUILD
FAR = "far:1"
SAID = text("phase.pulling", done=1, layers=2, loaded=0.5, size=1.0)
BUILT = Source(BuildSpec("/srv/app", "/srv"))


def far(name: str, *needs: str, source: Source | None = None) -> ServiceSpec:
    """A service whose image is not on the machine."""
    return replace(service(name, *needs, image=FAR), source=source or Source())


STACK = stack(service("web"), far("app"), service("needy", "app:healthy"))


class Registry:
    """Stands in for what asks the engine: pulls and builds wait until `let_go`, then bring the
    image, or raise what was put into `breaks`."""

    def __init__(self, engine: FakeEngine):
        self.engine = engine
        self.calls: list[str] = []
        self.breaks: dict[str, EngineError] = {}
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.stopped = threading.Event()

    def pull(
        self, _engine: object, image: str, _platform: str | None, stop: Stop, told: Told
    ) -> None:
        self._supply("pull", image, stop, told)

    def build(
        self,
        _engine: object,
        _spec: BuildSpec,
        image: str,
        _scratch: Path | None,
        stop: Stop,
        told: Told,
    ) -> None:
        self._supply("build", image, stop, told)

    def _supply(self, verb: str, image: str, stop: Stop, told: Told) -> None:
        self.calls.append(f"{verb} {image}")
        told(SAID)
        stop.arm(self._stop)
        self.begun.set()
        assert self.let_go.wait(60), "nobody let it go"
        if stop.asked:
            raise StoppedError("it was stopped")
        if verb in self.breaks:
            raise self.breaks[verb]
        self.engine.images[image] = IMAGE_ID

    def _stop(self) -> None:
        self.stopped.set()
        self.let_go.set()


MakeScene = Callable[..., Awaitable[tuple[Hub, Registry]]]


@pytest.fixture
async def hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MakeScene]:
    made: list[tuple[Hub, Registry]] = []

    async def make(
        *found: ContainerObs, declared: StackSpec = STACK, free: bool = True
    ) -> tuple[Hub, Registry]:
        engine = FakeEngine(*found)
        registry = Registry(engine)
        if free:
            registry.let_go.set()
        monkeypatch.setattr(supplier, "supplies", registry)
        hub = await Hub(tmp_path / "hub.sqlite3", engine, declared).open()
        made.append((hub, registry))
        return hub, registry

    yield make
    for hub, registry in made:
        registry.let_go.set()
        await hub.close()


async def reached(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


async def until(condition: Callable[[], bool], hub: Hub) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await hub.world.wait_change(0.1)


async def test_a_missing_image_is_pulled_and_that_is_remembered(hubs: MakeScene) -> None:
    hub, registry = await hubs()
    before = clock.now()
    assert outcomes(await hub.do(START)) == dict.fromkeys(("web", "app", "needy"), "started")
    assert registry.calls == [f"pull {FAR}"]
    pulled = (await hub.store.pulls())[FAR]
    assert before - timedelta(seconds=1) <= pulled <= clock.now()


async def test_an_old_pull_is_known_to_the_hub_that_comes_after(hubs: MakeScene) -> None:
    declared = stack(far("app", source=Source(policy=PullPolicy(Pull.REFRESH, 3600))))
    hub, registry = await hubs(declared=declared)
    await hub.do(START)
    again, registry = await hubs(container("app", config_hash="old"), declared=declared)
    registry.engine.images[FAR] = IMAGE_ID
    assert outcomes(await again.do(START)) == {"app": "recreated"}
    assert registry.calls == []


async def test_a_slow_pull_keeps_no_other_service_busy(hubs: MakeScene) -> None:
    hub, registry = await hubs(free=False)
    begun = await hub.lifecycle.request(START, None, "curl")
    await reached(registry.begun)
    await until(lambda: hub.lifecycle.acting_on("web") is None, hub)
    assert hub.world.service_view("web").health is Health.HEALTHY
    assert hub.world.service_view("web").busy is None
    # People may ask for that one; not for the one that is being pulled.
    assert outcomes(await hub.do(STOP, "web")) == {"web": "stopped"}
    with pytest.raises(ConflictError):
        await hub.lifecycle.request(STOP, "app", "curl")
    # How far it is is told with the step and with the service.
    await until(lambda: hub.world.service_view("app").reason == SAID, hub)
    assert hub.world.service_view("app").health is Health.STARTING
    under_way = await hub.lifecycle.operation(begun.id)
    assert [s.progress for s in under_way.steps if s.op == "pull_image"] == [SAID]
    registry.let_go.set()
    ended = await hub.lifecycle.wait(begun.id)
    assert outcomes(ended) == dict.fromkeys(("web", "app", "needy"), "started")
    assert hub.world.service_view("web").health is Health.STOPPED


FAILURES: list[tuple[Source, dict[str, EngineError], str, str | None]] = [
    (
        Source(),
        {"pull": PullError("no such manifest")},
        f"fail.pull(image={FAR}, detail=no such manifest)",
        "no such manifest",
    ),
    (
        Source(),
        {"pull": SilentRegistryError("nobody")},
        f"fail.pull_silent(image={FAR}, seconds=60)",
        "nobody",
    ),
    (
        BUILT,
        {"pull": PullError("denied"), "build": BuildError("code 7", "Step 2/2 : RUN x", "bang")},
        f"fail.build(image={FAR}, step=Step 2/2 : RUN x, why=code 7)",
        "bang",
    ),
    (
        replace(BUILT, named=False),
        {"build": ContextError("c.yaml:3: build: nothing there", remedy="Make it.")},
        "fail.context(detail=c.yaml:3: build: nothing there, remedy=Make it.)",
        "c.yaml:3: build: nothing there",
    ),
    (Source(policy=PullPolicy(Pull.NEVER)), {}, f"fail.image_never(image={FAR})", None),
]


@pytest.mark.parametrize(("source", "breaks", "cause", "detail"), FAILURES)
async def test_what_cannot_be_had_is_explained_and_touches_nothing(
    hubs: MakeScene,
    source: Source,
    breaks: dict[str, EngineError],
    cause: str,
    detail: str | None,
) -> None:
    declared = stack(far("app", source=source), service("needy", "app:healthy"))
    hub, registry = await hubs(container("app", config_hash="old"), declared=declared)
    registry.breaks = breaks
    if not breaks:
        registry.engine.breaks["create app"] = ImageMissingError(FAR)
    ended = await hub.do(START)
    assert outcomes(ended) == {"app": "failed", "needy": "blocked"}
    assert str(ended.results["app"].cause) == cause
    if detail is not None:
        assert ended.results["app"].detail == detail
    assert not [call for call in hub.engine.calls if call.endswith(" app") and "stop" in call]
    assert hub.engine.of("app").config_hash == "old"
    # What runs goes on running, and well.
    assert hub.world.service_view("app").health is Health.HEALTHY
    assert hub.world.service_view("needy").health is Health.BLOCKED


async def test_what_runs_on_and_ends_later_did_not_end_for_that(hubs: MakeScene) -> None:
    hub, registry = await hubs(
        container("app", config_hash="old"),
        declared=stack(far("app", source=replace(BUILT, named=False))),
    )
    registry.breaks["build"] = BuildError("code 7", "Step 1/1 : RUN x", "bang")
    assert outcomes(await hub.do(START)) == {"app": "failed"}
    hub.engine.die("app", 3)
    await hub.world.look()
    assert hub.world.service_view("app").reason == text("exit.code", code=3)


async def test_a_pull_that_fails_is_made_up_for_by_building(hubs: MakeScene) -> None:
    hub, registry = await hubs(declared=stack(far("app", source=BUILT)))
    registry.breaks["pull"] = PullError("denied")
    assert outcomes(await hub.do(START)) == {"app": "started"}
    assert registry.calls == [f"pull {FAR}", f"build {FAR}"]


async def test_a_pull_that_succeeds_spares_the_building(hubs: MakeScene) -> None:
    hub, registry = await hubs(declared=stack(far("app", source=BUILT)))
    assert outcomes(await hub.do(START)) == {"app": "started"}
    assert registry.calls == [f"pull {FAR}"]


async def test_convergence_lets_go_of_a_pull_for_a_person(hubs: MakeScene) -> None:
    hub, registry = await hubs(free=False)
    hub.world.wish({"app": Wish(Desired.RUNNING)})
    assert await hub.lifecycle.converge([])
    await reached(registry.begun)
    ended = await hub.do(STOP, "app")
    assert outcomes(ended) == {"app": "already_stopped"}
    assert registry.stopped.is_set()
    (converged,) = [o for o in hub.lifecycle.recent() if o.kind is OperationKind.CONVERGE]
    assert converged.status is OperationStatus.INTERRUPTED


async def test_a_pull_that_waits_for_its_turn_says_so_and_is_let_go_of_too(
    hubs: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supplier, "_PULLS_AT_ONCE", 1)
    second = service("second", image="far:2")
    hub, registry = await hubs(declared=stack(far("app"), second), free=False)
    hub.world.wish(dict.fromkeys(("app", "second"), Wish(Desired.RUNNING)))
    assert await hub.lifecycle.converge([])
    await reached(registry.begun)
    waiting = text("phase.waiting")

    def second_pull() -> Text | None:
        (begun,) = hub.lifecycle.recent()
        return [step.progress for step in begun.steps if step.op == "pull_image"][1]

    await until(lambda: second_pull() == waiting, hub)
    assert outcomes(await hub.do(STOP, "second")) == {"second": "already_stopped"}
    assert registry.calls == [f"pull {FAR}"]


async def test_building_stands_in_nobodys_way_and_moves_no_container(hubs: MakeScene) -> None:
    declared = stack(far("app", source=BUILT), service("web"))
    hub, registry = await hubs(container("app"), container("web"), declared=declared, free=False)
    registry.engine.images[FAR] = IMAGE_ID
    await hub.world.look()
    begun = await hub.lifecycle.request(BUILD, None, "curl")
    await reached(registry.begun)
    assert hub.lifecycle.acting_on("app") is None
    assert hub.world.service_view("app").busy is None
    with pytest.raises(ConflictError):
        await hub.lifecycle.request(BUILD, "app", "curl")
    assert outcomes(await hub.do(STOP, "app")) == {"app": "stopped"}
    registry.let_go.set()
    ended = await hub.lifecycle.wait(begun.id)
    assert outcomes(ended) == {"app": "built", "web": "not_built"}
    assert hub.engine.calls == ["stop app"]
    assert await hub.store.wishes() == {"app": Wish(Desired.STOPPED)}


async def test_a_build_that_fails_says_so_and_the_service_stays_well(hubs: MakeScene) -> None:
    hub, registry = await hubs(container("app"), declared=stack(far("app", source=BUILT)))
    registry.breaks["build"] = BuildError("code 7", "Step 1/1 : RUN x", "bang")
    await hub.world.look()
    ended = await hub.do(BUILD, "app")
    assert outcomes(ended) == {"app": "failed"}
    assert hub.world.service_view("app").health is Health.HEALTHY


async def test_a_restart_asked_for_meanwhile_is_still_owed(hubs: MakeScene) -> None:
    """The end of the long operation must not settle what a later one has begun."""
    hub, registry = await hubs(container("web"), free=False)
    await hub.world.look()
    begun = await hub.lifecycle.request(START, None, "curl")
    await reached(registry.begun)
    await until(lambda: hub.lifecycle.acting_on("web") is None, hub)
    hub.engine.hold("stop web")
    restart = await hub.lifecycle.request(OperationKind.RESTART, "web", "curl")
    await reached(hub.engine.begun["stop web"])
    registry.let_go.set()
    await hub.lifecycle.wait(begun.id)
    assert (await hub.store.wishes())["web"].restart_of
    hub.engine.held["stop web"].set()
    assert outcomes(await hub.lifecycle.wait(restart.id)) == {"web": "restarted"}
    assert (await hub.store.wishes())["web"].restart_of is None

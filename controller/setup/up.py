"""From whatever machine this is to the running stack: `heal7 up`, `heal7 setup`, `images build`.

Phases start as soon as what they need is there: wheels are fetched while the engine is installed
and the base image made, the hub starts while services' images are still being built.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from controller import clock
from controller.config.compose.pipeline import Request, compile_stack
from controller.config.compose.to_spec import to_stack
from controller.config.files import FileReader
from controller.config.load import load
from controller.engine.client import DockerEngine
from controller.engine.images import Images
from controller.errors import SetupError
from controller.model.spec import StackSpec
from controller.setup import engine as engine_setup
from controller.setup import hub, hub_view, report, system
from controller.setup.images import (
    CHECKOUT,
    HUB,
    VERSION,
    Builder,
    ImageDef,
    definitions,
    needed_for,
)
from controller.setup.progress import Board, Phase
from controller.setup.wheels import WheelStore

_THREADS = 24
# What needs another service is started anew after pauses of 1, 2, 4, 8 and 16 s.
_HEALING_S = 45.0
# Healing looks at what an operation left within this time.
_NOTICED_S = 2.0
_BEAT_S = 0.15
Show = Callable[[Mapping[str, Any], Mapping[str, Any]], None]
"""Shows the answer of `GET /orchestration/status`, and the operation under way."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What every way in needs: the machine, a working engine and its images."""

    machine: system.Machine
    engine: DockerEngine
    store: WheelStore


def setup(*, console: Console, checkout: Path = CHECKOUT) -> None:
    """A working engine and all images, nothing started. Raises SetupError, EngineError."""
    _build(definitions(checkout), console)


def build_images(names: Sequence[str] = (), *, console: Console, checkout: Path = CHECKOUT) -> None:
    """Build the named images (none: all) where something changed, and what they stand on.

    Raises SetupError for a name that is no image here, or with what failed.
    """
    known = definitions(checkout)
    unknown = sorted(set(names) - {d.name for d in known})
    if unknown:
        raise SetupError(
            f"There is no image definition named {', '.join(unknown)}.",
            remedy=f"These exist: {', '.join(d.name for d in known)}.",
        )
    chosen = {d.name for d in known if not names or d.name in names}
    parents = {d.parent for d in known if d.name in chosen}
    _build(tuple(d for d in known if d.name in chosen or d.ref in parents), console)


def up(config: Path, *, console: Console, checkout: Path = CHECKOUT) -> bool:
    """Bring everything up and show it. True when every service runs and is healthy.

    A second call with nothing changed changes nothing. Raises ConfigError for files that are
    wrong, SetupError and EngineError with what a person must do.
    """
    config = config.resolve()
    loaded = load(config, os.environ)
    _need_services(loaded.stack)
    for warning in loaded.stack.warnings:
        console.print(f"! {warning}", style="yellow", markup=False, highlight=False)
    hub_view.check(config, loaded, os.environ)
    declared = hub_stack(checkout, config, loaded.digest, os.environ)
    stack_images = {spec.container.image for spec in loaded.stack.services.values()}
    wanted = needed_for(stack_images, definitions(checkout))
    board, published = Board(console), _published(loaded.stack)
    port = loaded.settings.server.port
    door = hub.HubDoor(port)
    with board.shown(), ThreadPoolExecutor(_THREADS, thread_name_prefix="setup") as pool:
        ready = _prepare(board, pool, wanted)
        builder = Builder(Images(ready.engine), ready.machine, board, wanted, ready.store)
        hub.check_port(ready.engine, declared, port)
        builder.start(pool)
        hub_up = pool.submit(_hub, ready.engine, declared, port, builder.future(HUB), board)
        builder.wait()
        hub_up.result()
        with board.phase("services") as phase:
            show = partial(_show_services, board, phase, published)
            operation = _follow(door, phase, show)
            status = await_healing(door, show)
        builder.discard_replaced()
        board.below = None
    _show(console, board, status, operation, published, door)
    return operation.get("status") == "succeeded" or not report.unwell(status["services"])


def _need_services(stack: StackSpec) -> None:
    """Raise SetupError where the hub would have nothing to do: a table of no services tells nobody
    what is missing."""
    if not stack.managed:
        raise SetupError(
            "No service is managed, so the hub would start none.",
            remedy='Give each service that it is to run the label heal7.managed: "true", for '
            "example in a compose.override.yaml beside the compose file, or list them under "
            "orchestration.managed_services.",
        )


def hub_stack(
    checkout: Path, config: Path, digest: str, environment: Mapping[str, str]
) -> StackSpec:
    """compose/hub.yaml as declared for this configuration. Raises ConfigError."""
    folder = checkout / "compose"
    overrides = hub_view.overrides(environment)
    values = {
        **environment,
        "HEAL7_HOME": str(config.parent),
        "HEAL7_CONFIG_NAME": config.name,
        "HEAL7_CONFIG_DIGEST": _digest_with(digest, overrides),
    }
    request = Request(
        files=(str(folder / "hub.yaml"),),
        project_directory=str(folder),
        env=values,
        project=hub.PROJECT,
    )
    compiled = compile_stack(request, FileReader())
    # Overrides of config.yaml by the environment must reach the hub as they reached this process.
    compiled.model["services"][hub.SERVICE]["environment"] |= overrides
    return to_stack(compiled, dict.fromkeys(compiled.model["services"]), VERSION)


def _digest_with(digest: str, overrides: Mapping[str, str]) -> str:
    """The files' digest, moved by overrides too; the very same where there are none."""
    if not overrides:
        return digest
    return hashlib.sha256(f"{digest}{sorted(overrides.items())}".encode()).hexdigest()


def _build(wanted: Sequence[ImageDef], console: Console) -> None:
    board = Board(console)
    with board.shown(), ThreadPoolExecutor(_THREADS, thread_name_prefix="setup") as pool:
        ready = _prepare(board, pool, wanted)
        builder = Builder(Images(ready.engine), ready.machine, board, wanted, ready.store)
        builder.start(pool)
        builder.wait()
        builder.discard_replaced()
    said = f"{len(builder.built)} built" if builder.built else "nothing to build"
    console.print(f"Images: {said}. {report.timings_line(board.timings(), board.seconds())}")


def _prepare(board: Board, pool: ThreadPoolExecutor, wanted: Sequence[ImageDef]) -> Ready:
    """A working engine; wheels are fetched meanwhile where there is none to begin with."""
    machine = system.detect()
    store = WheelStore(machine.machine)
    engine = engine_setup.connect()
    if engine is None:
        store.prefetch([d.lock for d in wanted if d.lock], pool, board)
        with board.phase("engine") as phase:
            engine = engine_setup.ensure(machine, phase.say)
    return Ready(machine, engine, store)


def _hub(
    engine: DockerEngine, declared: StackSpec, port: int, image: Future[str], board: Board
) -> None:
    image_id = image.result()
    with board.phase("hub") as phase:
        hub.ensure(engine, declared, image_id, port, phase.say)
        door = hub.HubDoor(port)
        hub.await_ready(engine, declared, door, phase.say)
        phase.say(door.url)


def _published(stack: StackSpec) -> frozenset[str]:
    """Services whose port is one of this machine's."""
    return frozenset(
        name
        for name, spec in stack.services.items()
        if any(port.published == spec.port for port in spec.container.ports)
    )


def _show_services(
    board: Board,
    phase: Phase,
    published: frozenset[str],
    status: Mapping[str, Any],
    operation: Mapping[str, Any],
) -> None:
    services = status.get("services") or []
    board.below = report.services_table(services, published)
    phase.say(report.summary(services, operation))


def _follow(door: hub.HubDoor, phase: Phase, show: Show) -> Mapping[str, Any]:
    """Ask for every service and stay with the operation until it ends; the operation."""
    operation = hub.start_all(door, phase.say)
    identity = operation.get("id") or operation.get("operation")
    beat = threading.Event()
    while True:
        show(door.get("/orchestration/status"), operation)
        operation = door.get(f"/orchestration/operations/{identity}")
        if operation.get("status") != "running":
            return operation
        beat.wait(_BEAT_S)


def await_healing(door: hub.HubDoor, show: Show) -> Mapping[str, Any]:
    """The status once all is well, or once the hub has nothing more to try by itself.

    Many stacks do not say who needs whom: what finds no database ends, and is healed when there is
    one.
    """
    beat, began = threading.Event(), clock.monotonic()
    while True:
        status = door.get("/orchestration/status")
        show(status, {})
        ill, waited = report.unwell(status["services"]), clock.monotonic() - began
        heals = all(one.get("incident") and _may_heal(door, one["incident"]) for one in ill)
        if not ill or waited > _HEALING_S or (waited > _NOTICED_S and not heals):
            return status
        beat.wait(_BEAT_S)


def _may_heal(door: hub.HubDoor, incident: str) -> bool:
    """Whether the hub goes on trying by itself; not where a person must change something first."""
    told = door.get(f"/incidents/{incident}")
    return told.get("state") == "open" and told.get("kind") != "config_error"


def _show(
    console: Console,
    board: Board,
    status: Mapping[str, Any],
    operation: Mapping[str, Any],
    published: frozenset[str],
    door: hub.HubDoor,
) -> None:
    console.print(report.services_table(status["services"], published))
    ill = {one["name"] for one in report.unwell(status["services"])}
    for name, cause in report.causes(operation):
        if name in ill:
            console.print(f"✘ {cause}", style="red", markup=False, highlight=False)
        else:
            console.print(
                f"! {cause}\n  It has been healed since.",
                style="yellow",
                markup=False,
                highlight=False,
            )
    if left := report.orphans(status):
        console.print(f"! {left}", style="yellow", markup=False, highlight=False)
    address = door.url.replace("127.0.0.1", "localhost")
    console.print(f"\nDashboard: {address}/dashboard", highlight=False)
    console.print(report.timings_line(board.timings(), board.seconds()), highlight=False)

"""Takes away what `heal7 up` made: containers and networks, and with `clean` data and images too.

Only what carries the labels of our two projects, or our images' names, is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from controller.config.settings import Settings
from controller.engine import leftovers
from controller.engine.client import DockerEngine
from controller.engine.images import Images
from controller.engine.leftovers import Leftover
from controller.errors import SetupError
from controller.setup import base_image, hub
from controller.setup import engine as engine_setup
from controller.setup.images import PREFIX
from controller.setup.progress import Board, Phase

_GRACE_S = 10.0
_STOP_ALL_S = 60.0
_AT_ONCE = 8
DEFAULT_PORT = Settings().server.port


def down(
    project: str,
    *,
    console: Console,
    port: int = DEFAULT_PORT,
    declares: Callable[[str], bool] | None = None,
) -> bool:
    """Stop and remove the hub, the services and their networks; data is kept. True when all went.

    `port` is where the project's hub listens. Where `declares` tells which services are declared,
    containers of others are orphans: they stay, and so do the networks that they are on. Raises
    EngineError where the engine refuses.
    """
    engine = engine_setup.connect()
    if engine is None:
        console.print("No engine answers, so nothing of ours runs.")
        return True
    board = Board(console)
    with board.shown():
        left = _down(engine, project, port, board, declares)
    for orphan in left:
        console.print(
            f"{orphan.name} stays: no compose file speaks of its service {orphan.service}. "
            "`heal7 down --remove-orphans` takes it along.",
            highlight=False,
            markup=False,
        )
    console.print(f"Down in {board.seconds():.1f} s. Data is kept; `heal7 clean` removes it.")
    return True


def clean(project: str, *, console: Console, yes: bool, port: int = DEFAULT_PORT) -> bool:
    """`down`, and the volumes and images too. Asks first unless `yes`; False when it was refused.

    Raises SetupError where nobody can be asked.
    """
    engine = engine_setup.connect()
    if engine is None:
        console.print("No engine answers; its data cannot be removed.")
        return False
    volumes = [v for p in (project, hub.PROJECT) for v in leftovers.volumes(engine, p)]
    images = Images(engine)
    named = images.named(PREFIX)
    if not yes and not _agreed(console, volumes, named):
        console.print("Nothing was removed.")
        return False
    board = Board(console)
    with board.shown():
        _down(engine, project, port, board, None)
        with board.phase("data") as phase:
            _each(phase, "volume", volumes, engine.remove_volume)
        with board.phase("images") as phase:
            # Names first, children before parents; then the nameless rest that builds left.
            ordered = sorted(named, key=lambda ref: ref in (base_image.REF,))
            for ref in ordered:
                phase.say(ref)
                images.remove(ref)
            _remove_nameless(images)
    console.print(f"Clean in {board.seconds():.1f} s.")
    return True


def _agreed(console: Console, volumes: Iterable[str], images: Iterable[str]) -> bool:
    console.print("This removes, for good:")
    for name in [*volumes, *images]:
        console.print(f"  {name}", highlight=False, markup=False)
    try:
        return console.input("Remove them? [y/N] ", markup=False).strip().lower() in ("y", "yes")
    except EOFError as error:
        raise SetupError(
            "Nobody can be asked here (no terminal).", remedy="Say so with `heal7 clean --yes`."
        ) from error


def _down(
    engine: DockerEngine,
    project: str,
    port: int,
    board: Board,
    declares: Callable[[str], bool] | None,
) -> list[Leftover]:
    """Take it all away but orphans, which are given back."""
    door = hub.HubDoor(port)
    with board.phase("services") as phase:
        if door.ready():
            phase.say("asking the hub to stop every service")
            if not hub.stop_all(door, _STOP_ALL_S):
                phase.say("the hub could not stop them all; removing them by hand")
    # The hub goes first: it would heal what is removed behind its back.
    with board.phase("hub") as phase:
        _remove_containers(engine, leftovers.containers(engine, hub.PROJECT), phase)
    with board.phase("containers") as phase:
        found = leftovers.containers(engine, project)
        kept = [one for one in found if declares is not None and not declares(one.service)]
        _remove_containers(engine, [one for one in found if one not in kept], phase)
    with board.phase("networks") as phase:
        used = frozenset(name for one in kept for name in one.networks)
        networks = [n for p in (project, hub.PROJECT) for n in leftovers.networks(engine, p)]
        _each(phase, "network", [n for n in networks if n not in used], engine.remove_network)
    return kept


def _remove_containers(engine: DockerEngine, found: Sequence[Leftover], phase: Phase) -> None:
    phase.say(f"{len(found)} to remove")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(hub.remove, engine, one.id, _GRACE_S) for one in found]:
            done.result()


def _each(phase: Phase, what: str, names: Iterable[str], act: Callable[[str], None]) -> None:
    for name in names:
        phase.say(f"{what} {name}")
        act(name)


def _remove_nameless(images: Images) -> None:
    """Remove what builds left without a name; a parent can go only after its children.

    Passes go on while something goes. What stays stands under a container that is not ours.
    """
    left = set(images.labelled(base_image.LABEL))
    while left:
        gone = {identity for identity in left if images.discard(identity)}
        if not gone:
            return
        left = set(images.labelled(base_image.LABEL)) - gone

"""`up`, `down`, `clean`, `setup`, `images build` and `serve`: the commands that need no hub.

They only hand over to `controller/setup` and `controller/bootstrap`, imported when called. What
they show while they work goes to standard error when standard output is for a JSON document.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from controller.cli.checkup import ConfigOption
from controller.cli.errors import DONE, FAILED
from controller.cli.session import JsonOption, Session, open_session

if TYPE_CHECKING:
    from rich.console import Console

    from controller.config.load import HubConfig

commands = typer.Typer()
images = typer.Typer(no_args_is_help=True, help="The images of the hub and the services.")
commands.add_typer(images, name="images")

DEFAULT_CONFIG = Path("config.yaml")
ProjectOption = Annotated[
    str | None,
    typer.Option(
        "--project", "-p", metavar="NAME", help="The stack's project [the one the config names]."
    ),
]


@commands.command()
def up(
    ctx: typer.Context, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Set up what is missing, start the hub and every service, and show where they are."""
    session = open_session(ctx, as_json=as_json)
    from controller.setup.up import up as bring_up

    _leave(session, bring_up(config, console=_progress(session)))


@commands.command()
def down(
    ctx: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    project: ProjectOption = None,
    remove_orphans: Annotated[
        bool,
        typer.Option("--remove-orphans", help="Also containers of services in no compose file."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Stop and remove the containers and networks of ours; data is kept."""
    session = open_session(ctx, as_json=as_json)
    from controller.setup.down import down as take_down

    console = _progress(session)
    if project:
        _leave(session, take_down(project, console=console))
    known = _loaded(config)
    declares = None if remove_orphans else known.stack.declares
    port = known.settings.server.port
    _leave(session, take_down(known.stack.project, console=console, port=port, declares=declares))


@commands.command()
def clean(
    ctx: typer.Context,
    config: ConfigOption = DEFAULT_CONFIG,
    project: ProjectOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Like down, and remove our data and images too; asks first."""
    session = open_session(ctx, as_json=as_json)
    from controller.setup.down import clean as take_all

    console = _progress(session)
    if project:
        _leave(session, take_all(project, console=console, yes=yes))
    known = _loaded(config)
    port = known.settings.server.port
    _leave(session, take_all(known.stack.project, console=console, yes=yes, port=port))


@commands.command()
def setup(ctx: typer.Context, as_json: JsonOption = False) -> None:
    """Find or install an engine and build the images; start nothing."""
    session = open_session(ctx, as_json=as_json)
    from controller.setup.up import setup as set_up

    set_up(console=_progress(session))
    _leave(session, True)


@images.command()
def build(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]...", help="None means all of them.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the images whose files changed, and what they stand on."""
    session = open_session(ctx, as_json=as_json)
    from controller.setup.up import build_images

    build_images(names or [], console=_progress(session))
    _leave(session, True)


@commands.command()
def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    state: Annotated[
        Path,
        typer.Option("--state", envvar="HEAL7_STATE", help="Folder of the hub's database."),
    ] = Path(".cache/state"),
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; loopback only.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when the code changes; for development.")
    ] = False,
) -> None:
    """Run the hub in the foreground, as its container does."""
    from controller.bootstrap.serve import serve as run_hub

    run_hub(config, state, host, port, reload)


def _progress(session: Session) -> Console:
    return session.errors if session.as_json else session.console


def _loaded(config: Path) -> HubConfig:
    """What the hub of that configuration knows. Raises ConfigError; `--project` needs no file."""
    from controller.config.load import load

    return load(config, os.environ)


def _leave(session: Session, good: bool) -> NoReturn:
    if session.as_json:
        session.document({"success": good})
    raise typer.Exit(DONE if good else FAILED)

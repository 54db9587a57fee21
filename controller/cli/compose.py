"""`heal7 compose`: what compose files come to, their images, and what they do not speak of."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli.errors import DONE
from controller.cli.orphans import orphans
from controller.cli.services import DryRun, Services, act
from controller.cli.session import HubOption, JsonOption, LangOption, open_session

commands = typer.Typer()
compose = typer.Typer(no_args_is_help=True, help="Compose files, and the images of their services.")
commands.add_typer(compose, name="compose")
compose.command()(orphans)


@compose.command()
def config(
    ctx: typer.Context,
    files: Annotated[
        list[str] | None,
        typer.Option(
            "--file",
            "-f",
            metavar="FILE",
            help="A compose file, `-` for standard input; later ones are laid over earlier ones "
            "[COMPOSE_FILE; compose.yaml here or above, and its override].",
        ),
    ] = None,
    env_files: Annotated[
        list[str] | None,
        typer.Option("--env-file", metavar="FILE", help="Variables [.env of the project]."),
    ] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="Enable it; `*` all [COMPOSE_PROFILES]."),
    ] = None,
    project: Annotated[
        str | None,
        typer.Option(
            "--project-name",
            "-p",
            metavar="NAME",
            help="Name of the project [COMPOSE_PROJECT_NAME; `name` of the files; the folder].",
        ),
    ] = None,
    project_directory: Annotated[
        str | None,
        typer.Option(
            "--project-directory",
            metavar="DIR",
            help="Where relative paths begin [the folder of the first file].",
        ),
    ] = None,
    services: Annotated[
        bool, typer.Option("--services", help="Print the names of the services only.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing; only check the files.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the normalised model of compose files as JSON; warnings go to standard error."""
    session = open_session(ctx, as_json=as_json)
    from controller.config.load import normalise

    warnings: list[str] = []
    model = normalise(
        files or [],
        env_files or [],
        profiles or [],
        project,
        Path(project_directory) if project_directory else None,
        os.environ,
        warnings,
    )
    for warning in warnings:
        print(f"heal7: warning: {warning}", file=sys.stderr)
    if services:
        print("\n".join(model["services"]))
    elif not quiet:
        session.document(escaped(model))
    raise typer.Exit(DONE)


@compose.command()
def build(
    ctx: typer.Context,
    services: Services = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Have the hub build images, whether they are there or not; no container is touched."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    act(session, "build", services or [], dry_run=dry_run)


@compose.command()
def pull(
    ctx: typer.Context,
    services: Services = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Have the hub pull images, whether they are there or not; no container is touched."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    act(session, "pull", services or [], dry_run=dry_run)


def escaped(value: Any) -> Any:
    """The model as a compose file would have to say it: a dollar sign is two."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return value

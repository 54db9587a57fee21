"""`heal7 compose`: what compose files come to, their images, and what they do not speak of."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.errors import DONE, FAILED, CommandError
from controller.cli.services import DryRun, Services, act
from controller.cli.session import (
    HubOption,
    JsonOption,
    LangOption,
    Session,
    confirm,
    open_session,
)

if TYPE_CHECKING:
    from rich.text import Text

commands = typer.Typer()
compose = typer.Typer(no_args_is_help=True, help="Compose files, and the images of their services.")
commands.add_typer(compose, name="compose")


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


@compose.command()
def orphans(
    ctx: typer.Context,
    containers: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CONTAINER]...", help="Only these, by name; none means all."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Stop and remove them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show the containers of services that no compose file speaks of, or remove them."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import follow

    found = _only(session.client.get(follow.ORPHANS).get("orphans", []), containers or [])
    if remove and (found or session.as_json):
        raise typer.Exit(_remove(session, found, yes=yes))
    if session.as_json:
        session.document({"orphans": found})
        return
    _show(session, found)
    if found:
        session.console.print("`heal7 compose orphans --remove` removes them.", soft_wrap=True)


def _only(found: list[dict[str, Any]], wanted: list[str]) -> list[dict[str, Any]]:
    """The wanted ones; all where none is named. Raises CommandError for one that is none."""
    known = {str(one.get("name")): one for one in found}
    for name in wanted:
        if name not in known:
            raise CommandError(
                f"{name} is not an orphan of the hub's project.",
                remedy="`heal7 compose orphans` lists them.",
            )
    return [known[name] for name in dict.fromkeys(wanted)] if wanted else found


def _show(session: Session, found: list[dict[str, Any]]) -> None:
    from controller.cli import render
    from controller.cli.screen import show

    show(session.console, render.orphans(found, session.console.width, utf8=session.utf8))


def _remove(session: Session, found: list[dict[str, Any]], *, yes: bool) -> int:
    """Ask, remove just what was asked about, and tell how it went; the exit code."""
    from controller.cli import follow, render
    from controller.cli.screen import live, show
    from controller.cli.services import summary

    if not found:
        session.document(summary(follow.Progress()))
        return DONE
    names = ", ".join(str(one.get("name")) for one in found)
    confirm(
        f"This stops and removes {names}; what they wrote outside of volumes is lost. Go on?",
        f"{names} would be removed, and there is nobody to ask.",
        yes=yes,
    )
    seen: dict[tuple[str, int], tuple[str, str]] = {}

    def frame(now: follow.Progress) -> list[Text]:
        return render.progress("remove", now, session.errors.width, utf8=session.utf8)

    def news(now: follow.Progress) -> list[str]:
        return render.step_changes(seen, now)

    with live(session, frame, news) as display:
        ids = [str(one.get("container_id")) for one in found]
        done = follow.remove_orphans(session.client, ids, display)
    if session.as_json:
        session.document(summary(done))
    else:
        show(session.console, render.outcomes(done, session.console.width, utf8=session.utf8))
    return DONE if done.success else FAILED


def escaped(value: Any) -> Any:
    """The model as a compose file would have to say it: a dollar sign is two."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, list):
        return [escaped(item) for item in value]
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return value

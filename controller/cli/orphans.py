"""`heal7 compose orphans`: containers that the compose files do not speak of, and their removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.errors import DONE, FAILED, CommandError
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

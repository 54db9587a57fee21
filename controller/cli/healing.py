"""`incidents`, `pause`, `resume` and `rehearse`: what healing did, may do, and is tried with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

import typer

from controller.cli.errors import DONE, FAILED
from controller.cli.session import (
    HubOption,
    JsonOption,
    LangOption,
    Session,
    confirm,
    open_session,
)
from controller.model.rehearsal import Fault, Stage

if TYPE_CHECKING:
    from rich.text import Text

commands = typer.Typer()

_DEEDS = {
    Fault.CRASH: "kills the main process of {service}",
    Fault.HANG: "freezes every process of {service}",
    Fault.SLOW: "freezes {service} most of the time",
    Fault.STOP: "stops {service} beside the hub",
}


@commands.command()
def incidents(
    ctx: typer.Context,
    incident: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Tell this one's whole story.")
    ] = None,
    service: Annotated[
        str | None, typer.Option("--service", "-s", metavar="NAME", help="Only of this service.")
    ] = None,
    only_open: Annotated[
        bool, typer.Option("--open", help="Only those that are not over.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=500, help="At most this many.")
    ] = 20,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show what went wrong, newest first, or the whole story of one incident."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import render_healing as render
    from controller.cli.screen import show

    width, utf8 = session.console.width, session.utf8
    if incident is not None:
        story = session.client.get(f"/incidents/{quote(incident, safe='')}")
        if session.as_json:
            session.document(story)
        else:
            show(session.console, render.story(story, width, utf8=utf8))
        return
    asked = {"limit": str(limit)}
    asked |= {"service": service} if service is not None else {}
    asked |= {"state": "open"} if only_open else {}
    found = session.client.list("/incidents", **asked)
    if session.as_json:
        session.document(found)
    else:
        show(session.console, render.incidents(found, width, utf8=utf8))


@commands.command()
def pause(
    ctx: typer.Context, as_json: JsonOption = False, hub: HubOption = None, lang: LangOption = None
) -> None:
    """Let the hub watch and touch nothing, until `heal7 resume`."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _switch(session, "pause", "Paused: the hub watches and heals nothing until `heal7 resume`.")


@commands.command()
def resume(
    ctx: typer.Context, as_json: JsonOption = False, hub: HubOption = None, lang: LangOption = None
) -> None:
    """Let the hub heal again."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _switch(session, "resume", "Resumed: the hub heals again.")


def _switch(session: Session, verb: str, said: str) -> None:
    answer = session.client.post(f"/orchestration/{verb}")
    if session.as_json:
        session.document(answer)
    else:
        session.console.print(said, soft_wrap=True)


@commands.command()
def rehearse(
    ctx: typer.Context,
    service: Annotated[str, typer.Argument(metavar="SERVICE", help="The service to try.")],
    fault: Annotated[Fault, typer.Argument(help="What to do to it.")],
    force: Annotated[
        bool, typer.Option("--force", help="Even where the stack is sick or paused already.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Inject a fault, follow how it is healed, and hold the times against the objective."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _confirm(service, fault, yes=yes)
    from controller.cli import rehearse as trials
    from controller.cli import render_healing as render
    from controller.cli.screen import live, show

    seen: list[str] = []

    def frame(now: trials.Trial) -> list[Text]:
        return render.rehearsing(now, session.errors.width, utf8=session.utf8)

    def news(now: trials.Trial) -> list[str]:
        return render.stage_changes(seen, now)

    with live(session, frame, news) as display:
        done = trials.run(session.client, service, fault, display, force=force)
    if session.as_json:
        session.document(done.told)
    else:
        show(session.console, render.rehearsed(done.told, session.console.width, utf8=session.utf8))
    raise typer.Exit(DONE if done.stage == Stage.PASSED else FAILED)


def _confirm(service: str, fault: Fault, *, yes: bool) -> None:
    deed = _DEEDS[fault].format(service=service)
    confirm(
        f"This {deed}; the hub undoes it afterwards. Go on?",
        f"The rehearsal {deed}, and there is nobody to ask.",
        yes=yes,
    )

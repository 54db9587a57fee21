"""`alerts`: what is wrong, that somebody knows of it, what nobody is told of, and the channels."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from controller.cli.errors import FAILED
from controller.cli.session import HubOption, JsonOption, LangOption, open_session

commands = typer.Typer()
alerts = typer.Typer(invoke_without_command=True, help="What is wrong, and who is told of it.")
commands.add_typer(alerts, name="alerts")

StateOption = Annotated[
    str,
    typer.Option("--state", metavar="S", help="open, firing, acknowledged, resolved or all."),
]
ServiceOption = Annotated[
    str | None, typer.Option("--service", "-s", metavar="NAME", help="Only of this service.")
]
LimitOption = Annotated[
    int, typer.Option("--limit", "-n", min=1, max=500, help="At most this many.")
]
_STATES = ("open", "firing", "acknowledged", "resolved", "all")


@alerts.callback()
def _unless_said_otherwise(
    ctx: typer.Context,
    state: StateOption = "open",
    service: ServiceOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    if ctx.invoked_subcommand is None:
        list_alerts(ctx, state, service, limit, as_json, hub, lang)


@alerts.command("list")
def list_alerts(
    ctx: typer.Context,
    state: StateOption = "open",
    service: ServiceOption = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show what is wrong now, newest first; `heal7 alerts` alone does the same."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    if state not in _STATES:
        raise typer.BadParameter(f"{state!r} is not one of {', '.join(_STATES)}")
    from controller.cli import render_alerts as render
    from controller.cli.screen import show

    asked: dict[str, str | list[str]] = {"limit": str(limit)}
    asked |= {"service": service} if service is not None else {}
    states = {"open": ("firing", "acknowledged"), "all": ("",)}.get(state, (state,))
    found = []
    for one in states:
        answer = session.client.find("/alerts", asked | ({"state": one} if one else {}))
        found += [alert for alert in answer.get("alerts") or [] if isinstance(alert, dict)]
    if session.as_json:
        session.document({"alerts": found})
    else:
        show(session.console, render.alerts(found, session.console.width, utf8=session.utf8))


@alerts.command()
def show(
    ctx: typer.Context,
    alert: Annotated[str, typer.Argument(metavar="ID", help="The alert.")],
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show one alert, and whom it was told to."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import render_alerts as render
    from controller.cli.screen import show as put

    found = session.client.get(f"/alerts/{quote(alert, safe='')}")
    if session.as_json:
        session.document(found)
    else:
        put(session.console, render.story(found, session.console.width, utf8=session.utf8))


@alerts.command()
def ack(
    ctx: typer.Context,
    alert: Annotated[list[str], typer.Argument(metavar="ID...", help="The alerts.")],
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Say that you know: nobody is told again of these."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    known = [session.client.post(f"/alerts/{quote(one, safe='')}/ack") for one in alert]
    if session.as_json:
        session.document({"alerts": known})
        return
    for one in known:
        session.console.print(f"Acknowledged: {one.get('title')} ({one.get('id')})", soft_wrap=True)


@alerts.command()
def silence(
    ctx: typer.Context,
    duration: Annotated[
        str, typer.Argument(metavar="DURATION", help="For how long: 30m, 8h, 2h30m …")
    ],
    service: ServiceOption = None,
    rule: Annotated[
        str | None, typer.Option("--rule", "-r", metavar="RULE", help="Only of this rule.")
    ] = None,
    comment: Annotated[
        str, typer.Option("--comment", "-c", metavar="TEXT", help="Why, for the others.")
    ] = "",
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Let nobody be told for a while: of anything, of one service, or of one rule."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import render_alerts as render

    body = {"duration": duration, "service": service, "rule": rule, "comment": comment}
    made = session.client.post_json("/alerts/silences", body)
    if session.as_json:
        session.document(made)
    else:
        session.console.print(render.silenced(made), soft_wrap=True)


@alerts.command()
def unsilence(
    ctx: typer.Context,
    silence_id: Annotated[str, typer.Argument(metavar="ID", help="The silence.")],
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """End a silence: people are told again."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    session.client.delete(f"/alerts/silences/{quote(silence_id, safe='')}")
    if session.as_json:
        session.document({"removed": silence_id})
    else:
        session.console.print(f"The silence {silence_id} is over.", soft_wrap=True)


@alerts.command()
def silences(
    ctx: typer.Context, as_json: JsonOption = False, hub: HubOption = None, lang: LangOption = None
) -> None:
    """Show what nobody is told of now."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import render_alerts as render
    from controller.cli.screen import show

    found = session.client.list("/alerts/silences")
    if session.as_json:
        session.document(found)
    else:
        show(session.console, render.silences(found, session.console.width))


@alerts.command()
def channels(
    ctx: typer.Context, as_json: JsonOption = False, hub: HubOption = None, lang: LangOption = None
) -> None:
    """Show where messages go, and whether they arrive."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import render_alerts as render
    from controller.cli.screen import show

    found = session.client.list("/alerts/channels")
    if session.as_json:
        session.document(found)
    else:
        show(session.console, render.channels(found, session.console.width, utf8=session.utf8))


@alerts.command("test")
def try_channel(
    ctx: typer.Context,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The channel's name.")],
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Send a message over a channel now, and say how that went."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import words

    sent = session.client.post(f"/alerts/channels/{quote(channel, safe='')}/test")
    good = sent.get("state") == "sent"
    if session.as_json:
        session.document(sent)
    elif good:
        session.console.print(f"It arrived at {channel}.", soft_wrap=True)
    else:
        why = words.printable(sent.get("error") or "nothing says why")
        session.errors.print(f"heal7: It did not arrive at {channel}: {why}", soft_wrap=True)
    if not good:
        raise typer.Exit(FAILED)

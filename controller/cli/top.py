"""`top`: what every service uses and how it answers, kept up to date until one leaves."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from controller.cli.errors import HubUnreachable
from controller.cli.session import HubOption, JsonOption, LangOption, Session, open_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.text import Text

commands = typer.Typer()


@commands.command()
def top(
    ctx: typer.Context,
    window: Annotated[
        Literal["1h", "6h", "24h", "7d", "30d"],
        typer.Option("--window", "-w", help="How far back figures over time go."),
    ] = "1h",
    once: Annotated[bool, typer.Option("--once", help="Show it once and leave.")] = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show what services use and how they answer, live; once where it is not a terminal."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    if session.as_json:
        session.document(_ask(session, window))
        return
    if once or not session.console.is_terminal:
        from controller.cli.screen import show

        show(session.console, _table(session, _ask(session, window), window))
        return
    _watch(session, window)


def _watch(session: Session, window: str, pause: Callable[[float], None] = time.sleep) -> None:
    """Until interrupted. A hub that goes away is waited for, and what is shown says so."""
    from rich.console import Group
    from rich.live import Live

    from controller.cli.table import paragraph

    answer = _ask(session, window)
    with Live(console=session.console, screen=True, auto_refresh=False) as display:
        while True:
            lines = _table(session, answer, window)
            display.update(Group(*lines), refresh=True)
            pause(float(answer.get("interval_s") or 10) / 2)
            try:
                answer = _ask(session, window)
            except HubUnreachable as gone:
                told = f"{gone} What stands here is the last that it said."
                width = session.console.width
                notice = paragraph(told, width, style="bold yellow")
                display.update(Group(*notice, *lines), refresh=True)


def _ask(session: Session, window: str) -> dict[str, Any]:
    return dict(session.client.find("/metrics/summary", {"window": window}))


def _table(session: Session, answer: dict[str, Any], window: str) -> list[Text]:
    from controller.cli.render_top import table

    return table(answer, window, session.console.width, utf8=session.utf8)

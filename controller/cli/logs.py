"""`logs`: what services wrote, searched or followed; the hub keeps it beyond a container's life."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from controller.cli import words
from controller.cli.events import follow as follow_events
from controller.cli.session import HubOption, JsonOption, LangOption, Session, open_session

if TYPE_CHECKING:
    from rich.text import Text

commands = typer.Typer()

_PAGE = 1_000
_STYLES = {
    "trace": "dim",
    "debug": "dim",
    "info": "green",
    "warning": "yellow",
    "error": "red",
    "fatal": "bold red",
}
_WIDEST = 22


@commands.command()
def logs(
    ctx: typer.Context,
    service: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="None means all of them.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay and show what comes.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=100_000, help="So many of the last.")
    ] = 100,
    grep: Annotated[
        str,
        typer.Option(
            "--grep", "-g", metavar="WORDS", help='All of these; "in quotes" together, -without.'
        ),
    ] = "",
    level: Annotated[
        str, typer.Option("--level", "-l", metavar="L", help="At least: info, warning, error …")
    ] = "",
    since: Annotated[
        str, typer.Option("--since", metavar="T", help="A time, or how long ago: 15m, 2h, 3d.")
    ] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="T", help="A time, or how long ago.")
    ] = "",
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="Only of this run.")] = "",
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show what services wrote, oldest first, or follow it; with --json and -f one entry a line."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    asked: dict[str, str | list[str]] = {
        "service": list(service or ()),
        "q": grep,
        "level": level,
        "since": since,
        "until": until,
        "run": run,
    }
    asked = {name: value for name, value in asked.items() if value}
    if follow:
        if until:
            raise typer.BadParameter("what is followed has no end", param_hint="--until")
        _follow(session, asked, lines)
    else:
        _show(session, asked, lines)


def _show(session: Session, asked: dict[str, str | list[str]], lines: int) -> None:
    found: list[Any] = []
    answer: dict[str, Any] = {}
    cursor: str | None = None
    while len(found) < max(1, lines):
        page = asked | {"limit": str(min(_PAGE, max(1, lines - len(found))))}
        answer = session.client.find("/logs", page | ({"cursor": cursor} if cursor else {}))
        found += [one for one in answer.get("entries") or [] if isinstance(one, dict)]
        cursor = answer.get("next")
        if not cursor:
            break
    found = found[:lines][::-1]
    if session.as_json:
        session.document({**answer, "entries": found})
        return
    _print(session, found)
    for name, why in (answer.get("problems") or {}).items():
        _notice(session, f"{name}: nothing is read of it: {why}")
    if cursor:
        _notice(session, f"There are older ones; {len(found)} are shown (-n shows more).")
    elif answer.get("dropped_until") and not asked.get("since"):
        until = words.moment(answer["dropped_until"], "%Y-%m-%d %H:%M")
        _notice(session, f"What was written before {until} has been dropped.")


def _follow(session: Session, asked: dict[str, str | list[str]], lines: int) -> None:
    query = urlencode(asked | {"tail": str(min(lines, _PAGE))}, doseq=True)
    stream = follow_events(
        session.client, lambda told: _notice(session, told), path=f"/logs/stream?{query}"
    )
    for event in stream:
        data = json.loads(event.data)
        if event.kind == "lost":
            _notice(session, f"{data.get('entries')} entries were skipped: more came than fits.")
        elif session.as_json:
            session.line(data)
        else:
            _print(session, [data])
            sys.stdout.flush()


def _print(session: Session, entries: Iterable[dict[str, Any]]) -> None:
    for one in entries:
        session.console.print(line(one), soft_wrap=True)


def line(one: dict[str, Any]) -> Text:
    """An entry for a terminal; further lines of it are indented. Nothing of it acts on it."""
    from rich.text import Text

    level = str(one.get("level") or "")
    shown = Text()
    shown.append(words.moment(one.get("at"), "%m-%d %H:%M:%S.%f")[:-3], style="dim")
    shown.append(f"  {words.printable(one.get('service')):<{_WIDEST}} ", style="cyan")
    shown.append(f"{level.upper():<7} ", style=_STYLES.get(level, ""))
    first, *more = str(one.get("text") or "").split("\n")
    style = "italic yellow" if one.get("stream") == "hub" else ""
    shown.append(words.printable(first), style=style)
    for rest in more:
        shown.append("\n" + " " * 18 + words.printable(rest.replace("\t", "    ")))
    return shown


def _notice(session: Session, sentence: str) -> None:
    session.errors.print(f"heal7: {words.printable(sentence)}", style="yellow", soft_wrap=True)

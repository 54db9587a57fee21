"""How a run is followed on the terminal, the same for every command that begins or changes one."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from controller.cli.errors import DONE, FAILED

if TYPE_CHECKING:
    from rich.text import Text

    from controller.cli.client import Json
    from controller.cli.follow_run import Watch
    from controller.cli.session import Session

INTERRUPTED = 130
SUCCEEDED = frozenset({"succeeded"})

NoWait = Annotated[bool, typer.Option("--no-wait", help="Print the run as it is now and leave.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout", metavar="S", min=0, help="Leave after S seconds; the run goes on in the hub."
    ),
]


def stay(
    session: Session, told: Json, wanted: Collection[str], *, timeout_s: float | None
) -> NoReturn:
    """Show the run until it has ended, print how, and leave: with 0 where its last status is one of
    `wanted`. Ctrl-C leaves the run to the hub."""
    from controller.cli import follow_run, render_runs
    from controller.cli.client import HubClient
    from controller.cli.screen import live

    seen: dict[tuple[str, str], str] = {}

    def frame(now: Watch) -> list[Text]:
        console = session.errors
        return render_runs.following(now, console.width, console.height, utf8=session.utf8)

    def news(now: Watch) -> list[str]:
        return render_runs.changes(seen, now)

    # A client of its own: connections are not for two threads at once.
    listener = HubClient(session.hub_url, session.language)
    feed = follow_run.EventFeed(listener, str(told.get("id")))
    try:
        with live(session, frame, news) as show:
            done = follow_run.follow(session.client, told, show, feed.begin(), timeout_s=timeout_s)
    except KeyboardInterrupt:
        _hint(session, "Left", str(told.get("id")))
        raise typer.Exit(INTERRUPTED) from None
    report(session, done.told)
    if not done.over:
        _hint(session, f"Not over after {timeout_s:g} s", done.id)
    raise typer.Exit(DONE if done.status in wanted else FAILED)


def report(session: Session, run: Json) -> None:
    """Print one run whole."""
    if session.as_json:
        session.document(run)
        return
    from controller.cli import render_runs
    from controller.cli.screen import show

    show(session.console, render_runs.story(run, session.console.width, utf8=session.utf8))


def _hint(session: Session, why: str, run_id: str) -> None:
    said = (
        f"heal7: {why}: the run goes on in the hub.",
        f"  → `heal7 runs {run_id} --follow` follows it, `heal7 runs cancel {run_id}` cancels it.",
    )
    for line in said:
        session.errors.print(line, soft_wrap=True)

"""`ps`, `start`, `stop`, `restart` and `plan`: the lifecycle of the services, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.errors import DONE, FAILED
from controller.cli.session import HubOption, JsonOption, LangOption, Session, open_session

if TYPE_CHECKING:
    from rich.text import Text

commands = typer.Typer()

ACTIONS = ("start", "stop", "restart")

Services = Annotated[
    list[str] | None, typer.Argument(metavar="[SERVICE]...", help="None means all of them.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan with its causes; change nothing.")
]


@commands.command()
def ps(
    ctx: typer.Context,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show the services and how they are."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    answer = session.client.get("/orchestration/status")
    if session.as_json:
        session.document(answer)
        return
    from controller.cli import render
    from controller.cli.screen import show

    console = session.console
    show(console, render.status(answer, session.client.base_url, console.width, utf8=session.utf8))


@commands.command()
def start(
    ctx: typer.Context,
    services: Services = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Start services and what they depend on, and wait until they are ready."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    act(session, "start", services or [], dry_run=dry_run)


@commands.command()
def stop(
    ctx: typer.Context,
    services: Services = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Stop services and wait until they are stopped."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    act(session, "stop", services or [], dry_run=dry_run)


@commands.command()
def restart(
    ctx: typer.Context,
    services: Services = None,
    dry_run: DryRun = False,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Restart services and wait until they are ready again."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    act(session, "restart", services or [], dry_run=dry_run)


@commands.command()
def plan(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[start|stop|restart] [SERVICE]...",
            help="What to plan (start when left out), and for which services (none: all).",
        ),
    ] = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show what start, stop or restart would do and why; change nothing."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    given = words or []
    named = bool(given) and given[0] in ACTIONS
    _plan(session, given[0] if named else "start", given[1:] if named else given)


def act(session: Session, action: str, services: list[str], *, dry_run: bool) -> None:
    """Ask for an action, show how far it is, and leave with how it ended."""
    wanted = list(dict.fromkeys(services))
    if dry_run:
        _plan(session, action, wanted)
        return
    from controller.cli import follow, render
    from controller.cli.screen import live

    seen: dict[tuple[str, int], tuple[str, str]] = {}

    def frame(now: follow.Progress) -> list[Text]:
        return render.progress(action, now, session.errors.width, utf8=session.utf8)

    def news(now: follow.Progress) -> list[str]:
        return render.step_changes(seen, now)

    with live(session, frame, news) as show:
        done = follow.run(session.client, action, wanted, show)
    if session.as_json:
        session.document(summary(done))
    else:
        _report(session, done)
    raise typer.Exit(DONE if done.success else FAILED)


def _plan(session: Session, action: str, services: list[str]) -> None:
    from controller.cli import follow, render
    from controller.cli.screen import show

    answer = follow.plan(session.client, action, services)
    if session.as_json:
        session.document(answer)
        return
    show(session.console, render.plan(action, answer, session.console.width, utf8=session.utf8))


def summary(done: Any) -> dict[str, Any]:
    """The JSON document of start, stop and restart, in the API's words."""
    from controller.cli import render

    problems = [
        {"target": target or "all"} | problem.document()
        for target, problem in done.problems.items()
    ]
    return {
        "success": done.success,
        "operations": list(done.operations.values()),
        "results": render.merged_results(done),
        "problems": problems,
    }


def _report(session: Session, done: Any) -> None:
    from controller.cli import render
    from controller.cli.screen import show

    show(session.console, render.outcomes(done, session.console.width, utf8=session.utf8))
    for problem in done.problems.values():
        show(session.errors, render.problem(problem, session.errors.width))

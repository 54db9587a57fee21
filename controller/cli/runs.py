"""`runs`: what was run and how it went, and what a person can do about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from controller.cli import words
from controller.cli.errors import DONE, FAILED
from controller.cli.session import HubOption, JsonOption, LangOption, Session, open_session
from controller.cli.watch_run import SUCCEEDED, NoWait, Timeout, report, stay
from controller.model.run import RunStatus

if TYPE_CHECKING:
    from controller.cli.client import Query

_PAGE = 100
_ID_PREFIX = "run_"


class ShowWhenNothingElse(TyperGroup):
    """`heal7 runs`, `heal7 runs RUN` and `heal7 runs --status failed` are what `runs show` does:
    it is asked for far more often than all others, and an id is no name of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        first = args[0] if args else ""
        own = first in ctx.help_option_names
        if not args or first.startswith(_ID_PREFIX) or (first.startswith("-") and not own):
            args = ["show", *args]
        return super().parse_args(ctx, args)


commands = typer.Typer()
runs = typer.Typer(
    cls=ShowWhenNothingElse, help="Runs of workflows: list, show, follow, cancel, retry, move."
)
commands.add_typer(runs, name="runs")

Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
WorkflowOption = Annotated[
    str | None, typer.Option("--workflow", "-w", metavar="W", help="Only of this workflow.")
]
# How a run ends where what was asked for came true.
_CANCELLED = frozenset({"cancelled"})
_RESUMED = frozenset({"compensated", "cancelled", "failed"})


@runs.command()
def show(
    ctx: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Tell this one's whole story.")
    ] = None,
    workflow: WorkflowOption = None,
    status: Annotated[
        RunStatus | None, typer.Option("--status", metavar="S", help="Only those of this status.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most this many.")
    ] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay with RUN until it has ended.")
    ] = False,
    timeout: Timeout = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show the runs, newest first, or one whole. `show` may be left out."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    if run is None:
        if follow:
            raise typer.BadParameter("name the run to follow", param_hint="--follow")
        _list(session, workflow, status, limit)
        return
    told = session.client.get(_path(run))
    if follow:
        stay(session, told, SUCCEEDED, timeout_s=timeout)
    report(session, told)


@runs.command()
def cancel(
    ctx: typer.Context,
    run: Run,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Stop a run and undo what it did."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _act(session, run, "cancel", _CANCELLED, no_wait=no_wait, timeout=timeout)


@runs.command()
def retry(
    ctx: typer.Context,
    run: Run,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Begin a new run that goes on from the failed step of this one."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _act(session, run, "retry", SUCCEEDED, no_wait=no_wait, timeout=timeout)


@runs.command()
def resume(
    ctx: typer.Context,
    run: Run,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Go on with a compensation that failed."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    _act(session, run, "resume", _RESUMED, no_wait=no_wait, timeout=timeout)


@runs.command("export")
def export_runs(
    ctx: typer.Context,
    run: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN]...", help="None means all of them.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="F", help="Write to this file, not to stdout."),
    ] = None,
    workflow: WorkflowOption = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Write runs with all that happened in them as lines of JSON, for another hub or to keep."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import transfer

    asked = {"run": run or []} | ({"workflow": workflow} if workflow is not None else {})
    if output is None:
        # The lines are the document; nothing else may stand among them.
        transfer.download(session.client, asked, sys.stdout.buffer, _silent)
        return
    with transfer.progress(session, "Exported") as told:
        done = transfer.save(session.client, asked, output, told)
    if session.as_json:
        session.document({"output": str(output), "lines": done.lines, "bytes": done.size})
    else:
        session.console.print(f"{done.said('Exported')} to {output}.", soft_wrap=True)


@runs.command("import")
def import_runs(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="F", help="What `heal7 runs export` wrote; - is stdin.")
    ],
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Take in exported runs; those that are there already stay as they are."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli import transfer

    with transfer.opened(source) as content, transfer.progress(session, "Sent") as told:
        answer = transfer.send(session.client, content, told)
    faults = [str(fault) for fault in answer.get("faults") or []]
    if session.as_json:
        session.document(answer)
    else:
        for line in transfer.imported(answer):
            session.console.print(line, soft_wrap=True)
        for fault in faults:
            session.errors.print(f"heal7: {words.printable(fault)}", soft_wrap=True)
    raise typer.Exit(FAILED if faults else DONE)


def _path(run: str, verb: str = "") -> str:
    from controller.cli.follow_run import run_path

    return run_path(run, verb)


def _act(
    session: Session,
    run: str,
    verb: str,
    wanted: frozenset[str],
    *,
    no_wait: bool,
    timeout: float | None,
) -> None:
    told = session.client.post(_path(run, verb))
    if no_wait:
        report(session, told)
        return
    stay(session, told, wanted, timeout_s=timeout)


def _list(session: Session, workflow: str | None, status: RunStatus | None, limit: int) -> None:
    asked: Query = {"workflow": workflow} if workflow is not None else {}
    asked |= {"status": status.value} if status is not None else {}
    found: list[Any] = []
    cursor: str | None = None
    while len(found) < limit:
        asked["limit"] = str(min(limit - len(found), _PAGE))
        answer = session.client.find("/workflows/runs", asked)
        found += [run for run in answer.get("runs") or [] if isinstance(run, dict)]
        cursor = answer.get("next")
        if not cursor:
            break
        asked["cursor"] = cursor
    if session.as_json:
        session.document({"runs": found, "next": cursor})
        return
    from controller.cli import render_runs
    from controller.cli.screen import show as display

    width, utf8 = session.console.width, session.utf8
    display(session.console, render_runs.runs(found, width, more=bool(cursor), utf8=utf8))


def _silent(_done: object) -> None:
    """Where the lines go to standard output, they are the progress."""

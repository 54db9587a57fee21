"""`workflows` and `run`: what can be run across services, and running it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from controller.cli.session import HubOption, JsonOption, LangOption, open_session
from controller.cli.watch_run import SUCCEEDED, NoWait, Timeout, report, stay

commands = typer.Typer()


@commands.command()
def workflows(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Show this one with its steps.")
    ] = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Show the workflows, or one with its steps."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    path = "/workflows" if name is None else f"/workflows/{quote(name, safe='')}"
    found = session.client.list(path) if name is None else [session.client.get(path)]
    if session.as_json:
        session.document(found if name is None else found[0])
        return
    from controller.cli import render_workflows as render
    from controller.cli.screen import show

    width, utf8, language = session.console.width, session.utf8, session.language
    if name is None:
        show(session.console, render.workflows(found, width, language))
    else:
        show(session.console, render.workflow(found[0], width, language, utf8=utf8))


@commands.command()
def run(
    ctx: typer.Context,
    workflow: Annotated[str, typer.Argument(metavar="WORKFLOW", help="The workflow to run.")],
    source: Annotated[
        str | None,
        typer.Option("--input", "-i", metavar="F|-", help="JSON or YAML file; - is stdin."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", "-s", metavar="A.B=VALUE", help="One value of the input: JSON, else text."
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", metavar="K", help="Idempotency key: the same one, the same run."),
    ] = None,
    no_wait: NoWait = False,
    timeout: Timeout = None,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Begin a run of a workflow and follow it to its end."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli.run_input import load

    given = load(source, settings or [])
    path = f"/workflows/{quote(workflow, safe='')}/runs"
    begun = session.client.post_json(path, {"input": given}, key=key)
    if no_wait:
        report(session, begun)
        return
    stay(session, begun, SUCCEEDED, timeout_s=timeout)

"""Puts the commands together and gives every failure one sentence and one exit code."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from controller import __version__
from controller.cli import (
    alerts,
    checkup,
    compose,
    events,
    healing,
    logs,
    machine,
    runs,
    services,
    top,
    workflows,
)
from controller.cli.errors import FAILED, CommandError
from controller.cli.session import GlobalChoices, HubOption, JsonOption, LangOption, choices
from controller.errors import ConfigError, HubError


class Sentences(TyperGroup):
    """Turns what commands raise into one sentence on standard error, and a document if asked."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CommandError as failure:
            _say(ctx, failure.sentences, failure.remedy, failure.document())
            raise typer.Exit(failure.exit_code) from failure
        except HubError as failure:
            faults = failure.faults if isinstance(failure, ConfigError) else [failure.detail]
            document = {"type": failure.type, "title": failure.title, "detail": failure.detail}
            document |= {"remedy": failure.remedy} if failure.remedy else {}
            _say(ctx, [f"{failure.title}: {fault}" for fault in faults], failure.remedy, document)
            raise typer.Exit(FAILED) from failure


app = typer.Typer(
    name="heal7",
    cls=Sentences,
    help="Start, watch, heal and explain a stack of services, through the HEAL7 hub.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"heal7 {__version__}")
        raise typer.Exit


@app.callback()
def _before_every_command(
    ctx: typer.Context,
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and leave."
        ),
    ] = False,
) -> None:
    ctx.obj = GlobalChoices(hub=hub, as_json=as_json, language=lang)


for module in (
    services,
    healing,
    workflows,
    runs,
    logs,
    alerts,
    top,
    events,
    checkup,
    compose,
    machine,
):
    app.registered_commands.extend(module.commands.registered_commands)
    app.registered_groups.extend(module.commands.registered_groups)


def run() -> None:
    """Run on `sys.argv` and leave the process with the exit code of docs/cli.md."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal that cannot show a character gets a `?`, not a stack trace.
            stream.reconfigure(errors="replace")
    app(prog_name="heal7")


def _say(ctx: Any, sentences: list[str], remedy: str | None, document: dict[str, Any]) -> None:
    for sentence in sentences:
        print(f"heal7: {sentence}", file=sys.stderr)
    if remedy:
        print(f"  → {remedy}", file=sys.stderr)
    if choices(ctx).as_json:
        print(json.dumps(document, ensure_ascii=False))

"""`doctor`: checks this machine, the engine and the hub, and says how to mend what is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.errors import DONE, FAILED
from controller.cli.session import HubOption, JsonOption, LangOption, open_session

if TYPE_CHECKING:
    from rich.text import Text

    from controller.cli.doctor import Check

commands = typer.Typer()

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", envvar="HEAL7_CONFIG", help="The stack's configuration file."),
]


@commands.command()
def doctor(
    ctx: typer.Context,
    config: ConfigOption = Path("config.yaml"),
    as_json: JsonOption = False,
    hub: HubOption = None,
    lang: LangOption = None,
) -> None:
    """Check engine, hub, configuration, images, ports, orphans, disk and clock; say how to mend."""
    session = open_session(ctx, as_json=as_json, hub=hub, lang=lang)
    from controller.cli.doctor import Status, evaluate
    from controller.cli.facts import gather

    checks = evaluate(gather(session.client, config, os.environ))
    healthy = all(check.status is not Status.FAIL for check in checks)
    if session.as_json:
        session.document({"ok": healthy, "checks": [_document(check) for check in checks]})
    else:
        from controller.cli.screen import show

        show(session.console, report(checks, session.console.width, utf8=session.utf8))
    raise typer.Exit(DONE if healthy else FAILED)


def report(checks: list[Check], width: int, *, utf8: bool) -> list[Text]:
    """The checks as lines: what was found, and under it what to do. Pure."""
    from rich.cells import cell_len
    from rich.text import Text

    from controller.cli import words
    from controller.cli.table import paragraph

    names = max(cell_len(check.name) for check in checks)
    made: list[Text] = []
    for check in checks:
        look = words.CHECK[check.status]
        head = f"{look.mark(utf8=utf8)} {check.status:<4}  {check.name:<{names}}  "
        found = paragraph(check.found, width, indent=cell_len(head))
        made.append(Text.assemble((head, look.style), found[0].plain.strip()))
        made += found[1:]
        if check.remedy:
            arrow = "→ " if utf8 else "> "
            made += paragraph(arrow + check.remedy, width, indent=cell_len(head))
    counts = [sum(1 for c in checks if c.status == status) for status in ("fail", "warn")]
    if any(counts):
        made += [Text(), Text(f"{counts[0]} to mend, {words.plural(counts[1], 'warning')}.")]
    else:
        made += [Text(), Text("Everything is well.")]
    return made


def _document(check: Check) -> dict[str, str]:
    remedy = {"remedy": check.remedy} if check.remedy else {}
    return {"name": check.name, "status": check.status, "found": check.found} | remedy

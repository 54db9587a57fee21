"""`up`, `down`, `clean`, `setup`, `images build` and `serve`: the commands that need no hub.

They only hand over to `controller/setup` and `controller/bootstrap`, imported when called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.checkup import ConfigOption

commands = typer.Typer()


@commands.command()
def serve(
    config: ConfigOption = Path("config.yaml"),
    state: Annotated[
        Path,
        typer.Option("--state", envvar="HEAL7_STATE", help="Folder of the hub's database."),
    ] = Path("state"),
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on; loopback only.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=1, max=65535, help="Port to listen on.")
    ] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when the code changes; for development.")
    ] = False,
) -> None:
    """Run the hub in the foreground, as its container does."""
    from controller.bootstrap import serve as run_hub

    run_hub(config, state, host, port, reload)

"""Puts lines on the terminal: once, or kept up to date while operations run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from controller.cli import render
from controller.cli.follow import Progress
from controller.cli.session import Session


def show(console: Console, lines: Iterable[Text]) -> None:
    """Print lines that fit already; rich must not fold them again."""
    for line in lines:
        console.print(line, soft_wrap=True)


@contextmanager
def live(session: Session, action: str) -> Iterator[Callable[[Progress], None]]:
    """How progress is shown: redrawn in place on a terminal, one line a change elsewhere, on
    standard error so that standard output holds only the outcome; not at all with `--json`."""
    if session.as_json:
        yield lambda _progress: None
        return
    console = session.errors
    if not console.is_terminal:
        seen: dict[tuple[str, int], str] = {}

        def say(now: Progress) -> None:
            for line in render.step_changes(seen, now):
                console.print(line, soft_wrap=True)

        yield say
        return

    from rich.console import Group
    from rich.live import Live

    # Transient: the outcome that is printed next replaces the progress.
    with Live(console=console, transient=True, refresh_per_second=8) as display:
        yield lambda now: display.update(
            Group(*render.progress(action, now, console.width, utf8=session.utf8))
        )

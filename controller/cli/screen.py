"""Puts lines on the terminal: once, or kept up to date while something is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.text import Text

from controller.cli.session import Session

T = TypeVar("T")


def show(console: Console, lines: Iterable[Text]) -> None:
    """Print lines that fit already; rich must not fold them again."""
    for line in lines:
        console.print(line, soft_wrap=True)


@contextmanager
def live(
    session: Session, frame: Callable[[T], Iterable[Text]], news: Callable[[T], Iterable[str]]
) -> Iterator[Callable[[T], None]]:
    """How progress is shown: its `frame` redrawn in place on a terminal, its `news` line by line
    elsewhere, on standard error so that standard output holds only the outcome; not at all with
    `--json`."""
    if session.as_json:
        yield lambda _progress: None
        return
    console = session.errors
    if not console.is_terminal:

        def say(now: T) -> None:
            for line in news(now):
                console.print(line, soft_wrap=True)

        yield say
        return

    from rich.console import Group
    from rich.live import Live

    # Transient: the outcome that is printed next replaces the progress.
    with Live(console=console, transient=True, refresh_per_second=8) as display:
        yield lambda now: display.update(Group(*frame(now)))

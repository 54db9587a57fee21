"""Shows people what set-up is doing, while it does it, and how long each phase took.

On a terminal: one live line a phase. Elsewhere (a log, CI): a line at each start and end, and a
sign of life while a phase is quiet, so that nobody wonders whether it hangs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from controller import clock

_LINE_EVERY_S = 5.0


class Mark(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(slots=True)
class Phase:
    """One phase as people see it. `spoke_at` is when its last plain line was printed."""

    name: str
    started: float
    mark: Mark = Mark.RUNNING
    ended: float | None = None
    line: str = ""
    spoke_at: float = 0.0

    def seconds(self, now: float) -> float:
        return (now if self.ended is None else self.ended) - self.started

    def say(self, line: str) -> None:
        """Show `line` as what the phase is doing now."""
        self.line = " ".join(line.split())[:160]


class Board:
    """All phases of one command. Thread-safe; phases may run side by side."""

    def __init__(self, console: Console):
        self.console = console
        self.phases: list[Phase] = []
        self._lock = threading.Lock()
        self._started = clock.monotonic()
        self._stop = threading.Event()
        self.below: RenderableType | None = None

    def seconds(self) -> float:
        """Seconds since the board was made."""
        return clock.monotonic() - self._started

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the phases on the screen (or in the log) while the block runs."""
        if self.console.is_terminal:
            with Live(get_renderable=self._render, console=self.console, refresh_per_second=8):
                yield
            return
        teller = threading.Thread(target=self._tell, name="set-up progress", daemon=True)
        teller.start()
        try:
            yield
        finally:
            self._stop.set()
            teller.join()

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """One phase: done when the block ends, failed when it raises."""
        phase = Phase(name, clock.monotonic())
        with self._lock:
            self.phases.append(phase)
        self._plain(phase, "…")
        try:
            yield phase
        except BaseException:
            self._close(phase, Mark.FAILED)
            raise
        self._close(phase, Mark.DONE)

    def timings(self) -> dict[str, float]:
        """Seconds by phase, in the order they began."""
        now = clock.monotonic()
        return {phase.name: round(phase.seconds(now), 1) for phase in self.phases}

    def _close(self, phase: Phase, mark: Mark) -> None:
        phase.ended = clock.monotonic()
        phase.mark = mark
        self._plain(phase, f"{mark} in {phase.seconds(0):.1f} s {phase.line}".rstrip())

    def _plain(self, phase: Phase, text: str) -> None:
        phase.spoke_at = clock.monotonic()
        if not self.console.is_terminal:
            self.console.print(
                f"[{self.seconds():6.1f} s] {phase.name}: {text}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def _tell(self) -> None:
        while not self._stop.wait(1.0):
            now = clock.monotonic()
            with self._lock:
                quiet = [
                    p
                    for p in self.phases
                    if p.mark is Mark.RUNNING and now - p.spoke_at >= _LINE_EVERY_S
                ]
            for phase in quiet:
                self._plain(phase, phase.line or "…")

    def _render(self) -> Group:
        now = clock.monotonic()
        table = Table.grid(padding=(0, 1))
        with self._lock:
            for phase in self.phases:
                table.add_row(*_row(phase, now))
        return Group(table) if self.below is None else Group(table, self.below)


def _row(phase: Phase, now: float) -> tuple[Spinner | Text, str, str, Text]:
    signs: dict[Mark, Spinner | Text] = {
        Mark.RUNNING: Spinner("dots", style="cyan"),
        Mark.DONE: Text("✔", style="green"),
        Mark.FAILED: Text("✘", style="red"),
    }
    line = Text(phase.line, style="dim", overflow="ellipsis", no_wrap=True)
    return signs[phase.mark], escape(phase.name), f"{phase.seconds(now):6.1f} s", line

"""What one entry of a log is, whoever wrote it; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

Row = tuple[int, int, int, int, int, str, str, str]
"""Id, source, time, stream, level, run, step and text of an entry, as they are stored."""


class Level(IntEnum):
    """How bad an entry is, by its own word. UNSET is what says nothing of it."""

    UNSET = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARNING = 4
    ERROR = 5
    FATAL = 6


class Stream(IntEnum):
    """Where an entry came out. HUB is what the hub adds to a service's log, as a key and its facts:
    `["logs.gap…", {…}]` in JSON."""

    OUT = 0
    ERR = 1
    HUB = 2


@dataclass(frozen=True, slots=True)
class Line:
    """One line as the engine gave it. `at` is the engine's own time, in nanoseconds since 1970."""

    at: int
    is_error: bool
    """Whether it came by standard error."""
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One or several lines that belong together, such as a stack trace."""

    at: int
    stream: Stream
    level: Level
    text: str
    run: str = ""
    step: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry with its number, which grows with every entry that comes, and where it is from.
    `container` is the id that the engine gave."""

    id: int
    service: str
    container: str
    entry: Entry

    @property
    def place(self) -> tuple[int, int]:
        """By which entries are in order."""
        return self.entry.at, self.id

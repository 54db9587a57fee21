"""What one entry of a log is, whoever wrote it; pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Level(IntEnum):
    """How bad an entry is, by its own word. UNSET is what says nothing of it."""

    UNSET = 0
    TRACE = 1
    DEBUG = 2
    INFO = 3
    WARNING = 4
    ERROR = 5
    FATAL = 6


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
    is_error: bool
    level: Level
    text: str
    run: str = ""
    step: str = ""

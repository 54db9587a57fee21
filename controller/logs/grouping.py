"""Lines that belong together become one entry: a stack trace is one thing that happened; pure.

A line goes on the one before where it is indented, or where the trace that is being told has such
lines: `Caused by:`, the exception's own line at the end, a goroutine's frames.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from controller.logs.reading import read, readable
from controller.model.log import Entry, Level, Line, Stream

MAX_LINES = 500
MAX_CHARS = 65_536
_QUIET_NS = 250_000_000
_APART_NS = 2_000_000_000
_PYTHON = "Traceback (most recent call last):"
_AGAIN = ("During handling of the above exception", "The above exception was the direct cause")
_CAUSES = ("Caused by:", "Suppressed:", "... ", "Wrapped by:")
_GO_BEGINS = ("panic:", "fatal error:", "goroutine ", "[signal ", "SIGSEGV")
_GO_FRAME = re.compile(r"[\w./*()-]+\(.*\)\Z|created by |exit status |goroutine \d")


class _Telling(Enum):
    """What the entry under way tells."""

    WORDS = auto()
    PYTHON = auto()
    PYTHON_END = auto()
    GO = auto()


class Grouper:
    """The lines of one container; standard output and error go their own ways."""

    def __init__(self) -> None:
        self._open: dict[bool, _Pending] = {}
        self._last = [0, 0]

    def feed(self, line: Line) -> Entry | None:
        """The entry that is complete because this line is not part of it."""
        self._last[line.is_error] = line.at
        pending = self._open.get(line.is_error)
        if pending is not None and pending.takes(line):
            return None
        self._open[line.is_error] = _Pending(line)
        return pending.entry() if pending is not None else None

    def flush(self, now_ns: int | None = None) -> list[Entry]:
        """Entries to which nothing was added for a moment before `now_ns`; all of them for None."""
        done = [
            stream
            for stream, pending in self._open.items()
            if now_ns is None or now_ns - pending.last >= _QUIET_NS
        ]
        return sorted((self._open.pop(stream).entry() for stream in done), key=lambda e: e.at)

    @property
    def is_open(self) -> bool:
        """Whether there is an entry to which something may still be added."""
        return bool(self._open)

    def complete(self, is_error: bool) -> int:
        """The time up to which all lines of a stream are in entries that were given out."""
        pending = self._open.get(is_error)
        return self._last[is_error] if pending is None else pending.first.at - 1


class _Pending:
    __slots__ = ("chars", "first", "last", "lines", "telling")

    def __init__(self, line: Line) -> None:
        self.first = line
        self.last = line.at
        self.lines: list[str] | None = None
        self.chars = len(line.text)
        self.telling = _begins(line.text)

    def takes(self, line: Line) -> bool:
        """Whether the line is part of it; then it is added."""
        text = line.text
        if not text[:1].isspace() and self.telling is _Telling.WORDS and not _goes_on(text):
            return False
        if line.at - self.last > _APART_NS or not self._fits(text):
            return False
        if self.lines is None:
            self.lines = [self.first.text]
        if len(self.lines) < MAX_LINES and self.chars + len(text) <= MAX_CHARS:
            self.lines.append(text)
            self.chars += len(text) + 1
        self.last = line.at
        return True

    def _fits(self, text: str) -> bool:
        indented = text[:1].isspace()
        match self.telling:
            case _Telling.WORDS:
                if text == _PYTHON:
                    self.telling = _Telling.PYTHON
                return indented or _goes_on(text)
            case _Telling.PYTHON:
                if text and not indented and text != _PYTHON:
                    # The exception itself ends a trace.
                    self.telling = _Telling.PYTHON_END
                return True
            case _Telling.PYTHON_END:
                if text == _PYTHON:
                    self.telling = _Telling.PYTHON
                return not text or indented or text == _PYTHON or text.startswith(_AGAIN)
            case _Telling.GO:
                fits = not text or indented or text.startswith(_GO_BEGINS)
                return fits or _GO_FRAME.match(text) is not None

    def entry(self) -> Entry:
        first = self.first
        level, run, step = read(first.text)
        text = readable(first.text)
        if self.lines is not None:
            text = "\n".join([text, *self.lines[1:]]).rstrip()
            if self.telling is not _Telling.WORDS or any(map(_is_trace, self.lines)):
                level = max(level, Level.ERROR)
        return Entry(first.at, Stream(first.is_error), level, text, run, step)


def _begins(text: str) -> _Telling:
    if text.endswith(_PYTHON):
        return _Telling.PYTHON
    return _Telling.GO if text.startswith(_GO_BEGINS) else _Telling.WORDS


def _goes_on(text: str) -> bool:
    """Of a line at the margin, in no trace that is known: whether it goes on the one before."""
    return text.startswith(_CAUSES) or text == _PYTHON


def _is_trace(text: str) -> bool:
    return text.startswith(("\tat ", "    at ", "Caused by:")) or text == _PYTHON

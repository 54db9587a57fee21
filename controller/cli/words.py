"""Symbols, colours and units: how a fact looks to a person, in one place.

Every state has a symbol *and* a word, so that colour is never the only carrier of meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Look:
    """`symbol` for terminals that speak UTF-8, `plain` for the others; one cell each."""

    symbol: str
    plain: str
    style: str

    def mark(self, *, utf8: bool) -> str:
        """The symbol this terminal can show."""
        return self.symbol if utf8 else self.plain


GOOD = Look("✓", "+", "green")
BAD = Look("✗", "x", "bold red")
WAITING = Look("…", ".", "yellow")
WARNING = Look("!", "!", "yellow")
OFF = Look("–", "-", "dim")
UNSURE = Look("?", "?", "yellow")

HEALTH = {
    "healthy": GOOD,
    "unhealthy": BAD,
    "failed": BAD,
    "starting": WAITING,
    "unknown": UNSURE,
    "blocked": WARNING,
    "held": WARNING,
    "stopped": OFF,
}
OUTCOME = {
    "started": GOOD,
    "restarted": GOOD,
    "recreated": GOOD,
    "stopped": GOOD,
    "removed": GOOD,
    "completed": GOOD,
    "built": GOOD,
    "pulled": GOOD,
    "not_built": OFF,
    "not_pulled": OFF,
    "already_running": GOOD,
    "already_stopped": GOOD,
    "failed": BAD,
    "blocked": WARNING,
    "unknown": UNSURE,
}
STEP = {"waiting": OFF, "running": WAITING, "done": GOOD, "failed": BAD, "skipped": WARNING}
ENDING = {
    "open": WAITING,
    "recovered": GOOD,
    "gave_up": BAD,
    "operator": OFF,
    "external": OFF,
}
ACTION = {
    "running": WAITING,
    "done": GOOD,
    "failed": BAD,
    "unknown": UNSURE,
    "interrupted": WARNING,
    "": OFF,
}
STAGE = {"passed": GOOD, "failed": BAD, "aborted": WARNING}
RUN = {
    "pending": OFF,
    "running": WAITING,
    "waiting": WARNING,
    "compensating": WARNING,
    "succeeded": GOOD,
    "compensated": WARNING,
    "failed": BAD,
    "compensation_failed": BAD,
    "cancelled": OFF,
}
RUN_STEP = {
    "pending": OFF,
    "running": WAITING,
    "held": WARNING,
    "retrying": WARNING,
    "succeeded": GOOD,
    "failed": BAD,
    "skipped": OFF,
    "cancelled": WARNING,
}
UNDO = {
    "running": WAITING,
    "held": WARNING,
    "retrying": WARNING,
    "done": GOOD,
    "failed": BAD,
}
CHECK = {"ok": GOOD, "warn": WARNING, "fail": BAD}

_KIB = 1024.0


def size(count: float | None) -> str:
    """Bytes as `48 MiB`; '' where it is not known."""
    if count is None:
        return ""
    for unit in ("B", "KiB", "MiB"):
        if count < _KIB:
            return f"{count:.0f} {unit}"
        count /= _KIB
    return f"{count:.1f} GiB"


def span(seconds: float | None) -> str:
    """A length of time in its two biggest units, `2h 03m`; '' where it is not known."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h {whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d {whole % 86400 // 3600:02d}h"


def milliseconds(count: float | None) -> str:
    """`4 ms` below a second, `1.2 s` above; '' where it is not known."""
    if count is None:
        return ""
    if count < 1000:
        return f"{count:.1f} ms" if 0.1 <= count < 10 else f"{count:.0f} ms"
    return f"{count / 1000:.1f} s"


def took(count: float | None) -> str:
    """Milliseconds as a person says them: `1.2 s` below a minute, `2h 03m` above."""
    return milliseconds(count) if count is None or count < 60_000 else span(count / 1000)


def moment(told: object, form: str) -> str:
    """A time of the API in this machine's zone; as it stands where it is not one."""
    try:
        return datetime.fromisoformat(str(told)).astimezone().strftime(form)
    except ValueError:
        return str(told or "")


def seconds(told: object) -> float:
    """A time of the API in seconds since 1970; 0 where it is not one."""
    try:
        return datetime.fromisoformat(str(told)).timestamp()
    except ValueError:
        return 0.0


def printable(told: object) -> str:
    """What a container wrote, without anything that could act on the terminal."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "�" for c in str(told))


def plural(count: int, noun: str) -> str:
    """`1 service`, `5 services`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""What is looked for in logs, and whether an entry is it; pure.

Words are all to be there, in any order and any case; what stands in quotation marks is one word,
and a minus before it means that it must not be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.logs.block import folded
from controller.model.log import Entry, Level

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
MAX_TERMS = 20
_NANO = 1_000_000_000
_LAST_NS = (1 << 63) - 1
_AGO = re.compile(r"(\d{1,6})\s*(s|m|h|d|w)")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_PLACE = re.compile(r"(\d{1,19})-(\d{1,18})")
LEVELS = {level.name.lower(): level for level in Level if level is not Level.UNSET}


@dataclass(frozen=True, slots=True)
class Query:
    """Which entries. Times are nanoseconds since 1970, `since` included and `until` not."""

    services: frozenset[str] | None = None
    level: Level = Level.UNSET
    """At least this bad."""
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    run: str = ""
    since: int | None = None
    until: int | None = None

    def fits(self, entry: Entry) -> bool:
        """Whether an entry of a service that is asked for is one of these."""
        if entry.level < self.level or (self.run and entry.run != self.run):
            return False
        if self.since is not None and entry.at < self.since:
            return False
        if self.until is not None and entry.at >= self.until:
            return False
        if not self.words and not self.without:
            return True
        text = folded(entry.text)
        return all(word in text for word in self.words) and not any(
            word in text for word in self.without
        )


def terms(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words of a question, and those that must not be there."""
    words: list[str] = []
    without: list[str] = []
    for minus, quoted, plain in _TERM.findall(text)[:MAX_TERMS]:
        word = folded(quoted or plain)
        if word:
            (without if minus else words).append(word)
        elif minus:
            words.append(minus)
    return tuple(words), tuple(without)


def ask(
    now: datetime,
    *,
    services: Sequence[str] = (),
    level: str = "",
    text: str = "",
    run: str = "",
    since: str = "",
    until: str = "",
) -> Query:
    """A question in the words of people. Raises ValueError, which says what is wrong."""
    if level and level not in LEVELS:
        raise ValueError(f"level: {level!r} is not one of {', '.join(LEVELS)}")
    words, without = terms(text)
    return Query(
        services=frozenset(services) if services else None,
        level=LEVELS[level] if level else Level.UNSET,
        words=words,
        without=without,
        run=run,
        since=moment("since", since, now) if since else None,
        until=moment("until", until, now) if until else None,
    )


def moment(name: str, text: str, now: datetime) -> int:
    """Nanoseconds since 1970 of an RFC 3339 time or of a length of time ago, such as 15m. Raises
    ValueError."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return nanoseconds(now) - int(ago[1]) * _UNITS[ago[2]] * _NANO
    try:
        # A plus of the zone arrives as a blank where it was not quoted in an address.
        at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return nanoseconds(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{name}: {text!r} is neither a time such as 2026-11-25T03:12:00Z nor a length of time "
            "ago such as 15m, 2h or 3d"
        ) from error


def nanoseconds(at: datetime) -> int:
    """Since 1970, between that and the year 2262, beyond which nobody wrote or will write."""
    whole = int(at.timestamp() // 1)
    return min(max(0, whole * _NANO + at.microsecond * 1_000), _LAST_NS)


def time_of(at: int) -> datetime:
    """UTC of nanoseconds since 1970."""
    whole, rest = divmod(at, _NANO)
    return datetime.fromtimestamp(whole, UTC).replace(microsecond=rest // 1_000)


def place_text(place: tuple[int, int]) -> str:
    """A place among all entries, as clients are given it."""
    return f"{place[0]}-{place[1]}"


def read_place(text: str) -> tuple[int, int]:
    """What `place_text` wrote. Raises ValueError."""
    found = _PLACE.fullmatch(text)
    if found is None or int(found[1]) >= 1 << 63:
        raise ValueError(f"{text[:60]!r} is not the id of a log entry, nor where to go on")
    return int(found[1]), int(found[2])

"""What is looked for in logs, and whether an entry is it; pure.

Words are all to be there, in any order and any case; what stands in quotation marks is one word, and
a minus before it means that it must not be there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.logs.block import folded
from controller.model.log import Entry, Level

_TERM = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
MAX_TERMS = 20


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

"""Entries of one container packed into a block, and the words by which blocks are found; pure.

What is searched for is compared composed and without case, as people mean it; what is indexed is
decomposed, so that each Korean syllable is two or three characters for the trigrams of the index.
"""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from controller.model.log import Entry, Level, Row, Stream

SIZE = 256
"""Entries of a full block: few enough that a rare word is in few blocks."""
_FAST = 3
_MOST_CHARS = 262_144
_TRIGRAM = 3


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry with its place in the store: `id` grows with every entry that comes."""

    id: int
    entry: Entry


def stored(row: Row) -> Stored:
    number, _, at, stream, level, run, step, text = row
    return Stored(number, Entry(at, Stream(stream), Level(level), text, run, step))


def full(entries: Sequence[Stored]) -> int:
    """How many of the first entries fill a block; 0 where they do not yet."""
    chars = 0
    for at, one in enumerate(entries, start=1):
        chars += len(one.entry.text)
        if at == SIZE or chars >= _MOST_CHARS:
            return at
    return 0


def pack(entries: Sequence[Stored]) -> bytes:
    """By columns, which compress better than rows."""
    found = [one.entry for one in entries]
    columns = [
        [one.id for one in entries],
        [e.at for e in found],
        [int(e.stream) for e in found],
        [int(e.level) for e in found],
        [e.run for e in found],
        [e.step for e in found],
        [e.text for e in found],
    ]
    return zlib.compress(orjson.dumps(columns), _FAST)


def unpack(body: bytes) -> list[Stored]:
    """What `pack` packed. Raises ValueError where it is damaged."""
    try:
        columns = orjson.loads(zlib.decompress(body))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return [
        Stored(number, Entry(at, Stream(stream), Level(level), text, run, step))
        for number, at, stream, level, run, step, text in zip(*columns, strict=True)
    ]


def indexed(entries: Sequence[Stored]) -> str:
    """The text of a block for its trigrams."""
    return _decomposed("\n".join(one.entry.text for one in entries))


def trigrams(words: Sequence[str]) -> str | None:
    """The expression that finds blocks in which all `words` can be; None where they are too short
    to be found by trigrams."""
    found: dict[str, None] = {}
    for word in words:
        plain = _decomposed(word)
        found |= dict.fromkeys(plain[at : at + _TRIGRAM] for at in range(len(plain) - _TRIGRAM + 1))
    if not found:
        return None
    return " AND ".join('"' + part.replace('"', '""') + '"' for part in found)


def folded(text: str) -> str:
    """The form in which texts are compared."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", text.casefold())


def _decomposed(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFD", text.casefold())

"""Entries of one container packed into a block, and the words by which blocks are found; pure.

What is searched for is compared composed and without case, as people mean it; what is indexed is
decomposed, so that each Korean syllable is two or three characters for the trigrams of the index.
Long numbers are in every block by their trigrams, so the index knows them by five digits at a time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import orjson
import zstandard

from controller.model.log import Entry, Level, Row, Stream

SIZE = 256
"""Entries of a full block: few enough that a rare word is in few blocks."""
_MOST_CHARS = 262_144
_TRIGRAM = 3
# Three digits as one character of Unicode's private use: three such in a row are five digits.
_TRIPLES = {f"{n:03d}": chr(0xE000 + n) for n in range(1000)}
_LONG = re.compile(r"\d{5,}", re.ASCII)
_compress = zstandard.ZstdCompressor(level=3).compress
_decompress = zstandard.ZstdDecompressor().decompress
_LARGEST = 64 << 20


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
    """By columns, which compress better than rows; the texts last, as one."""
    found = [one.entry for one in entries]
    head = [
        _steps([one.id for one in entries]),
        _steps([e.at for e in found]),
        [int(e.stream) for e in found],
        [int(e.level) for e in found],
        {str(n): [e.run, e.step] for n, e in enumerate(found) if e.run or e.step},
        [len(e.text) for e in found],
    ]
    text = "".join(e.text for e in found).encode("utf-8", "surrogatepass")
    return _compress(orjson.dumps(head) + b"\n" + text)


class Block:
    """A packed block, opened only as far as it is asked. Raises ValueError where it is damaged."""

    __slots__ = ("_head", "_text")

    def __init__(self, body: bytes):
        try:
            head, _, text = _decompress(body, max_output_size=_LARGEST).partition(b"\n")
        except zstandard.ZstdError as error:
            raise ValueError(f"a block of the log is damaged: {error}") from error
        self._head = orjson.loads(head)
        self._text = text.decode("utf-8", "surrogatepass")

    def text(self) -> str:
        """Of all entries, one after the other."""
        return self._text

    def entries(self, least: Level = Level.UNSET) -> list[Stored]:
        """Those of at least this level, in the order they came."""
        ids, times, streams, levels, runs, sizes = self._head
        edges = pairwise(accumulate(sizes, initial=0))
        named = {int(n): pair for n, pair in runs.items()}
        return [
            Stored(
                number,
                Entry(
                    at,
                    Stream(stream),
                    Level(level),
                    self._text[begin:end],
                    *named.get(n, ("", "")),
                ),
            )
            for n, (number, at, stream, level, (begin, end)) in enumerate(
                zip(accumulate(ids), accumulate(times), streams, levels, edges, strict=True)
            )
            if level >= least
        ]


def unpack(body: bytes) -> list[Stored]:
    """What `pack` packed. Raises ValueError where it is damaged."""
    return Block(body).entries()


def indexed(entries: Sequence[Stored]) -> str:
    """The text of a block for its trigrams."""
    text = "\n".join(one.entry.text for one in entries)
    numbers = sorted(set(_LONG.findall(text)))
    return "\n".join([_decomposed(text), *map(_triples, numbers)])


def trigrams(words: Sequence[str]) -> str | None:
    """The expression that finds blocks in which all `words` can be; None where they are too short
    to be found by trigrams."""
    found: dict[str, None] = {}
    for word in words:
        plain = _decomposed(word)
        for piece in [plain, *map(_triples, _LONG.findall(plain))]:
            found |= dict.fromkeys(
                piece[at : at + _TRIGRAM] for at in range(len(piece) - _TRIGRAM + 1)
            )
    if not found:
        return None
    return " AND ".join('"' + part.replace('"', '""') + '"' for part in found)


def folded(text: str) -> str:
    """The form in which texts are compared."""
    if text.isascii():
        return text.lower()
    folding = text.casefold()
    if unicodedata.is_normalized("NFC", folding):
        return folding
    return unicodedata.normalize("NFC", folding)


def _steps(numbers: Sequence[int]) -> list[int]:
    """The first, and how far each is from the one before."""
    return [*numbers[:1], *(b - a for a, b in pairwise(numbers))]


def _triples(digits: str) -> str:
    return "".join([_TRIPLES[digits[at : at + 3]] for at in range(len(digits) - 2)])


def _decomposed(text: str) -> str:
    # The index would end at a zero byte.
    text = text.replace("\0", "\ufffd")
    return text.lower() if text.isascii() else unicodedata.normalize("NFD", text.casefold())

"""Finds texts that are nearly the same, exactly and not by chance. Pure.

Two texts are as similar as their sets of shingles (runs of words or characters) overlap: Jaccard.
No sketch is taken of them: a text can only reach the threshold with another if they share one of
its rarest shingles (prefix filtering), so few pairs are compared and none is missed.

Ten thousand texts have a million shingles: they are held as numbers, and how rare each is is only
known about. That orders them, and with any order none is missed.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

WORDS_A_SHINGLE = 3
LETTERS_A_SHINGLE = 4
_SHORT_TEXT_WORDS = 20
_BUCKETS = 1 << 18
_MANY = 65_535


@dataclass(frozen=True, slots=True)
class Twin:
    """The text at `index` is like the earlier one at `of`."""

    index: int
    of: int
    similarity: float


def shingles(text: str) -> frozenset[int]:
    """Of words; of letters where a text has too few words to overlap by. As their hashes."""
    words = text.casefold().split()
    if len(words) >= _SHORT_TEXT_WORDS:
        size = WORDS_A_SHINGLE
        runs = (" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
    else:
        line, size = " ".join(words), LETTERS_A_SHINGLE
        runs = (line[i : i + size] for i in range(max(1, len(line) - size + 1)))
    return frozenset(hash(run) for run in runs)


def jaccard(left: frozenset[int], right: frozenset[int]) -> float:
    """Shared of all."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def twins(texts: Sequence[str], threshold: float) -> list[Twin]:
    """Each text that is at least `threshold` (0 to 1) like an earlier one which is no twin."""
    packed = [array("q", sorted(shingles(text))) for text in texts]
    often = _counted(packed)
    by_rarity: dict[int, list[int]] = defaultdict(list)
    found = []
    for index, one in enumerate(packed):
        # Without its first `prefix` shingles too few would be left to share.
        prefix = len(one) - math.ceil(threshold * len(one) - 1e-9) + 1
        rarest = sorted(one, key=lambda shingle: (often[shingle % _BUCKETS], shingle))[:prefix]
        candidates = {i for shingle in rarest for i in by_rarity.get(shingle, ())}
        twin = _best(index, candidates, packed, threshold)
        if twin is not None:
            found.append(twin)
            continue
        for shingle in rarest:
            by_rarity[shingle].append(index)
    return found


def _counted(packed: Sequence[array[int]]) -> array[int]:
    """About how often each shingle stands in all texts."""
    often = array("H", bytes(2 * _BUCKETS))
    for one in packed:
        for shingle in one:
            bucket = shingle % _BUCKETS
            if often[bucket] < _MANY:
                often[bucket] += 1
    return often


def _best(
    index: int, candidates: set[int], packed: Sequence[array[int]], threshold: float
) -> Twin | None:
    """The most similar candidate, the earliest of equals."""
    one = frozenset(packed[index])
    best: Twin | None = None
    for other in sorted(candidates):
        smaller, larger = sorted((len(one), len(packed[other])))
        if smaller < threshold * larger:
            continue
        similarity = jaccard(one, frozenset(packed[other]))
        if similarity >= threshold and (best is None or similarity > best.similarity):
            best = Twin(index, other, similarity)
    return best

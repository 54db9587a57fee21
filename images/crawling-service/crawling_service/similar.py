"""Finds texts that are nearly the same, exactly and not by chance. Pure.

Two texts are as similar as their sets of shingles (runs of words or characters) overlap: Jaccard.
No sketch is taken of them: a text can only reach the threshold with another if they share one of
its rarest shingles (prefix filtering), so few pairs are compared and none is missed.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

WORDS_A_SHINGLE = 3
LETTERS_A_SHINGLE = 4
_SHORT_TEXT_WORDS = 20


@dataclass(frozen=True, slots=True)
class Twin:
    """The text at `index` is like the earlier one at `of`."""

    index: int
    of: int
    similarity: float


def shingles(text: str) -> frozenset[str]:
    """Of words; of letters where a text has too few words to overlap by."""
    words = text.casefold().split()
    if len(words) >= _SHORT_TEXT_WORDS:
        size = WORDS_A_SHINGLE
        return frozenset(" ".join(words[i : i + size]) for i in range(len(words) - size + 1))
    line = " ".join(words)
    size = LETTERS_A_SHINGLE
    return frozenset(line[i : i + size] for i in range(max(1, len(line) - size + 1)))


def jaccard(left: frozenset[str], right: frozenset[str]) -> float:
    """Shared of all."""
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared) if shared else 0.0


def twins(texts: Sequence[str], threshold: float) -> list[Twin]:
    """Each text that is at least `threshold` (0 to 1) like an earlier one which is no twin."""
    sets = [shingles(text) for text in texts]
    often = Counter(shingle for one in sets for shingle in one)
    by_rarity: dict[str, list[int]] = defaultdict(list)
    found = []
    for index, one in enumerate(sets):
        # Without its first `prefix` shingles too few would be left to share.
        prefix = len(one) - math.ceil(threshold * len(one) - 1e-9) + 1
        rarest = sorted(one, key=lambda shingle: (often[shingle], shingle))[:prefix]
        twin = _best(index, one, {i for s in rarest for i in by_rarity[s]}, sets, threshold)
        if twin is not None:
            found.append(twin)
            continue
        for shingle in rarest:
            by_rarity[shingle].append(index)
    return found


def _best(
    index: int,
    one: frozenset[str],
    candidates: set[int],
    sets: Sequence[frozenset[str]],
    threshold: float,
) -> Twin | None:
    """The most similar candidate, the earliest of equals."""
    best: Twin | None = None
    for other in sorted(candidates):
        smaller, larger = sorted((len(one), len(sets[other])))
        if smaller < threshold * larger:
            continue
        similarity = jaccard(one, sets[other])
        if similarity >= threshold and (best is None or similarity > best.similarity):
            best = Twin(index, other, similarity)
    return best

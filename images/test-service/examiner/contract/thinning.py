"""Which of too many cases are asked: the same room for each kind, spread over all its cases.

A document of a few screens can make thousands of coverage cases. To take the first ones would leave
out whatever a document describes last; to draw lots, rare kinds.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence


def thinned(kinds: Sequence[Hashable], most: int, seed: int) -> list[int]:
    """Pure: the rising indexes of the cases that stay, `most` of them or all if they are fewer.

    `kinds` are those of the cases, in their order. The same kinds and seed give the same indexes.
    """
    of_kind: dict[Hashable, list[int]] = defaultdict(list)
    for index, kind in enumerate(kinds):
        of_kind[kind].append(index)
    room = _shares(Counter(kinds), most)
    kept = [
        _spread(found, room[kind], zlib.crc32(f"{seed} {kind}".encode()) / (1 << 32))
        for kind, found in of_kind.items()
    ]
    return sorted(index for found in kept for index in found)


def _shares(counts: Counter[Hashable], most: int) -> dict[Hashable, int]:
    """The same for each kind; what a rare one does not need is shared out among the others."""
    shares: dict[Hashable, int] = {}
    left = most
    for place, (kind, count) in enumerate(sorted(counts.items(), key=lambda item: item[1])):
        shares[kind] = min(count, left // (len(counts) - place))
        left -= shares[kind]
    return shares


def _spread(indexes: Sequence[int], share: int, offset: float) -> list[int]:
    """`share` of them at even distances; `offset` (0 to 1) says where in each stretch."""
    return [indexes[int((place + offset) * len(indexes) / share)] for place in range(share)]

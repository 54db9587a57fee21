"""Which steps come before which; pure.

A workflow may have a thousand steps, and one that follows all others has them all before it. So
the steps before each are one whole number, a bit for each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Upstream:
    """For each step, all that must be over before it begins."""

    bits: Mapping[str, int]
    before: Mapping[str, int]

    def has(self, step: str, other: str) -> bool:
        """Whether `other` is over before `step` begins; True where nothing is known of `step`."""
        before = self.before.get(step)
        return before is None or bool(before & self.bits.get(other, 0))


def arrange(
    needs: Mapping[str, Sequence[str]],
) -> tuple[Upstream, list[tuple[str, ...]]]:
    """What comes before each step, and the cycles, each from a step back to itself.

    Needs that are no steps are passed over. Nothing is known of a step in or behind a cycle.
    """
    open_needs = {step: {n for n in named if n in needs} for step, named in needs.items()}
    followers: dict[str, list[str]] = {step: [] for step in needs}
    for step, named in open_needs.items():
        for needed in named:
            followers[needed].append(step)
    bits = {step: 1 << at for at, step in enumerate(needs)}
    before: dict[str, int] = {}
    free = [step for step, named in open_needs.items() if not named]
    while free:
        step = free.pop()
        found = 0
        for needed in needs[step]:
            found |= bits.get(needed, 0) | before.get(needed, 0)
        before[step] = found
        for follower in followers[step]:
            open_needs[follower].discard(step)
            if not open_needs[follower]:
                free.append(follower)
    stuck = {step: named for step, named in open_needs.items() if step not in before}
    return Upstream(bits, before), _cycles(needs, stuck)


def _cycles(
    needs: Mapping[str, Sequence[str]], stuck: Mapping[str, set[str]]
) -> list[tuple[str, ...]]:
    """Cycles among steps of which each waits for another of them, so that going from step to step
    must end in one."""
    found = []
    seen: dict[str, str] = {}
    for start in stuck:
        walk: list[str] = []
        step = start
        while step not in seen:
            seen[step] = start
            walk.append(step)
            step = next(n for n in needs[step] if n in stuck[step])
        if seen[step] == start:
            found.append((*walk[walk.index(step) :], step))
    return found

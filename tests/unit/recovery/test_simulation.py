"""The short form of the simulation: `python -m tests.simulation` is the long one."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, catch
from tests.simulation.play import HOURS, Played, play

_SEEDS = range(100)
_UNTIL_CAUGHT = 600


def test_no_invariant_is_violated_in_any_of_these_worlds() -> None:
    violated = [
        f"{played.violation}: python -m tests.simulation --seed {seed} --seeds 1"
        for seed in _SEEDS
        if (played := play(seed, HOURS)).violation
    ]
    assert violated == []


def test_a_seed_replays() -> None:
    def told(seed: int) -> tuple[Played, list[str]]:
        lines: list[str] = []
        return play(seed, 1.5, lines.append), lines

    first = told(7)
    assert first == told(7)
    assert len(first[1]) > 50
    assert first != told(8)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_invariant_catches_a_hub_without_its_rule(mutant: Mutant) -> None:
    caught = catch(mutant, range(mutant.seed, mutant.seed + _UNTIL_CAUGHT))
    assert caught.as_expected, caught

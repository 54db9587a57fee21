"""The scenarios of chaos in their short form: what must never happen does not.

How fast is not judged here: `bench/healing.py` measures, and `make chaos` counts at length.
"""

from __future__ import annotations

from collections.abc import Callable

from bench.chaos import crash, feed, hang, storm
from bench.chaos.arena import Arena
from bench.chaos.report import Report


def run(
    scenario: Callable[[Arena, int, Callable[[], None]], Report], arena: Arena, rounds: int
) -> list[str]:
    """Play it without a fault; the names of what it measured."""
    steps: list[None] = []
    report = scenario(arena, rounds, lambda: steps.append(None))
    assert report.faults == []
    assert steps
    return [row.what for row in report.rows]


def test_both_contenders_come_back_from_a_kill(arena: Arena) -> None:
    assert "crash to serving, published port, median of 1" in run(crash.run, arena, 1)


def test_a_hung_process_serves_again(arena: Arena) -> None:
    assert len(hang.hangs(arena, 1, lambda _: None)) == 1


def test_random_kills_over_the_home_stack_are_healed_once_each_and_told_right(
    arena: Arena,
) -> None:
    assert "storm of 4 kills: unhealed" in run(storm.run, arena, 4)


def test_an_open_client_is_told_of_every_death(arena: Arena) -> None:
    assert len(run(feed.run, arena, 2)) == 3

"""The scenarios of chaos in their short form: what must never happen does not.

How fast is not judged here: `bench/healing.py` measures, and `make chaos` counts at length.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.chaos import crash, crashloop, daemon, feed, hang, hubkill, join, soak, stops, storm
from bench.chaos.arena import Arena
from bench.chaos.dependants import CRASH, HANG, Scene
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


@pytest.mark.parametrize(("leaves", "fault"), [(False, HANG), (True, CRASH)])
def test_no_dependant_is_restarted_for_its_root(arena: Arena, leaves: bool, fault: int) -> None:
    scene = Scene.set_up(arena, leaves, 3)
    scene.fault(fault)
    assert scene.faults == []


def test_what_a_person_stops_amid_trouble_stays_down(arena: Arena) -> None:
    assert "4 stops by a person: resurrected" in run(stops.run, arena, 4)


def test_a_hub_killed_while_it_heals_loses_nothing_and_counts_right(arena: Arena) -> None:
    assert "hub killed 3 times while healing: lost" in run(hubkill.run, arena, 3)


def test_a_crash_loop_is_tried_within_its_budget_and_never_shown_as_well(arena: Arena) -> None:
    assert "crash loop for 8 s: restarts" in run(crashloop.run, arena, 8)


def test_nothing_is_restarted_by_mistake_for_its_engine(arena: Arena) -> None:
    wanted = "dockerd ended, killed or frozen 3 times: wrong restarts or losses"
    assert wanted in run(daemon.run, arena, 1)


def test_a_run_waits_for_the_heal_of_a_service_killed_in_the_middle_of_its_step(
    arena: Arena,
) -> None:
    assert "  held for the heal, p50 / p99" in run(join.run, arena, 2)


def test_an_open_client_is_told_of_every_death(arena: Arena) -> None:
    assert len(run(feed.run, arena, 2)) == 3


def test_a_stack_in_use_heals_a_kill_while_pages_and_events_are_read(arena: Arena) -> None:
    report = soak.run(arena, 2, lambda: None, gap_s=7.0, idle_s=1.0)
    assert report.faults == []
    assert "soak of 2 kills: memory" in [row.what for row in report.rows]

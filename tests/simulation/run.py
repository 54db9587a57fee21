"""Plays many seeds on every core, or one of them with its story, and says what came of it."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from controller.clock import monotonic
from tests.simulation.mutants import MUTANTS, catch
from tests.simulation.play import HOURS, Played, play

_SEEDS = 10_000
_BATCH = 25
_SHOWN = 20
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)


def main() -> None:
    """The command line; exits with 1 where an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=_SEEDS, help="how many worlds to play")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--days", type=float, help="simulated days over all seeds")
    parser.add_argument("--seed", type=int, help="play this one seed and tell its story")
    parser.add_argument("--mutants", action="store_true", help="show that each invariant bites")
    given = parser.parse_args()
    hours = given.days * 24 / given.seeds if given.days else HOURS
    seeds = range(given.first, given.first + given.seeds)
    console = Console()
    if given.seed is not None:
        sys.exit(_replay(console, given.seed, hours))
    if given.mutants:
        sys.exit(_mutants(console, seeds))
    sys.exit(_many(console, seeds, hours))


def _replay(console: Console, seed: int, hours: float) -> int:
    played = play(seed, hours, lambda line: console.print(line, highlight=False, markup=False))
    console.print(played.violation or "every invariant held", markup=False)
    return 1 if played.violation else 0


def _mutants(console: Console, seeds: range) -> int:
    table = Table("a hub that", "is caught in world", "by", title="Broken on purpose")
    missed = 0
    with Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress:
        for mutant in progress.track(MUTANTS, description="mutants"):
            caught = catch(mutant, seeds)
            missed += not caught.as_expected
            table.add_row(mutant.name, str(caught.worlds), caught.violation or "NOBODY")
    console.print(table)
    return 1 if missed else 0


def _many(console: Console, seeds: range, hours: float) -> int:
    begun = monotonic()
    counts: Counter[str] = Counter()
    days, bad = 0.0, []
    for played in _progress(console, seeds, hours):
        counts += played.counts
        days += played.hours / 24
        if played.violation:
            bad.append(played)
    console.print(_table(len(seeds), days, counts, len(bad), monotonic() - begun))
    for played in bad[:_SHOWN]:
        again = f"python -m tests.simulation --seed {played.seed} --seeds 1 --days {hours / 24}"
        console.print(f"seed {played.seed}: {played.violation}\n  {again}", markup=False)
    return 1 if bad else 0


def _progress(console: Console, seeds: range, hours: float) -> Iterator[Played]:
    batches = [seeds[i : i + _BATCH] for i in range(0, len(seeds), _BATCH)]
    with (
        Progress(*_COLUMNS, console=console, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(os.cpu_count()) as pool,
    ):
        task = progress.add_task("worlds", total=len(seeds))
        for batch in pool.map(_batch, batches, [hours] * len(batches)):
            progress.advance(task, len(batch))
            yield from batch


def _batch(seeds: Iterable[int], hours: float) -> list[Played]:
    return [play(seed, hours) for seed in seeds]


def _table(seeds: int, days: float, counts: Counter[str], bad: int, took_s: float) -> Table:
    table = Table(title="Healing in simulated worlds", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("seeds", f"{seeds:,}")
    table.add_row("simulated days", f"{days:,.1f}")
    for name, number in sorted(counts.items()):
        table.add_row(name, f"{number:,}")
    table.add_row("violations", str(bad))
    table.add_row("time taken", f"{took_s:.0f} s")
    return table

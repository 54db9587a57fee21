"""Healing on the real engine, measured against the engine itself and a watcher, and counted.

Every section stands alone, with stacks, hubs and ports of its own, and removes what it made. What
must never happen is counted; a single case ends the run with status 1.

    python bench/healing.py [--only crash,hang] [--rounds N] [--short]
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.chaos import (
    crash,
    crashloop,
    daemon,
    dependants,
    feed,
    hang,
    hubkill,
    join,
    soak,
    stops,
    storm,
)
from bench.chaos.arena import Arena, Step
from bench.chaos.report import Report, table


@dataclass(frozen=True, slots=True)
class Section:
    """`whole` and `short` are its rounds; `steps` how many it tells for each."""

    run: Callable[[Arena, int, Step], Report]
    about: str
    whole: int
    short: int
    steps: float = 1


SECTIONS = {
    "crash": Section(crash.run, "kills against restart: always", 50, 3, 2),
    "hang": Section(hang.run, "hangs against a watcher", 20, 2),
    "storm": Section(storm.run, "random kills over the home stack", 300, 6),
    "root": Section(dependants.run, "a root down under ten dependants", 5, 1, 4),
    "stops": Section(stops.run, "people who stop what is sick", 100, 4),
    "loop": Section(crashloop.run, "seconds of a crash loop", 600, 30, 1.25),
    "hub": Section(hubkill.run, "the hub killed while it heals", 50, 3),
    "daemon": Section(daemon.run, "dockerd ended, killed and frozen", 10, 1, 3),
    "feed": Section(feed.run, "deaths as an open client sees them", 100, 5),
    "join": Section(join.run, "kills in the middle of a workflow's step", 50, 3),
    "soak": Section(soak.run, "minutes of use, with a kill in each", 120, 2),
}


def main() -> None:
    chosen = _arguments()
    console = Console()
    # A broom must sweep also when somebody ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    console.print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    reports: list[Report] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
            # One by one, so that what was measured is printed even where a later one breaks.
            for name in chosen.only:
                reports += [_run(name, chosen, progress)]
    finally:
        _print(console, reports)
    raise SystemExit(1 if any(report.faults for report in reports) else 0)


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "--only", type=_names, default=tuple(SECTIONS), help=f"of {', '.join(SECTIONS)}"
    )
    arguments.add_argument("--rounds", type=int, help="rounds of each section, not its own number")
    arguments.add_argument("--short", action="store_true", help="a few rounds of each section")
    return arguments.parse_args()


def _names(said: str) -> tuple[str, ...]:
    names = tuple(said.split(","))
    unknown = sorted(set(names) - set(SECTIONS))
    if unknown:
        raise argparse.ArgumentTypeError(f"no section {', '.join(unknown)}")
    return names


def _run(name: str, chosen: argparse.Namespace, progress: Progress) -> Report:
    section = SECTIONS[name]
    rounds = chosen.rounds or (section.short if chosen.short else section.whole)
    task = progress.add_task(f"{name}: {section.about}", total=rounds * section.steps)
    begun = time.monotonic()
    with Arena() as arena:
        report = section.run(arena, rounds, lambda: progress.advance(task))
    report.notes.append(f"{name}: {rounds} rounds in {time.monotonic() - begun:.0f} s")
    return report


def _print(console: Console, reports: list[Report]) -> None:
    console.print(table(reports))
    for report in reports:
        for note in report.notes:
            console.print(note, highlight=False)
    faults = [fault for report in reports for fault in report.faults]
    console.print(f"{len(faults)} faults", highlight=False)
    for fault in faults:
        console.print(f"- {fault}", highlight=False, markup=False)


if __name__ == "__main__":
    main()

"""Kill -9 of the hub in the middle of workflows, at every named fault point and at random moments.

The same check as tests/integration/test_it_workflow_crash.py, at length: a diamond of six steps, a
quarter of the runs failing, on either store. `--real` kills the whole hub over the home stack's own
services on the machine's engine instead. Exits with 1 on any violation.

    python bench/workflow_crash.py [--store sqlite|postgres] [--runs 300] [--kills 150] [--seed 1]
    python bench/workflow_crash.py --real [--runs 32] [--kills 24]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from controller.workflow.faultpoints import POINTS
from tests.crash import real
from tests.crash.campaign import Findings, campaign, kills
from tests.crash.service import What
from tests.crash.stores import PostgresStore, SqliteStore, Store

_AT_POINTS = 0.75
_TWICE = 2
_DEPTH = 2


def main() -> None:
    chosen = _arguments()
    console = Console()
    # A broom must sweep also when somebody ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    number = chosen.kills or (24 if chosen.real else 150)
    where = "the real stack" if chosen.real else chosen.store
    runs = chosen.runs or (32 if chosen.real else 300)
    chance = random.Random(chosen.seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    begun = time.monotonic()
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(f"kills over {where}", total=number)

        def step() -> None:
            progress.advance(task)

        if chosen.real:
            found = real.run(number, runs, chance, step)
        else:
            found = _play(chosen.store, number, runs, chance, step)

    console.print(_table(found, f"Hubs killed over {where}"))
    took = time.monotonic() - begun
    console.print(f"seed {chosen.seed}, {took:.0f} s, load {os.getloadavg()[0]:.1f}")
    console.print(f"{len(found.violations)} violations", highlight=False)
    for violation in found.violations:
        console.print(f"- {violation}", highlight=False, markup=False, soft_wrap=True)
    raise SystemExit(1 if found.violations else 0)


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    arguments.add_argument("--runs", type=int)
    arguments.add_argument("--kills", type=int)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--real", action="store_true", help="the home stack, through the hub")
    return arguments.parse_args()


def _play(
    store: str, number: int, runs: int, chance: random.Random, step: Callable[[], None]
) -> Findings:
    each = max(_TWICE, int(number * _AT_POINTS / len(POINTS)))
    planned = kills(max(number, each * len(POINTS)), each, chance, _DEPTH)
    with tempfile.TemporaryDirectory() as raw, _store(store, Path(raw)) as made:
        return asyncio.run(campaign(made, Path(raw), planned, runs, chance, step))


@contextmanager
def _store(kind: str, folder: Path) -> Iterator[Store]:
    if kind == "sqlite":
        yield SqliteStore(folder / "runs.sqlite3")
        return
    from tests.integration.it_postgres import running_cluster

    with running_cluster() as cluster:
        yield PostgresStore(cluster.empty_database())


def _table(found: Findings, title: str) -> Table:
    shown = Table("what", "number", title=title)
    shown.columns[1].justify = "right"
    shown.add_row("hubs killed", str(found.kills.total()))
    for point, number in sorted(found.kills.items()):
        shown.add_row(f"  {point}", str(number))
    shown.add_section()
    shown.add_row("runs acknowledged and ended", str(found.acknowledged))
    for status, number in sorted(found.ends.items()):
        shown.add_row(f"  {status}", str(number))
    shown.add_row("  taken up by at least one further hub", str(sum(map(bool, found.survived))))
    most = max(found.survived, default=0)
    if most > 1:
        shown.add_row("  most hubs over one run", str(most + 1))
    shown.add_section()
    shown.add_row("requests to services", str(sum(found.requests[what] for what in What)))
    for what in What:
        if found.requests[what]:
            shown.add_row(f"  {what}", str(found.requests[what]))
    shown.add_row("repeats answered from memory", str(found.from_memory))
    shown.add_row("  come while the first was under way", str(found.requests["met an earlier one"]))
    shown.add_section()
    shown.add_row("violations (lost, repeated, not undone, …)", str(len(found.violations)))
    return shown


if __name__ == "__main__":
    main()

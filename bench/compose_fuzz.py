"""Compose files that are broken on purpose: none may make a traceback or cost more than is allowed.

    python bench/compose_fuzz.py [--count 50000] [--seed 7]
    python bench/compose_fuzz.py --hostile

Every mutant is read as `heal7 compose config` reads it, in this process; printed are how many were
read and how many refused, the slowest, and the most memory the process ever held. `--hostile` reads
the projects of tests/unit/config/hostile.py (bombs, devices, paths that leave), each in a child
with bounds, as the hub and as the command do; printed is what each of the costliest took.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.console import Console
from rich.progress import track

from bench.chaos.report import Report, table
from controller.errors import ConfigError
from tests.unit.config.compose_mutants import mutants
from tests.unit.config.config_helpers import compile_texts
from tests.unit.config.hostile import CASES, Reading, readings

_SLOWEST_S = 2.0
_MEMORY_MB = 200
_COSTLIEST = 12


def main() -> int:
    """Status 1 where one made a traceback or passed a limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--hostile", action="store_true")
    chosen = parser.parse_args()
    report = _hostile() if chosen.hostile else _mutants(chosen.seed, chosen.count)
    Console().print(table([report], "Compose files broken on purpose"))
    for fault in report.faults[:20]:
        print(fault[:400])
    return 1 if report.faults else 0


def _hostile() -> Report:
    report, found = Report(), list(readings(("hub", "command")))
    cases = {case.name: case for case in CASES}
    for one in found:
        fault = cases[one.name].fault(one.by)
        if one.outcome != ("refused" if fault else "read") or fault not in one.said:
            report.faults.append(f"{one.name} ({one.by}) {one.outcome}: {one.said}")
        if one.seconds > _SLOWEST_S or one.megabytes > _MEMORY_MB:
            report.faults.append(f"{one.name} ({one.by}): {one.seconds} s, {one.megabytes} MB")
    outcomes = Counter(one.outcome for one in found)
    report.row("readings read / refused", f"{outcomes['read']} / {outcomes['refused']}")
    for one in sorted(found, key=lambda one: -one.seconds)[:_COSTLIEST]:
        report.row(f"{one.name} ({one.by})", f"{one.seconds:.2f} s, {one.megabytes:.0f} MB")
    slowest, peak = (max(figures) for figures in zip(*map(_figures, found), strict=True))
    report.row("the slowest", f"{slowest:.2f} s", goal=f"<= {_SLOWEST_S:.0f} s")
    report.row("most memory", f"{peak:.0f} MB", goal=f"<= {_MEMORY_MB} MB")
    return report


def _figures(one: Reading) -> tuple[float, float]:
    return one.seconds, one.megabytes


def _mutants(seed: int, count: int) -> Report:
    found: Counter[str] = Counter()
    report, slowest = Report(), 0.0
    for text in track(mutants(seed, count), "mutants", total=count):
        begun = time.perf_counter()
        try:
            compile_texts(text)
            found["read"] += 1
        except ConfigError:
            found["refused"] += 1
        except Exception as error:  # noqa: BLE001 - what must never happen is what is counted
            report.faults.append(f"{type(error).__name__}: {error}: {text!r}")
        slowest = max(slowest, time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if slowest > _SLOWEST_S or peak > _MEMORY_MB:
        report.faults.append(f"a limit was passed: {slowest:.2f} s, {peak:.0f} MB")
    report.row("mutants read / refused", f"{found['read']:,} / {found['refused']:,}")
    report.row("tracebacks", f"{count - found.total()}", goal="0")
    report.row("the slowest", f"{slowest * 1e3:.0f} ms", goal=f"<= {_SLOWEST_S:.0f} s")
    report.row("most memory", f"{peak:.0f} MB", goal=f"<= {_MEMORY_MB} MB")
    return report


if __name__ == "__main__":
    raise SystemExit(main())

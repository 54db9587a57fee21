"""Prints how well the detector does on each kind of series, over seeds that no test uses.

python images/ai-monitoring-service/scripts/measure_detector.py [SEEDS]
"""

from __future__ import annotations

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(HOME), str(HOME / "tests"), str(HOME.parent / "base")]

from test_monitor_baseline import KINDS, score  # noqa: E402 - after the path


def main() -> None:
    """A line a kind: found of all, false alarms and new levels a series of 1,000 points."""
    seeds = range(100, 100 + (int(sys.argv[1]) if len(sys.argv) > 1 else 10))
    for kind in KINDS:
        scores = [score(seed, kind) for seed in seeds]
        found, missed = sum(s.found for s in scores), sum(s.missed for s in scores)
        alarms, shifts = sum(s.false_alarms for s in scores), sum(s.shifts for s in scores)
        print(
            f"{kind.name:24} found {found:4} of {found + missed:4} ({found / (found + missed):.1%})"
            f"  false alarms {alarms / len(scores):.2f}  new levels {shifts / len(scores):.2f}"
        )


if __name__ == "__main__":
    main()

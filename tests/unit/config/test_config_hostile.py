"""Whatever a project holds, reading it is cheap, and what is refused is refused with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.config.hostile import CASES, Hostile, Reading

ROOT = Path(__file__).parents[3]
SECONDS = 2.0
MEGABYTES = 200.0
# The parent only forks; one that goes wrong must not take the machine along.
_LIMITED = "ulimit -v 3000000; exec timeout 300 {python} -m tests.unit.config.hostile hub"


@pytest.fixture(scope="module")
def readings() -> dict[str, Reading]:
    """What the hub made of every case; `bench/compose_fuzz.py --hostile` also asks the command."""
    done = subprocess.run(
        ["bash", "-c", _LIMITED.format(python=sys.executable)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=310,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [Reading(**json.loads(line)) for line in done.stdout.splitlines()]
    return {reading.name: reading for reading in found}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_read_or_refused_at_little_cost(readings: dict[str, Reading], case: Hostile) -> None:
    found = readings[case.name]
    assert found.outcome == ("refused" if case.refused else "read"), found.said
    assert case.refused in found.said
    assert found.seconds <= SECONDS, "seconds of processor time"
    assert found.megabytes <= MEGABYTES


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)

"""Hubs killed again and again over a workflow, as real processes: at every named fault point twice,
and at random moments. `bench/workflow_crash.py` does the same at length, and on PostgreSQL.

HEAL7_TEST_SEED repeats a run.
"""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded, so that a failure can be repeated
from pathlib import Path

from controller.workflow.faultpoints import POINTS
from tests.crash.campaign import AT_RANDOM, campaign, kills
from tests.crash.service import What
from tests.crash.stores import SqliteStore

_SEED = int(os.environ.get("HEAL7_TEST_SEED", "7"))
_EACH_POINT = 2
_AT_RANDOM = 4
_RUNS = 40


async def test_no_run_is_lost_and_nothing_is_done_or_undone_twice(tmp_path: Path) -> None:
    chance = random.Random(_SEED)
    planned = kills(len(POINTS) * _EACH_POINT + _AT_RANDOM, _EACH_POINT, chance)
    store = SqliteStore(tmp_path / "runs.sqlite3")
    found = await campaign(store, tmp_path, planned, _RUNS, chance)
    print(f"kills {dict(found.kills)}, ends {dict(found.ends)}, requests {dict(found.requests)}")
    assert found.violations == []
    assert found.kills == dict.fromkeys(POINTS, _EACH_POINT) | {AT_RANDOM: _AT_RANDOM}
    # What the test is about must have happened.
    assert found.acknowledged >= _RUNS
    assert set(found.ends) == {"succeeded", "compensated"}
    assert found.requests[What.REPLAYED] > 0
    assert sum(found.survived) > 0

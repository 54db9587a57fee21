"""The child process of a test run: `python -m examiner.contract.child` with the plan on stdin.

It prints a snapshot of its report as one line of JSON whenever there is news, and the last one
with `"done": true`. The parent needs nothing else, so whatever befalls this process costs one run.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import requests

from examiner.contract.alone import alone, leave_with_parent
from examiner.contract.answers import Asker as Answers
from examiner.contract.answers import Difference, differences, shown, vectors_of
from examiner.contract.findings import Findings
from examiner.contract.ledger import Ledger
from examiner.contract.plan import Plan
from heal7_contract import clock

_NEWS_SECONDS = 0.5


class Reporter:
    """Prints snapshots, not too often, and knows when the run has to end."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._began = clock.monotonic()
        self._told = 0.0

    def spent(self) -> float:
        """Seconds since the beginning."""
        return clock.monotonic() - self._began

    def late(self) -> bool:
        """Whether the time of the run is over."""
        return self.spent() > self._plan.time_limit_s

    def heavy(self) -> bool:
        """Whether the run has used up its memory."""
        return _peak() > self._plan.memory_bytes

    def tell(self, snapshot: dict[str, Any], *, done: bool = False) -> None:
        """Prints it when the last was long ago, or when it is the end."""
        now = self.spent()
        if not done and now - self._told < _NEWS_SECONDS:
            return
        self._told = now
        peak = max(snapshot.get("peak_memory_bytes", 0), _peak())
        figures = {"seconds": round(now, 2), "peak_memory_bytes": peak}
        print(json.dumps({**snapshot, **figures, "done": done}), flush=True)


def main() -> int:
    """0 when the last line says what came of it."""
    given = json.load(sys.stdin)
    tuples = {key: tuple(value) for key, value in given.items() if isinstance(value, list)}
    plan = Plan(**{**given, **tuples})
    leave_with_parent()
    _confine()
    reporter = Reporter(plan)
    session = requests.Session()
    session.trust_env = False
    run = answers if plan.kind == "answers" else contract
    reporter.tell(run(plan, session, reporter), done=True)
    return 0


def contract(plan: Plan, session: requests.Session, reporter: Reporter) -> dict[str, Any]:
    """The contract of ours where it applies, then requests made from the document."""
    # Imported before the phases are told apart, so that their processes share it.
    from examiner.contract.fuzz import NOTHING_SELECTED, fetch
    from examiner.contract.promises import Asker, is_ours

    _prepare_characters()
    try:
        document = fetch(plan, session)
    except ValueError as error:
        return {"fault": {"code": "target_unusable", "detail": str(error)}}
    ours = is_ours(document)
    protected = frozenset({plan.report_id})
    found = Findings(Ledger(careful=not ours and plan.scope != "all", protected=protected))
    if ours and plan.scope != "read":
        found.promises = Asker(plan.service, plan.url, document, session).all()
    # A connection may not be used by two processes.
    session.close()
    for phase in plan.phases:
        if found.ended is None:
            its = replace(plan, phases=(phase,))
            found = alone(partial(_phase, its, document, session, found, reporter))
    if found.ended == NOTHING_SELECTED:
        detail = "no operation of its OpenAPI document is in scope"
        return {"fault": {"code": found.ended, "detail": detail}}
    return {**found.snapshot(), "stopped_by": found.ended}


def _phase(
    plan: Plan,
    document: dict[str, Any],
    session: requests.Session,
    found: Findings,
    reporter: Reporter,
) -> Findings:
    """What is found after one phase more."""
    from examiner.contract.cleanup import Cleaner
    from examiner.contract.fuzz import Fuzz

    cleaner = Cleaner(plan.url, document, session, found.ledger, found.removals)

    def tell() -> None:
        reporter.tell(found.snapshot())

    def over() -> bool:
        return reporter.late() or reporter.heavy()

    ended = Fuzz(plan, document, found, cleaner, tell, over).run()
    if ended == "time_limit" and not reporter.late():
        ended = "memory_limit"
    return replace(found, ended=ended, peak=max(found.peak, _peak()))


def answers(plan: Plan, session: requests.Session, reporter: Reporter) -> dict[str, Any]:
    """Every vector, asked once."""
    ask = Answers(plan.url, session)
    found: list[Difference] = []
    vectors = vectors_of(plan.service)
    asked = differing = 0
    ended = None

    def snapshot() -> dict[str, Any]:
        cleanup = {"made": ask.made, "removed": ask.removed, "left": []}
        counts = {"vectors": len(vectors), "asked": asked, "differing": differing}
        return {**counts, "differences": shown(found[:200]), "cleanup": cleanup}

    for vector in vectors:
        if reporter.late():
            ended = "time_limit"
            break
        try:
            differs = differences(vector, ask)
        except requests.RequestException as error:
            detail = f"{plan.service} does not answer: {type(error).__name__}"
            return {"fault": {"code": "target_unusable", "detail": detail}}
        asked += 1
        differing += bool(differs)
        found += differs
        reporter.tell(snapshot())
    return {**snapshot(), "stopped_by": ended}


def _prepare_characters() -> None:
    """See `characters`: made once, by a process that is gone afterwards."""
    from examiner.contract import characters

    if not characters.made():
        make = (sys.executable, "-m", "examiner.contract.characters")
        subprocess.run(make, check=True, timeout=60)  # noqa: S603


def _confine() -> None:
    """Is the first to go when memory is short, and writes no more than a table of characters."""
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _peak() -> int:
    """Bytes that it held at most. `ru_maxrss` would count what its parent held when it began."""
    status = Path("/proc/self/status").read_text("ascii", errors="replace")
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(held.split()[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())

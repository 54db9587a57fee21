"""What must be true of every run after the last kill, by the service's record and the journal.

Pure. A violation is a sentence. The service's record is the judge: whatever the hubs believed, that
is what was done, and in which order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from controller.model.run import Kind, Run, RunStatus, StepRun, StepStatus, UndoStatus
from controller.store.journal import StoredRun
from controller.workflow.fold import ForbiddenTransitionError, fold
from tests.crash import flow
from tests.crash.flow import Errand
from tests.crash.service import Asked, What

_EFFECTIVE = (What.UNDONE, What.TOMBSTONE)


@dataclass(frozen=True, slots=True)
class Ended:
    """An errand whose run has ended: the ids under which it was acknowledged, and what its client
    was told of the end."""

    errand: Errand
    acknowledged: frozenset[str]
    status: str


def violations(
    ended: Sequence[Ended], stored: Sequence[StoredRun], record: Sequence[Asked], kills: int
) -> list[str]:
    """All of them."""
    return list(_all(ended, {one.line.id: one for one in stored}, record, kills))


def _all(
    ended: Sequence[Ended],
    stored: Mapping[str, StoredRun],
    record: Sequence[Asked],
    kills: int,
) -> Iterator[str]:
    requests: defaultdict[str, list[Asked]] = defaultdict(list)
    for asked in record:
        requests[asked.key.partition(":")[0]].append(asked)
    ours: set[str] = set()
    for one in ended:
        what = one.errand.key
        if len(one.acknowledged) != 1:
            yield f"{what}: one key, and it was acknowledged as {sorted(one.acknowledged)}"
            continue
        (run_id,) = one.acknowledged
        ours.add(run_id)
        if run_id not in stored:
            yield f"{what}: {run_id} was acknowledged and is lost"
            continue
        for fault in _of_run(one, stored[run_id], requests[run_id], kills):
            yield f"{what}, {run_id}: {fault}"
    for run_id in stored.keys() - ours:
        yield f"{run_id} is in the journal, and nobody's key began it"
    for run_id in requests.keys() - stored.keys():
        yield f"a service was asked for {run_id}, which is not in the journal"


def _of_run(one: Ended, stored: StoredRun, requests: Sequence[Asked], kills: int) -> Iterator[str]:
    try:
        run = fold(stored.line.id, flow.definition(), stored.events)
    except ForbiddenTransitionError as error:
        yield f"its journal does not fold: {error}"
        return
    shown = {run.status, stored.line.status, one.status}
    wanted = RunStatus.SUCCEEDED if one.errand.refused_at is None else RunStatus.COMPENSATED
    if shown != {wanted}:
        yield f"it must be {wanted}; journal, line and client say {sorted(shown)}"
    if stored.key != one.errand.key or run.input != one.errand.given:
        yield "its key or its input is not what was given"
    yield from _of_keys(run, one.errand, stored, requests, kills)
    if wanted is RunStatus.SUCCEEDED:
        yield from _of_success(run, one.errand, requests)
    else:
        yield from _of_failure(run, one.errand, requests)


def _of_keys(
    run: Run, errand: Errand, stored: StoredRun, requests: Sequence[Asked], kills: int
) -> Iterator[str]:
    events = Counter((event.step, event.kind) for event in stored.events)
    for step, state in run.steps.items():
        for undo in (False, True):
            asked = _requests(requests, run.id, step, undo=undo)
            name = f"undo of {step}" if undo else step
            started = events[step, Kind.UNDO_STARTED if undo else Kind.STEP_STARTED]
            held = events[step, Kind.UNDO_HELD if undo else Kind.STEP_HELD]
            retried = events[step, Kind.UNDO_RETRYING if undo else Kind.STEP_RETRYING]
            if len({one.digest for one in asked}) > 1:
                yield f"{name}: one key, and more than one body"
            if len(asked) > started:
                yield f"{name}: asked {len(asked)} times, written {started} times"
            if started > 1 + held + retried or held > kills:
                yield f"{name}: started {started}, held {held}, retried {retried} times"
            if any(one.what is What.UNDER_WAY for one in asked):
                yield f"{name}: a request of it never ended"
            if retried > errand.busy(step, undo=undo):
                yield f"{name}: charged {retried} times"
        yield from _of_step(step, state, _requests(requests, run.id, step), errand)


def _of_step(step: str, state: StepRun, asked: Sequence[Asked], errand: Errand) -> Iterator[str]:
    whats = Counter(one.what for one in asked)
    if whats[What.EXECUTED] > 1:
        yield f"{step}: executed {whats[What.EXECUTED]} times"
    if whats[What.MISMATCH]:
        yield f"{step}: the key came with another body"
    if state.status is StepStatus.SUCCEEDED and whats[What.EXECUTED] != 1:
        yield f"{step}: succeeded, and it was executed {whats[What.EXECUTED]} times"
    if asked and not state.asked:
        yield f"{step}: the service was asked, and the journal does not know"
    if state.status is StepStatus.SUCCEEDED and state.output != {"value": errand.output()[step]}:
        yield f"{step}: answered {state.output}"


def _of_success(run: Run, errand: Errand, requests: Sequence[Asked]) -> Iterator[str]:
    for step, state in run.steps.items():
        if state.status is not StepStatus.SUCCEEDED:
            yield f"{step}: is {state.status} in a run that succeeded"
    if any(asked.undo for asked in requests):
        yield "it succeeded, and something of it was undone"
    if run.output != errand.output():
        yield f"its output is {run.output}"


def _of_failure(run: Run, errand: Errand, requests: Sequence[Asked]) -> Iterator[str]:
    refused = errand.refused_at
    assert refused is not None
    if run.steps[refused].status is not StepStatus.FAILED:
        yield f"{refused}: refused, and it is {run.steps[refused].status}"
    if run.error is None or run.error.reason.key != "run.step_failed" or run.error.status != 422:
        yield f"it failed for {run.error}"
    for step, state in run.steps.items():
        if refused in flow.upstream(step) and state.asked:
            yield f"{step}: asked though {refused} before it failed"
        if step in flow.upstream(refused) and state.status is not StepStatus.SUCCEEDED:
            yield f"{step}: is {state.status}, and {refused} after it was asked"
        undos = _requests(requests, run.id, step, undo=True)
        done = sum(one.what in _EFFECTIVE for one in undos)
        if done != int(state.asked):
            yield f"undo of {step}: {done} times done; asked for: {state.asked}"
        wanted = UndoStatus.DONE if state.asked else UndoStatus.NONE
        if state.undo.status is not wanted:
            yield f"undo of {step}: is {state.undo.status}"
    yield from _of_order(run, requests)


def _of_order(run: Run, requests: Sequence[Asked]) -> Iterator[str]:
    """Unknown and failed steps first, then the others in reverse of their completion; one by one,
    and each before what it rests on."""
    undos = sorted((r for r in requests if r.what in _EFFECTIVE), key=lambda undo: undo.ended)
    steps = [undo.key.partition(":")[2] for undo in undos]
    places = [run.steps[step].place for step in steps]
    done = [place for place in places if place is not None]
    if places != [None] * (len(places) - len(done)) + sorted(done, reverse=True):
        yield f"undone in the order {steps}, completed as {places}"
    for at, step in enumerate(steps):
        if set(steps[:at]) & flow.upstream(step):
            yield f"undo of {step}: after that of a step it rests on, {steps}"
    for first, second in pairwise(undos):
        if second.began < first.ended:
            yield f"undo of {second.key}: begun before that of {first.key} was over"


def _requests(requests: Iterable[Asked], run: str, step: str, *, undo: bool = False) -> list[Asked]:
    key = f"{run}:{step}"
    return [asked for asked in requests if asked.key == key and asked.undo is undo]


def counts(record: Sequence[Asked]) -> Counter[str]:
    """How requests ended, and how many came while an earlier one with their key was under way."""
    found: Counter[str] = Counter()
    until: dict[tuple[str, bool], int] = {}
    for asked in sorted(record, key=lambda one: one.began):
        place = (asked.key, asked.undo)
        found[asked.what] += 1
        found["met an earlier one"] += until.get(place, -1) > asked.began
        until[place] = max(until.get(place, -1), asked.ended)
    return found

"""One run played by hand: what the machine decides as text, and what the services answer to it.

`Play` keeps the journal as a hub does. `Game` plays the same against the reference, which objects
to whatever must not be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from controller.model.run import Event, Kind, Run, RunStatus, StepStatus, UndoStatus
from controller.model.text import text
from controller.model.workflow import Definition, Retry, Step
from controller.store.journal import dump_events, load_events
from controller.workflow.fold import apply, begin, fold
from controller.workflow.machine import Access, Decision, Readiness, decide, interrupted
from controller.workflow.outcome import Ending, Outcome, forward_event, undo_event
from tests.unit.workflow.workflow_builders import WELL, busy, definition, failing, step
from tests.unit.workflow.workflow_reference import BAD, NO, YES, Reference, after

START = 1000.0
DONE = Outcome(Ending.DONE, output={"n": 1})
OUTAGE = Outcome(Ending.OUTAGE, hold=Readiness(Access.HOLD, text("run.was_restarted", service="a")))

T = TypeVar("T")
Pick = Callable[[Sequence[T]], T]


def exactly(base_s: float, fraction: float) -> float:
    """A jitter that moves nothing."""
    return base_s


def told(events: Iterable[Event]) -> str:
    """Events as text, in order: `step_started a; step_held b run.waits_healing`."""
    return "; ".join(" ".join((e.kind, *_facts(e))) for e in events)


def _facts(event: Event) -> list[str]:
    facts = [event.step] if event.step else []
    facts += [event.data[name] for name in ("status", "end") if name in event.data]
    if event.kind in (Kind.STEP_HELD, Kind.UNDO_HELD):
        facts.append(event.data["reason"]["key"])
    elif "error" in event.data:
        facts.append(event.data["error"]["reason"]["key"])
    return facts


class Play:
    """A run, its journal, and how its services are; `now` stands still until a test moves it."""

    def __init__(self, flow: Definition, outputs: Mapping[str, Any] | None = None):
        self.definition = flow
        self.now = START
        self.how: dict[str, Readiness] = {}
        created = Event(Kind.CREATED, START, data={"by": "ann", "outputs": dict(outputs or {})})
        self.journal = [created]
        self.run: Run = begin("run_1", flow, created)

    def decide(self, *, may_start: bool = True) -> str:
        """What one decision writes, as text."""
        return told(self.turn(may_start=may_start).events)

    def turn(self, *, may_start: bool = True) -> Decision:
        decision = decide(self.run, self.definition, self.now, self.ready, may_start=may_start)
        for event in decision.events:
            self.write(event)
        assert self.run == decision.run
        return decision

    def ready(self, service: str) -> Readiness:
        return self.how.get(service, WELL)

    def write(self, event: Event) -> None:
        self.run = apply(self.run, event)
        self.journal.append(event)

    def answer(self, name: str, outcome: Outcome = DONE) -> Event:
        """The attempt of a step, or of its undo, ended."""
        meant, state = self.definition.by_id[name], self.run.steps[name]
        of = undo_event if state.undo.status is UndoStatus.RUNNING else forward_event
        event = of(meant, state, outcome, self.now, exactly)
        self.write(event)
        return event

    def answers(self, *names: str) -> str:
        """These steps are done, one after the other; returns what the last decision writes."""
        said = ""
        for name in names:
            self.answer(name)
            said = self.decide()
        return said

    def cancel(self, by: str = "ann") -> None:
        self.write(Event(Kind.CANCEL_ASKED, self.now, data={"by": by}))

    def resume(self) -> None:
        self.write(Event(Kind.RESUMED, self.now, data={"by": "ann"}))

    def take_over(self) -> str:
        """Another hub reads the journal and goes on; returns what it writes first, as text."""
        self.run = fold(self.run.id, self.definition, load_events(dump_events(self.journal)))
        events = interrupted(self.run, self.now)
        for event in events:
            self.write(event)
        return told(events)


def begun(flow: Definition, *done: str) -> Play:
    """A run whose first decision is made and in which some steps are done."""
    play = Play(flow)
    play.decide()
    play.answers(*done)
    return play


def random_flow(pick: Pick[Any]) -> Definition:
    """One to seven steps; most of them plain."""
    names = "abcdefg"[: pick(range(1, 8))]
    steps: list[Step] = []
    for index, name in enumerate(names):
        before = names[:index]
        needs = [n for n in before if pick((True, False, False))]
        conditions = [*[None] * 20, YES, YES, NO, BAD, *(after(n) for n in needs)]
        changes: dict[str, Any] = {
            "service": pick(("s1", "s2", "s3")),
            "when": pick(conditions),
            "retry": Retry(pick((1, 2, 3, 3, 7)), pick((0.0, 0.5)), 2.0),
            "start": pick((True, False, False)),
        }
        if pick((True, False, False)):
            changes["undo"] = None
        steps.append(step(name, *needs, **changes))
    output = pick((None, None, None, "${{ steps.*.status }}", "${{ steps.*.status }}", BAD))
    return definition(*steps, output=output, timeout_s=pick((3.0, 100.0, 100.0, 1e6)))


def random_reuse(flow: Definition, pick: Pick[Any]) -> frozenset[str]:
    """Steps that an earlier run did, of which none rests on one that is done again."""
    reused: set[str] = set()
    if not pick((True, False, False)):
        return frozenset()
    for one in flow.steps:
        if set(one.needs) <= reused and pick((True, False)):
            reused.add(one.id)
    return frozenset(reused)


ENDINGS = ("done",) * 12 + ("outage", "temporary", "temporary", "temporary", "permanent")
"""Faults are rare, so that runs get far."""

_OUTCOMES: Mapping[str, Outcome] = {
    "done": DONE,
    "outage": OUTAGE,
    "temporary": busy(),
    "permanent": failing(),
}


class Game:
    """A run against the reference. Every move ends with a comparison of the two."""

    def __init__(self, flow: Definition, reused: frozenset[str]):
        self.play = Play(flow, {name: {"n": 0} for name in reused})
        self.how = dict.fromkeys(sorted({s.service for s in flow.steps}), Access.READY)
        self.reference = Reference(flow, reused, START, self.how, START)
        self.moves = 0
        self.taken_over: set[str] = set()
        self.started = 0
        self.compare()

    def turn(self, *, may_start: bool = True) -> None:
        """One decision, every event of it checked; a second one has nothing to add."""
        play, reference = self.play, self.reference
        play.how = {service: _readiness(service, how) for service, how in self.how.items()}
        reference.may_start = may_start
        first = len(play.journal)
        decision = play.turn(may_start=may_start)
        for event in decision.events:
            reference.ordered(event)
        assert load_events(dump_events(decision.events)) == decision.events
        assert tuple(play.journal[first:]) == decision.events
        again = decide(play.run, play.definition, play.now, play.ready, may_start=may_start)
        assert again.events == (), told(again.events)
        assert again.wake_at == reference.wakes_at()
        # Where it turned back or ended just now, it may be woken once more for nothing.
        turning = {Kind.STEP_FAILED, Kind.COMPENSATING, Kind.ENDED}
        turned = turning & {event.kind for event in decision.events}
        assert turned or decision.wake_at == again.wake_at
        if not reference.failed and not reference.back:
            assert decision.start == reference.starts()
            self.started += len(decision.start)
        self._is_no_deadlock(decision, may_start=may_start)
        self.compare()

    def _is_no_deadlock(self, decision: Decision, *, may_start: bool) -> None:
        reference = self.reference
        nothing_comes = reference.idle and reference.all_well and may_start
        if not nothing_comes or reference.ended is not None:
            return
        # Only a pause before the next attempt can be what it waits for.
        pauses = [reference.undo_due] if reference.back else [*reference.due.values()]
        assert max(pauses, default=0.0) > reference.now, "it waits for nothing"
        assert decision.wake_at is not None

    def answer(self, name: str, ending: str, retry_after_s: float) -> None:
        outcome = _OUTCOMES[ending]
        if ending == "temporary":
            outcome = Outcome(outcome.ending, None, outcome.error, retry_after_s)
        reference = self.reference
        undo = reference.undo == name
        wanted = (
            reference.undo_answered(ending, retry_after_s)
            if undo
            else reference.answered(name, ending, retry_after_s)
        )
        event = self.play.answer(name, outcome)
        assert event.kind is wanted
        if "retry_at" in event.data:
            due = reference.undo_due if undo else reference.due[name]
            assert event.data["retry_at"] == due
        self.compare()

    def change(self, service: str, access: Access) -> None:
        self.how[service] = access

    def wait(self, seconds: float) -> None:
        self.play.now += seconds
        self.reference.now = self.play.now

    def cancel(self) -> None:
        self.play.cancel()
        self.reference.cancelled = True
        self.compare()

    def crash(self) -> None:
        if self.reference.under_way:
            self.taken_over.add("step")
        if self.reference.undo is not None:
            self.taken_over.add("undo")
        wanted = self.reference.crashed()
        before = len(self.play.journal)
        self.play.take_over()
        written = [(e.kind.value, e.step) for e in self.play.journal[before:]]
        assert len(written) == len(wanted)
        assert set(written) == wanted
        self.compare()

    def resume(self) -> None:
        self.play.resume()
        self.reference.resumed()
        self.compare()

    def in_flight(self) -> list[str]:
        found = sorted(self.reference.under_way)
        return [*found, self.reference.undo] if self.reference.undo else found

    def finish(self) -> None:
        """Everything is well from here on: the run must end, within a bounded number of moves."""
        for service in self.how:
            self.change(service, Access.READY)
        most = 4 * len(self.play.definition.steps) + 4
        for _ in range(most):
            self.turn()
            if self.reference.ended is not None:
                return
            for name in self.in_flight():
                self.answer(name, "done", 0.0)
            wakes_at = self.reference.wakes_at()
            if self.reference.idle and wakes_at is not None:
                self.wait(max(0.0, wakes_at - self.play.now))
        raise AssertionError(f"it has not ended after {most} turns: {told(self.play.journal)}")

    def compare(self) -> None:
        """The machine's run and the reference agree, and so does the journal from its start."""
        run, reference = self.play.run, self.reference
        self.moves += 1
        assert run.shown == reference.status
        last = self.play.journal[-1:]
        assert load_events(dump_events(last)) == tuple(last)
        assert fold(run.id, self.play.definition, self.play.journal) == run
        _compare_steps(run, reference)
        _compare_undos(run, reference)
        assert (run.ended_at is None) == (reference.ended is None)
        assert run.status.ended == (reference.ended is not None)


def _compare_steps(run: Run, reference: Reference) -> None:
    wanted = {
        **dict.fromkeys(run.steps, StepStatus.PENDING),
        **dict.fromkeys(reference.done, StepStatus.SUCCEEDED),
        **dict.fromkeys(reference.reused, StepStatus.SUCCEEDED),
        **dict.fromkeys(reference.skipped, StepStatus.SKIPPED),
        **dict.fromkeys(reference.failed, StepStatus.FAILED),
        **dict.fromkeys(reference.left, StepStatus.CANCELLED),
        **dict.fromkeys(reference.held, StepStatus.HELD),
        **dict.fromkeys(reference.due, StepStatus.RETRYING),
        **dict.fromkeys(reference.under_way, StepStatus.RUNNING),
    }
    assert {name: state.status for name, state in run.steps.items()} == wanted
    for name, state in run.steps.items():
        assert state.failures == reference.charged[name], "an outage is never charged"
        assert state.asked == (name in reference.asked)
        assert (state.hold is not None) == (state.status is StepStatus.HELD)
        assert (state.retry_at is not None) == (state.status is StepStatus.RETRYING)
        assert (state.ended_at is not None) == state.status.over


def _compare_undos(run: Run, reference: Reference) -> None:
    undos = {name: state.undo for name, state in run.steps.items()}
    done = {name for name, undo in undos.items() if undo.status is UndoStatus.DONE}
    busy_with = {name for name, undo in undos.items() if undo.status is UndoStatus.RUNNING}
    failed = {name for name, undo in undos.items() if undo.status is UndoStatus.FAILED}
    assert done == set(reference.undone)
    assert busy_with == ({reference.undo} if reference.undo else set())
    assert failed == ({reference.undo_failed} if reference.undo_failed else set())
    for name, undo in undos.items():
        assert undo.failures == reference.undo_charged[name]
        assert (undo.hold is not None) == (undo.status is UndoStatus.HELD)
        if undo.status is not UndoStatus.NONE:
            assert name in reference.asked, "what was never asked is not undone"
            assert run.status is not RunStatus.RUNNING


def _readiness(service: str, access: Access) -> Readiness:
    reasons = {
        Access.READY: "health.ok",
        Access.HOLD: "run.waits_healing",
        Access.STOPPED: "run.stopped",
        Access.GONE: "run.given_up",
    }
    return Readiness(access, text(reasons[access], service=service))

"""What must be true of a run, kept on the side of the machine: sets, lists and counters.

It shares no code with the fold and its tables, so that a mistake in them cannot hide in here. It is
told what the machine orders and what the services answer, and objects to what must not be.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from controller.model.run import Event, Kind
from controller.model.workflow import Definition, Step
from controller.workflow.machine import Access

UNDO_ATTEMPTS = 5

YES = "${{ `true` }}"
NO = "${{ `[]` }}"
BAD = "${{ abs(run.id) }}"


def after(step: str) -> str:
    """A condition that holds where another step was done."""
    return f"${{{{ steps.{step}.status == 'succeeded' }}}}"


@dataclass
class Reference:
    """One run. `now`, `how` and `may_start` are set by whoever plays the world."""

    definition: Definition
    reused: frozenset[str]
    created: float
    how: dict[str, Access]
    now: float = 0.0
    may_start: bool = True
    begun_at: float | None = None
    cancelled: bool = False
    back: bool = False
    ended: str | None = None
    end: str = ""
    under_way: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    asked_at: dict[str, float] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    skipped: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    due: dict[str, float] = field(default_factory=dict)
    charged: Counter[str] = field(default_factory=Counter)
    undo: str | None = None
    undone: list[str] = field(default_factory=list)
    undo_failed: str | None = None
    undo_due: float = 0.0
    undo_charged: Counter[str] = field(default_factory=Counter)

    @property
    def status(self) -> str:
        """The status as a person should see it."""
        if self.ended is not None:
            return self.ended
        if self.back:
            return "compensating"
        if self.begun_at is None:
            return "pending"
        return "waiting" if self.held and not self.under_way else "running"

    @property
    def deadline(self) -> float:
        assert self.begun_at is not None
        return self.begun_at + self.definition.timeout_s

    @property
    def complete(self) -> set[str]:
        return {*self.done, *self.skipped, *self.reused}

    @property
    def all_well(self) -> bool:
        return all(access is Access.READY for access in self.how.values())

    @property
    def idle(self) -> bool:
        return not self.under_way and self.undo is None

    def owed(self) -> list[str]:
        """Every step to undo, first to last, whether or not that has happened."""
        ours = [s.id for s in self.definition.steps if s.id in self.asked and s.undo is not None]
        unknown = [name for name in ours if name not in self.done]
        unknown.sort(key=lambda name: self.asked_at[name], reverse=True)
        return unknown + [name for name in reversed(self.done) if name in ours]

    def wakes_at(self) -> float | None:
        """When something is due that no answer and no service brings."""
        if self.ended is not None or self.begun_at is None:
            return None
        if self.back:
            return self.undo_due if self.undo is None and self.undo_due > self.now else None
        later = [] if self.failed else [at for at in self.due.values() if at > self.now]
        return min([self.deadline, *later])

    def starts(self) -> set[str]:
        """Services that steps wait for and may start themselves."""
        steps = [self.definition.by_id[name] for name in self.held]
        return {s.service for s in steps if s.start and self.how[s.service] is Access.STOPPED}

    # What the machine orders

    def ordered(self, event: Event) -> None:
        """Object to whatever must not be ordered now."""
        assert self.ended is None, "nothing happens after the end"
        if event.step:
            orders = {
                Kind.STEP_STARTED: self._start,
                Kind.STEP_SKIPPED: self._skip,
                Kind.STEP_FAILED: self._give_up,
                Kind.STEP_HELD: self._hold,
                Kind.STEP_CANCELLED: self._leave,
                Kind.UNDO_STARTED: self._undo,
                Kind.UNDO_HELD: self._hold_undo,
            }
            orders[event.kind](self.definition.by_id[event.step])
        elif event.kind is Kind.STARTED:
            assert self.begun_at is None
            assert not self.cancelled
            assert self.may_start, "it is not its turn"
            self.begun_at = self.now
        elif event.kind is Kind.COMPENSATING:
            self._turn_back(event.data["end"])
        else:
            assert event.kind is Kind.ENDED
            self._end(event.data["status"])

    def _is_free(self, step: Step) -> None:
        assert self.begun_at is not None
        assert not self.back, "no step begins once the run has turned back"
        assert not self.failed, "nothing new is begun after a failure"
        assert self.now < self.deadline
        assert not self.cancelled
        assert set(step.needs) <= self.complete, "a step came before what it needs"
        assert step.id not in self.complete | self.failed | self.left | self.under_way
        assert self.now >= self.due.get(step.id, 0.0), "it was asked again too soon"

    def _condition(self, step: Step) -> bool | None:
        """None where it cannot be told."""
        if step.id in self.asked or step.id in self.held or step.when in (None, YES):
            return True
        if step.when == BAD:
            return None
        if step.when == NO:
            return False
        named = next(name for name in step.needs if step.when == after(name))
        return named in self.done or named in self.reused

    def _start(self, step: Step) -> None:
        self._is_free(step)
        assert self._condition(step)
        assert self.how[step.service] is Access.READY
        assert self.charged[step.id] < step.retry.attempts, "an attempt too many"
        self.under_way.add(step.id)
        self.asked.add(step.id)
        self.asked_at[step.id] = self.now
        self.held.discard(step.id)
        self.due.pop(step.id, None)

    def _skip(self, step: Step) -> None:
        self._is_free(step)
        assert self._condition(step) is False
        self.skipped.add(step.id)

    def _give_up(self, step: Step) -> None:
        self._is_free(step)
        found = self.how[step.service]
        stopped = found is Access.STOPPED and not step.start
        assert self._condition(step) is None or stopped or found is Access.GONE
        self._fail(step.id)

    def _hold(self, step: Step) -> None:
        self._is_free(step)
        assert self._condition(step)
        found = self.how[step.service]
        assert found is Access.HOLD or (found is Access.STOPPED and step.start)
        self.held.add(step.id)
        self.due.pop(step.id, None)

    def _leave(self, step: Step) -> None:
        begun = step.id in self.under_way
        assert begun or step.id in self.held or step.id in self.due
        if not self.cancelled and self.now < self.deadline:
            assert self.failed
            assert not begun, "a sibling under way may finish"
        self.under_way.discard(step.id)
        self.held.discard(step.id)
        self.due.pop(step.id, None)
        self.left.add(step.id)

    def _turn_back(self, end: str) -> None:
        assert not self.back
        assert self.begun_at is not None
        assert not self.under_way
        assert not self.held
        assert not self.due
        over = self.complete == set(self.definition.by_id)
        spoiled = over and self.definition.output == BAD
        assert self.cancelled or self.now >= self.deadline or self.failed or spoiled
        wanted = "compensated" if self.owed() else "failed"
        assert end == ("cancelled" if self.cancelled else wanted)
        self.back, self.end = True, end

    def _undo(self, step: Step) -> None:
        assert self.how[step.service] is Access.READY
        self._is_next(step)
        assert self.now >= self.undo_due
        self.undo = step.id
        self.undo_due = 0.0

    def _hold_undo(self, step: Step) -> None:
        assert self.how[step.service] is not Access.READY
        self._is_next(step)
        self.undo_due = 0.0

    def _is_next(self, step: Step) -> None:
        assert self.back, "no undo before the run has turned back"
        assert self.undo is None, "one undo at a time"
        assert step.id not in self.reused
        assert step.id == self.owed()[len(self.undone)], "undone in the wrong order, or twice"

    def _end(self, status: str) -> None:
        assert self.idle
        if self.begun_at is None:
            assert (status, self.cancelled) == ("cancelled", True)
        elif not self.back:
            assert status == "succeeded"
            assert self.complete == set(self.definition.by_id)
            assert not self.cancelled
            assert self.definition.output != BAD
        elif self.undo_failed is not None:
            assert status == "compensation_failed"
        else:
            assert status == self.end
            assert self.undone == self.owed(), "it ended before everything was undone"
        self.ended = status

    # What happens to it

    def answered(self, step: str, ending: str, retry_after_s: float) -> Kind:
        """A step's attempt ended; returns what must be written."""
        self.under_way.remove(step)
        retry = self.definition.by_id[step].retry
        if ending == "done":
            self.done.append(step)
            return Kind.STEP_SUCCEEDED
        if ending == "outage":
            self.held.add(step)
            return Kind.STEP_HELD
        self.charged[step] += 1
        if ending == "permanent" or self.charged[step] == retry.attempts:
            self._fail(step)
            return Kind.STEP_FAILED
        pause = min(retry.max_backoff_s, retry.backoff_s * 2 ** (self.charged[step] - 1))
        self.due[step] = self.now + max(pause, retry_after_s)
        return Kind.STEP_RETRYING

    def undo_answered(self, ending: str, retry_after_s: float) -> Kind:
        """The attempt of the undo under way ended; returns what must be written."""
        step, self.undo = self.undo, None
        assert step is not None
        if ending == "done":
            self.undone.append(step)
            return Kind.UNDO_DONE
        if ending == "outage":
            return Kind.UNDO_HELD
        self.undo_charged[step] += 1
        retry = self.definition.by_id[step].retry
        attempts = max(UNDO_ATTEMPTS, retry.attempts)
        if ending == "permanent" or self.undo_charged[step] == attempts:
            self.undo_failed = step
            return Kind.UNDO_FAILED
        pause = min(retry.max_backoff_s, retry.backoff_s * 2 ** (self.undo_charged[step] - 1))
        self.undo_due = self.now + max(pause, retry_after_s)
        return Kind.UNDO_RETRYING

    def crashed(self) -> set[tuple[str, str]]:
        """The hub died; returns what the next one must write."""
        written = {(Kind.STEP_HELD.value, name) for name in self.under_way}
        if self.undo is not None:
            written.add((Kind.UNDO_HELD.value, self.undo))
        self.held |= self.under_way
        self.under_way.clear()
        self.undo = None
        return written

    def resumed(self) -> None:
        assert self.ended == "compensation_failed"
        assert self.undo_failed is not None
        self.undo_charged[self.undo_failed] = 0
        self.undo_failed, self.ended = None, None

    def _fail(self, step: str) -> None:
        self.failed.add(step)
        self.held.discard(step)
        self.due.pop(step, None)

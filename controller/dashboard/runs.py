"""One run, told: what waits for what and why, what was done, and what was undone.

Whoever opens this page wants to know whether to do something, so the sentence on top says how it
stands; the steps follow, each with its own reason, and what a service said comes last and folded.
Pure: `now` and the language are parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from controller.dashboard import wording, workflows
from controller.dashboard.incidents import Badge
from controller.dashboard.marks import Mark, Tone
from controller.dashboard.present import Headline
from controller.dashboard.runs_json import Json, shown
from controller.dashboard.workflows import Graph, Line, Node
from controller.i18n import render, word
from controller.model import expression
from controller.model.masking import masked_text
from controller.model.run import Error, Hold, Run, RunStatus, StepRun, StepStatus, UndoStatus
from controller.model.text import Text
from controller.model.workflow import Definition, Step
from controller.workflow.context import context_of
from controller.workflow.machine import undo_order

_STEP: Mapping[StepStatus, tuple[Tone, str]] = {
    StepStatus.PENDING: (Tone.IDLE, "wait"),
    StepStatus.RUNNING: (Tone.BUSY, "busy"),
    StepStatus.HELD: (Tone.WARN, "held"),
    StepStatus.RETRYING: (Tone.WARN, "restart"),
    StepStatus.SUCCEEDED: (Tone.OK, "check"),
    StepStatus.FAILED: (Tone.BAD, "fail"),
    StepStatus.SKIPPED: (Tone.IDLE, "skip"),
    StepStatus.CANCELLED: (Tone.IDLE, "stopped"),
}
_UNDO: Mapping[UndoStatus, tuple[Tone, str]] = {
    UndoStatus.NONE: (Tone.IDLE, "wait"),
    UndoStatus.RUNNING: (Tone.BUSY, "busy"),
    UndoStatus.HELD: (Tone.WARN, "held"),
    UndoStatus.RETRYING: (Tone.WARN, "restart"),
    UndoStatus.DONE: (Tone.IDLE, "undone"),
    UndoStatus.FAILED: (Tone.BAD, "fail"),
}
_WITH_JSON = 60
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Why:
    """A sentence, the incident it comes from, and what the service itself said."""

    text: str
    incident: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """One step of the run. `elapsed_ms` is set while it goes on, `held_ms` while it is held."""

    id: str
    service: Mark
    call: str
    badge: Badge
    needs: tuple[str, ...]
    why: Why | None
    took: str
    elapsed_ms: int | None
    attempts: str
    held: str
    held_ms: int | None
    reused: bool
    undo: Badge | None
    given: Json | None
    output: Json | None


@dataclass(frozen=True, slots=True)
class Undone:
    """One compensation, in the order in which they are made."""

    step: str
    call: str
    badge: Badge
    why: Why | None
    attempts: str
    at: datetime | None
    took: str


@dataclass(frozen=True, slots=True)
class Button:
    """What a person can do with a run now, with the words of its confirmation."""

    verb: str
    icon: str
    label: str
    title: str
    note: str
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """One run, told. `changed` says that its workflow is another one by now."""

    line: Line
    headline: Headline
    why: Why
    progress: str
    over: int
    total: int
    began: datetime
    ended: datetime | None
    retry_of: str | None
    key: str | None
    changed: bool
    buttons: tuple[Button, ...]
    steps: tuple[Done, ...]
    undos: tuple[Undone, ...]
    kept: tuple[str, ...]
    graph: Graph | None
    given: Json
    output: Json | None
    trace: str


def told(
    run: Run,
    definition: Definition,
    reason: Text | None,
    known: Mapping[str, Mark],
    current_hash: str | None,
    language: str,
    now: datetime,
) -> Told:
    """`reason` is why it waits or how it ended; `current_hash` that of the workflow as it is now,
    None where it is gone."""
    teller = _Teller(run, definition, known, language, now)
    line = workflows.line(workflows.line_of(run, reason), language, now)
    undos = undo_order(run, definition) if _turned_back(run) else []
    return Told(
        line=line,
        headline=Headline(
            line.badge.tone,
            line.badge.icon,
            word(f"ui.run.headline.{run.shown}", language, workflow=run.workflow),
        ),
        why=teller.standing(reason, undos),
        progress=word("ui.run.progress", language, done=run.done, total=len(run.steps)),
        over=run.done,
        total=len(run.steps),
        began=workflows.moment(run.created_at),
        ended=None if run.ended_at is None else workflows.moment(run.ended_at),
        retry_of=run.retry_of,
        key=run.key,
        changed=current_hash != run.definition_hash,
        buttons=_buttons(run, language),
        steps=tuple(teller.step(step) for step in definition.steps),
        undos=tuple(teller.undo(state) for state in undos),
        kept=_kept(run, definition) if undos else (),
        graph=workflows.graph(
            definition,
            {step.id: teller.node(step) for step in definition.steps},
            teller.went,
            language,
        ),
        given=shown(run.input),
        output=None if run.output is None else shown(run.output),
        trace=run.trace_id,
    )


def _turned_back(run: Run) -> bool:
    return run.end is not None or run.status in (
        RunStatus.COMPENSATING,
        RunStatus.COMPENSATED,
        RunStatus.COMPENSATION_FAILED,
    )


def _kept(run: Run, definition: Definition) -> tuple[str, ...]:
    """Steps that were done, and that nothing undoes."""
    return tuple(
        step.id
        for step in definition.steps
        if step.undo is None and run.steps[step.id].status is StepStatus.SUCCEEDED
    )


def _buttons(run: Run, language: str) -> tuple[Button, ...]:
    """Only what makes sense: what goes on can be cancelled, what went wrong done again."""
    if run.status is RunStatus.COMPENSATION_FAILED:
        verbs = ["resume"]
    elif run.status.ended:
        verbs = [] if run.status is RunStatus.SUCCEEDED else ["retry"]
    else:
        over = run.cancel_by is not None or run.status is RunStatus.COMPENSATING
        verbs = [] if over else ["cancel"]
    icons = {"resume": "undo", "retry": "restart", "cancel": "stop"}
    return tuple(
        Button(
            verb,
            icons[verb],
            word(f"ui.run.{verb}", language),
            word(f"ui.run.{verb}.confirm", language, workflow=run.workflow),
            word(f"ui.run.{verb}.note", language),
            primary=verb != "cancel",
        )
        for verb in verbs
    )


@dataclass(frozen=True, slots=True)
class _Teller:
    """Tells the parts of one run."""

    run: Run
    definition: Definition
    known: Mapping[str, Mark]
    language: str
    now: datetime

    def say(self, key: str, **facts: str | int) -> str:
        return word(f"ui.run.{key}", self.language, **facts)

    def standing(self, reason: Text | None, undos: list[StepRun]) -> Why:
        """How it stands or ended, in one sentence or two."""
        run, said = self.run, ""
        held = next((state for state in undos if state.undo.hold is not None), None)
        if held is not None and run.error is not None:
            # Why it turned back comes first; why it does not get on stands with what is undone.
            reason = run.error.reason
        if reason is not None:
            said = workflows.sentence(reason, self.language)
        done = sum(1 for state in undos if state.undo.status is UndoStatus.DONE)
        more = self._more(done, len(undos))
        hold = _first_hold(run)
        detail = run.error.detail if run.error else None
        if detail in [step.error.detail for step in run.steps.values() if step.error]:
            detail = None  # It stands with its step.
        incident = hold.incident if hold else None
        return Why(f"{said} {more}".strip(), incident, masked_text(detail or ""))

    def _more(self, done: int, owed: int) -> str:
        run = self.run
        over = [step.status for step in run.steps.values()]
        match run.shown:
            case RunStatus.SUCCEEDED:
                skipped, well = over.count(StepStatus.SKIPPED), over.count(StepStatus.SUCCEEDED)
                suffix = "_skipped" if skipped else "_one" if well == 1 else ""
                return self.say(f"end.succeeded{suffix}", n=well, skipped=skipped)
            case RunStatus.COMPENSATING:
                return self.say("end.compensating", done=done, n=owed)
            case RunStatus.COMPENSATION_FAILED:
                return self.say("end.compensation_failed")
            case RunStatus.COMPENSATED | RunStatus.FAILED | RunStatus.CANCELLED:
                if not done:
                    return self.say("end.nothing_undone")
                return self.say("end.undone_one" if done == 1 else "end.undone", n=done)
            case RunStatus.WAITING:
                return self.say("end.waiting")
            case RunStatus.PENDING:
                return self.say("end.pending")
        return self.say("end.cancelling") if run.cancel_by is not None else self._doing()

    def _doing(self) -> str:
        """What is being done now, and what is not, and why."""
        steps = self.run.steps.values()
        busy = [step.id for step in steps if step.status is StepStatus.RUNNING]
        named = ", ".join(busy[:_NAMED]) + (f" +{len(busy) - _NAMED}" if busy[_NAMED:] else "")
        said = [self.say("end.now", steps=named)] if busy else []
        held = next((step for step in self.run.holds if step.hold is not None), None)
        if held is not None and held.hold is not None:
            why = render(held.hold.reason, self.language)
            said.append(self.say("end.holds", step=held.id, why=why))
        return " ".join(said)

    def step(self, step: Step) -> Done:
        state = self.run.steps[step.id]
        goes_on = state.status is StepStatus.RUNNING
        held = state.held_until(self.now.timestamp())
        small = len(self.definition.steps) <= _WITH_JSON
        return Done(
            id=step.id,
            service=workflows.mark(step.service, self.known, self.language),
            call=workflows.asked(step.call),
            badge=self.badge(state),
            needs=step.needs,
            why=self._why(step, state),
            took=self._took(state),
            elapsed_ms=self._since(state.attempt_at) if goes_on else None,
            attempts=self._attempts(state, step.retry.attempts),
            held=workflows.elapsed_text(held * 1000, self.language) if held >= 1 else "",
            held_ms=round(held * 1000) if state.hold is not None else None,
            reused=state.reused,
            undo=self._undo_badge(state),
            given=self._given(step, state) if small else None,
            output=shown(state.output) if small and state.output is not None else None,
        )

    def badge(self, state: StepRun) -> Badge:
        tone, icon = _STEP[state.status]
        key: str = state.status
        forward = self.run.status in (RunStatus.PENDING, RunStatus.RUNNING)
        if state.status is StepStatus.PENDING and not forward:
            key, icon = "unreached", "skip"
        return Badge(tone, icon, self.say(f"step.{key}"))

    def _undo_badge(self, state: StepRun) -> Badge | None:
        if state.undo.status is UndoStatus.NONE:
            return None
        return Badge(*_UNDO[state.undo.status], self.say(f"undo.{state.undo.status}"))

    def _why(self, step: Step, state: StepRun) -> Why | None:
        """Why it waits, is asked again, failed or was left out."""
        match state.status:
            case StepStatus.HELD if state.hold is not None:
                return Why(render(state.hold.reason, self.language), state.hold.incident)
            case StepStatus.RETRYING | StepStatus.FAILED if state.error is not None:
                return self._failure(state.error, state.retry_at)
            case StepStatus.SKIPPED:
                return Why(self.say("skipped"))
            case StepStatus.CANCELLED:
                return Why(self.say("left"))
            case StepStatus.PENDING if self.run.status is RunStatus.RUNNING:
                steps = self.run.steps
                missing = [need for need in step.needs if not steps[need].status.over]
                if missing:
                    return Why(self.say("waits_for", steps=", ".join(missing)))
        return None

    def _failure(self, error: Error, retry_at: float | None) -> Why:
        said = render(error.reason, self.language)
        if retry_at is not None:
            wait = max(0.0, retry_at - self.now.timestamp())
            said += " " + self.say("again_in", wait=wording.took(wait * 1000, self.language))
        return Why(said, detail=masked_text(error.detail) if error.detail else "")

    def _attempts(self, state: StepRun, most: int) -> str:
        """A first attempt that did it is not worth a word."""
        if state.attempts == 0 or (state.attempts == 1 and (most == 1 or state.status.over)):
            return ""
        return self.say("attempts", n=state.attempts, most=most)

    def _took(self, state: StepRun) -> str:
        if state.status is StepStatus.RUNNING:
            return workflows.elapsed_text(self._since(state.attempt_at) or 0, self.language)
        if state.latency_ms is None or state.reused:
            return ""
        return wording.took(state.latency_ms, self.language)

    def _since(self, at: float | None) -> int | None:
        return None if at is None else max(0, round(1000 * (self.now.timestamp() - at)))

    def _given(self, step: Step, state: StepRun) -> Json | None:
        """What it was asked with. It is not kept: it follows from what is, the same each time."""
        if state.attempt_at is None or step.call.input is None:
            return None
        try:
            context = context_of(self.run, self.definition, step)
            return shown(expression.evaluate(step.call.input, context))
        except expression.ExpressionError:
            return None

    def undo(self, state: StepRun) -> Undone:
        step, undo = self.definition.by_id[state.id], state.undo
        assert step.undo is not None
        why = None
        if undo.hold is not None:
            why = Why(render(undo.hold.reason, self.language), undo.hold.incident)
        elif undo.error is not None and undo.status is not UndoStatus.DONE:
            why = self._failure(undo.error, undo.retry_at)
        took = ""
        if undo.started_at is not None and undo.ended_at is not None:
            took = wording.took(1000 * (undo.ended_at - undo.started_at), self.language)
        charged = undo.failures + (undo.status in (UndoStatus.RUNNING, UndoStatus.DONE))
        return Undone(
            step=state.id,
            call=workflows.asked(step.undo),
            badge=Badge(*_UNDO[undo.status], self.say(f"undo.{undo.status}")),
            why=why,
            attempts=self.say("attempt_n", n=charged) if charged > 1 else "",
            at=None if undo.ended_at is None else workflows.moment(undo.ended_at),
            took=took,
        )

    def node(self, step: Step) -> Node:
        state = self.run.steps[step.id]
        badge, undo = self.badge(state), self._undo_badge(state)
        note, elapsed = self._took(state), None
        if state.failures and not state.status.over:
            note = self._attempts(state, step.retry.attempts)
        elif state.status is StepStatus.RUNNING:
            elapsed = self._since(state.attempt_at)
        return Node(
            step.id, 0, 0, step.id, step.service, badge.tone, badge.icon, badge.word, note, undo,
            elapsed,
        )  # fmt: skip

    def went(self, before: str, after: str) -> str:
        """Whether the run went along a line, or came back along it to undo."""
        first, last = self.run.steps[before], self.run.steps[after]
        if first.undo.status is not UndoStatus.NONE and last.asked:
            return "back"
        return "done" if first.status.over and last.status is not StepStatus.PENDING else ""


def _first_hold(run: Run) -> Hold | None:
    """What the sentence on top speaks of, where it speaks of waiting."""
    if run.status is RunStatus.RUNNING and run.holds:
        return run.holds[0].hold
    if run.status is RunStatus.COMPENSATING:
        return next((s.undo.hold for s in run.steps.values() if s.undo.hold is not None), None)
    return None

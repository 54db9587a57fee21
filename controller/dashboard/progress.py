"""Operations, rehearsals and workflows to page: who asked for what, how far it is, how it ended,
and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.dashboard import wording
from controller.dashboard.marks import Mark, Tone
from controller.i18n import render, word
from controller.model import rehearsal as drill
from controller.model.rehearsal import Fault, Stage
from controller.model.view import (
    OperationKind,
    OperationStatus,
    OperationView,
    ServiceResult,
    StepView,
)

_STATUS: Mapping[OperationStatus, tuple[Tone, str]] = {
    OperationStatus.RUNNING: (Tone.BUSY, "busy"),
    OperationStatus.SUCCEEDED: (Tone.OK, "check"),
    OperationStatus.FAILED: (Tone.BAD, "fail"),
    OperationStatus.INTERRUPTED: (Tone.WARN, "warn"),
}
_STEP: Mapping[str, tuple[Tone, str]] = {
    "waiting": (Tone.IDLE, "wait"),
    "running": (Tone.BUSY, "busy"),
    "done": (Tone.OK, "check"),
    "failed": (Tone.BAD, "fail"),
    "skipped": (Tone.IDLE, "blocked"),
}
_OVER = ("done", "failed", "skipped")
_ENDED: Mapping[Stage, tuple[Tone, str]] = {
    Stage.PASSED: (Tone.OK, "check"),
    Stage.FAILED: (Tone.BAD, "fail"),
    Stage.ABORTED: (Tone.WARN, "warn"),
}
_STAGES = (Stage.INJECTING, Stage.DETECTING, Stage.HEALING, Stage.DEPENDANTS)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan under way; `progress` of what takes long."""

    tone: Tone
    icon: str
    word: str
    what: str
    service: str
    cause: str
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended for one service; `detail` is the engine's or the probe's own words."""

    tone: Tone
    icon: str
    service: str
    word: str
    cause: str
    took: str
    detail: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, ready to print. `summary` is the sentence that is also read aloud."""

    id: str
    status: str
    tone: Tone
    icon: str
    word: str
    title: str
    summary: str
    by: str
    at: datetime
    at_text: str
    took: str
    done: int
    total: int
    steps: tuple[Step, ...]
    results: tuple[Result, ...]

    @property
    def running(self) -> bool:
        return self.status == OperationStatus.RUNNING


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal, ready to print. `stages` are its way so far and the rest of it; `measures`
    pairs of name and time, each "–" where it was not seen."""

    id: str
    service: str
    status: str
    tone: Tone
    icon: str
    word: str
    title: str
    summary: str
    verdict: str
    by: str
    at: datetime
    at_text: str
    took: str
    stages: tuple[Mark, ...]
    measures: tuple[tuple[str, str], ...]
    dependants: tuple[tuple[str, str], ...]
    incident: str | None
    running: bool


@dataclass(frozen=True, slots=True)
class Workflow:
    """A configured workflow: its steps as (service, action), in order."""

    name: str
    steps: tuple[tuple[Mark, str], ...]


def operation(view: OperationView, everything: int, language: str, now: datetime) -> Operation:
    """`everything` is the number of managed services: an operation on all of them is called so."""
    tone, icon = _STATUS[view.status]
    says = word(f"ui.operation.{view.status}", language)
    title = _title(view, everything, language)
    ended = view.ended_at or now
    took = wording.took((ended - view.requested_at).total_seconds() * 1000, language)
    return Operation(
        id=view.id,
        status=view.status.value,
        tone=tone,
        icon=icon,
        word=says,
        title=title,
        summary=_summary(view, title, says, took, language),
        by=wording.who(view.requested_by, language),
        at=view.requested_at,
        at_text=wording.ago(view.requested_at, now, language),
        took=took,
        done=sum(1 for step in view.steps if step.status in _OVER),
        total=len(view.steps),
        steps=tuple(_step(step, language) for step in view.steps),
        results=tuple(_result(name, view.results[name], language) for name in view.results),
    )


def _title(view: OperationView, everything: int, language: str) -> str:
    if view.kind is OperationKind.CONVERGE:
        return word("ui.operation.converge", language)
    if view.kind is OperationKind.HEAL:
        return word("ui.operation.heal", language, services=", ".join(view.targets))
    if view.kind is OperationKind.REMOVE_ORPHANS:
        return word("ui.operation.remove_orphans", language, services=", ".join(view.targets))
    verb = word(f"ui.action.{view.kind}", language)
    if len(view.targets) == 1:
        return word("ui.operation.one", language, verb=verb, service=view.targets[0])
    key = "all" if len(view.targets) >= everything else "some"
    return word(f"ui.operation.{key}", language, verb=verb, n=len(view.targets))


def _summary(view: OperationView, title: str, says: str, took: str, language: str) -> str:
    """`Restart saju-service: done after 2.1 s`; of several, also who failed."""
    failed = [name for name, result in view.results.items() if not result.good]
    key = "running" if view.status is OperationStatus.RUNNING else "ended"
    sentence = word(f"ui.operation.summary_{key}", language, title=title, status=says, took=took)
    if failed and len(view.targets) > 1:
        sentence += word("ui.operation.summary_failed", language, services=", ".join(failed))
    return sentence


def _step(step: StepView, language: str) -> Step:
    tone, icon = _STEP.get(step.status, (Tone.IDLE, "question"))
    return Step(
        tone,
        icon,
        wording.word_or(f"ui.step.{step.status}", step.status, language),
        wording.word_or(f"ui.op.{step.op}", step.op, language),
        step.service,
        render(step.cause, language),
        render(step.progress, language) if step.progress and step.status == "running" else "",
    )


def _result(name: str, result: ServiceResult, language: str) -> Result:
    tone, icon = (Tone.OK, "check") if result.good else (Tone.BAD, "fail")
    if result.outcome == "blocked":
        tone, icon = Tone.WARN, "blocked"
    return Result(
        tone,
        icon,
        name,
        wording.word_or(f"ui.outcome.{result.outcome}", result.outcome, language),
        render(result.cause, language),
        wording.took(result.duration_ms, language) if result.duration_ms else "",
        result.detail or "",
    )


def rehearsal(view: drill.Rehearsal, language: str, now: datetime) -> Rehearsal:
    """Where a rehearsal stands, against the objective of its service."""
    over = view.stage in drill.FINAL
    tone, icon = _ENDED.get(view.stage, (Tone.BUSY, "busy"))
    says = word(f"ui.stage.{view.stage}", language)
    fault = word(f"ui.fault.{view.fault}", language)
    title = word("ui.rehearsal.title", language, fault=fault, service=view.service)
    began = view.injected_at or view.requested_at
    took = wording.took(((view.ended_at or now) - began).total_seconds() * 1000, language)
    objective = wording.took(view.objective_s * 1000, language)
    return Rehearsal(
        id=view.id,
        service=view.service,
        status=view.stage.value if over else "running",
        tone=tone,
        icon=icon,
        word=says,
        title=title,
        summary=word("ui.rehearsal.summary", language, title=title, stage=says),
        verdict=render(view.verdict, language),
        by=wording.who(view.requested_by, language),
        at=view.requested_at,
        at_text=wording.ago(view.requested_at, now, language),
        took=took,
        stages=tuple(_stage(stage, view, language) for stage in _STAGES),
        measures=(
            (word("ui.rehearsal.detected", language), wording.took(view.detected_ms, language)),
            (word("ui.rehearsal.healed", language), wording.took(view.healed_ms, language)),
            (word("ui.rehearsal.objective", language), objective),
        ),
        dependants=tuple(
            (name, wording.took(ms, language)) for name, ms in view.dependants_ms.items()
        ),
        incident=view.incident,
        running=not over,
    )


def _stage(stage: Stage, view: drill.Rehearsal, language: str) -> Mark:
    """One station: passed, where it is or where it ended, or still to come."""
    here = _STAGES.index(_reached(view))
    own = _STAGES.index(stage)
    if view.stage is Stage.PASSED or own < here:
        look = (Tone.OK, "check")
    elif own > here:
        look = (Tone.IDLE, "wait")
    else:
        look = _ENDED.get(view.stage, (Tone.BUSY, "busy"))
    if stage is Stage.HEALING and view.fault is Fault.STOP:
        # What a person stopped must not be healed.
        return Mark(stage.value, *look, word("ui.ending.left_alone", language))
    return Mark(stage.value, *look, word(f"ui.station.{stage}", language))


def _reached(view: drill.Rehearsal) -> Stage:
    """The station it is at; for one that ended, the first whose time is missing."""
    if view.stage in _STAGES:
        return view.stage
    if view.injected_at is None:
        return Stage.INJECTING
    if view.detected_ms is None:
        return Stage.DETECTING
    return Stage.HEALING if view.healed_ms is None else Stage.DEPENDANTS


def workflows(
    configured: Mapping[str, Sequence[tuple[str, str]]], known: Mapping[str, Mark], language: str
) -> tuple[Workflow, ...]:
    """The configured chains, each step with how its service is now."""
    unknown = word("ui.workflow.unmanaged", language)
    return tuple(
        Workflow(
            name,
            tuple(
                (known.get(service, Mark(service, Tone.IDLE, "question", unknown)), action)
                for service, action in steps
            ),
        )
        for name, steps in configured.items()
    )

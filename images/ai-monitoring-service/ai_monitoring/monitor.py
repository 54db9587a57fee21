"""Judge the steps of one workflow run: which are unusual, which deserve a person's eye.

Pure. The steps are taken in their order, so a run that calls one service often is judged by its own
earlier steps too. What is learnt, what is reported and what is alerted follow from one table
(`LEARN`, `ALARM`); a status in neither says nothing about how the service is doing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ai_monitoring.baseline import (
    SHIFT_AFTER,
    Baseline,
    Call,
    Judgement,
    Normal,
    Shift,
    absorb,
    judge,
    settle,
)

# Usual steps in a row after which what was wrong with a service is over.
RECOVERED_AFTER = 3


class StepStatus(StrEnum):
    """How a step stands, in the words of a workflow run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    PENDING = "pending"
    RUNNING = "running"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"


# A failed call's latency tells of the time-out or of the crash, not of the service's usual pace.
LEARN = frozenset({StepStatus.SUCCEEDED})
ALARM = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT})


class Outcome(StrEnum):
    """What the report says of one step."""

    LEARNING = "learning"
    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    FAILED = "failed"
    IGNORED = "ignored"


class AlertKind(StrEnum):
    """Why an alert was raised."""

    SLOW = "slow"
    FAILED = "failed"
    LEVEL_SHIFT = "level_shift"
    TARGET_DOWN = "target_down"
    ERRORS = "errors"
    UNUSUAL = "unusual"
    MEMORY_GROWTH = "memory_growth"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a run. `latency_ms` is None for a step that has not run to its end."""

    service: str
    status: StepStatus
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class JudgedStep:
    """A step with what is said of it. `z` and `normal` are None unless it was compared."""

    step: Step
    outcome: Outcome
    z: float | None = None
    normal: Normal | None = None


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """An alert before it is stored: the step it is about (0-based) and a sentence for people."""

    kind: AlertKind
    service: str
    step: int
    message: str


@dataclass(frozen=True, slots=True)
class Examination:
    """All that follows from one run. `baselines` holds only the services that learnt something,
    `recovered` those whose earlier alerts are over: usual again, or slower for good."""

    steps: tuple[JudgedStep, ...]
    alerts: tuple[AlertDraft, ...]
    baselines: Mapping[str, Baseline]
    recovered: frozenset[str] = frozenset()


def examine(steps: Sequence[Step], baselines: Mapping[str, Baseline], report: str) -> Examination:
    """Judge `steps` by `baselines` (service → baseline; absent means nothing known yet)."""
    learnt: dict[str, Baseline] = {}
    judged: list[JudgedStep] = []
    alerts: list[AlertDraft] = []
    shifts: list[AlertDraft] = []
    recovered: set[str] = set()
    for index, step in enumerate(steps):
        if step.status in LEARN and step.latency_ms is not None:
            before = learnt.get(step.service) or baselines.get(step.service) or Baseline()
            judgement = judge(before, step.latency_ms)
            after = absorb(before, judgement, step.latency_ms, report)
            learnt[step.service], shift = settle(after)
            outcome = _compared(step, judgement)
            if shift is not None:
                recovered.add(step.service)
                shifts.append(shift_alert(index, step.service, shift))
            elif after.well >= RECOVERED_AFTER:
                recovered.add(step.service)
        else:
            outcome = JudgedStep(step, Outcome.FAILED if step.status in ALARM else Outcome.IGNORED)
        judged.append(outcome)
        if (alert := alert_for(index, outcome)) is not None:
            alerts.append(alert)
            if outcome.outcome is Outcome.FAILED:
                recovered.discard(step.service)
    return Examination(tuple(judged), (*alerts, *shifts), learnt, frozenset(recovered))


def shift_alert(index: int, service: str, shift: Shift) -> AlertDraft:
    """Said once of a service that has become slower for good."""
    message = (
        f"{service} has become slower: about {shift.after:,.0f} ms where it was "
        f"{shift.before:,.0f} ms, {SHIFT_AFTER} times in a row; this is taken as usual from now on"
    )
    return AlertDraft(AlertKind.LEVEL_SHIFT, service, index, message)


def _compared(step: Step, judgement: Judgement) -> JudgedStep:
    outcome = {
        Call.LEARNING: Outcome.LEARNING,
        Call.NORMAL: Outcome.NORMAL,
        Call.ANOMALOUS: Outcome.ANOMALOUS,
    }[judgement.call]
    return JudgedStep(step, outcome, judgement.z, judgement.normal)


def alert_for(index: int, judged: JudgedStep) -> AlertDraft | None:
    """The alert that a judged step calls for, if any."""
    step = judged.step
    if judged.outcome is Outcome.FAILED:
        after = "" if step.latency_ms is None else f" after {step.latency_ms:,.0f} ms"
        said = "timed out" if step.status is StepStatus.TIMED_OUT else "failed"
        message = f"{step.service} {said}{after}"
        return AlertDraft(AlertKind.FAILED, step.service, index, message)
    if judged.outcome is Outcome.ANOMALOUS and judged.normal is not None:
        usual = judged.normal
        message = (
            f"{step.service} took {step.latency_ms:,.0f} ms; {usual.median_ms:,.0f} ms is usual "
            f"and up to {usual.limit_ms:,.0f} ms normal (z {judged.z:.1f})"
        )
        return AlertDraft(AlertKind.SLOW, step.service, index, message)
    return None

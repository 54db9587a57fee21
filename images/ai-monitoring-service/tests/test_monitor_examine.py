"""One run's steps: what is learnt, what is reported, what is alerted."""

from __future__ import annotations

import pytest

from ai_monitoring.baseline import GRACE, Baseline, absorb, judge
from ai_monitoring.monitor import AlertKind, Outcome, Step, StepStatus, examine


def usual(latency_ms: float) -> Baseline:
    baseline = Baseline()
    for _ in range(GRACE):
        baseline = absorb(baseline, judge(baseline, latency_ms), latency_ms, "before")
    return baseline


def ok(service: str, latency_ms: float) -> Step:
    return Step(service, StepStatus.SUCCEEDED, latency_ms)


def test_each_service_is_judged_by_its_own_baseline() -> None:
    baselines = {"fast": usual(5.0), "slow": usual(5_000.0)}
    seen = examine([ok("fast", 5_000.0), ok("slow", 5_000.0), ok("new", 1.0)], baselines, "r")
    assert [s.outcome for s in seen.steps] == [Outcome.ANOMALOUS, Outcome.NORMAL, Outcome.LEARNING]
    [alert] = seen.alerts
    assert (alert.kind, alert.service, alert.step) == (AlertKind.SLOW, "fast", 0)
    assert alert.message.startswith("fast took 5,000 ms; 5 ms is usual and up to 6 ms normal (z ")
    assert seen.baselines["fast"].points == baselines["fast"].points
    assert len(seen.baselines["slow"].points) == GRACE + 1
    assert seen.baselines["new"].points[0].report == "r"


def test_a_run_that_calls_a_service_often_learns_as_it_goes() -> None:
    steps = [ok("saju-service", 10.0)] * GRACE + [ok("saju-service", 1_000.0)]
    seen = examine(steps, {}, "r")
    assert [s.outcome for s in seen.steps] == [Outcome.LEARNING] * GRACE + [Outcome.ANOMALOUS]
    assert len(seen.baselines["saju-service"].points) == GRACE


@pytest.mark.parametrize(
    ("status", "latency_ms", "message"),
    [
        (StepStatus.FAILED, 120.4, "crawling-service failed after 120 ms"),
        (StepStatus.FAILED, None, "crawling-service failed"),
        (StepStatus.TIMED_OUT, 30_000.0, "crawling-service timed out after 30,000 ms"),
    ],
)
def test_a_failed_step_is_an_alert_and_teaches_nothing(
    status: StepStatus, latency_ms: float | None, message: str
) -> None:
    seen = examine([Step("crawling-service", status, latency_ms)], {}, "r")
    assert seen.steps[0].outcome is Outcome.FAILED
    assert [(a.kind, a.message) for a in seen.alerts] == [(AlertKind.FAILED, message)]
    assert seen.baselines == {}


@pytest.mark.parametrize(
    "status",
    sorted(set(StepStatus) - {StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.TIMED_OUT}),
)
def test_a_step_that_says_nothing_of_its_service_is_ignored(status: StepStatus) -> None:
    seen = examine([Step("a", status, 9e9)], {"a": usual(1.0)}, "r")
    assert seen.steps[0].outcome is Outcome.IGNORED
    assert (seen.alerts, seen.baselines) == ((), {})

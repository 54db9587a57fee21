"""What happens between two samples adds up; what was not seen, or was planned, is not held against
anyone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.metrics.meter import Meter, Reading, rates, standing
from controller.model.metric import (
    CPU,
    DUE_S,
    HUB,
    MEMORY,
    RECEIVED,
    RESTARTS,
    UP_S,
    WRITTEN,
    Bucket,
    Scope,
    Subject,
    quantile,
)
from controller.model.observation import State
from controller.model.text import Text
from controller.model.view import Desired, Health, ServiceView
from tests.unit.metrics.metrics_builders import WEB

VIEW = ServiceView(
    name="web",
    port=80,
    desired=Desired.RUNNING,
    state=State.RUNNING,
    health=Health.HEALTHY,
    reason=Text("x"),
    since=datetime(2026, 1, 1, tzinfo=UTC),
    port_open=True,
)


def took(meter: Meter, now: float, view: ServiceView = VIEW, **readings: Reading) -> Bucket:
    return meter.take(0, 10, now, [view], readings, ["flow"], {"cpu_percent": 2.0})[WEB]


def reading(at: float, cpu_s: float, **more: object) -> Reading:
    return replace(Reading("a@1", at, cpu_s, 5 << 20), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("health", "desired", "planned", "due", "up"),
    [
        (Health.HEALTHY, Desired.RUNNING, False, True, True),
        (Health.UNHEALTHY, Desired.RUNNING, False, True, False),
        (Health.BLOCKED, Desired.RUNNING, False, True, False),
        (Health.FAILED, Desired.RUNNING, False, True, False),
        (Health.STARTING, Desired.RUNNING, False, True, False),
        (Health.UNHEALTHY, Desired.RUNNING, True, False, False),
        (Health.STOPPED, Desired.STOPPED, False, False, False),
        (Health.HELD, Desired.RUNNING, False, False, False),
        (Health.UNKNOWN, Desired.RUNNING, False, False, False),
        (Health.HEALTHY, Desired.STOPPED, False, False, False),
    ],
)
def test_what_counts(health: Health, desired: Desired, planned: bool, due: bool, up: bool) -> None:
    found = standing(replace(VIEW, health=health, desired=desired), planned)
    assert (found.due, found.up) == (due, up)


def test_an_outage_between_two_samples_is_measured_to_the_moment() -> None:
    meter = Meter(lambda view: view.busy == "by a person")
    meter.told(VIEW, 100.0)
    meter.told(replace(VIEW, health=Health.FAILED), 103.0)
    meter.told(replace(VIEW, health=Health.FAILED, busy="by a person"), 104.5)
    meter.told(VIEW, 106.0)
    counts = took(meter, 110.0).counts
    assert (counts[UP_S], counts[DUE_S]) == (7.0, 8.5)
    counts = took(meter, 120.0).counts
    assert (counts[UP_S], counts[DUE_S]) == (10.0, 10.0)
    assert meter.totals(121.0) == {"web": (18.0, 19.5)}


def test_before_the_first_verdict_nobody_is_down() -> None:
    meter = Meter(lambda view: False)
    meter.told(replace(VIEW, health=Health.UNKNOWN), 0.0)
    meter.told(replace(VIEW, health=Health.STARTING), 1.0)
    meter.told(VIEW, 3.0)
    meter.told(replace(VIEW, health=Health.STARTING), 5.0)
    counts = took(meter, 6.0).counts
    assert (counts[UP_S], counts[DUE_S]) == (2.0, 3.0), "a start after a crash does count"


def test_probes_restarts_and_runs_are_counted_once() -> None:
    meter = Meter(lambda view: False)
    meter.probed("web", 5.0)
    meter.restarted("web")
    meter.told(VIEW, 0.0)
    for ms in (1.0, 2.0, 40.0):
        meter.probed("web", ms)
    meter.restarted("web")
    meter.run_ended("flow", "failed")
    meter.step_took("flow", 30.0)
    found = meter.take(0, 10, 10.0, [VIEW], {}, ["flow"], {"cpu_percent": 2.0})
    web, flow = found[WEB], found[Subject(Scope.WORKFLOW, "flow")]
    assert sum(web.latencies.values()) == 3
    assert quantile(web.latencies, 0.99) == pytest.approx(40, rel=0.2)
    assert web.counts[RESTARTS.name] == 1
    assert flow.counts["runs_failed"] == 1
    assert flow.counts["runs_succeeded"] == 0
    assert sum(flow.latencies.values()) == 1
    assert found[HUB].gauges[CPU.name].mean == 2.0
    again = meter.take(10, 10, 20.0, [VIEW], {}, ["flow"], {})
    assert again[WEB].latencies == {}
    assert again[WEB].counts[RESTARTS.name] == 0
    assert again[Subject(Scope.WORKFLOW, "flow")].counts["runs_failed"] == 0


def test_rates_come_of_two_readings_of_one_life() -> None:
    meter = Meter(lambda view: False)
    first = reading(0.0, 1.0, received=100, written=None)
    assert took(meter, 10.0, web=first).gauges.keys() == {"port_open", MEMORY.name}
    found = took(meter, 20.0, web=reading(10.0, 3.0, received=600, written=5)).gauges
    assert found[CPU.name].mean == 20.0
    assert found[RECEIVED.name].mean == 50.0
    assert WRITTEN.name not in found, "a fact that was not seen before has no rate"
    other = reading(20.0, 9.0, received=9_000, life="a@2")
    assert CPU.name not in took(meter, 30.0, web=other).gauges
    gone = took(meter, 40.0, replace(VIEW, port_open=None))
    assert gone.gauges == {}
    assert CPU.name not in took(meter, 50.0, web=other).gauges, "the one before is long gone"


def test_a_counter_that_goes_back_or_does_not_move_in_time_says_nothing() -> None:
    before = reading(0.0, 1.0, received=100)
    assert RECEIVED.name not in rates(before, reading(10.0, 2.0, received=50))
    assert rates(before, reading(0.0, 2.0, received=200)) == {}

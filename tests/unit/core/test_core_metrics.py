"""The figures: right numbers under the promised names, and no series that is only noise."""

from __future__ import annotations

import pytest
from core_builders import NOW
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from controller.model.observation import State
from controller.model.text import text
from controller.model.view import Desired, Health, ServiceView, StackView
from controller.telemetry.metrics import Figures, render


def view(name: str, incident: str | None) -> ServiceView:
    said = text("health.ok")
    running, healthy = State.RUNNING, Health.HEALTHY
    return ServiceView(
        name, 1, Desired.RUNNING, running, healthy, said, NOW, container_id="abc", incident=incident
    )


STACK = StackView("heal7", NOW, True, NOW, (view("web", "inc_1"), view("db", None)))


def series(figures: Figures | None, *, paused: bool = False) -> dict[str, float]:
    """`name{label=value,…}` to its value, read back as Prometheus reads it."""
    families = text_string_to_metric_families(render(STACK, "1", figures, paused=paused).decode())
    return {
        f"{s.name}{{{','.join(f'{k}={v}' for k, v in sorted(s.labels.items()))}}}": s.value
        for family in families
        for s in family.samples
    }


@pytest.mark.parametrize("paused", [True, False])
def test_what_is_the_case_now(paused: bool) -> None:
    shown = series(None, paused=paused)
    assert shown["heal7_incidents_open{}"] == 1
    assert shown["heal7_paused{}"] == float(paused)
    assert not any("restarts" in name for name in shown)


def test_restarts_are_counted_by_service_and_cause() -> None:
    figures = Figures()
    for service, cause in (("web", "crash"), ("web", "crash"), ("web", "hang"), ("db", "crash")):
        figures.count_restart(service, cause)
    shown = series(figures)
    assert shown["heal7_service_restarts_total{cause=crash,service=web}"] == 2
    assert shown["heal7_service_restarts_total{cause=hang,service=web}"] == 1
    assert shown["heal7_service_restarts_total{cause=crash,service=db}"] == 1


def test_probes_and_recoveries_fall_into_their_buckets() -> None:
    figures = Figures()
    for seconds in (0.0005, 0.004, 12):
        figures.observe_probe("web", seconds)
    figures.observe_recovery("web", "hang", 4.2)
    shown = series(figures)
    probe = "heal7_probe_duration_seconds"
    assert shown[f"{probe}_bucket{{le=0.001,service=web}}"] == 1
    assert shown[f"{probe}_bucket{{le=0.005,service=web}}"] == 2
    assert shown[f"{probe}_bucket{{le=10.0,service=web}}"] == 2
    assert shown[f"{probe}_count{{service=web}}"] == 3
    recovery = "heal7_incident_recovery_seconds"
    assert shown[f"{recovery}_bucket{{kind=hang,le=2.5,service=web}}"] == 0
    assert shown[f"{recovery}_bucket{{kind=hang,le=5.0,service=web}}"] == 1
    assert shown[f"{recovery}_bucket{{kind=hang,le=600.0,service=web}}"] == 1
    assert shown[f"{recovery}_sum{{kind=hang,service=web}}"] == pytest.approx(4.2)


def test_every_hub_counts_for_itself_and_says_nothing_else() -> None:
    first, second = Figures(), Figures()
    first.count_restart("web", "crash")
    assert not any("restarts" in name for name in series(second))
    assert not any("_created" in name for name in series(first))
    assert not any(family.name.startswith("heal7") for family in REGISTRY.collect())

"""The hub's figures for Prometheus: what is the case now from one view, what happened counted.

Names, units and labels are part of the API. Container ids are never labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from controller.model.run import Event, Kind, Run
from controller.model.view import Health, StackView
from controller.model.workflow import Definition

# When a series began is of no use in this text format, and doubles what is scraped.
disable_created_metrics()  # type: ignore[no-untyped-call]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


_PROBE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RECOVERY_S = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Figures:
    """What happened since the hub started, in a registry of its own. Use from one thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._restarts = Counter(
            "heal7_service_restarts_total",
            "Times the hub started or restarted a service to heal it.",
            ["service", "cause"],
            registry=self.registry,
        )
        self._probes = Histogram(
            "heal7_probe_duration_seconds",
            "How long probes took that were answered.",
            ["service"],
            buckets=_PROBE_S,
            registry=self.registry,
        )
        self._recoveries = Histogram(
            "heal7_incident_recovery_seconds",
            "From the first bad sign to well again.",
            ["service", "kind"],
            buckets=_RECOVERY_S,
            registry=self.registry,
        )

        self._runs = Counter(
            "heal7_workflow_runs_total",
            "Runs that ended, by how they ended.",
            ["workflow", "status"],
            registry=self.registry,
        )
        self._steps = Histogram(
            "heal7_workflow_step_seconds",
            "How long the last attempt of a step took that succeeded.",
            ["workflow", "step"],
            buckets=_PROBE_S,
            registry=self.registry,
        )

    def count_run(self, workflow: str, status: str) -> None:
        self._runs.labels(workflow, status).inc()

    def observe_step(self, workflow: str, step: str, seconds: float) -> None:
        self._steps.labels(workflow, step).observe(seconds)

    def count_restart(self, service: str, cause: str) -> None:
        """`cause` is one of a few words, such as an incident's kind; never a sentence."""
        self._restarts.labels(service, cause).inc()

    def observe_probe(self, service: str, seconds: float) -> None:
        self._probes.labels(service).observe(seconds)

    def observe_recovery(self, service: str, kind: str, seconds: float) -> None:
        self._recoveries.labels(service, kind).observe(seconds)


class RunFigures:
    """A watcher of runs that counts them."""

    def __init__(self, figures: Figures):
        self._figures = figures

    def changed(self, run: Run, definition: Definition, events: Sequence[Event]) -> None:
        for event in events:
            if event.kind is Kind.ENDED:
                self._figures.count_run(run.workflow, run.status)
            elif event.kind is Kind.STEP_SUCCEEDED:
                took_ms = run.steps[event.step].latency_ms or 0.0
                self._figures.observe_step(run.workflow, event.step, took_ms / 1000)


class _Families:
    def __init__(self, families: Iterable[Metric]):
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(
    view: StackView,
    version: str,
    figures: Figures | None = None,
    *,
    paused: bool = False,
    others: Iterable[Metric] = (),
) -> bytes:
    """The text exposition of everything the hub measures; `others` are families made elsewhere."""
    registry = CollectorRegistry()
    registry.register(_Families([*_families(view, version, paused), *others]))
    return generate_latest(registry) + (generate_latest(figures.registry) if figures else b"")


def _families(view: StackView, version: str, paused: bool) -> Iterable[Metric]:
    up = GaugeMetricFamily("heal7_service_up", "1 if the service is healthy.", labels=["service"])
    health = GaugeMetricFamily(
        "heal7_service_health", "1 for the hub's verdict.", labels=["service", "health"]
    )
    memory = GaugeMetricFamily(
        "heal7_service_memory_bytes", "Memory in use, page cache left out.", labels=["service"]
    )
    for service in view.services:
        up.add_metric([service.name], float(service.health is Health.HEALTHY))
        for state in Health:
            health.add_metric([service.name, state], float(service.health is state))
        if service.memory_bytes is not None:
            memory.add_metric([service.name], service.memory_bytes)
    connected = GaugeMetricFamily("heal7_engine_connected", "1 if the Docker Engine answers.")
    connected.add_metric([], float(view.engine_connected))
    incidents = GaugeMetricFamily("heal7_incidents_open", "Incidents that are not over.")
    incidents.add_metric([], sum(1 for service in view.services if service.incident))
    watching = GaugeMetricFamily("heal7_paused", "1 if the hub only watches and does not heal.")
    watching.add_metric([], float(paused))
    build = GaugeMetricFamily("heal7_build_info", "The hub's version.", labels=["version"])
    build.add_metric([version], 1)
    return (up, health, memory, connected, incidents, watching, build)

"""The hub's figures for Prometheus, rendered from one view of the stack; no state of its own.

Names, units and labels are part of the API. Container ids are never labels.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from controller.model.view import Health, StackView

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Families:
    def __init__(self, families: Iterable[Metric]):
        self._families = tuple(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def render(view: StackView, version: str) -> bytes:
    """The text exposition of everything the hub measures now."""
    registry = CollectorRegistry()
    registry.register(_Families(_families(view, version)))
    return generate_latest(registry)


def _families(view: StackView, version: str) -> Iterable[Metric]:
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
    build = GaugeMetricFamily("heal7_build_info", "The hub's version.", labels=["version"])
    build.add_metric([version], 1)
    return (up, health, memory, connected, build)

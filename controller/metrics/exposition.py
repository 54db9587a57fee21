"""What is measured, as families for Prometheus: counters as they are, in base units.

A counter begins anew with each life of a container, which Prometheus takes for what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from controller.metrics.meter import Reading
from controller.metrics.own import Own, cpu_s

_COUNTERS = (
    ("heal7_service_cpu_seconds", "CPU time used since the container's start.", "cpu_s"),
    ("heal7_service_network_receive_bytes", "Received since the container's start.", "received"),
    ("heal7_service_network_transmit_bytes", "Sent since the container's start.", "sent"),
    ("heal7_service_disk_read_bytes", "Read from devices since the container's start.", "read"),
    ("heal7_service_disk_written_bytes", "Written to devices since its start.", "written"),
)


def families(
    readings: Mapping[str, Reading],
    totals: Mapping[str, tuple[float, float]],
    own: Own,
    lag_s: float,
    streams: float,
    log_entries: int,
) -> Iterable[Metric]:
    """By service, what was read and how long it was healthy and should have been; and the hub."""
    for name, meaning, fact in _COUNTERS:
        family = CounterMetricFamily(name, meaning, labels=["service"])
        for service, reading in readings.items():
            value = cast("float | None", getattr(reading, fact))
            if value is not None:
                family.add_metric([service], value)
        yield family
    healthy = CounterMetricFamily(
        "heal7_service_healthy_seconds", "Time it was healthy.", labels=["service"]
    )
    due = CounterMetricFamily(
        "heal7_service_expected_seconds",
        "Time it should have been healthy: wished to run, seen, and no operation on it.",
        labels=["service"],
    )
    for service, (up_s, due_s) in totals.items():
        healthy.add_metric([service], up_s)
        due.add_metric([service], due_s)
    yield healthy
    yield due
    yield from _hub(own, lag_s, streams, log_entries)


def _hub(own: Own, lag_s: float, streams: float, log_entries: int) -> Iterable[Metric]:
    yield CounterMetricFamily("process_cpu_seconds", "CPU time the hub used.", value=cpu_s())
    if own.memory_bytes is not None:
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Memory the hub holds.", value=own.memory_bytes
        )
    yield GaugeMetricFamily(
        "heal7_event_loop_lag_seconds", "How late the event loop is, p99 of a minute.", value=lag_s
    )
    yield GaugeMetricFamily("heal7_event_streams", "Who follows events or logs.", value=streams)
    yield CounterMetricFamily("heal7_log_entries", "Log entries written.", value=log_entries)
    stores = GaugeMetricFamily("heal7_store_bytes", "Size of the hub's files.", labels=["store"])
    for store, size in sorted(own.stores.items()):
        stores.add_metric([store], size)
    yield stores

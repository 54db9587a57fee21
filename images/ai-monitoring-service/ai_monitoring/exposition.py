"""Reads what a target measures of itself (Prometheus' text format), within bounds. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_BYTES = 2_000_000
MAX_SAMPLES = 20_000
# What asks only whether a service is there says nothing about its work.
_QUIET_ROUTES = frozenset({"/health", "/healthz", "/ready", "/readyz", "/metrics"})
_STATUS_LABELS = ("status", "code", "status_code")
_REQUESTS = frozenset({"heal7_http_requests_total", "http_requests_total"})
_FAILED_RUNS = frozenset({"failed", "compensated", "compensation_failed"})
_LATENCIES = frozenset({"heal7_http_request_seconds", "http_request_duration_seconds"})
_GAUGES = {
    "process_resident_memory_bytes": "memory_bytes",
    "heal7_event_loop_lag_seconds": "event_loop_lag_s",
    "process_start_time_seconds": "started_at",
    "process_open_fds": "open_files",
}
_SERVICE_GAUGES = {"heal7_service_memory_bytes": "memory_bytes"}
_SERVICE_LATENCIES = {"heal7_probe_duration_seconds": "probe"}


class UnreadableError(Exception):
    """The text is no exposition."""


@dataclass(slots=True)
class Snapshot:
    """What one look at a target found: gauges, counters and histograms (upper bound → count).

    Keys are (subject, measure); the subject is "" for the target itself, else a service that it
    tells of.
    """

    gauges: dict[tuple[str, str], float] = field(default_factory=dict)
    counters: dict[tuple[str, str], float] = field(default_factory=dict)
    histograms: dict[tuple[str, str], dict[float, float]] = field(default_factory=dict)
    samples: int = 0


def read(text: str) -> Snapshot:
    """Raises UnreadableError for what is not in the format, or has too many samples."""
    from prometheus_client.parser import text_string_to_metric_families

    snapshot = Snapshot()
    try:
        for family in text_string_to_metric_families(text):
            snapshot.samples += len(family.samples)
            if snapshot.samples > MAX_SAMPLES:
                raise UnreadableError(f"it has more than {MAX_SAMPLES} samples")
            for sample in family.samples:
                _take(snapshot, sample.name, sample.labels, sample.value)
    except (ValueError, IndexError, KeyError) as error:
        raise UnreadableError(f"it is not in Prometheus' text format: {error}"[:300]) from None
    return snapshot


def _take(snapshot: Snapshot, name: str, labels: Mapping[str, str], value: float) -> None:
    if not math.isfinite(value) or labels.get("route") in _QUIET_ROUTES:
        return
    if name.endswith("_bucket"):
        _take_bucket(snapshot, name.removesuffix("_bucket"), labels, value)
    elif name in _GAUGES and not labels:
        snapshot.gauges["", _GAUGES[name]] = value
    elif name in _SERVICE_GAUGES and "service" in labels:
        snapshot.gauges[labels["service"], _SERVICE_GAUGES[name]] = value
    elif name == "process_cpu_seconds_total":
        _add(snapshot, ("", "cpu_s"), value)
    elif name in _REQUESTS:
        _count_request(snapshot, labels, value)
    elif name == "heal7_workflow_runs_total":
        _add(snapshot, ("", "requests"), value)
        if labels.get("status") in _FAILED_RUNS:
            _add(snapshot, ("", "errors"), value)


def _take_bucket(snapshot: Snapshot, name: str, labels: Mapping[str, str], value: float) -> None:
    if name in _LATENCIES:
        _add_bucket(snapshot, ("", "request"), labels, value)
    elif name in _SERVICE_LATENCIES and "service" in labels:
        _add_bucket(snapshot, (labels["service"], _SERVICE_LATENCIES[name]), labels, value)


def _count_request(snapshot: Snapshot, labels: Mapping[str, str], value: float) -> None:
    _add(snapshot, ("", "requests"), value)
    status = next((labels[name] for name in _STATUS_LABELS if name in labels), "")
    if status.startswith("5"):
        _add(snapshot, ("", "errors"), value)


def _add(snapshot: Snapshot, key: tuple[str, str], value: float) -> None:
    snapshot.counters[key] = snapshot.counters.get(key, 0.0) + value


def _add_bucket(
    snapshot: Snapshot, key: tuple[str, str], labels: Mapping[str, str], value: float
) -> None:
    bound = float(labels.get("le", "nan"))
    if not math.isnan(bound):
        buckets = snapshot.histograms.setdefault(key, {})
        buckets[bound] = buckets.get(bound, 0.0) + value

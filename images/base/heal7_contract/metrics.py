"""The numbers every service shows under the same names, so that one dashboard reads all five."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """`registry` is the service's own, so that its further metrics appear on the same page."""

    def __init__(self, service: str, version: str):
        # They double the page, and nothing here reads them.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "heal7_http_requests",
            "HTTP requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "heal7_http_request_seconds",
            "Time from request to the end of its reply.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "heal7_http_requests_in_flight", "Requests being answered now.", registry=self.registry
        )
        self.actions = Counter(
            "heal7_actions",
            "Actions by outcome: completed, replayed, refused, failed, compensated.",
            ["action", "outcome"],
            registry=self.registry,
        )
        self.action_seconds = Histogram(
            "heal7_action_seconds",
            "Time an action's own code took.",
            ["action"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        Gauge(
            "heal7_service_info",
            "Always 1; the labels say what runs.",
            ["service", "version"],
            registry=self.registry,
        ).labels(service, version).set(1)

    def text(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)

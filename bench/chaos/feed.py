"""How long an event of the engine takes to an open `/events` client."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass

from bench.chaos.arena import RESILIENT, Arena, Step, calm, until
from bench.chaos.events import EngineLog
from bench.chaos.report import Report, middle, millis, p99
from tests.integration.it_hub import Event, HubProcess
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually

_SERVICE = "app"
_RESET_S = 1.1


@dataclass(frozen=True, slots=True)
class _Arrival:
    at: float
    event: Event


class _Feed:
    """An open client that notes when each event arrived."""

    def __init__(self, hub: HubProcess):
        self._hub = hub
        self._open = threading.Event()
        self._closing = False
        self.arrivals: list[_Arrival] = []
        self._reader = threading.Thread(target=self._read, name="feed", daemon=True)
        self._reader.start()
        if not self._open.wait(10):
            raise TimeoutError("the event stream did not open")

    def _read(self) -> None:
        with self._hub.client.events() as stream:
            self._open.set()
            stream.until(self._take)

    def _take(self, event: Event) -> bool:
        self.arrivals.append(_Arrival(time.time(), event))
        return self._closing

    def first(self, kind: str, since: float) -> _Arrival | None:
        """The first event of this kind after that moment that tells of a death."""
        for arrival in tuple(self.arrivals):
            if arrival.at >= since and arrival.event.kind == kind and _tells(arrival.event):
                return arrival
        return None

    def close(self) -> None:
        """The next event, of which usage alone gives one every few seconds, ends the reader."""
        self._closing = True
        self._reader.join(30)


def _tells(event: Event) -> bool:
    if event.kind == "service":
        return bool(event.data["service"]["state"] != "running")
    return bool(event.data["state"] == "open")


def run(arena: Arena, rounds: int, step: Step) -> Report:
    """Kill a service `rounds` times and see when the stream tells of it."""
    labels = {**RESILIENT, "heal7.probe.interval": "500ms"}
    stack = arena.stack({_SERVICE: serving(arena.image, arena.free_port(), labels=labels)})
    log, hub = arena.log(stack), arena.hub(stack)
    feed = _Feed(hub)
    noticed, told, killed = [], [], []
    for _ in range(rounds):
        struck, died = _kill(arena, stack, log, hub)
        service, incident = _wait(feed, "service", struck), _wait(feed, "incident", struck)
        noticed.append(service.at - died)
        told.append(incident.at - died)
        killed.append(service.at - struck)
        step()
    feed.close()
    report = Report()
    for what, values, goal in (
        ("the engine's die event to `service` at a client", noticed, "p99 <= 200 ms"),
        ("the engine's die event to `incident` at a client", told, "p99 <= 200 ms"),
        ("kill -9 to `service` at a client", killed, ""),
    ):
        report.row(
            f"{what}, p50 / p99 of {len(values)}",
            f"{millis(middle(values))} / {millis(p99(values))}",
            goal=goal,
        )
    return report


def _kill(arena: Arena, stack: Stack, log: EngineLog, hub: HubProcess) -> tuple[float, float]:
    """When it was killed, and when the engine says that it died."""
    eventually(lambda: calm(hub.client, _SERVICE), 60, "healthy again")
    time.sleep(_RESET_S)
    strike = arena.signaller(stack, _SERVICE, signal.SIGKILL)
    struck = time.time()
    strike()
    until(lambda: log.count("die", _SERVICE, struck) > 0, 10, "the engine's die event")
    return struck, log.of("die", _SERVICE, struck)[0].at


def _wait(feed: _Feed, kind: str, since: float) -> _Arrival:
    until(lambda: feed.first(kind, since) is not None, 10, f"a {kind} event")
    found = feed.first(kind, since)
    assert found is not None
    return found

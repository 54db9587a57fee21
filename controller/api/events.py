"""`GET /events`: what happens in the hub as server-sent events, resumable by `Last-Event-ID`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import StreamingResponse

from controller import clock
from controller.api import render, render_alerts, render_healing
from controller.api.answers import language_of
from controller.clock import rfc3339
from controller.model.alert import Alert, Silence
from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal
from controller.model.view import OperationView, ServiceView
from controller.telemetry.bus import Bus

_HEARTBEAT_S = 15.0
_MAX_DIGITS = 18


class BusNotices:
    """Puts the orchestrator's notices on the bus, rendered for whoever listens. `on_service` is
    told of services as they are."""

    def __init__(self, bus: Bus):
        self.on_service: Callable[[ServiceView], None] = lambda view: None
        self._bus = bus

    def service(self, view: ServiceView) -> None:
        self.on_service(view)
        now = clock.now()
        self._bus.publish(
            "service",
            lambda lang: render.dumps(
                {"at": rfc3339(now), "service": render.service(view, lang, now)}
            ),
        )

    def operation(self, view: OperationView) -> None:
        at = {"at": rfc3339(clock.now())}
        self._bus.publish("operation", lambda lang: render.dumps(at | render.operation(view, lang)))

    def engine(self, connected: bool, since: datetime) -> None:
        body = render.dumps(
            {"at": rfc3339(clock.now()), "connected": connected, "since": rfc3339(since)}
        )
        self._bus.publish("engine", lambda _: body)

    def incident(self, incident: Incident) -> None:
        at = {"at": rfc3339(clock.now())}
        self._bus.publish(
            "incident", lambda lang: render.dumps(at | render_healing.incident(incident, lang))
        )

    def rehearsal(self, rehearsal: Rehearsal) -> None:
        at = {"at": rfc3339(clock.now())}
        self._bus.publish(
            "rehearsal", lambda lang: render.dumps(at | render_healing.rehearsal(rehearsal, lang))
        )

    def paused(self, pause: Pause | None) -> None:
        body = render.dumps({"at": rfc3339(clock.now())} | render_healing.paused(pause))
        self._bus.publish("hub", lambda _: body)


def tell_alert(bus: Bus, alert: Alert, silence: Silence | None) -> None:
    """An alert was opened, changed or is over."""
    at = {"at": rfc3339(clock.now())}
    bus.publish("alert", lambda lang: render.dumps(at | render_alerts.alert(alert, silence, lang)))


def router(bus: Bus) -> APIRouter:
    """The stream's one route. Events: service, operation, engine, incident, rehearsal, alert, hub
    (paused or not), and resync where events were missed: then everything is looked at anew."""
    routes = APIRouter(tags=["hub"])

    @routes.get(
        "/events",
        summary="Live events (SSE)",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Never ends"}},
    )
    async def events(
        request: Request, last_event_id: Annotated[str | None, Header()] = None
    ) -> StreamingResponse:
        return StreamingResponse(
            _stream(bus, _event_id(last_event_id), language_of(request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def _event_id(sent: str | None) -> int | None:
    """The id a client resumes from; whatever we never gave out is as good as none."""
    return int(sent) if sent and sent.isdecimal() and len(sent) <= _MAX_DIGITS else None


async def _stream(bus: Bus, after: int | None, language: str) -> AsyncIterator[str | bytes]:
    listener = bus.subscribe(after)
    try:
        yield f"retry: 1000\n: hub event stream, last id {bus.last_id}\n\n"
        if after is not None and not bus.complete_since(after):
            yield "event: resync\ndata: {}\n\n"
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    event = await listener.get()
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if event is None:
                return
            yield event.frame(language)
    finally:
        bus.unsubscribe(listener)

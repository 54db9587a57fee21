"""`GET /events`: what happens in the hub as server-sent events, resumable by `Last-Event-ID`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from controller import clock
from controller.api import render, render_alerts, render_healing
from controller.api.answers import language_of
from controller.clock import rfc3339
from controller.model.alert import Alert, Silence
from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Rehearsal
from controller.model.view import OperationView, OrphanView, ServiceView
from controller.telemetry.bus import Bus, Subscription

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

    def orphans(self, found: tuple[OrphanView, ...]) -> None:
        body = render.dumps(
            {"at": rfc3339(clock.now()), "orphans": [render.orphan(one) for one in found]}
        )
        self._bus.publish("orphans", lambda _: body)

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
    """The stream's one route. Events: service, orphans (all that there are now), operation, engine,
    incident, rehearsal, alert, hub (paused or not), and resync where events were missed: then
    everything is looked at anew."""
    routes = APIRouter(tags=["hub"])

    @routes.get(
        "/events",
        summary="Live events (SSE)",
        response_class=Response,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Never ends"}},
    )
    async def events(
        request: Request, last_event_id: Annotated[str | None, Header()] = None
    ) -> EventStream:
        return EventStream(bus, _event_id(last_event_id), language_of(request))

    return routes


def _event_id(sent: str | None) -> int | None:
    """The id a client resumes from; whatever we never gave out is as good as none."""
    return int(sent) if sent and sent.isdecimal() and len(sent) <= _MAX_DIGITS else None


class EventStream(Response):
    """One client's stream. Thousands may be open, so each costs one task beside the request's own
    and bytes that all of one language share; StreamingResponse takes twice of both."""

    def __init__(self, bus: Bus, after: int | None, language: str):
        super().__init__(
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
        # How long it will be is not known.
        del self.headers["content-length"]
        self._bus = bus
        self._after = after
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        listener = self._bus.subscribe(self._after)
        leaving = asyncio.ensure_future(_until_gone(receive, listener))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._tell(listener, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            self._bus.unsubscribe(listener)

    async def _tell(self, listener: Subscription, send: Send) -> None:
        said = f"retry: 1000\n: hub event stream, last id {self._bus.last_id}\n\n"
        if self._after is not None and not self._bus.complete_since(self._after):
            said += "event: resync\ndata: {}\n\n"
        await _send(send, said.encode())
        while True:
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    event = await listener.get()
            except TimeoutError:
                await _send(send, b": still here\n\n")
                continue
            if event is None:
                return
            await _send(send, event.frame(self._language))


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _until_gone(receive: Receive, listener: Subscription) -> None:
    """A client that left is not written to any more."""
    while (await receive())["type"] != "http.disconnect":
        pass
    listener.end()

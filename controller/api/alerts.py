"""`/alerts`: what is wrong, who knows of it, what is silenced, and whether messages arrive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller.alerts.desk import Desk
from controller.api import render_alerts as render
from controller.api.answers import (
    PROBLEMS,
    UNKNOWN,
    Described,
    asker,
    json_response,
    language_of,
)
from controller.api.schemas_alerts import (
    AlertPage,
    AlertShape,
    AlertWhole,
    ChannelShape,
    DeliveryShape,
    SilenceRequest,
    SilenceShape,
)
from controller.errors import UnknownServiceError
from controller.model.alert import AlertState

_STORE: Described = {503: PROBLEMS[503] | {"description": "The store cannot be read or written"}}
_FORBIDDEN: Described = {403: PROBLEMS[403]}
_MANY: Described = {409: PROBLEMS[409] | {"description": "There are too many already"}}
_OVER: Described = {409: PROBLEMS[409] | {"description": "It is over already"}}


class AlertRoutes:
    """The endpoints. `known` is whether a service is declared."""

    def __init__(self, desk: Desk, known: Callable[[str], bool]):
        self._desk = desk
        self._known = known

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/alerts", tags=["alerts"])
        routes.get(
            "",
            response_model=AlertPage,
            responses={**UNKNOWN, 422: PROBLEMS[422], **_STORE},
            summary="Alerts, newest first",
        )(self.alerts)
        routes.get(
            "/silences", response_model=list[SilenceShape], summary="What nobody is told of now"
        )(self.silences)
        routes.post(
            "/silences",
            status_code=201,
            response_model=SilenceShape,
            responses={**UNKNOWN, **_FORBIDDEN, **_MANY, 422: PROBLEMS[422], **_STORE},
            summary="Let nobody be told for a while",
        )(self.silence)
        routes.delete(
            "/silences/{silence_id}",
            status_code=204,
            responses={**UNKNOWN, **_FORBIDDEN, **_STORE},
            summary="Tell again",
        )(self.unsilence)
        routes.get(
            "/channels",
            response_model=list[ChannelShape],
            summary="Where messages go, and whether they arrive",
        )(self.channels)
        routes.post(
            "/channels/{name}/test",
            response_model=DeliveryShape,
            responses={**UNKNOWN, **_FORBIDDEN, **_STORE},
            summary="Send a message over a channel now, and say how that went",
        )(self.test)
        routes.get(
            "/{alert_id}",
            response_model=AlertWhole,
            responses={**UNKNOWN, **_STORE},
            summary="An alert, and whom it was told to",
        )(self.alert)
        routes.post(
            "/{alert_id}/ack",
            response_model=AlertShape,
            responses={**UNKNOWN, **_FORBIDDEN, **_OVER, **_STORE},
            summary="I know: tell nobody again",
        )(self.acknowledge)
        return routes

    async def alerts(
        self,
        request: Request,
        state: Annotated[AlertState | None, Query(description="Only those, else all.")] = None,
        service: Annotated[
            str | None, Query(max_length=255, description="Only of this service.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
        cursor: Annotated[
            str | None, Query(max_length=100, description="`next` of the page before.")
        ] = None,
    ) -> Response:
        self._check(service)
        language = language_of(request)
        page = await self._desk.alerts(state, service, limit, cursor)
        found = [render.alert(a, self._desk.silence_of(a), language) for a in page.alerts]
        return json_response({"alerts": found, "next": page.next})

    async def alert(self, alert_id: str, request: Request) -> Response:
        found = await self._desk.alert(alert_id)
        told = await self._desk.deliveries(alert=found.id)
        body = render.alert(found, self._desk.silence_of(found), language_of(request))
        return json_response(body | {"deliveries": [render.delivery(one) for one in told]})

    async def acknowledge(self, alert_id: str, request: Request) -> Response:
        after = await self._desk.acknowledge(alert_id, asker(request))
        silence = self._desk.silence_of(after)
        return json_response(render.alert(after, silence, language_of(request)))

    async def silences(self) -> Response:
        return json_response([render.silence(one) for one in self._desk.silences()])

    async def silence(self, body: SilenceRequest, request: Request) -> Response:
        self._check(body.service)
        made = await self._desk.silence(
            body.service, body.rule, body.duration, asker(request), body.comment
        )
        return json_response(render.silence(made), 201)

    async def unsilence(self, silence_id: str, request: Request) -> Response:
        await self._desk.unsilence(silence_id, asker(request))
        return Response(status_code=204)

    async def channels(self) -> Response:
        waiting = Counter(delivery.channel for delivery in self._desk.waiting())
        return json_response(render.channels(self._desk.channels(), self._desk.kinds, waiting))

    async def test(self, name: str) -> Response:
        return json_response(render.delivery(await self._desk.test(name)))

    def _check(self, service: str | None) -> None:
        if service is not None and not self._known(service):
            raise UnknownServiceError(
                f"There is no service {service[:100]!r}.", remedy="`heal7 ps` lists the services."
            )

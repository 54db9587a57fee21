"""`/incidents`, pause and resume, `/rehearsals`: what healing did, may do, and is tried with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller.api import render_healing
from controller.api.answers import (
    PROBLEMS,
    UNKNOWN,
    Described,
    asker,
    json_response,
    language_of,
)
from controller.api.schemas import Incident as IncidentShape
from controller.api.schemas import Paused, RehearsalRequest
from controller.api.schemas import Rehearsal as RehearsalShape
from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.rehearsal import Fault, Rehearsal

_STORE: Described = {503: PROBLEMS[503] | {"description": "The store cannot be read or written"}}
_FORBIDDEN: Described = {403: PROBLEMS[403]}
_INVALID: Described = {422: PROBLEMS[422]}


class HealingPort(Protocol):
    """What the API needs of healing. Everything may raise StoreError."""

    @property
    def paused(self) -> Pause | None: ...

    async def pause(self, by: str) -> Pause:
        """Watch, don't touch. Already paused: the pause there is."""

    async def resume(self, by: str) -> None: ...

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        """Newest first; None means of any service, open or closed."""

    async def incident(self, incident_id: str) -> Incident:
        """Raises NotFoundError."""


class RehearsalPort(Protocol):
    """What the API needs of rehearsals."""

    async def begin(self, service: str, fault: Fault, by: str, force: bool) -> Rehearsal:
        """Raises UnknownServiceError; ConflictError where it would do harm now."""

    async def get(self, rehearsal_id: str) -> Rehearsal:
        """Raises NotFoundError."""

    def recent(self) -> Sequence[Rehearsal]:
        """Newest first."""


class Healing:
    """The endpoints. `resolve` raises UnknownServiceError for what is not managed."""

    def __init__(
        self, resolve: Callable[[str], object], healing: HealingPort, rehearsals: RehearsalPort
    ):
        self._resolve = resolve
        self._healing = healing
        self._rehearsals = rehearsals

    def router(self) -> APIRouter:
        routes = APIRouter(tags=["healing"])
        routes.get(
            "/incidents",
            response_model=list[IncidentShape],
            responses={**UNKNOWN, **_INVALID, **_STORE},
            summary="The last incidents, newest first",
        )(self.incidents)
        routes.get(
            "/incidents/{incident_id}",
            response_model=IncidentShape,
            responses={**UNKNOWN, **_STORE},
            summary="What went wrong, what was done about it, and why",
        )(self.incident)
        paused: Described = {**_FORBIDDEN, **_STORE}
        routes.post(
            "/orchestration/pause", response_model=Paused, responses=paused, summary="Only watch"
        )(self.pause)
        routes.post(
            "/orchestration/resume", response_model=Paused, responses=paused, summary="Heal again"
        )(self.resume)
        routes.post(
            "/orchestration/services/{name}/rehearse",
            status_code=202,
            response_model=RehearsalShape,
            responses={**UNKNOWN, **PROBLEMS},
            summary="Inject a fault, measure how it is healed, and undo it",
        )(self.rehearse)
        routes.get(
            "/rehearsals",
            response_model=list[RehearsalShape],
            responses=_STORE,
            summary="The last rehearsals, newest first",
        )(self.rehearsals)
        routes.get(
            "/rehearsals/{rehearsal_id}",
            response_model=RehearsalShape,
            responses={**UNKNOWN, **_STORE},
            summary="How far a rehearsal is, or how it ended",
        )(self.rehearsal)
        return routes

    async def incidents(
        self,
        request: Request,
        service: Annotated[str | None, Query(description="Only of this service.")] = None,
        state: Annotated[
            Literal["open", "closed"] | None, Query(description="Only those, else all.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
    ) -> Response:
        if service is not None:
            self._resolve(service)
        is_open = None if state is None else state == "open"
        found = await self._healing.incidents(service, is_open, limit)
        language = language_of(request)
        return json_response([render_healing.incident(incident, language) for incident in found])

    async def incident(self, incident_id: str, request: Request) -> Response:
        found = await self._healing.incident(incident_id)
        return json_response(render_healing.incident(found, language_of(request)))

    async def pause(self, request: Request) -> Response:
        return json_response(render_healing.paused(await self._healing.pause(asker(request))))

    async def resume(self, request: Request) -> Response:
        await self._healing.resume(asker(request))
        return json_response(render_healing.paused(self._healing.paused))

    async def rehearse(self, name: str, body: RehearsalRequest, request: Request) -> Response:
        begun = await self._rehearsals.begin(name, body.fault, asker(request), body.force)
        where = {"Location": f"/rehearsals/{begun.id}"}
        return json_response(render_healing.rehearsal(begun, language_of(request)), 202, where)

    async def rehearsals(self, request: Request) -> Response:
        language, found = language_of(request), self._rehearsals.recent()
        return json_response([render_healing.rehearsal(view, language) for view in found])

    async def rehearsal(self, rehearsal_id: str, request: Request) -> Response:
        found = await self._rehearsals.get(rehearsal_id)
        return json_response(render_healing.rehearsal(found, language_of(request)))

"""`/orchestration/*`: status from memory, and the verbs that change the stack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller import clock
from controller.api import render, render_healing
from controller.api.answers import (
    PROBLEMS,
    UNKNOWN,
    Described,
    asker,
    json_response,
    language_of,
)
from controller.api.healing import HealingPort
from controller.api.schemas import (
    Accepted,
    Done,
    DryRun,
    Operation,
    OrphanRemoval,
    Orphans,
    ServiceDetail,
    Status,
)
from controller.errors import EngineError
from controller.model.view import OperationKind, OperationView
from controller.orchestrator.lifecycle import Lifecycle
from controller.orchestrator.world import World

Wait = Annotated[bool, Query(description="Answer when it is over; else 202 at once.")]
DryRunFlag = Annotated[bool, Query(description="Answer the plan and change nothing.")]

_VERBS = (
    OperationKind.START,
    OperationKind.STOP,
    OperationKind.RESTART,
    OperationKind.BUILD,
    OperationKind.PULL,
)
_INCIDENTS = 5
LastLines = Callable[[str], Awaitable[Sequence[str]]]
"""Gives the last lines a service wrote, oldest first. Raises EngineError."""

_VERB: Described = {
    200: {"model": Done | DryRun, "description": "It is over, or the plan of a dry run"},
    202: {"model": Accepted, "description": "Under way"},
    **PROBLEMS,
}


class Orchestration:
    """The endpoints over one world and its lifecycle."""

    def __init__(
        self,
        world: World,
        lifecycle: Lifecycle,
        healing: HealingPort | None = None,
        last_lines: LastLines | None = None,
    ):
        self._world = world
        self._lifecycle = lifecycle
        self._healing = healing
        self._last_lines = last_lines

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/orchestration", tags=["orchestration"])
        routes.get("/status", response_model=Status, summary="Every managed service")(self.status)
        for verb in _VERBS:
            routes.post(f"/{verb}-all", responses=_VERB, summary=f"{verb.capitalize()} all")(
                self._all(verb)
            )
            routes.post(
                f"/services/{{name}}/{verb}",
                responses=_VERB | UNKNOWN,
                summary=f"{verb.capitalize()} one service",
            )(self._one(verb))
        routes.get("/orphans", response_model=Orphans, summary="Containers that no file speaks of")(
            self.orphans
        )
        routes.post(
            "/orphans/remove", responses=_VERB | UNKNOWN, summary="Stop and remove orphans"
        )(self.remove_orphans)
        routes.get(
            "/services/{name}",
            response_model=ServiceDetail,
            responses=UNKNOWN,
            summary="One service",
        )(self.service)
        routes.get("/operations", response_model=list[Operation], summary="The last operations")(
            self.operations
        )
        routes.get(
            "/operations/{operation_id}",
            response_model=Operation,
            responses=UNKNOWN,
            summary="Progress and outcome",
        )(self.operation)
        return routes

    async def status(self, request: Request) -> Response:
        view = self._world.view()
        shown = render.status(view, language_of(request), clock.now())
        pause = self._healing.paused if self._healing else None
        shown["pause"] = render_healing.pause_facts(pause) if pause else None
        return json_response(shown)

    async def service(self, name: str, request: Request) -> Response:
        known = self._lifecycle.one(name)
        language = language_of(request)
        shown = render.service(self._world.service_view(known), language, clock.now())
        history = self._world.history(known)
        shown["recent_probes"] = render.probes(history.results if history else (), language)
        shown["incidents"] = await self._incidents(known, language)
        shown["config"] = render.config(self._world.stack.services[known])
        shown["last_log_lines"] = await self._log_tail(known)
        return json_response(shown)

    async def _incidents(self, service: str, language: str) -> list[dict[str, Any]]:
        if self._healing is None:
            return []
        found = await self._healing.incidents(service, None, _INCIDENTS)
        return [render_healing.incident(incident, language) for incident in found]

    async def _log_tail(self, service: str) -> list[str] | None:
        """None where nobody could be asked: the rest of the answer is from memory and stands."""
        if self._last_lines is None:
            return None
        try:
            return list(await self._last_lines(service))
        except EngineError:
            return None

    async def orphans(self) -> Response:
        return json_response({"orphans": [render.orphan(one) for one in self._world.orphans()]})

    async def remove_orphans(
        self,
        request: Request,
        body: OrphanRemoval | None = None,
        wait: Wait = True,
        dry_run: DryRunFlag = False,
    ) -> Response:
        language, wanted = language_of(request), body.containers if body else None
        if dry_run:
            plan = await self._lifecycle.preview_removal(wanted)
            return json_response(render.plan(plan, language))
        begun = await self._lifecycle.remove_orphans(wanted, asker(request))
        return await self._answer(begun, language, wait=wait)

    async def operations(self, request: Request) -> Response:
        language = language_of(request)
        return json_response([render.operation(o, language) for o in self._lifecycle.recent()])

    async def operation(self, operation_id: str, request: Request) -> Response:
        view = await self._lifecycle.operation(operation_id)
        return json_response(render.operation(view, language_of(request)))

    def _all(self, kind: OperationKind) -> Any:
        async def all_services(
            request: Request, wait: Wait = True, dry_run: DryRunFlag = False
        ) -> Response:
            return await self._request(request, kind, None, wait, dry_run)

        all_services.__name__ = f"{kind}_all"
        return all_services

    def _one(self, kind: OperationKind) -> Any:
        async def one_service(
            name: str, request: Request, wait: Wait = True, dry_run: DryRunFlag = False
        ) -> Response:
            return await self._request(request, kind, name, wait, dry_run)

        one_service.__name__ = f"{kind}_one"
        return one_service

    async def _request(
        self, request: Request, kind: OperationKind, name: str | None, wait: bool, dry_run: bool
    ) -> Response:
        language = language_of(request)
        if dry_run:
            plan = await self._lifecycle.preview(kind, name)
            return json_response(render.plan(plan, language))
        begun = await self._lifecycle.request(kind, name, asker(request))
        return await self._answer(begun, language, wait=wait)

    async def _answer(self, begun: OperationView, language: str, *, wait: bool) -> Response:
        """Where to follow it, or how it ended."""
        if not wait:
            accepted = {"operation": begun.id, **render.operation(begun, language)}
            where = {"Location": f"/orchestration/operations/{begun.id}"}
            return json_response(accepted, 202, where)
        ended = await self._lifecycle.wait(begun.id)
        results = render.results(ended, language)
        return json_response({"success": ended.success, "operation": ended.id, "results": results})

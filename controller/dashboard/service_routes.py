"""The pages of services: the table, of which only rows that changed are sent again, and one
service with everything that is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller import clock
from controller.dashboard import incidents, logs, patches, preferences, service_page, story
from controller.dashboard import workflows as shown_runs
from controller.dashboard.present import Stack
from controller.dashboard.replicas import replicas
from controller.dashboard.run_routes import Frame, WorkflowsPort
from controller.errors import NotFoundError, StoreError
from controller.logs import query as questions
from controller.logs.library import Library
from controller.logs.query import Query
from controller.model.incident import Incident
from controller.model.probe import ProbeResult
from controller.model.run import RunLine
from controller.model.spec import ServiceSpec
from controller.model.view import StackView

_WHERE = "/dashboard/services"
_PROBES = 12
_INCIDENTS = 10
_LINES = 60
_RUNS = 8


class ServicesPort(Protocol):
    """What these pages need of the hub beside what every page does."""

    def view(self) -> StackView: ...

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]:
        """Newest first, at most `limit`; None does not filter.

        Raises UnknownServiceError, StoreError.
        """

    def spec(self, service: str) -> ServiceSpec | None:
        """What was declared of a managed service; None for an unknown one."""

    def probes(self, service: str) -> Sequence[ProbeResult]:
        """The last answers, oldest first, also of a life that is over."""

    def mask(self, text: str) -> str:
        """Without the values that any service is given as secrets."""


class ServicePages:
    """The endpoints."""

    def __init__(
        self,
        hub: ServicesPort,
        runs: WorkflowsPort,
        library: Library,
        charts: Callable[[str, Request], Awaitable[dict[str, Any]]],
        frame: Frame,
    ) -> None:
        self._hub = hub
        self._runs = runs
        self._library = library
        self._charts = charts
        self._frame = frame
        self._told = patches.Told()

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.list)
        routes.get(f"{_WHERE}/{{name:path}}")(self.one)
        routes.get(f"{fragments}services")(self.list_part)
        routes.get(f"{fragments}services/{{name:path}}")(self.one_part)

    # -- the table
    async def list(self, request: Request) -> HTMLResponse:
        return self._frame.page(request, "services", await self._listed(""))

    async def list_part(self, request: Request) -> HTMLResponse:
        since = request.query_params.get("since", "")
        return self._frame.part(request, "services", await self._listed(since))

    async def _listed(self, since: str) -> dict[str, Any]:
        def patching(facts: Stack, troubles: dict[str, Any], language: str) -> patches.Patch:
            rows = {row.name: (row, troubles.get(row.name), language) for row in facts.rows}
            return self._told.patch(since, rows, facts.engine_connected)

        return await self._frame.pressing() | {"patching": patching}

    # -- one service
    async def one(self, request: Request, name: str) -> HTMLResponse:
        """An unknown one is told as a page too, with status 404."""
        facts = await self._told_whole(request, name) | await self._log(request, name)
        known = facts["known"]
        if known:
            facts["measured"] = await self._charts(name, request)
        page = self._frame.page(request, "service", facts, f"services/{quote(name, safe='')}")
        page.status_code = 200 if known or facts["replicas"] else 404
        return page

    async def one_part(self, request: Request, name: str) -> HTMLResponse:
        return self._frame.part(request, "service", await self._told_whole(request, name))

    async def _told_whole(self, request: Request, name: str) -> dict[str, Any]:
        language, now = _language(request), clock.now()
        spec = self._hub.spec(name)
        view, known = self._hub.view(), self._frame.marks(language)
        base = await self._frame.pressing() | {
            "title": name,
            "name": name,
            "known": bool(spec),
            "replicas": replicas(name, view, known, language),
        }
        if spec is None:
            return base
        own = next(s for s in view.services if s.name == name)
        (found, unread), (lines, runs_unread) = await asyncio.gather(
            self._incidents(name), self._touching(name)
        )
        needs, needed_by = service_page.neighbours(name, view, known)
        return base | {
            "row_of": lambda rows: next(row for row in rows if row.name == name),
            "facts_of": lambda row: service_page.facts(own, row, language),
            "needs": needs,
            "needed_by": needed_by,
            "started": own.started_at,
            "busy": own.busy,
            "probes": [
                story.probe(one, language) for one in reversed(self._hub.probes(name)[-_PROBES:])
            ],
            "lines": [incidents.line(one, language, now) for one in found],
            "unread": unread,
            "runs": [shown_runs.line(one, language, now) for one in lines],
            "runs_unread": runs_unread,
            "config": service_page.configuration(spec, self._hub.mask, language),
            "wakes": "all",
        }

    async def _incidents(self, name: str) -> tuple[Sequence[Incident], bool]:
        """Newest first, and whether they cannot be read."""
        try:
            return await self._hub.incidents(name, None, _INCIDENTS), False
        except StoreError:
            return (), True

    async def _touching(self, name: str) -> tuple[Sequence[RunLine], bool]:
        """The newest runs of workflows of which a step calls this service."""
        touching = [
            flow
            for flow, definition in self._runs.definitions().items()
            if any(step.service == name for step in definition.steps)
        ]
        try:
            pages = await asyncio.gather(
                *(self._runs.runs(flow, None, _RUNS, None) for flow in touching)
            )
        except NotFoundError:
            return (), False
        except StoreError:
            return (), True
        found = [line for page in pages for line in page.lines]
        return sorted(found, key=lambda line: line.created_at, reverse=True)[:_RUNS], False

    async def _log(self, request: Request, name: str) -> dict[str, Any]:
        """The last lines, oldest first, and where the next ones come from."""
        language, seen = _language(request), self._library.here()
        where = "?" + urlencode({"service": name})
        try:
            page = await self._library.find(Query(services=frozenset({name})), _LINES)
            rows = [logs.row(one, (), language) for one in reversed(page.entries)]
            unread = False
        except StoreError:
            rows, unread = [], True
        return {
            "rows": rows,
            "logs_unread": unread,
            "logs_at": f"/dashboard/logs{where}",
            "stream": f"/dashboard/fragments/logs/stream{where}",
            "seen": questions.place_text(seen),
        }


def _language(request: Request) -> str:
    return preferences.of_request(request.cookies, request.headers.get("accept-language")).language

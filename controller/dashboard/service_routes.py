"""The pages of services: the table, of which only rows that changed are sent again."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller.dashboard import patches
from controller.dashboard.present import Stack
from controller.dashboard.run_routes import Frame

_WHERE = "/dashboard/services"


class ServicePages:
    """The endpoints."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._told = patches.Told()

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.list)
        routes.get(f"{fragments}services")(self.list_part)

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

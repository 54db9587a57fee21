"""The page of the hub itself: one look tells whether the one who watches is well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller import clock
from controller.dashboard import admin, preferences
from controller.dashboard.run_routes import Frame
from controller.errors import StoreError
from controller.model.hub_state import AuditLine, HubState

_WHERE = "/dashboard/admin"
_LISTED = 25
_MAX_DIGITS = 18


class AdminPort(Protocol):
    """What this page needs of the hub."""

    async def state(self) -> HubState: ...

    async def audit(self, limit: int, before: int | None) -> Sequence[AuditLine]:
        """Newest first; `before` is the id of a line. Raises StoreError."""


class AdminPages:
    """The endpoints."""

    def __init__(self, hub: AdminPort, frame: Frame) -> None:
        self._hub = hub
        self._frame = frame

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.page)
        routes.get(f"{fragments}admin")(self.part)

    async def page(self, request: Request) -> HTMLResponse:
        facts = await self._told(request)
        return self._frame.page(request, "admin", facts, "admin" + facts["query"])

    async def part(self, request: Request) -> HTMLResponse:
        return self._frame.part(request, "admin", await self._told(request))

    async def _told(self, request: Request) -> dict[str, Any]:
        wishes = preferences.of_request(request.cookies, request.headers.get("accept-language"))
        language, now = wishes.language, clock.now()
        cursor = request.query_params.get("cursor", "")
        known = cursor.isascii() and cursor.isdecimal() and len(cursor) <= _MAX_DIGITS
        before = int(cursor) if known else None
        try:
            lines, unread = await self._hub.audit(_LISTED + 1, before), False
        except StoreError:
            lines, unread = (), True
        shown = lines[:_LISTED]
        return await self._frame.pressing() | {
            "hub": admin.told(await self._hub.state(), language, now),
            "audit": admin.audit(shown, language, now),
            "unread": unread,
            "newest": before is None,
            "older": _query(shown[-1].id) if len(lines) > _LISTED else "",
            "query": "" if before is None else _query(before),
            "wakes": "",
        }


def _query(before: int) -> str:
    return f"?{urlencode({'cursor': before})}"

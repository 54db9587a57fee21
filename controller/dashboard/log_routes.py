"""The page of logs: a search that is a form, a list that the server renders, and a live tail of it.

The tail comes as rows of HTML, rendered by the same template as the page: one renderer, so that
what comes live looks as what is found, and foreign text is escaped in one place.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from controller import clock
from controller.dashboard import logs, preferences, wording
from controller.dashboard.logs import Row
from controller.dashboard.run_routes import Frame
from controller.errors import StoreError
from controller.i18n import word
from controller.logs import query as questions
from controller.logs.library import Kept, Library, Place
from controller.logs.query import Query
from controller.logs.search import Page
from controller.model.log import Found

_WHERE = "/dashboard/logs"
_LISTED = 200
_AROUND = 30
_OF_RUN = 100
_RANGES = ("15m", "1h", "6h", "24h", "7d")
_LEVELS = ("info", "warning", "error", "fatal")
_LONGEST = 500
_BESIDE = timedelta(minutes=1)


class RowsFrame(Frame, Protocol):
    """What this page needs beside the frame: rows without a page around them."""

    def rows(self, request: Request, rows: Sequence[Row]) -> str: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for, as text; `fault` says what of it makes no sense."""

    services: Sequence[str] = ()
    level: str = ""
    q: str = ""
    since: str = ""
    until: str = ""
    run: str = ""
    around: str = ""
    cursor: str = ""
    query: Query = field(default_factory=Query)
    fault: str = ""

    @property
    def address(self) -> str:
        """The same question again, without a place in its answer."""
        return encoded(
            service=self.services,
            level=self.level,
            q=self.q,
            since=self.since,
            until=self.until,
            run=self.run,
        )


class LogPages:
    """The endpoints. `names` gives the services that can be chosen, `problems` why one is not
    read."""

    def __init__(
        self, library: Library, problems: Callable[[], Mapping[str, str]], frame: RowsFrame
    ):
        self._library = library
        self._problems = problems
        self._frame = frame

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.page)
        routes.get(f"{fragments}logs")(self.part)
        routes.get(f"{fragments}logs/stream")(self.stream)

    async def page(self, request: Request) -> HTMLResponse:
        """What was written; a question that makes no sense is told so, and answered without it."""
        language, asked = _language(request), read(request)
        facts = await self._head(asked)
        seen = self._library.here()
        found, unread = await self._found(asked)
        rows = [logs.row(one, asked.query.words, language, asked.around) for one in found.entries]
        is_live = not (asked.until or asked.cursor or asked.around or unread)
        facts |= {
            "rows": rows,
            "unread": unread,
            "older": self._older(asked, found),
            "slow": found.reached is not None,
            "live": is_live,
            "stream": f"/dashboard/fragments/logs/stream{asked.address}",
            "seen": questions.place_text(seen),
            "download": f"/logs/download{asked.address}",
            "names": sorted({*self._frame.marks(language), *asked.services}),
            "levels": _LEVELS,
            "ranges": _RANGES,
        }
        page = self._frame.page(request, "logs", facts, f"logs{asked.address}")
        page.status_code = 422 if asked.fault else 200
        return page

    async def part(self, request: Request) -> HTMLResponse:
        return self._frame.part(request, "logs", await self._head(read(request)))

    async def stream(self, request: Request) -> Response:
        """Rows as they come, after the entry `seen`."""
        asked = read(request)
        seen = _place(request.query_params.get("seen", ""))
        return StreamingResponse(
            self._rows(request, asked, seen),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _rows(self, request: Request, asked: Asked, seen: Place | None) -> AsyncIterator[str]:
        language = _language(request)
        yield "retry: 1000\n\n"
        async for found, lost in self._library.follow(asked.query, seen=seen):
            if lost:
                yield f"event: lost\ndata: {word('ui.logs.lost', language, n=lost)}\n\n"
            if not found:
                yield ": still here\n\n"
                continue
            html = self._frame.rows(
                request, [logs.row(one, asked.query.words, language) for one in found]
            )
            lines = "".join(f"data: {line}\n" for line in html.split("\n"))
            last = questions.place_text(max(found, key=lambda one: one.id).place)
            yield f"id: {last}\nevent: rows\n{lines}\n"

    async def of_run(self, run: str, language: str) -> Sequence[Row]:
        """The last that was written for a run, oldest first; nothing where it cannot be read."""
        try:
            page = await self._library.find(Query(run=run), _OF_RUN)
        except StoreError:
            return ()
        return [logs.row(one, (), language) for one in reversed(page.entries)]

    async def _found(self, asked: Asked) -> tuple[Page, bool]:
        """Oldest first, and whether the logs cannot be read."""
        try:
            if asked.around:
                return Page(tuple(await self._context(asked.around))), False
            after = _place(asked.cursor)
            page = await self._library.find(asked.query, _LISTED, after=after)
            return Page(page.entries[::-1], page.next, page.reached), False
        except StoreError:
            return Page(()), True

    async def _context(self, around: str) -> Sequence[Found]:
        place = _place(around)
        hit = None if place is None else await self._library.entry(place)
        if place is None or hit is None:
            return ()
        return await self._library.around(place, hit.service, _AROUND)

    async def _head(self, asked: Asked) -> dict[str, Any]:
        try:
            kept = await self._library.kept()
        except StoreError:
            kept = Kept(None, 0, None, None)
        return await self._frame.pressing() | {
            "asked": asked,
            "size": wording.size(kept.size) if kept.size else "",
            "dropped": None if not kept.dropped_until else questions.time_of(kept.dropped_until),
            "problems": sorted(self._problems().items()),
            "wakes": "",
        }

    def _older(self, asked: Asked, found: Page) -> str:
        if found.next is None:
            return ""
        more = {"cursor": questions.place_text(found.next)}
        return f"{_WHERE}{asked.address}{'&' if asked.address else '?'}{urlencode(more)}"


def read(request: Request) -> Asked:
    """The question of an address. What makes no sense asks for nothing, and is told."""
    given = request.query_params
    services = [name for part in given.getlist("service") for name in part.split(",") if name]
    words = {
        name: given.get(name, "").strip()[:_LONGEST]
        for name in ("level", "q", "since", "until", "run", "around", "cursor")
    }
    fault = ""
    try:
        query = questions.ask(
            clock.now(),
            services=services,
            level=words["level"],
            text=words["q"],
            run=words["run"],
            since=words["since"],
            until=words["until"],
        )
    except ValueError as error:
        fault, query = str(error), Query()
    return Asked(services=services, **words, query=query, fault=fault)


def address_around(service: str, begin: datetime, end: datetime | None) -> str:
    """The page with what a service wrote from a minute before to a minute after."""
    since = clock.rfc3339(begin - _BESIDE)
    until = clock.rfc3339(end + _BESIDE) if end is not None else None
    return _WHERE + encoded(service=service, since=since or "", until=until or "")


def encoded(**named: str | Sequence[str]) -> str:
    """`?q=…`, without what is not asked for."""
    query = urlencode({name: value for name, value in named.items() if value}, doseq=True)
    return f"?{query}" if query else ""


def _place(text: str) -> Place | None:
    try:
        return questions.read_place(text) if text else None
    except ValueError:
        return None


def _language(request: Request) -> str:
    return preferences.of_request(request.cookies, request.headers.get("accept-language")).language

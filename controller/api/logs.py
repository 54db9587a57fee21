"""`/logs`: what services wrote, to search, to follow live, to see in context and to take home."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from controller import clock
from controller.api import render, render_logs
from controller.api.answers import PROBLEMS, UNKNOWN, Described, json_response, language_of
from controller.api.schemas_logs import LogContext, LogPage
from controller.errors import NotFoundError, QuestionError, UnknownServiceError
from controller.logs import query as questions
from controller.logs.library import Library, Place

_STORE: Described = {503: PROBLEMS[503] | {"description": "The logs cannot be read"}}
_ASKED: Described = {**UNKNOWN, 422: PROBLEMS[422], **_STORE}
_EVENTS = {"content": {"text/event-stream": {}}, "description": "Never ends"}
_WHOLE_S = 5.0
_PAGE = 1_000


class Filters:
    """What all of these calls take."""

    def __init__(
        self,
        service: Annotated[
            list[str] | None, Query(description="Only of these; may be given several times.")
        ] = None,
        level: Annotated[str, Query(description="At least this bad: info, warning, error …")] = "",
        q: Annotated[
            str,
            Query(
                max_length=500,
                description='Words that must all be there; "in quotes" together, -without.',
            ),
        ] = "",
        since: Annotated[str, Query(description="A time, or how long ago: 15m, 2h, 3d.")] = "",
        until: Annotated[str, Query(description="A time, or how long ago; not included.")] = "",
        run: Annotated[str, Query(max_length=128, description="Only of this run.")] = "",
    ):
        self.services = [name for part in service or () for name in part.split(",") if name]
        try:
            self.query = questions.ask(
                clock.now(),
                services=self.services,
                level=level,
                text=q,
                run=run,
                since=since,
                until=until,
            )
        except ValueError as error:
            raise QuestionError(str(error), remedy="See /docs for what may be asked.") from error


Asked = Annotated[Filters, Depends()]


class LogRoutes:
    """The endpoints. `known` is whether a service of this name is declared; `problems` tells by
    service why nothing is read of it."""

    def __init__(
        self,
        library: Library,
        known: Callable[[str], bool],
        problems: Callable[[], Mapping[str, str]],
    ):
        self._library = library
        self._known = known
        self._problems = problems

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/logs", tags=["logs"])
        routes.get(
            "", response_model=LogPage, responses=_ASKED, summary="Search what services wrote"
        )(self.find)
        routes.get(
            "/stream",
            response_class=StreamingResponse,
            responses={200: _EVENTS, **_ASKED},
            summary="Follow what services write (SSE)",
        )(self.stream)
        routes.get(
            "/download",
            response_class=StreamingResponse,
            responses={200: {"content": {"text/plain": {}, "application/x-ndjson": {}}}, **_ASKED},
            summary="Everything that fits, oldest first, as a file",
        )(self.download)
        routes.get(
            "/{entry}/context",
            response_model=LogContext,
            responses=_ASKED,
            summary="What the service wrote before and after an entry",
        )(self.context)
        return routes

    async def find(
        self,
        request: Request,
        asked: Asked,
        limit: Annotated[int, Query(ge=1, le=1_000, description="At most this many.")] = 200,
        cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
        order: Annotated[Literal["newest", "oldest"], Query(description="What comes first.")] = (
            "newest"
        ),
    ) -> Response:
        await self._check(asked)
        found = await self._library.find(
            asked.query,
            limit,
            after=None if cursor is None else _place(cursor),
            newest_first=order == "newest",
        )
        kept = await self._library.kept()
        language = language_of(request)
        return json_response(render_logs.page(found, kept, self._problems(), language))

    async def stream(
        self,
        request: Request,
        asked: Asked,
        tail: Annotated[int, Query(ge=0, le=1_000, description="So many of before, first.")] = 0,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        await self._check(asked)
        seen = _place(last_event_id) if last_event_id else None
        return StreamingResponse(
            self._events(asked, tail, seen, language_of(request)),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    async def _events(
        self, asked: Filters, tail: int, seen: Place | None, language: str
    ) -> AsyncIterator[str]:
        yield "retry: 1000\n: what services write\n\n"
        async for entries, lost in self._library.follow(asked.query, last=tail, seen=seen):
            if not entries and not lost:
                yield ": still here\n\n"
                continue
            told = [f'event: lost\ndata: {{"entries":{lost}}}\n\n'] if lost else []
            for one in entries:
                body = render_logs.entry(one, language)
                told.append(f"id: {body['id']}\nevent: log\ndata: {render.dumps(body)}\n\n")
            yield "".join(told)

    async def download(
        self,
        request: Request,
        asked: Asked,
        form: Annotated[
            Literal["text", "ndjson"], Query(alias="format", description="Lines of text or JSON.")
        ] = "text",
    ) -> Response:
        await self._check(asked)
        name = f"logs-{clock.now():%Y%m%d-%H%M%S}.{'log' if form == 'text' else 'ndjson'}"
        return StreamingResponse(
            self._lines(asked, form == "text", language_of(request)),
            media_type="text/plain" if form == "text" else "application/x-ndjson",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    async def _lines(self, asked: Filters, plain: bool, language: str) -> AsyncIterator[str]:
        after: Place | None = None
        while True:
            page = await self._library.find(
                asked.query, _PAGE, after=after, newest_first=False, budget_s=_WHOLE_S
            )
            yield "".join(
                render_logs.line(one, language)
                if plain
                else render.dumps(render_logs.entry(one, language)) + "\n"
                for one in page.entries
            )
            if page.next is None:
                return
            after = page.next

    async def context(
        self,
        request: Request,
        entry: str,
        count: Annotated[int, Query(ge=1, le=500, description="So many before and after.")] = 20,
    ) -> Response:
        place = _place(entry)
        hit = await self._library.entry(place)
        if hit is None:
            raise NotFoundError(
                "There is no log entry of this id.", remedy="It may have been dropped since."
            )
        found = await self._library.around(place, hit.service, count)
        language = language_of(request)
        body = {"entries": [render_logs.entry(one, language) for one in found], "hit": entry}
        return json_response(body)

    async def _check(self, asked: Filters) -> None:
        """Of a service that is gone there may still be something."""
        unknown = [name for name in asked.services if not self._known(name)]
        if not unknown:
            return
        kept = await self._library.services()
        for name in unknown:
            if name not in kept:
                raise UnknownServiceError(
                    f"There is no service {name[:100]!r}, and no log of one.",
                    remedy="`heal7 ps` lists the services.",
                )


def _place(text: str) -> Place:
    try:
        return questions.read_place(text)
    except ValueError as error:
        raise QuestionError(str(error), remedy="Begin without a cursor.") from error

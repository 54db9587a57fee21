"""The page of metrics: a table that lives, and charts that the server draws and the browser opens.

Charts stand outside the live part: the browser asks for their numbers by itself, and what a reader
points at is not taken away by every event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller import clock
from controller.dashboard import metrics, preferences, wording
from controller.dashboard.metrics import Charts
from controller.dashboard.run_routes import Frame
from controller.errors import StoreError
from controller.metrics.assembly import Sources
from controller.metrics.library import Library, Told
from controller.model.metric import HUB, Scope, Subject

_WHERE = "/dashboard/metrics"
_POINTS = 80
_DRAWN = 12
_DAY_S = 86_400


class MetricsPort(Protocol):
    """What the pages need of what is measured."""

    @property
    def library(self) -> Library: ...

    @property
    def sources(self) -> Sources: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what makes no sense asks for nothing."""

    range: str = metrics.USUAL
    compare: bool = False
    service: str = ""

    @property
    def seconds(self) -> int:
        return metrics.RANGES[self.range]

    def address(self, **other: str) -> str:
        """The page again, with something else chosen."""
        said = {
            "range": "" if self.range == metrics.USUAL else self.range,
            "compare": "yesterday" if self.compare else "",
            "service": self.service,
        } | other
        query = urlencode({name: value for name, value in said.items() if value})
        return f"?{query}" if query else ""


class MetricPages:
    """The endpoints, and the charts of one service for other pages."""

    def __init__(self, port: MetricsPort, frame: Frame):
        self._port = port
        self._frame = frame

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.page)
        routes.get(f"{fragments}metrics")(self.part)

    async def page(self, request: Request) -> HTMLResponse:
        asked = self._read(request)
        language = _language(request)
        facts = await self._table(asked, language)
        names = list(self._port.sources.facts())
        chosen = [Subject(Scope.SERVICE, n) for n in names if asked.service in ("", n)]
        flows = [Subject(Scope.WORKFLOW, n) for n in self._port.sources.workflows]
        subjects = chosen if asked.service else [*chosen, *flows, HUB]
        facts |= {
            "sections": await self._sections(subjects, asked, language),
            "refresh_s": self._port.library.keeping.interval_s,
        }
        return self._frame.page(request, "metrics", facts, f"metrics{asked.address()}")

    async def part(self, request: Request) -> HTMLResponse:
        facts = await self._table(self._read(request), _language(request))
        return self._frame.part(request, "metrics", facts)

    async def charts(self, service: str, request: Request) -> dict[str, Any]:
        """A service's charts over the usual range, as what `service_charts` of `_charts.html` is
        given; its section is None where they cannot be read."""
        found = await self._sections([Subject(Scope.SERVICE, service)], Asked(), _language(request))
        return {
            "section": found[0] if found else None,
            "range": metrics.USUAL,
            "range_s": metrics.RANGES[metrics.USUAL],
            "refresh_s": self._port.library.keeping.interval_s,
            "more": _WHERE + Asked(service=service).address(),
        }

    async def _sections(
        self, subjects: Sequence[Subject], asked: Asked, language: str
    ) -> list[Charts]:
        """Of a large stack only the first are drawn here; the browser draws what comes in sight."""
        try:
            return [
                await self._section(subject, asked, language, n < _DRAWN)
                for n, subject in enumerate(subjects)
            ]
        except StoreError:
            return []

    async def _section(
        self, subject: Subject, asked: Asked, language: str, is_drawn: bool
    ) -> Charts:
        found = metrics.blank(subject.scope)
        if is_drawn:
            now = clock.epoch()
            found = await self._port.library.history(
                subject,
                metrics.drawn(subject.scope),
                now - asked.seconds,
                now,
                _POINTS,
                _DAY_S if asked.compare else None,
            )
        named = {subject.scope.value: subject.name} if subject.name else {}
        said = named | {"compare": "yesterday" if asked.compare else ""}
        query = urlencode({name: value for name, value in said.items() if value})
        return metrics.charts(subject, found, f"/metrics/history?{query}", language)

    async def _table(self, asked: Asked, language: str) -> dict[str, Any]:
        library, sources = self._port.library, self._port.sources
        subjects = {Subject(Scope.SERVICE, name): told for name, told in sources.facts().items()}
        subjects |= {Subject(Scope.WORKFLOW, name): Told() for name in sources.workflows}
        try:
            found = await library.summaries(subjects, asked.seconds)
            unread = False
        except StoreError:
            found, unread = (), True
        views = {view.name: view for view in sources.views()}
        marks = self._frame.marks(language)
        return await self._frame.pressing() | {
            "asked": asked,
            "names": list(sources.facts()),
            "ranges": [(name, asked.address(range=name)) for name in metrics.RANGES],
            "compare_address": asked.address(compare="" if asked.compare else "yesterday"),
            "unread": unread,
            "problem": library.problem or "",
            "size": wording.size(library.size) if library.size else "",
            "rows": metrics.rows(found, views, marks, language),
            "flows": metrics.flows(found, language),
            "wakes": "",
        }

    def _read(self, request: Request) -> Asked:
        given = request.query_params
        chosen, service = given.get("range", ""), given.get("service", "")
        return Asked(
            chosen if chosen in metrics.RANGES else metrics.USUAL,
            given.get("compare") == "yesterday",
            service if service in self._port.sources.facts() else "",
        )


def _language(request: Request) -> str:
    return preferences.of_request(request.cookies, request.headers.get("accept-language")).language

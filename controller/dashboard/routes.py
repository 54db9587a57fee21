"""The pages' door to the web: thin, read-only, and all it knows of the hub is `HubPort`.

Pages act through the public API like everybody else; nothing here changes the stack. A page is
rendered whole, and its live part again as a fragment that the browser morphs in: one renderer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller import clock
from controller.dashboard import (
    alert_routes,
    assets,
    incidents,
    log_routes,
    metric_routes,
    overview,
    packing,
    preferences,
    present,
    progress,
    run_routes,
    stack_graph,
    story,
    wording,
)
from controller.dashboard.admin_routes import AdminPages, AdminPort
from controller.dashboard.incidents import Line
from controller.dashboard.logs import Row
from controller.dashboard.marks import Mark, marks
from controller.dashboard.palette_routes import PalettePart, PalettePort
from controller.dashboard.run_routes import RunPages, WorkflowsPort
from controller.dashboard.service_routes import ServicePages, ServicesPort
from controller.errors import NotFoundError, StoreError, UnknownServiceError
from controller.i18n import catalogue, word
from controller.logs.library import Library
from controller.model.incident import Ending, Incident
from controller.model.rehearsal import Fault, Rehearsal
from controller.model.view import OperationView

_HERE = Path(__file__).parent
_RECENT = 6
_LATEST = 5
_LISTED = 100
_FRAGMENTS = "/dashboard/fragments/"
_SENT = ("ui.js.", "ui.op.", "ui.unit.")
_STATES = {"open": True, "closed": False}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: that turns the Origin of our own form posts into "null".
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Encoding, Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
}


class HubPort(ServicesPort, AdminPort, PalettePort, Protocol):
    """What the pages need of the hub. What is not awaited is in memory and answers at once."""

    def operations(self) -> Sequence[OperationView]:
        """Newest first, a few; every running one is among them."""

    async def incident(self, incident_id: str) -> Incident:
        """Raises NotFoundError, StoreError."""

    def rehearsals(self) -> Sequence[Rehearsal]:
        """Newest first, a few; the running one is among them."""

    @property
    def version(self) -> str: ...


def router(
    hub: HubPort,
    workflows: WorkflowsPort,
    library: Library,
    measured: metric_routes.MetricsPort,
    zone: tzinfo = UTC,
    unread: Callable[[], Mapping[str, str]] = dict,
    *,
    alerts: alert_routes.AlertsPort,
) -> APIRouter:
    """Every page under /dashboard, its fragments, its assets, and the way from `/`. `zone` is the
    one that schedules of workflows are meant in; `unread` tells whose logs are not read, and why.
    """
    routes = APIRouter(include_in_schema=False)
    pages = Pages(hub, workflows, alerts)
    routes.get("/")(root)
    routes.get("/dashboard")(pages.overview)
    routes.get("/dashboard/incidents")(pages.incidents)
    routes.get("/dashboard/incidents/{identifier:path}")(pages.incident)
    routes.get(_FRAGMENTS + "overview")(pages.overview_part)
    routes.get(_FRAGMENTS + "incidents")(pages.incidents_part)
    routes.get(_FRAGMENTS + "incidents/{identifier:path}")(pages.incident_part)
    routes.get(_FRAGMENTS + "operations/{identifier}")(pages.operation)
    routes.get(_FRAGMENTS + "rehearsals/{identifier}")(pages.rehearsal)
    routes.get(assets.PREFIX + "/{digest}/{path:path}")(pages.asset)
    routes.post("/dashboard/preferences")(prefer)
    AdminPages(hub, pages).register(routes, _FRAGMENTS)
    PalettePart(hub, pages).register(routes, _FRAGMENTS)
    log_pages = log_routes.LogPages(library, unread, pages)
    log_pages.register(routes, _FRAGMENTS)
    alert_routes.AlertPages(alerts, pages).register(routes, _FRAGMENTS)
    metric_pages = metric_routes.MetricPages(measured, pages)
    metric_pages.register(routes, _FRAGMENTS)
    ServicePages(hub, workflows, library, metric_pages.charts, pages).register(routes, _FRAGMENTS)
    RunPages(workflows, pages, log_pages, zone).register(routes, _FRAGMENTS)
    return routes


class Pages:
    """The endpoints that render one hub."""

    def __init__(
        self, hub: HubPort, workflows: WorkflowsPort, alerts: alert_routes.AlertsPort
    ) -> None:
        self._hub = hub
        self._workflows = workflows
        self._alerts = alerts
        self._assets, self._jinja = _loaded()

    async def overview(self, request: Request) -> HTMLResponse:
        return self.page(request, "overview", await self._latest(request))

    async def overview_part(self, request: Request) -> HTMLResponse:
        return self.part(request, "overview", await self._latest(request))

    async def incidents(self, request: Request) -> HTMLResponse:
        facts = await self._listed(request)
        return self.page(request, "incidents", facts, "incidents" + facts["query"])

    async def incidents_part(self, request: Request) -> HTMLResponse:
        return self.part(request, "incidents", await self._listed(request))

    async def incident(self, request: Request, identifier: str) -> HTMLResponse:
        """One incident's story; an unknown one is told as a page too, with status 404."""
        facts = await self._told(request, identifier)
        page = self.page(request, "incident", facts, f"incidents/{quote(identifier, safe='')}")
        page.status_code = 200 if facts["story"] else 503 if facts["unread"] else 404
        return page

    async def incident_part(self, request: Request, identifier: str) -> HTMLResponse:
        """The same live part. Always 200: that it is unknown is an answer, not a lost hub."""
        return self.part(request, "incident", await self._told(request, identifier))

    async def operation(self, request: Request, identifier: str) -> HTMLResponse:
        """One operation's progress, for the dialog. Raises NotFoundError when it is not known."""
        language, view = _wishes(request).language, self._hub.view()
        for candidate in self._hub.operations():
            if candidate.id == identifier:
                shown = progress.operation(candidate, len(view.services), language, clock.now())
                return self._html("_operation.html", {"operation": shown} | _translator(language))
        raise NotFoundError("The hub does not remember this operation.")

    async def rehearsal(self, request: Request, identifier: str) -> HTMLResponse:
        """One rehearsal's progress, for the dialog. Raises NotFoundError when it is not known."""
        language = _wishes(request).language
        for candidate in self._hub.rehearsals():
            if candidate.id == identifier:
                shown = progress.rehearsal(candidate, language, clock.now())
                return self._html("_rehearsal.html", {"rehearsal": shown} | _translator(language))
        raise NotFoundError("The hub does not remember this rehearsal.")

    async def asset(self, request: Request, digest: str, path: str) -> Response:
        return self._assets.answer(request, digest, path)

    def page(self, request: Request, name: str, own: dict[str, Any], at: str = "") -> HTMLResponse:
        """`at` is the address under /dashboard/ where it is more than the page's name."""
        where = at or name
        wishes = _wishes(request)
        facts = self._facts(name, own.pop("abandoned"), wishes.language, clock.now()) | own
        facts |= {
            "theme": wishes.theme,
            "next_theme": preferences.next_theme(wishes.theme),
            "words": _words(wishes.language),
            "path": "/dashboard" if name == "overview" else f"/dashboard/{where}",
            "fragment": _FRAGMENTS + where,
        }
        return self._html(f"{name}.html", facts)

    def part(self, request: Request, name: str, own: dict[str, Any]) -> HTMLResponse:
        language = _wishes(request).language
        facts = self._facts(name, own.pop("abandoned"), language, clock.now())
        return self._html(f"_{name}.html", facts | own)

    def bare(self, request: Request, template: str, facts: dict[str, Any]) -> HTMLResponse:
        """A part that needs nothing but its own facts."""
        return self._html(template, _translator(_wishes(request).language) | facts)

    def rows(self, request: Request, rows: Sequence[Row]) -> str:
        """Rows of logs without anything around them."""
        facts = _translator(_wishes(request).language) | {"rows": rows}
        return self._jinja.get_template("_log_stream.html").render(facts)

    def marks(self, language: str) -> Mapping[str, Mark]:
        """Every service by name, as it is mentioned."""
        return marks(self._hub.view(), self._hub.operations(), language)

    def _facts(
        self, name: str, given_up: Sequence[Incident], language: str, now: datetime
    ) -> dict[str, Any]:
        view, asked, rehearsals = self._hub.view(), self._hub.operations(), self._hub.rehearsals()
        pause, still_open = self._hub.paused, self._hub.open_incidents()
        stack = present.stack(view, asked, language, now)
        shown = [progress.operation(o, len(view.services), language, now) for o in asked]
        known = marks(view, asked, language)
        return _translator(language) | {
            "page": name,
            "stack": stack,
            "urgent": present.by_severity(stack.attention, view),
            "current": [o for o in shown if o.running],
            "recent": [o for o in shown if not o.running][:_RECENT],
            "rehearsals": [progress.rehearsal(r, language, now) for r in rehearsals],
            "workflows": progress.workflows(self._hub.workflows(), known, language),
            "paused": incidents.paused(pause, language, now),
            "pause_action": incidents.pause_action(pause is not None, language),
            "open_incidents": len(still_open),
            "given_up": len(given_up),
            "firing": self._alerts.firing,
            "title": "",
            "wakes": "",
            "troubles": incidents.by_service(view, still_open, given_up, language, now),
            "version": self._hub.version,
        }

    async def _latest(self, request: Request) -> dict[str, Any]:
        language, now = _wishes(request).language, clock.now()
        (found, unread), pressing, failed = await asyncio.gather(
            self._incidents(None, None, _LATEST),
            self.pressing(),
            overview.failed_runs(self._workflows, language, now),
        )
        facts: dict[str, Any] = pressing | run_routes.under_way(self._workflows, language, now)
        return facts | {
            "latest": [incidents.line(incident, language, now) for incident in found],
            "alarms": lambda rows: overview.alarms(self._alerts.open(), rows, language, now),
            "failed_runs": failed,
            "graph": lambda rows: stack_graph.draw(rows, language),
            "unread": unread,
            "wakes": "all",
        }

    async def _listed(self, request: Request) -> dict[str, Any]:
        """The list under its filter. An unknown state filters nothing; an unknown service all."""
        service = request.query_params.get("service") or None
        state = request.query_params.get("state", "")
        is_open = _STATES.get(state)
        # One more than is shown tells whether there are more.
        found, unread = await self._incidents(service, is_open, _LISTED + 1)
        still_open = self._hub.open_incidents() if is_open is not False else ()
        still_open = [i for i in still_open if service in (None, i.service)]
        language, now = _wishes(request).language, clock.now()
        chosen = {"service": service, "state": state if state in _STATES else None}
        names = [s.name for s in self._hub.view().services]
        pressing = await self.pressing()
        given_up = pressing["abandoned"]
        listed = [i for i in given_up if is_open is not True and service in (None, i.service)]
        first = [*still_open, *listed]
        return pressing | {
            "lines": incidents.lines(found[:_LISTED], first, language, now),
            "more": len(found) > _LISTED,
            "unread": unread,
            "summary": incidents.summary(len(self._hub.open_incidents()), len(given_up), language),
            "chosen": chosen,
            "names": names if service is None or service in names else [*names, service],
            "query": _query(chosen),
            "filtered": lambda **other: f"/dashboard/incidents{_query(chosen | other)}",
        }

    async def _told(self, request: Request, identifier: str) -> dict[str, Any]:
        language, now = _wishes(request).language, clock.now()
        found, unread = await self._incident(identifier)
        if found is None:
            return await self.pressing() | {"story": None, "unread": unread}
        stack = present.stack(self._hub.view(), self._hub.operations(), language, now)
        row = next((row for row in stack.rows if row.name == found.service), None)
        told = story.story(found, row, self._hub.paused is not None, language, now)
        drills = {r.id: r for r in self._hub.rehearsals()}
        drill = drills.get(found.rehearsal or "")
        return await self.pressing() | {
            "title": told.headline.text,
            "unread": unread,
            "story": told,
            "root": await self._root(told.root, language, now),
            "rehearsal": progress.rehearsal(drill, language, now) if drill else None,
            "logs": log_routes.address_around(found.service, found.opened_at, found.closed_at),
        }

    async def _root(self, identifier: str | None, language: str, now: datetime) -> Line | None:
        found = None if identifier is None else (await self._incident(identifier))[0]
        return None if found is None else incidents.line(found, language, now)

    async def pressing(self) -> dict[str, Any]:
        """What is closed but not over: the last word on a service in trouble was "gave up"."""
        alone = [s for s in self._hub.view().services if present.in_trouble(s) and not s.incident]
        last = [(await self._incidents(s.name, None, 1))[0] for s in alone]
        gave_up = [i for found in last for i in found if i.outcome is Ending.GAVE_UP]
        return {"abandoned": gave_up}

    async def _incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> tuple[Sequence[Incident], bool]:
        """The record; or what is open now, and that the rest cannot be read."""
        try:
            return await self._hub.incidents(service, is_open, limit), False
        except UnknownServiceError:
            return (), False
        except StoreError:
            wanted = () if is_open is False else self._hub.open_incidents()
            return [i for i in wanted if service in (None, i.service)][:limit], True

    async def _incident(self, identifier: str) -> tuple[Incident | None, bool]:
        """One incident, if it is known; and whether the record could not be read."""
        try:
            return await self._hub.incident(identifier), False
        except NotFoundError:
            return None, False
        except StoreError:
            known = {i.id: i for i in self._hub.open_incidents()}
            return known.get(identifier), True

    def _html(self, template: str, facts: dict[str, Any]) -> HTMLResponse:
        return packing.PackedPage(
            self._jinja.get_template(template).render(facts), headers=_HEADERS
        )


@cache
def _loaded() -> tuple[assets.Assets, Environment]:
    """Files and templates, read and compiled once: no request waits for the disk."""
    files = assets.load(_HERE / "static")
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.globals.update(asset=files.url, stamp=wording.stamp, faults=tuple(Fault))
    # A name may hold a slash, which is no border between segments then.
    templates.filters["segment"] = lambda name: quote(name, safe="")
    for name in templates.list_templates():
        templates.get_template(name)
    return files, templates


async def root() -> RedirectResponse:
    return RedirectResponse("/dashboard", status_code=307)


async def prefer(request: Request) -> RedirectResponse:
    """Keep a language or a theme for a year, and go back to where the reader was."""
    cookies, back = preferences.chosen(await request.body())
    response = RedirectResponse(back, status_code=303)
    for name, value in cookies.items():
        response.set_cookie(
            name, value, max_age=preferences.MAX_AGE_S, httponly=True, samesite="strict"
        )
    return response


def _query(chosen: Mapping[str, str | None]) -> str:
    """`?service=…&state=…`, without what does not filter."""
    query = urlencode({name: value for name, value in chosen.items() if value})
    return f"?{query}" if query else ""


def _wishes(request: Request) -> preferences.Preferences:
    return preferences.of_request(request.cookies, request.headers.get("accept-language"))


def _translator(language: str) -> dict[str, Any]:
    def t(key: str, **params: str | int) -> str:
        return word(f"ui.{key}", language, **params)

    return {"t": t, "lang": language}


def _words(language: str) -> dict[str, str]:
    """What the scripts say: every `ui.js.…` sentence, names of plan operations, and units."""
    keys = [key for key in catalogue() if key.startswith(_SENT)]
    return {key.removeprefix("ui."): catalogue()[key][language] for key in keys}

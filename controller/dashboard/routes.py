"""The pages' door to the web: thin, read-only, and all it knows of the hub is `HubPort`.

Pages act through the public API like everybody else; nothing here changes the stack. A page is
rendered whole, and its live part again as a fragment that the browser morphs in: one renderer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller import clock
from controller.dashboard import assets, preferences, present, progress, wording
from controller.errors import NotFoundError
from controller.i18n import catalogue, word
from controller.model.view import OperationView, StackView

_HERE = Path(__file__).parent
_RECENT = 6
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    # Not no-referrer: that turns the Origin of our own form posts into "null".
    "Referrer-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
    "X-Content-Type-Options": "nosniff",
}


class HubPort(Protocol):
    """What the pages need of the hub. All answers come from memory, at once."""

    def view(self) -> StackView: ...

    def operations(self) -> Sequence[OperationView]:
        """Newest first, a few; every running one is among them."""

    def workflows(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Name to its steps as (service, action), as configured."""

    @property
    def version(self) -> str: ...


def router(hub: HubPort) -> APIRouter:
    """Every page under /dashboard, its fragments, its assets, and the way from `/`."""
    routes = APIRouter(include_in_schema=False)
    pages = Pages(hub)
    routes.get("/")(root)
    routes.get("/dashboard")(pages.overview)
    routes.get("/dashboard/services")(pages.services)
    routes.get("/dashboard/fragments/overview")(pages.overview_part)
    routes.get("/dashboard/fragments/services")(pages.services_part)
    routes.get("/dashboard/fragments/operations/{identifier}")(pages.operation)
    routes.get(assets.PREFIX + "/{digest}/{path:path}")(pages.asset)
    routes.post("/dashboard/preferences")(prefer)
    return routes


class Pages:
    """The endpoints that render one hub."""

    def __init__(self, hub: HubPort) -> None:
        self._hub = hub
        self._assets = assets.load(_HERE / "static")
        self._jinja = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._jinja.globals.update(asset=self._assets.url, stamp=wording.stamp)
        # Read and compiled now, like the assets: no request waits for the disk.
        for name in self._jinja.list_templates():
            self._jinja.get_template(name)

    async def overview(self, request: Request) -> HTMLResponse:
        return self._page(request, "overview")

    async def services(self, request: Request) -> HTMLResponse:
        return self._page(request, "services")

    async def overview_part(self, request: Request) -> HTMLResponse:
        return self._part(request, "overview")

    async def services_part(self, request: Request) -> HTMLResponse:
        return self._part(request, "services")

    async def operation(self, request: Request, identifier: str) -> HTMLResponse:
        """One operation's progress, for the dialog. Raises NotFoundError when it is not known."""
        language, view = _wishes(request).language, self._hub.view()
        for candidate in self._hub.operations():
            if candidate.id == identifier:
                shown = progress.operation(candidate, len(view.services), language, clock.now())
                return self._html("_operation.html", {"operation": shown} | _translator(language))
        raise NotFoundError("The hub does not remember this operation.")

    async def asset(self, request: Request, digest: str, path: str) -> Response:
        """A file of ours. An address of another version still answers, but is not to be kept."""
        found = self._assets.files.get(path)
        if found is None:
            raise NotFoundError("The dashboard has no such file.")
        current = digest == self._assets.digest
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable" if current else "no-cache",
            "ETag": found.etag,
            "X-Content-Type-Options": "nosniff",
        }
        if found.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(found.body, media_type=found.media_type, headers=headers)

    def _page(self, request: Request, name: str) -> HTMLResponse:
        wishes = _wishes(request)
        facts = self._facts(name, wishes.language, clock.now())
        facts |= {
            "theme": wishes.theme,
            "next_theme": preferences.next_theme(wishes.theme),
            "words": _words(wishes.language),
            "path": request.url.path,
        }
        return self._html(f"{name}.html", facts)

    def _part(self, request: Request, name: str) -> HTMLResponse:
        facts = self._facts(name, _wishes(request).language, clock.now())
        return self._html(f"_{name}.html", facts)

    def _facts(self, name: str, language: str, now: datetime) -> dict[str, Any]:
        view, asked = self._hub.view(), self._hub.operations()
        stack = present.stack(view, asked, language, now)
        shown = [progress.operation(o, len(view.services), language, now) for o in asked]
        known = present.marks(view, asked, language)
        return _translator(language) | {
            "page": name,
            "stack": stack,
            "urgent": present.by_severity(stack.attention, view),
            "current": [o for o in shown if o.running],
            "recent": [o for o in shown if not o.running][:_RECENT],
            "workflows": progress.workflows(self._hub.workflows(), known, language),
            "version": self._hub.version,
        }

    def _html(self, template: str, facts: dict[str, Any]) -> HTMLResponse:
        return HTMLResponse(self._jinja.get_template(template).render(facts), headers=_HEADERS)


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


def _wishes(request: Request) -> preferences.Preferences:
    return preferences.of_request(request.cookies, request.headers.get("accept-language"))


def _translator(language: str) -> dict[str, Any]:
    def t(key: str, **params: str | int) -> str:
        return word(f"ui.{key}", language, **params)

    return {"t": t, "lang": language}


def _words(language: str) -> dict[str, str]:
    """What the scripts say: every `ui.js.…` sentence and the names of plan operations."""
    keys = [key for key in catalogue() if key.startswith(("ui.js.", "ui.op."))]
    return {key.removeprefix("ui."): catalogue()[key][language] for key in keys}

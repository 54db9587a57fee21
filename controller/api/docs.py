"""`/docs`: Swagger UI from the hub's own disk, under the same strict policy as every page."""

from __future__ import annotations

import mimetypes
from importlib import resources

from fastapi import APIRouter
from starlette.responses import HTMLResponse, Response

from controller.errors import NotFoundError

_ASSETS = resources.files("fastapi_offline").joinpath("static")
_NEEDED = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon.png")
_INIT = """SwaggerUIBundle({url: "/openapi.json", dom_id: "#docs", deepLinking: true});
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>HEAL7 Hub API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/docs/favicon.png"><link rel="stylesheet" href="/docs/swagger-ui.css">
</head><body><div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/init.js"></script>
</body></html>
"""
# Swagger UI sets style attributes and inlines its icons; scripts stay our own files only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def router() -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/docs")
    async def docs() -> Response:
        return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

    @routes.get("/docs/{name}")
    def asset(name: str) -> Response:
        if name == "init.js":
            return Response(_INIT, media_type="text/javascript")
        if name not in _NEEDED:
            raise NotFoundError(f"There is no /docs/{name}.")
        kind = mimetypes.guess_type(name)[0]
        cached = {"Cache-Control": "max-age=86400"}
        return Response((_ASSETS / name).read_bytes(), media_type=kind, headers=cached)

    return routes

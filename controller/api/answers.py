"""What the API's endpoints share: how they answer, in whose language, and to whom."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from starlette.responses import Response

from controller.api import render
from controller.api.schemas import Problem
from controller.i18n import pick_language

Described = dict[int | str, dict[str, Any]]

PROBLEMS: Described = {
    status: {"model": Problem, "description": meaning}
    for status, meaning in {
        403: "Refused by origin or host",
        409: "Another operation acts on it",
        422: "The request is not valid",
        503: "The engine cannot be reached",
    }.items()
}
UNKNOWN: Described = {404: {"model": Problem, "description": "No such one"}}


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(render.dumps(value), status, headers, "application/json")


def language_of(request: Request) -> str:
    return pick_language(request.headers.get("accept-language"))


def asker(request: Request) -> str:
    """Until there are identities: where the request came from, and with what."""
    agent = request.headers.get("user-agent", "unknown").split(" ")[0][:60]
    address = request.client.host if request.client else "local"
    return f"{address} {agent}"

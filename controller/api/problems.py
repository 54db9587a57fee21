"""Every refusal and failure as RFC 9457 problem+json, so that no client ever parses prose."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from controller.api.render import dumps
from controller.errors import ConfigError, HubError, RunInputError

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
_RETRY_AFTER_S = "2"


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    kind: str = "about:blank",
    **members: Any,
) -> Response:
    """One problem. `members` that are None are left out."""
    body = {"type": kind, "title": title, "status": status, "detail": detail}
    body |= {name: value for name, value in members.items() if value is not None}
    headers = {"Retry-After": _RETRY_AFTER_S} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(dumps(body), status, headers, MEDIA_TYPE)


def of_error(error: HubError) -> Response:
    faults = error.faults if isinstance(error, (ConfigError, RunInputError)) else None
    return problem(
        error.status,
        error.title,
        error.detail,
        kind=error.type,
        remedy=error.remedy,
        service=error.service,
        faults=faults,
    )


def install(app: FastAPI) -> None:
    """Make the app answer in problems only."""

    @app.exception_handler(HubError)
    async def hub_error(request: Request, error: HubError) -> Response:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [_fault(e) for e in error.errors()]
        return problem(
            422,
            "The request is not valid",
            "; ".join(faults),
            kind="urn:heal7:problem:invalid-request",
            remedy="Correct the named fields; /docs describes every one.",
            faults=faults,
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        remedy = "See /docs for every path and method." if error.status_code in (404, 405) else None
        answer = problem(
            error.status_code,
            HTTPStatus(error.status_code).phrase,
            f"{request.method} {request.url.path}: {error.detail}",
            remedy=remedy,
        )
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        log.exception("unhandled error in %s %s", request.method, request.url.path, exc_info=error)
        return problem(500, "The hub failed", "This is a bug in the hub; its log has the details.")


def _fault(error: dict[str, Any] | Any) -> str:
    where: Sequence[Any] = error.get("loc", ())
    return f"{'.'.join(map(str, where))}: {error.get('msg', 'invalid')}"

"""Builds the FastAPI app of a service from what it declared."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from heal7_contract import openapi, problem
from heal7_contract.context import Context, origin_of
from heal7_contract.database import Database
from heal7_contract.documents import DocumentStore
from heal7_contract.guard import Guard
from heal7_contract.journal import Journal, action_id, body_hash
from heal7_contract.metrics import CONTENT_TYPE, Metrics
from heal7_contract.models import CompensateReply, CompensateRequest, HealthReply, ReadyReply
from heal7_contract.problem import Problem
from heal7_contract.runner import Limits, Runner
from heal7_contract.tasks import guarded

if TYPE_CHECKING:
    from heal7_contract.service import Action, Route, Service

_log = logging.getLogger("heal7")
_CHECK_SECONDS = 2.0
# What the framework says of a JSON body that it cannot decode.
_UNREADABLE = "There was an error parsing the body"


class Runtime:
    """One app with its own data file, journal, pools and metrics."""

    def __init__(self, service: Service, data: Path, now: Callable[[], float]):
        self.service = service
        self.metrics = Metrics(service.name, service.version)
        self.database = Database(data)
        self.store = DocumentStore(self.database, service.kinds, now)
        self.journal = Journal(self.database, service.replies, now)
        limits = Limits(service.workers, service.max_in_flight, service.wait_s)
        self.runner = Runner(self.journal, self.metrics, limits)
        self.app = _build(self)

    @asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Finishes promised undos and runs the background tasks until the server stops."""
        tasks = [asyncio.create_task(guarded("undos", self._finish_undos, once=True))]
        tasks += [
            asyncio.create_task(guarded(name, task)) for name, task in self.service.tasks.items()
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.runner.close()
            self.database.close()

    async def _finish_undos(self) -> None:
        try:
            await self.runner.finish_undos(dict(self.service.actions))
        except Problem as failure:
            _log.error("the store cannot be used: %s", failure.detail)


def _build(runtime: Runtime) -> FastAPI:
    service = runtime.service
    app = FastAPI(
        title=service.name,
        version=service.version,
        docs_url=None,
        redoc_url=None,
        strict_content_type=False,  # actions take JSON whatever it is called; so do routes
        lifespan=runtime.lifespan,
    )
    app.add_middleware(
        Guard,
        metrics=runtime.metrics,
        max_body_bytes=service.max_body_bytes,
    )
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    _add_basics(app, runtime)
    for action in service.actions.values():
        _add_action(app, runtime, action)
    for route in service.routes:
        app.add_api_route(
            route.path,
            route.endpoint,
            methods=[route.method],
            **{**route.options, "responses": _responses(route)},
        )
    openapi.install(app, service.actions.values())
    return app


def _responses(route: Route) -> dict[int | str, dict[str, Any]]:
    """A route may document its own replies; the refusals are the same for all."""
    return {**openapi.responses(route.errors), **route.options.get("responses", {})}


def _add_basics(app: FastAPI, runtime: Runtime) -> None:
    service = runtime.service
    healthy = HealthReply(service=service.name, version=service.version).model_dump()

    async def health() -> Response:
        return JSONResponse(healthy)

    async def ready() -> Response:
        checks = dict(await asyncio.gather(*(_check(runtime, n, c) for n, c in _checks(runtime))))
        well = all(outcome == "ok" for outcome in checks.values())
        reply = ReadyReply(ready=well, checks=checks)
        return JSONResponse(reply.model_dump(), status_code=200 if well else 503)

    async def metrics() -> Response:
        return Response(runtime.metrics.text(), headers={"content-type": CONTENT_TYPE})

    app.add_api_route("/health", health, response_model=HealthReply, tags=["contract"])
    app.add_api_route(
        "/ready",
        ready,
        response_model=ReadyReply,
        responses={503: {"model": ReadyReply, "description": "A check fails"}},
        tags=["contract"],
    )
    app.add_api_route(
        "/metrics",
        metrics,
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        tags=["contract"],
    )


def _checks(runtime: Runtime) -> list[tuple[str, Callable[[], Any]]]:
    async def store() -> None:
        await runtime.runner.journal(runtime.journal.ping)

    return list({"store": store, **runtime.service.checks}.items())


async def _check(runtime: Runtime, name: str, check: Callable[[], Any]) -> tuple[str, str]:
    try:
        async with asyncio.timeout(_CHECK_SECONDS):
            if asyncio.iscoroutinefunction(check):
                outcome = await check()
            else:
                outcome = await runtime.runner.offload(check)
    except TimeoutError:
        return name, f"no answer within {_CHECK_SECONDS:g} s"
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
        _log.warning("check %s fails", name, exc_info=True)
        return name, str(error) or type(error).__name__
    return name, str(outcome) if outcome else "ok"


def _add_action(app: FastAPI, runtime: Runtime, action: Action[Any, Any]) -> None:
    async def act(request: Request) -> Response:
        raw = await request.body()
        body = _parse(action.request, raw)
        ctx = _context(runtime, action.name, request)
        answer = await runtime.runner.run(action, body, _digest(raw), ctx)
        text = f'{{"id":"{answer.id}","status":"completed","result":{answer.result}}}'
        headers = {"Idempotency-Replayed": "true"} if answer.replayed else {}
        return Response(text.encode(), media_type="application/json", headers=headers)

    async def compensate(request: Request) -> Response:
        body = _parse(CompensateRequest, await request.body())
        ids = _ids(action.name, body)
        done = [
            await runtime.runner.compensate(action, ident, key, body.reason) for ident, key in ids
        ]
        status = "compensated" if any(done) else "already_compensated"
        reply = CompensateReply.model_validate({"id": ids[0][0], "status": status})
        return JSONResponse(reply.model_dump())

    act.__name__, compensate.__name__ = f"act_{action.name}", f"compensate_{action.name}"
    path = f"/actions/{action.name}"
    app.add_api_route(path, act, methods=["POST"], **openapi.action_options(action))
    app.add_api_route(
        f"{path}/compensate", compensate, methods=["POST"], **openapi.compensate_options(action)
    )


def _context(runtime: Runtime, action: str, request: Request) -> Context:
    key = request.headers.get("idempotency-key")
    if key is None:
        key = uuid.uuid4().hex
    elif not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Problem(
            422,
            code="invalid_idempotency_key",
            title="The Idempotency-Key is not valid",
            detail="It must be 1 to 255 printable ASCII characters.",
            remedy="Send a shorter key, such as a UUID or run:step.",
        )
    origin = origin_of(request.headers)
    return Context(
        action=action,
        action_id=action_id(action, key),
        idempotency_key=key,
        run=origin.run,
        step=origin.step,
        traceparent=origin.traceparent,
        store=runtime.store,
        offload=runtime.runner.offload,
    )


def _ids(action: str, body: CompensateRequest) -> list[tuple[str, str | None]]:
    """What to undo; an id and a key that disagree are both undone, since undoing is safe."""
    named: dict[str, str | None] = {}
    if body.idempotency_key is not None:
        named[action_id(action, body.idempotency_key)] = body.idempotency_key
    if body.id is not None:
        named.setdefault(body.id, None)
    if not named:
        fault = {"field": "body", "message": "give id or idempotency_key", "kind": "missing"}
        raise problem.invalid_body([fault])
    return list(named.items())


def _parse(model: type[BaseModel], raw: bytes) -> Any:
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        raise problem.invalid_body(_faults(error.errors(include_url=False), "body")) from None


def _digest(raw: bytes) -> str:
    try:
        return body_hash(raw)
    except (ValueError, RecursionError):
        fault = {"field": "body", "message": "nests or counts too far", "kind": "json_invalid"}
        raise problem.invalid_body([fault]) from None


def _faults(errors: Any, root: str | None = None) -> list[dict[str, str]]:
    """Says where and what, never the value: it may be a secret."""
    return [
        {
            "field": ".".join(str(part) for part in ((root,) if root else ()) + error["loc"]),
            "message": error["msg"],
            "kind": error["type"],
        }
        for error in errors[:20]
    ]


async def _on_invalid(request: Request, error: Exception) -> Response:
    faults = _faults(cast(RequestValidationError, error).errors())
    return _problem_response(request, problem.invalid_body(faults))


async def _on_http_error(request: Request, error: Exception) -> Response:
    refusal = cast(HTTPException, error)
    cause = refusal.__cause__
    if isinstance(cause, Problem):  # the framework wraps what the body limit raises
        return _problem_response(request, cause)
    if refusal.status_code == 404:
        return _problem_response(request, problem.not_found(request.url.path))
    if refusal.status_code == 400 and refusal.detail == _UNREADABLE:
        fault = {"field": "body", "message": "is no JSON in UTF-8", "kind": "json_invalid"}
        return _problem_response(request, problem.invalid_body([fault]))
    code = "method_not_allowed" if refusal.status_code == 405 else f"http_{refusal.status_code}"
    return _problem_response(
        request,
        Problem(
            refusal.status_code,
            code=code,
            title=str(refusal.detail),
            detail=f"{request.method} {request.url.path}: {refusal.detail}.",
            remedy="GET /openapi.json says what this service accepts.",
            headers=_allowing(request, refusal),
        ),
    )


def _allowing(request: Request, refusal: HTTPException) -> dict[str, str]:
    """RFC 9110: a 405 lists every method of the path; the router knows those of one route only."""
    headers = dict(refusal.headers or {})
    if refusal.status_code == 405:
        methods: set[str] = set()
        for route in request.app.routes:
            if route.matches(request.scope)[0] is not Match.NONE:
                methods |= getattr(route, "methods", None) or set()
        headers["Allow"] = ", ".join(sorted(methods))
    return headers


def _problem_response(request: Request, refusal: Problem) -> Response:
    body = json.dumps(refusal.body(request.url.path)).encode()
    return Response(body, refusal.status, headers=refusal.headers, media_type=problem.MEDIA_TYPE)

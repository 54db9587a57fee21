"""The outermost layer of a service: body limit, metrics, log line, and no error without a body.

A plain ASGI layer, because it must see the bytes before the framework buffers them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from heal7_contract import clock, logs, problem
from heal7_contract.context import origin_of
from heal7_contract.metrics import Metrics
from heal7_contract.problem import Problem

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger("heal7.access")
_QUIET = frozenset({"/health", "/ready", "/metrics"})


class Guard:
    """Wraps `app`; refuses bodies above `max_body_bytes` before they are held in memory."""

    def __init__(self, app: App, metrics: Metrics, max_body_bytes: int):
        self._app = app
        self._metrics = metrics
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["headers"] = [_as_json(pair) for pair in scope["headers"]]
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        origin = origin_of(headers)
        started, watch = clock.monotonic(), _Watched(send)
        self._metrics.in_flight.inc()
        with logs.bound(run=origin.run, step=origin.step, trace_id=origin.trace_id):
            try:
                await self._answer(scope, headers, receive, watch)
            finally:
                self._metrics.in_flight.dec()
                self._account(scope, watch.status, clock.monotonic() - started)

    async def _answer(
        self, scope: Scope, headers: dict[str, str], receive: Receive, watch: _Watched
    ) -> None:
        try:
            declared = headers.get("content-length", "")
            if declared.isdigit() and int(declared[:20]) > self._limit:
                raise problem.too_large(self._limit)
            await self._app(scope, self._counted(receive), watch)
        except Problem as refusal:
            await watch.problem(scope, refusal)
        except Exception:
            # The border of a request: whatever was not foreseen is logged, and answered as a 500.
            logging.getLogger("heal7").exception("unexpected error", extra={"path": scope["path"]})
            await watch.problem(scope, problem.internal())

    def _counted(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._limit:
                raise problem.too_large(self._limit)
            return message

        return counted

    def _account(self, scope: Scope, status: int, seconds: float) -> None:
        # The template, never the path: a label per reading would grow without bound.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if route != "unmatched" else "any"
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_seconds.labels(method, route).observe(seconds)
        quiet = scope["path"] in _QUIET and status < 400
        _log.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d",
            scope["method"],
            scope["path"],
            status,
            extra={"status": status, "ms": round(seconds * 1000, 2)},
        )


def _as_json(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """`curl -d` calls every body a form; no service takes forms of that kind, so it is JSON."""
    if header == (b"content-type", b"application/x-www-form-urlencoded"):
        return (b"content-type", b"application/json")
    return header


class _Watched:
    """Remembers the status sent, so that an error after the headers is not answered twice."""

    def __init__(self, send: Send):
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    async def problem(self, scope: Scope, refusal: Problem) -> None:
        if self.status:
            return
        body = json.dumps(refusal.body(scope["path"]), ensure_ascii=True).encode()
        headers = {
            "content-type": problem.MEDIA_TYPE,
            "content-length": str(len(body)),
            **{name.lower(): value for name, value in refusal.headers.items()},
        }
        pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
        await self({"type": "http.response.start", "status": refusal.status, "headers": pairs})
        await self({"type": "http.response.body", "body": body})

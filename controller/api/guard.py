"""The first gate: who may speak to the hub at all, decided before anything is read.

A browser on this machine can be made to send requests by any page it shows (CSRF), or be fooled
about the hub's name (DNS rebinding). So the Host must be a name of loopback, and whatever a
foreign page sends is refused on every method. Bodies are bounded while they arrive.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from controller.api.problems import problem

MAX_BODY_BYTES = 1_000_000
# An input of 1 MiB may come with every letter escaped; archives of runs are read line by line.
_LARGER = {"/runs": 2_500_000, "/runs/import": 1_000_000_000}
_MAX_DIGITS = 18
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


def refusal(headers: Mapping[str, str]) -> str | None:
    """Why a request with these (lower-case) headers is refused; None if it may pass. Pure."""
    host = headers.get("host", "")
    if not _is_local(host):
        return f"The Host {host!r} is not a name of this machine's loopback."
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return "The request comes from another site."
    origin = headers.get("origin")
    if origin is not None and not _same_origin(origin, host):
        return f"The Origin {origin!r} is not the hub's own."
    return None


def _is_local(host: str) -> bool:
    try:
        parts = urlsplit(f"//{host}")
        name, _ = parts.hostname, parts.port
    except ValueError:
        return False
    plain = parts.username is None and not parts.path and not parts.query and not parts.fragment
    return plain and name in _LOCAL


def _same_origin(origin: str, host: str) -> bool:
    return origin in (f"http://{host}", f"https://{host}")


class Guard:
    """ASGI middleware: refuses foreign requests, bounds bodies, adds the headers browsers heed."""

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        raw: list[tuple[bytes, bytes]] = scope["headers"]
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in raw}
        why = refusal(headers)
        if why is None and [k for k, _ in raw].count(b"host") > 1:
            why = "The request has more than one Host."
        if why is not None:
            await self._refuse(scope, receive, send, 403, "Refused", why)
            return
        length = headers.get("content-length", "0")
        # Digits beyond ASCII and numbers beyond int's own limit are not lengths either.
        small = length.isdecimal() and len(length) <= _MAX_DIGITS
        limit = max_body(scope.get("path", ""))
        if not small or int(length) > limit:
            detail = f"A body may have {limit} bytes at most."
            await self._refuse(scope, receive, send, 413, "Too large", detail)
            return
        await self._app(scope, _bounded(receive, limit), _with_headers(send))

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, status: int, title: str, detail: str
    ) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        remedy = None
        if status == 403:
            remedy = "Call http://localhost:8015 from this machine, not through another site."
        await problem(status, title, detail, remedy=remedy)(scope, receive, send)


def max_body(path: str) -> int:
    """How many bytes a body sent to this path may have."""
    if not path.startswith("/workflows/"):
        return MAX_BODY_BYTES
    return next((n for end, n in _LARGER.items() if path.endswith(end)), MAX_BODY_BYTES)


def _bounded(receive: Receive, limit: int) -> Receive:
    got = 0

    async def bounded() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > limit:
            # A chunked body that never says its length is cut off here.
            return {"type": "http.disconnect"}
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name for name, _ in message.get("headers", ())}
            added = [pair for pair in _HEADERS if pair[0] not in present]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending

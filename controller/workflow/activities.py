"""Asks a service for a step over HTTP, and says in one word how that ended.

The address is that of the container now, never one from a definition or an input: a step can reach
the services of the stack and nothing else. Redirects are not followed, and answers are bounded.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import quote

import aiohttp
from yarl import URL

from controller import clock
from controller.health.probe import Target
from controller.model import expression
from controller.model.expression import ExpressionError
from controller.model.run import Error
from controller.model.text import text
from controller.model.workflow import Call
from controller.workflow.outcome import Ending, Outcome, ending_of

MAX_BYTES = 1_048_576
_SHOWN = 2000
_MAX_RETRY_AFTER_S = 3600.0
_KEEP_ALIVE_S = 2.0
_HALF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Asking:
    """One request: what to ask, with which `context` for its expressions, under which key."""

    call: Call
    context: Mapping[str, Any]
    run: str
    step: str
    key: str
    trace_id: str
    timeout_s: float
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Broken:
    """The request broke off: nobody knows what came of it."""

    error: Error


class Caller(Protocol):
    """How steps are asked."""

    async def call(self, target: Target, asking: Asking) -> Outcome | Broken: ...

    async def close(self) -> None: ...


class HttpCaller:
    """One session for all steps; connections are kept for a moment, shorter than servers do."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def call(self, target: Target, asking: Asking) -> Outcome | Broken:
        try:
            request = _prepared(asking)
        except ExpressionError as error:
            why = Error(text("run.bad_expression"), detail=str(error))
            return Outcome(Ending.PERMANENT, error=why)
        if len(request.body or b"") > MAX_BYTES:
            return Outcome(Ending.PERMANENT, error=Error(text("run.input_too_large")))
        try:
            return await self._ask(target, asking, request)
        except TimeoutError:
            seconds = f"{asking.timeout_s:g}"
            return Broken(Error(text("run.timeout", seconds=seconds)))
        except (aiohttp.ClientError, OSError) as error:
            detail = str(error) or type(error).__name__
            return Broken(Error(text("run.broken_off"), detail=detail))

    async def _ask(self, target: Target, asking: Asking, request: _Request) -> Outcome:
        host = f"[{target.host}]" if ":" in target.host else target.host
        async with self._open().request(
            asking.call.method,
            # As it stands: a library that tidies addresses would undo what was quoted on purpose.
            URL(f"http://{host}:{target.port}{request.path}", encoded=True),
            data=request.body,
            headers=request.headers,
            timeout=aiohttp.ClientTimeout(total=asking.timeout_s),
            allow_redirects=False,
        ) as answer:
            raw = await _bounded(answer)
            return _outcome(answer, raw)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_ALIVE_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "heal7-hub", "Accept": "application/json"},
                skip_auto_headers=("Content-Type",),
            )
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@dataclass(frozen=True, slots=True)
class _Request:
    path: str
    headers: Mapping[str, str]
    body: bytes | None


def _prepared(asking: Asking) -> _Request:
    call = asking.call
    body = None
    headers = {
        "Idempotency-Key": asking.key,
        "X-Workflow-Run": asking.run,
        "X-Workflow-Step": asking.step,
        "traceparent": _traceparent(asking),
    }
    if call.input is not None:
        value = expression.evaluate(call.input, asking.context)
        body = json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
        headers["Content-Type"] = "application/json"
    path = expression.fill(call.path, asking.context, _segment)
    return _Request(path, headers, body)


def _segment(part: str) -> str:
    """A value as part of a path, which it can neither leave nor shorten. Raises ExpressionError."""
    if part in ("", ".", "..", "null"):
        raise ExpressionError(f"{part!r} cannot stand in a path")
    return quote(part, safe="")


def _traceparent(asking: Asking) -> str:
    span = hashlib.sha256(f"{asking.key}:{asking.attempt}".encode()).hexdigest()[:16]
    return f"00-{asking.trace_id}-{span}-01"


async def _bounded(answer: aiohttp.ClientResponse) -> bytes | None:
    """The whole body; None where it is larger than a step's output may be."""
    body = bytearray()
    while chunk := await answer.content.read(MAX_BYTES + 1 - len(body)):
        body += chunk
        if len(body) > MAX_BYTES:
            answer.close()
            return None
    return bytes(body)


def _outcome(answer: aiohttp.ClientResponse, raw: bytes | None) -> Outcome:
    retry_after = _retry_after(answer.headers.get("Retry-After"))
    ending = ending_of(answer.status, may_retry_conflict=retry_after is not None)
    if raw is None:
        why = text("run.output_too_large", limit=MAX_BYTES)
        return Outcome(Ending.PERMANENT, error=Error(why, answer.status))
    value = _value(raw)
    if ending is Ending.DONE:
        return Outcome(ending, output=value)
    why = text("run.http", status=answer.status)
    error = Error(why, answer.status, _said(value))
    return Outcome(ending, error=error, retry_after_s=retry_after)


def _value(raw: bytes) -> Any:
    """JSON where it is, else the text; nothing for an empty body."""
    said = raw.decode("utf-8", "replace")
    if not said.strip():
        return None
    try:
        value = json.loads(said, parse_constant=_refused, parse_float=_finite)
        if _HALF_A_PAIR.search(said):
            # Half of a surrogate pair is valid JSON, and nobody can be sent it.
            whole = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            value = json.loads(whole)
    except (ValueError, RecursionError):
        return said
    return value


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    """A number that is too large for a float would come back as no JSON."""
    number = float(digits)
    return number if math.isfinite(number) else _refused(digits)


def _said(value: Any) -> str | None:
    """What the service says of its refusal: a problem's detail and remedy, else all of it."""
    if isinstance(value, Mapping):
        parts = [value.get("detail") or value.get("title"), value.get("remedy")]
        sentences = [part for part in parts if isinstance(part, str)]
        faults = value.get("errors")
        if isinstance(faults, list) and faults:
            sentences.append(json.dumps(faults, ensure_ascii=False))
        if sentences:
            return " ".join(sentences)[:_SHOWN]
    if value is None:
        return None
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_SHOWN]


def _retry_after(header: str | None) -> float | None:
    if header is None:
        return None
    if header.strip().isdecimal():
        return min(float(header), _MAX_RETRY_AFTER_S)
    try:
        seconds = (parsedate_to_datetime(header) - clock.now()).total_seconds()
    except (ValueError, TypeError):
        return None
    return min(max(seconds, 0.0), _MAX_RETRY_AFTER_S)

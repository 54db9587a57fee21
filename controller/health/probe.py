"""Asks a service once, over HTTP or TCP, and says in facts what came back.

A fresh connection each time, as the kubelet does: a kept-alive one would miss that nobody can
connect any more. Only what is known to be an answer about the service becomes a result; everything
else (no more file descriptors, no memory, a closed session) is of the hub's own making and raises.
"""

from __future__ import annotations

import asyncio
import errno
import re
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from controller.clock import monotonic
from controller.model.observation import ContainerObs
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import Text, text

_BODY_LIMIT = 64 * 1024
_DROPPED = (errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE)
_NO_ADDRESS = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN)


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. `incarnation` ties answers to one life of the container."""

    incarnation: str
    host: str
    port: int


@dataclass(slots=True)
class _Contact:
    """Whether the connection came about, which tells a hang from a port that nobody serves."""

    made: bool = False


def target_of(container: ContainerObs, probe: ProbeSpec) -> Target | None:
    """The published address of the probe's port (as users reach it), else the container's own."""
    if probe.port is None:
        return None
    published = container.ports.get(f"{probe.port}/tcp", ())
    if published:
        address, port = published[0]
        host = "127.0.0.1" if address in ("0.0.0.0", "::", "") else address  # noqa: S104 - compared
        return Target(container.incarnation, host, port)
    for address in container.addresses.values():
        return Target(container.incarnation, address, probe.port)
    # Host networking: the container has no address of its own.
    return Target(container.incarnation, "127.0.0.1", probe.port)


def new_session() -> aiohttp.ClientSession:
    """A session for probes: no kept-alive connections, no cookies, no proxy, plain bodies."""
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_note_contact)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "heal7-hub-probe", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trace_configs=[trace],
    )


async def _note_contact(
    session: aiohttp.ClientSession,
    context: object,
    params: aiohttp.TraceConnectionCreateEndParams,
) -> None:
    contact = getattr(context, "trace_request_ctx", None)
    if isinstance(contact, _Contact):
        contact.made = True


async def ask(
    session: aiohttp.ClientSession, target: Target, probe: ProbeSpec, now: datetime
) -> ProbeResult:
    """One probe, bounded by the probe's timeout. `now` is stamped on the result.

    Raises whatever hinders the hub itself from asking.
    """
    contact = _Contact()
    try:
        if probe.kind is ProbeKind.TCP:
            return await _tcp(target, probe, now)
        return await _http(session, target, probe, now, contact)
    except TimeoutError:
        return _timeout(now, probe, contact.made)
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError):
        return ProbeResult(now, False, text("probe.garbled", port=target.port), port_open=True)
    except aiohttp.ServerDisconnectedError:
        return _failure(now, text("probe.dropped", port=target.port))
    except OSError as error:
        return _by_errno(error, target, probe, now)


def _by_errno(error: OSError, target: Target, probe: ProbeSpec, now: datetime) -> ProbeResult:
    """What an error of the network says of the service; raised again where it says nothing."""
    if error.errno == errno.ECONNREFUSED:
        return _failure(now, text("probe.refused", port=target.port))
    if error.errno in _DROPPED or isinstance(error, ConnectionError):
        # The engine's port proxy accepts for a container that does not listen yet, then drops.
        return _failure(now, text("probe.dropped", port=target.port))
    if error.errno == errno.ETIMEDOUT:
        return _timeout(now, probe, connected=False)
    if error.errno in _NO_ADDRESS:
        return _failure(now, text("probe.no_address"))
    raise error


def _timeout(now: datetime, probe: ProbeSpec, connected: bool) -> ProbeResult:
    said = text("probe.timeout", seconds=probe.timeout_s)
    return ProbeResult(now, False, said, port_open=connected, timed_out=True)


def _failure(now: datetime, said: Text) -> ProbeResult:
    return ProbeResult(now, False, said, port_open=False)


async def _http(
    session: aiohttp.ClientSession,
    target: Target,
    probe: ProbeSpec,
    now: datetime,
    contact: _Contact,
) -> ProbeResult:
    started = monotonic()
    host = f"[{target.host}]" if ":" in target.host else target.host
    async with session.get(
        f"http://{host}:{target.port}{probe.path}",
        timeout=aiohttp.ClientTimeout(total=probe.timeout_s),
        allow_redirects=False,
        trace_request_ctx=contact,
    ) as answer:
        ok, said = 200 <= answer.status < 400, text("probe.http", status=answer.status)
        if ok and probe.match is not None and not re.search(probe.match, await _body(answer)):
            ok = False
            said = text("probe.no_match", status=answer.status, pattern=probe.match)
        return ProbeResult(now, ok, said, response_ms=_since(started), port_open=True)


async def _body(answer: aiohttp.ClientResponse) -> str:
    """The answer's text, at most its first 64 KiB."""
    body = bytearray()
    while chunk := await answer.content.read(_BODY_LIMIT - len(body)):
        body += chunk
    return body.decode("utf-8", "replace")


async def _tcp(target: Target, probe: ProbeSpec, now: datetime) -> ProbeResult:
    started = monotonic()
    async with asyncio.timeout(probe.timeout_s):
        _, writer = await asyncio.open_connection(target.host, target.port)
    writer.close()
    said = text("probe.connected", port=target.port)
    return ProbeResult(now, True, said, response_ms=_since(started), port_open=True)


def _since(started: float) -> float:
    return round((monotonic() - started) * 1000, 2)

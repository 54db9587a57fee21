"""Asks a service once, over HTTP or TCP, and says in facts what came back.

A fresh connection each time, as the kubelet does: a kept-alive one would miss that nobody can
connect any more. An error of the hub's own making raises and is discarded by the caller; it is
never held against the service.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import aiohttp

from controller.clock import monotonic
from controller.model.observation import ContainerObs
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import text


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask. `incarnation` ties answers to one life of the container."""

    incarnation: str
    host: str
    port: int


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
    """A session for probes: no kept-alive connections, no cookies, no proxy."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "heal7-hub-probe"},
        auto_decompress=False,
    )


async def ask(
    session: aiohttp.ClientSession, target: Target, probe: ProbeSpec, now: datetime
) -> ProbeResult:
    """One probe, bounded by the probe's timeout. `now` is stamped on the result."""
    started = monotonic()
    try:
        if probe.kind is ProbeKind.TCP:
            return await _tcp(target, probe, now, started)
        return await _http(session, target, probe, now, started)
    except (TimeoutError, aiohttp.ConnectionTimeoutError) as error:
        connected = not isinstance(error, aiohttp.ConnectionTimeoutError)
        return ProbeResult(
            now, False, text("probe.timeout", seconds=probe.timeout_s), port_open=connected
        )
    except (aiohttp.ClientConnectorError, ConnectionRefusedError):
        return ProbeResult(now, False, text("probe.refused", port=target.port), port_open=False)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError):
        # The engine's port proxy accepts for a container that does not listen yet, then drops.
        return ProbeResult(now, False, text("probe.dropped", port=target.port), port_open=False)
    except OSError:
        # No route, no such network: an answer about the address, not an error of the prober.
        return ProbeResult(now, False, text("probe.no_address"), port_open=False)
    except (aiohttp.ClientResponseError, aiohttp.ClientPayloadError):
        return ProbeResult(now, False, text("probe.garbled", port=target.port), port_open=True)


async def _http(
    session: aiohttp.ClientSession, target: Target, probe: ProbeSpec, now: datetime, started: float
) -> ProbeResult:
    host = f"[{target.host}]" if ":" in target.host else target.host
    timeout = aiohttp.ClientTimeout(total=probe.timeout_s, sock_connect=probe.timeout_s)
    async with session.get(
        f"http://{host}:{target.port}{probe.path}", timeout=timeout, allow_redirects=False
    ) as answer:
        ok = 200 <= answer.status < 400
        return ProbeResult(
            now,
            ok,
            text("probe.http", status=answer.status),
            response_ms=_since(started),
            port_open=True,
        )


async def _tcp(target: Target, probe: ProbeSpec, now: datetime, started: float) -> ProbeResult:
    async with asyncio.timeout(probe.timeout_s):
        _, writer = await asyncio.open_connection(target.host, target.port)
    writer.close()
    said = text("probe.connected", port=target.port)
    return ProbeResult(now, True, said, response_ms=_since(started), port_open=True)


def _since(started: float) -> float:
    return round((monotonic() - started) * 1000, 2)

"""One probe against a real socket on this machine: every way a service can answer, or not."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from core_builders import NOW, container

from controller.health.probe import Target, ask, new_session, target_of
from controller.health.prober import Prober
from controller.model.observation import ContainerObs
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import text

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(port: int | None = 8000, timeout_s: float = 2.0) -> ProbeSpec:
    return ProbeSpec(ProbeKind.HTTP, port, "/health", timeout_s=timeout_s)


def tcp(port: int, timeout_s: float = 2.0) -> ProbeSpec:
    return ProbeSpec(ProbeKind.TCP, port, timeout_s=timeout_s)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer(reader, writer)
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with new_session() as opened:
        yield opened


@pytest.fixture
def closed_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def says(status: int, extra: str = "") -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{extra}\r\n".encode())
        await writer.drain()

    return answer


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    return


async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 smtp ready\r\n")
    await writer.drain()


async def asked(session: aiohttp.ClientSession, port: int, probe: ProbeSpec) -> ProbeResult:
    return await ask(session, Target("life", "127.0.0.1", port), probe, NOW)


@pytest.mark.parametrize(
    ("status", "ok"),
    [(200, True), (204, True), (302, True), (400, False), (404, False), (500, False), (503, False)],
)
async def test_http_answers(session: aiohttp.ClientSession, status: int, ok: bool) -> None:
    async with serving(says(status, "Location: http://127.0.0.1:1/\r\n")) as port:
        result = await asked(session, port, http())
    assert (result.ok, result.port_open, result.at) == (ok, True, NOW)
    assert result.said == text("probe.http", status=status)
    assert result.response_ms is not None


async def test_a_service_that_hangs(session: aiohttp.ClientSession) -> None:
    async with serving(hang) as port:
        result = await asked(session, port, http(timeout_s=0.05))
    assert (result.ok, result.port_open, result.response_ms) == (False, True, None)
    assert result.said == text("probe.timeout", seconds=0.05)


async def test_nobody_listens(session: aiohttp.ClientSession, closed_port: int) -> None:
    for probe in (http(), tcp(closed_port)):
        result = await asked(session, closed_port, probe)
        assert (result.ok, result.port_open) == (False, False)
        assert result.said == text("probe.refused", port=closed_port)


async def test_a_proxy_that_accepts_for_nobody(session: aiohttp.ClientSession) -> None:
    async with serving(drop) as port:
        result = await asked(session, port, http())
    assert (result.ok, result.port_open) == (False, False)
    assert result.said == text("probe.dropped", port=port)


async def test_what_is_not_http(session: aiohttp.ClientSession) -> None:
    async with serving(babble) as port:
        result = await asked(session, port, http())
    assert (result.ok, result.port_open) == (False, True)
    assert result.said == text("probe.garbled", port=port)


async def test_tcp_is_content_with_a_connection(session: aiohttp.ClientSession) -> None:
    async with serving(drop) as port:
        result = await asked(session, port, tcp(port))
    assert (result.ok, result.port_open) == (True, True)
    assert result.said == text("probe.connected", port=port)


async def test_an_address_that_cannot_be_reached(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(host: str, port: int) -> None:
        raise OSError(113, "No route to host")

    monkeypatch.setattr(asyncio, "open_connection", unreachable)
    result = await asked(session, 8000, tcp(8000))
    assert (result.ok, result.said) == (False, text("probe.no_address"))


# -- where to ask


@pytest.mark.parametrize(
    ("found", "host", "port"),
    [
        (container("web", ports={"8000/tcp": (("127.0.0.1", 8010),)}), "127.0.0.1", 8010),
        (container("web", ports={"8000/tcp": (("0.0.0.0", 8010),)}), "127.0.0.1", 8010),
        (container("web", ports={"8000/tcp": (("::", 8010),)}), "127.0.0.1", 8010),
        (container("web", ports={"8000/tcp": (("10.1.2.3", 8010),)}), "10.1.2.3", 8010),
        (
            container("web", ports={"9000/tcp": (("", 1),)}, addresses={"n": "10.0.0.2"}),
            "10.0.0.2",
            8000,
        ),
        (container("web", addresses={"n": "10.0.0.2"}), "10.0.0.2", 8000),
        (container("web"), "127.0.0.1", 8000),
    ],
    ids=["published", "all", "all v6", "one address", "other port", "own address", "host network"],
)
def test_the_published_address_first(found: ContainerObs, host: str, port: int) -> None:
    assert target_of(found, http()) == Target(found.incarnation, host, port)


def test_without_a_port_there_is_nothing_to_ask() -> None:
    assert target_of(container("web"), http(port=None)) is None


# -- the loops


async def first(told: asyncio.Queue[str]) -> str:
    async with asyncio.timeout(10):
        return await told.get()


async def test_a_loop_asks_until_it_is_told_to_forget() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    prober = Prober(told.put_nowait)
    async with serving(says(200)) as port:
        prober.watch("web", Target("life", "127.0.0.1", port), http())
        assert await first(told) == "web"
        history = prober.history("web")
        assert history is not None
        assert (history.incarnation, history.ready_at is not None) == ("life", True)
        prober.watch("web", None, http())
        assert prober.history("web") is None
    await prober.close()


async def test_the_same_target_is_not_begun_again() -> None:
    told: asyncio.Queue[str] = asyncio.Queue()
    prober = Prober(told.put_nowait)
    async with serving(says(200)) as port:
        target = Target("life", "127.0.0.1", port)
        prober.watch("web", target, http())
        await first(told)
        before = prober.history("web")
        prober.watch("web", target, http())
        assert prober.history("web") is before
        prober.watch("web", Target("next life", "127.0.0.1", port), http())
        fresh = prober.history("web")
        assert fresh is not None
        assert (fresh.incarnation, fresh.results) == ("next life", ())
        await first(told)
    await prober.close()


async def test_services_without_a_probe_are_not_asked() -> None:
    prober = Prober(lambda service: None)
    for kind in (ProbeKind.NONE, ProbeKind.ENGINE):
        prober.watch("web", Target("life", "127.0.0.1", 1), ProbeSpec(kind, 1))
        assert prober.history("web") is None
    await prober.close()

"""One probe against a real socket on this machine: every way a service can answer, or not."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import aiohttp
import pytest
from core_builders import NOW, container
from core_sockets import Answer, hang, says, serving

from controller.health.probe import Target, ask, new_session, target_of
from controller.model.observation import ContainerObs
from controller.model.probe import ProbeResult
from controller.model.spec import ProbeKind, ProbeSpec
from controller.model.text import text


def http(port: int | None = 8000, timeout_s: float = 2.0) -> ProbeSpec:
    return ProbeSpec(ProbeKind.HTTP, port, "/health", timeout_s=timeout_s)


def tcp(port: int, timeout_s: float = 2.0) -> ProbeSpec:
    return ProbeSpec(ProbeKind.TCP, port, timeout_s=timeout_s)


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
    assert (result.said, result.timed_out) == (text("probe.timeout", seconds=0.05), True)


@pytest.fixture
def full_port() -> Iterator[int]:
    """A port whose queue is full: the kernel leaves new connections unanswered."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.create_connection(listening.getsockname()):
            yield listening.getsockname()[1]


async def test_a_connection_that_never_comes_about_is_not_a_hang(
    session: aiohttp.ClientSession, full_port: int
) -> None:
    for probe in (http(timeout_s=0.3), tcp(full_port, timeout_s=0.3)):
        result = await asked(session, full_port, probe)
        assert (result.ok, result.port_open, result.timed_out) == (False, False, True)


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


# -- what the body must say


def tells(body: bytes, status: int = 200, length: int | None = None) -> Answer:
    """Answers with `body`, or with its beginning where `length` promises more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        promised = len(body) if length is None else length
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {promised}\r\n\r\n".encode() + body)
        await writer.drain()
        if promised > len(body):
            await reader.read()

    return answer


MATCHED = replace(http(), match=r'"status":\s*"(ok|올바름)"')


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (tells(b'{"status": "ok"}'), True),
        (tells('{"status":"올바름"}'.encode()), True),
        (tells(b'{"status": "degraded"}'), False),
        (tells(b""), False),
        (tells(b"\xff\xfe" + b'"status":"ok"'), True),
        (tells(b" " * 65_500 + b'"status":"ok"'), True),
        (tells(b" " * 65_536 + b'"status":"ok"'), False),
    ],
    ids=["there", "in Korean", "not there", "no body", "not UTF-8", "late", "too late"],
)
async def test_the_body_must_match(
    session: aiohttp.ClientSession, answer: Answer, ok: bool
) -> None:
    async with serving(answer) as port:
        result = await asked(session, port, MATCHED)
    assert (result.ok, result.port_open) == (ok, True)
    pattern = MATCHED.match or ""
    missed = text("probe.no_match", status=200, pattern=pattern)
    assert result.said == (text("probe.http", status=200) if ok else missed)


async def test_a_bad_status_needs_no_match(session: aiohttp.ClientSession) -> None:
    async with serving(tells(b'"status":"ok"', 503)) as port:
        result = await asked(session, port, MATCHED)
    assert (result.ok, result.said) == (False, text("probe.http", status=503))


async def test_a_body_that_never_ends_is_bounded_by_the_timeout(
    session: aiohttp.ClientSession,
) -> None:
    async with serving(tells(b"{", length=99)) as port:
        result = await asked(session, port, replace(MATCHED, timeout_s=0.1))
    assert (result.ok, result.port_open, result.timed_out) == (False, True, True)


async def test_a_body_that_breaks_off(session: aiohttp.ClientSession) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{")

    async with serving(answer) as port:
        result = await asked(session, port, MATCHED)
    assert (result.ok, result.said) == (False, text("probe.garbled", port=port))


# -- what says nothing about the service


@contextmanager
def no_more_files() -> Iterator[None]:
    """This process has as many open files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0] + 32, hard))
    try:
        while True:
            try:
                taken.append(os.dup(0))
            except OSError:
                break
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for file in taken:
            os.close(file)


async def test_a_hub_without_sockets_blames_itself(session: aiohttp.ClientSession) -> None:
    async with serving(says(200)) as port:
        for probe in (http(), tcp(port)):
            with no_more_files(), pytest.raises(OSError, match="Too many open files"):
                await asked(session, port, probe)
            assert (await asked(session, port, probe)).ok


async def test_a_closed_session_is_the_hubs_own_fault(session: aiohttp.ClientSession) -> None:
    await session.close()
    with pytest.raises(RuntimeError):
        await asked(session, 8000, http())


def connecting(error: int) -> Callable[[str, int], object]:
    async def fails(host: str, port: int) -> None:
        raise OSError(error, os.strerror(error))

    return fails


@pytest.mark.parametrize("error", [errno.ENOMEM, errno.EADDRNOTAVAIL, errno.EPERM])
async def test_errors_that_are_not_known_to_be_answers_raise(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    monkeypatch.setattr(asyncio, "open_connection", connecting(error))
    with pytest.raises(OSError, match=os.strerror(error)):
        await asked(session, 8000, tcp(8000))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errno.ECONNRESET, "probe.dropped"),
        (errno.ENETUNREACH, "probe.no_address"),
        (errno.EHOSTUNREACH, "probe.no_address"),
        (errno.ETIMEDOUT, "probe.timeout"),
    ],
)
async def test_errors_that_are_answers(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch, error: int, said: str
) -> None:
    monkeypatch.setattr(asyncio, "open_connection", connecting(error))
    result = await asked(session, 8000, tcp(8000))
    assert (result.ok, result.port_open, result.said.key) == (False, False, said)


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

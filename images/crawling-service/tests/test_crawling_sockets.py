"""Nothing leads inside, asserted where it counts: at the interpreter's own event for a connection.

`sys.addaudithook` hears every `connect` that Python makes, below every library, so neither a
message nor a fake of ours can hide one. Listeners on the loopback count what arrives; the real
resolver reads the spellings; and a control shows that the same listener is reached when it is
allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from crawling_fakes import tools_of

from crawling_service import guard
from crawling_service.crawl import Crawl
from crawling_service.fetch import Fetcher, PinnedBackend
from crawling_service.limits import Limits
from crawling_service.outcome import Outcome
from crawling_service.plan import Plan

_PUBLIC = "93.184.215.14"


class Watch:
    """Every connection asked of the kernel while it is on; those to the outside are refused."""

    def __init__(self) -> None:
        self.on = False
        self.asked: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.on or event not in {"socket.connect", "socket.sendto"}:
            return
        address = args[1]
        if isinstance(address, tuple):
            self.asked.append(address[0])
            if not ipaddress.ip_address(address[0]).is_loopback:
                raise ConnectionRefusedError("the test has no way out")


_WATCH = Watch()


@pytest.fixture
def asked() -> Iterator[list[str]]:
    _WATCH.asked, _WATCH.on = [], True
    yield _WATCH.asked
    _WATCH.on = False


class Inside:
    """A service of the inner network: it counts who comes."""

    def __init__(self) -> None:
        self.accepted = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        await reader.readuntil(b"\r\n\r\n")
        body = b"<title>secret</title><p>inside"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@pytest.fixture
async def inside(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Inside]:
    """On both loopbacks, at a port that the guard takes for a public one."""
    service = Inside()
    first = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    service.port = first.sockets[0].getsockname()[1]
    servers = [first]
    if socket.has_ipv6:
        with contextlib.suppress(OSError):  # a machine without IPv6 has one way less inside
            servers.append(await asyncio.start_server(service.serve, "::1", service.port))
    monkeypatch.setattr(guard, "PUBLIC_PORTS", guard.PUBLIC_PORTS | {service.port})
    yield service
    for server in servers:
        server.close()


async def crawl(url: str, allow: frozenset[str] = frozenset()) -> Outcome:
    limits = Limits(allow=allow, host_delay_s=0, connect_s=1, request_s=2)
    plan = Plan((url,), max_pages=5, max_depth=1, same_host=False, time_limit_s=5)
    async with Fetcher(limits, PinnedBackend(allow)) as fetcher:
        return await Crawl(plan, limits, tools_of(limits, fetcher)).run()


SPELLINGS = [
    *("127.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "127.000.000.001", "127.255.255.254"),
    *("2130706433", "0x7f000001", "0x7F.0.0.1", "0x7f.1", "017700000001", "0177.0.0.1", "0177.1"),
    *("0x7f.0x0.0x0.0x1", "0177.0.0x1", "00000177.0.0.1", "127.0x1", "4294967295"),
    *("0", "0.0.0.0", "0x0", "00", "000.000.000.000"),
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]"),
    *("[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]"),
    *("[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[fe80::1]", "[fec0::1]"),
    *("[fc00::1]", "[fd12:3456:789a::1]", "[ff02::1]", "[2001:db8::1]", "[100::1]", "[::1%25lo]"),
    *("localhost", "LOCALHOST", "localhost.", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1"),
    *("10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "198.18.0.1"),
    *(
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
    ),
]


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_an_inner_address_opens_a_connection(
    host: str, inside: Inside, asked: list[str]
) -> None:
    outcome = await crawl(f"http://{host}:{inside.port}/")
    assert asked == []
    assert inside.accepted == 0
    assert outcome.pages == []


def test_the_table_is_as_long_as_it_must_be() -> None:
    assert len(set(SPELLINGS)) >= 40


async def test_the_same_listener_is_reached_when_it_is_allowed(
    inside: Inside, asked: list[str]
) -> None:
    """Without this the tests above could pass because nothing can be reached at all."""
    allow = frozenset({f"127.0.0.1:{inside.port}"})
    outcome = await crawl(f"http://127.0.0.1:{inside.port}/", allow)
    assert set(asked) == {"127.0.0.1"}
    assert inside.accepted == 2  # robots.txt, the page
    assert [visited.page.title for visited in outcome.pages] == ["secret"]


@pytest.fixture
def dns(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """A resolver in an attacker's hands: its next answer for a name, the last one for ever."""
    answers: dict[str, list[list[str]]] = {}
    real = socket.getaddrinfo

    def answer(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, port, *args, **more)
        script = answers[name]
        addresses = script.pop(0) if len(script) > 1 else script[0]
        return [entry for address in addresses for entry in real(address, port, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    return answers


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        [_PUBLIC, "127.0.0.1"],
        ["127.0.0.1", _PUBLIC],
        ["169.254.169.254"],
        ["10.1.2.3"],
        ["0.0.0.0"],
    ],
)
async def test_a_name_that_leads_inside_opens_no_connection(
    addresses: list[str], inside: Inside, asked: list[str], dns: dict[str, list[list[str]]]
) -> None:
    dns["attacker.example"] = [addresses]
    outcome = await crawl(f"http://attacker.example:{inside.port}/")
    assert asked == []
    assert inside.accepted == 0
    assert [skipped.reason for skipped in outcome.skipped] == ["blocked_address"]


async def test_a_name_that_changes_its_mind_is_never_followed_inside(
    inside: Inside, asked: list[str], dns: dict[str, list[list[str]]]
) -> None:
    """Public for every first look, inside for every second one, as rebinding services answer."""
    dns["rebind.example"] = [[_PUBLIC], ["127.0.0.1"]] * 6
    for _ in range(6):
        await crawl(f"http://rebind.example:{inside.port}/")
    assert set(asked) == {_PUBLIC}
    assert inside.accepted == 0


@asynccontextmanager
async def redirecting(location: str) -> AsyncIterator[int]:
    """A server of the outer world (one we allow), whose every answer is a redirect."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        status = "404 Not Found" if b"/robots.txt" in head else f"302 Found\r\nLocation: {location}"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.2", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize(
    "to", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0x7f.1", "localhost", "rebind.example"]
)
async def test_a_redirect_inside_opens_no_further_connection(
    to: str, inside: Inside, asked: list[str], dns: dict[str, list[list[str]]]
) -> None:
    dns["rebind.example"] = [["127.0.0.1"]]
    async with redirecting(f"http://{to}:{inside.port}/") as port:
        allow = frozenset({f"127.0.0.2:{port}"})
        outcome = await crawl(f"http://127.0.0.2:{port}/", allow)
    assert set(asked) == {"127.0.0.2"}
    assert inside.accepted == 0
    assert outcome.skipped[0].reason in {"blocked_address", "bad_url"}

"""A world for the crawler to meet: names and addresses as told, and a log of every connection."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import httpcore

from crawling_service.cache import Cache, NoCache
from crawling_service.fetch import Fetcher
from crawling_service.guard import BlockedError, IPAddress
from crawling_service.limits import Limits
from crawling_service.pace import Pace
from crawling_service.reading import DirectReader
from crawling_service.visit import Tools


class FakeNames:
    """A resolver: the names it was given; `calls` lists the lookups."""

    def __init__(self, names: Mapping[str, Sequence[str]]):
        self.names = names
        self.calls: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[IPAddress]:
        self.calls.append(host)
        try:
            return [ipaddress.ip_address(host)]
        except ValueError:
            pass
        if host not in self.names:
            raise BlockedError("dns_error", f"{host} can not be resolved")
        return [ipaddress.ip_address(text) for text in self.names[host]]


class CountingBackend(httpcore.AsyncNetworkBackend):
    """The layer that opens sockets: logs each attempt; `reply` plays a server, None refuses."""

    def __init__(self, reply: bytes | None = None, port_map: Mapping[int, int] | None = None):
        self.attempts: list[tuple[str, int]] = []
        self.reply = reply
        self.port_map = port_map
        self._real = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.attempts.append((host, port))
        if self.port_map is not None:
            return await self._real.connect_tcp("127.0.0.1", self.port_map[port], timeout)
        if self.reply is None:
            raise httpcore.ConnectError("refused by the test")
        return httpcore.AsyncMockStream([self.reply])


def tools_of(limits: Limits, fetcher: Fetcher, cache: Cache | None = None) -> Tools:
    """What a crawl of a test works with: pages are read in this process."""
    return Tools(fetcher, DirectReader(limits), cache or NoCache(), Pace())

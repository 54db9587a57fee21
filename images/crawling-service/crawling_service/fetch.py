"""One guarded HTTP exchange: the only code of this service that opens a connection to the world.

The guard sits where the socket is opened (`PinnedBackend.connect_tcp`), below the HTTP client, so
no redirect, keep-alive or second lookup can go round it: the addresses checked are the addresses
connected to. httpcore is used bare, for it follows no redirect and reads no proxy setting.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import socket
import ssl
import typing
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import certifi
import httpcore

from crawling_service.guard import BlockedError, IPAddress, Target, check_addresses, host_key
from crawling_service.limits import Limits

Resolver = Callable[[str, int], Awaitable[Sequence[IPAddress]]]
SocketOptions = Iterable[
    tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]
]


class FetchError(Exception):
    """The exchange failed. `reason` is a code, `detail` a sentence."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Reply:
    """One response, not yet judged: `body` is decoded from its content coding, at most the cap."""

    status: int
    content_type: str
    location: str | None
    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    cache_control: str = ""
    retry_after_s: float = 0.0


async def resolve(host: str, port: int) -> Sequence[IPAddress]:
    """Every address the system's resolver gives. Raises BlockedError `dns_error`."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise BlockedError("dns_error", f"{host} can not be resolved: {error}") from None
    return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Resolves, checks every address, and connects to the checked addresses only."""

    def __init__(
        self,
        allow: frozenset[str],
        *,
        resolver: Resolver = resolve,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ):
        self._allow = allow
        self._resolve = resolver
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises BlockedError before any socket exists; ConnectError when no address answers."""
        try:
            # A resolver that does not answer is waited for no longer than a server would be.
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            detail = f"{host} was not resolved within {timeout:g} s"
            raise BlockedError("dns_error", detail) from None
        check_addresses(addresses, allowed_private=host_key(host, port) in self._allow)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: SocketOptions | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise BlockedError("bad_scheme", "local sockets are never contacted")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Fetcher:
    """A connection pool for one crawl; use as an async context manager."""

    def __init__(self, limits: Limits, backend: httpcore.AsyncNetworkBackend):
        self._limits = limits
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=limits.concurrency,
            max_keepalive_connections=limits.concurrency,
            keepalive_expiry=10.0,
            network_backend=backend,
        )

    async def __aenter__(self) -> typing.Self:
        await self._pool.__aenter__()
        return self

    async def __aexit__(self, *exc: typing.Any) -> None:
        await self._pool.__aexit__(*exc)

    async def get(
        self,
        target: Target,
        *,
        body_bytes: int,
        types: frozenset[str] | None = None,
        conditions: Mapping[str, str] | None = None,
    ) -> Reply:
        """One GET, no redirect followed; a body of a type not in `types` is not downloaded.

        `conditions` are further headers, such as `If-None-Match`.

        Raises FetchError (`timeout`, `connect_error`, `broken_reply`, `too_large`,
        `unsupported_encoding`, `unsupported_type`) or BlockedError.
        """
        limits = self._limits
        try:
            async with asyncio.timeout(limits.request_s):
                return await self._exchange(target, body_bytes, types, conditions or {})
        except TimeoutError:
            raise FetchError(
                "timeout", f"no complete answer within {limits.request_s:g} s"
            ) from None
        except httpcore.TimeoutException:
            raise FetchError("timeout", f"no connection in {limits.connect_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            kind = "connect_error" if isinstance(error, httpcore.ConnectError) else "broken_reply"
            raise FetchError(kind, f"{target.key}: {error or type(error).__name__}") from None

    async def _exchange(
        self,
        target: Target,
        body_bytes: int,
        types: frozenset[str] | None,
        conditions: Mapping[str, str],
    ) -> Reply:
        request_headers: dict[bytes | str, bytes | str] = {
            "Host": target.netloc,
            "User-Agent": self._limits.user_agent,
            "Accept": "text/html, application/xhtml+xml, text/plain;q=0.8, */*;q=0.1",
            "Accept-Language": "ko, en;q=0.8",
            "Accept-Encoding": "gzip",
        }
        request_headers.update(conditions.items())
        url = httpcore.URL(
            scheme=target.scheme, host=target.host, port=target.port, target=target.path
        )
        timeouts = {"connect": self._limits.connect_s, "read": self._limits.request_s}
        async with self._pool.stream(
            "GET", url, headers=request_headers, extensions={"timeout": timeouts}
        ) as response:
            headers = {
                k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers
            }
            kind = headers.get("content-type", "")
            body = b""
            if 200 <= response.status < 300:
                if types is not None and kind and kind.split(";")[0].strip().lower() not in types:
                    raise FetchError("unsupported_type", f"the page is {kind!r}, not HTML")
                body = await _read(response, headers.get("content-encoding", ""), body_bytes)
            return Reply(
                response.status,
                kind,
                headers.get("location"),
                body,
                headers.get("etag"),
                headers.get("last-modified"),
                headers.get("cache-control", ""),
                _seconds(headers.get("retry-after", "")),
            )


def _seconds(retry_after: str) -> float:
    """Only a number of seconds is understood; a date is taken as no wish."""
    text = retry_after.strip()
    return float(text) if text.isdecimal() and len(text) < 7 else 0.0


async def _read(response: httpcore.Response, coding: str, cap: int) -> bytes:
    """The decoded body. Raises FetchError `too_large` at the cap, whatever the coding claims."""
    coding = coding.strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise FetchError("unsupported_encoding", f"content coding {coding!r} is not read")
    decoder = None if coding in {"", "identity"} else zlib.decompressobj(wbits=47)
    body = bytearray()
    received = False
    try:
        async for chunk in response.aiter_stream():
            received = received or bool(chunk)
            room = cap + 1 - len(body)
            body += chunk if decoder is None else decoder.decompress(chunk, room)
            if len(body) > cap:
                raise FetchError("too_large", f"the body is larger than {cap} bytes")
    except zlib.error as error:
        raise FetchError("broken_reply", f"the compressed body is broken: {error}") from None
    if decoder is not None and received and not decoder.eof:
        raise FetchError("broken_reply", "the compressed body ends early")
    return bytes(body)


@functools.cache
def _tls() -> ssl.SSLContext:
    """Verifying TLS with the machine's own authorities (a company's CA) and certifi's."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context

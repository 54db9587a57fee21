"""The engine's log streams, followed without threads: one connection each, and no more read than
asked for, so that a container that floods waits in the engine's own files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import aiohttp

from controller.engine.client import checked
from controller.engine.events import DEFAULT_SOCKET, where
from controller.errors import EngineError, EngineNotFoundError, EngineUnreachableError

PIECE = 16_384
"""Bytes that are read at once, at most."""
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class LogStream:
    """An open stream. `has_terminal` says that it comes without frames."""

    has_terminal: bool
    _content: aiohttp.StreamReader

    async def read(self) -> bytes:
        """Up to PIECE bytes; none where the container has ended. Raises EngineUnreachableError."""
        try:
            return await self._content.read(PIECE)
        except (aiohttp.ClientError, OSError) as error:
            raise _gone(error) from error


class LogStreams:
    """Opens streams of one engine. Use from one event loop."""

    def __init__(self, base_url: str | None = None):
        self._base_url = base_url or os.environ.get("DOCKER_HOST") or DEFAULT_SOCKET
        self._session: aiohttp.ClientSession | None = None
        self._url = ""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    @asynccontextmanager
    async def open(
        self, container_id: str, *, since: int | None, last: int
    ) -> AsyncIterator[LogStream]:
        """What the container writes, each line with its time, from `since` (nanoseconds since 1970)
        on and goes on as it comes; of what is there already the `last` lines at most.

        Raises EngineNotFoundError, EngineUnreachableError, and EngineError where its log cannot be
        read, as with the driver `none`.
        """
        path = f"/containers/{quote(checked(container_id))}"
        query = {"follow": "1", "stdout": "1", "stderr": "1", "timestamps": "1", "tail": str(last)}
        if since is not None:
            query["since"] = f"{since // _NANO}.{since % _NANO:09d}"
        try:
            session = self._opened()
            async with session.get(f"{self._url}{path}/json") as answer:
                await _check(answer)
                has_terminal = bool((await answer.json())["Config"]["Tty"])
            async with session.get(f"{self._url}{path}/logs", params=query) as answer:
                await _check(answer)
                yield LogStream(has_terminal, answer.content)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _gone(error) from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector, self._url = where(self._base_url, limit=0)
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
            # A small buffer: what is not asked for stays with the engine.
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, read_bufsize=PIECE, auto_decompress=False
            )
        return self._session


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    said = (await answer.text())[:300]
    if answer.status == 404:
        raise EngineNotFoundError("the container is gone")
    if answer.status >= 500 and "driver" not in said:
        raise EngineUnreachableError(f"reading a container's log: {answer.status} {said}")
    raise EngineError(
        f"The engine does not give this container's log: {said}",
        remedy="Use a logging driver that can be read, such as json-file or local.",
    )


def _gone(error: BaseException) -> EngineUnreachableError:
    return EngineUnreachableError(f"following a container's log: {type(error).__name__}: {error}")

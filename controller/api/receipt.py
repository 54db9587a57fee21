"""Receives requests within a deadline, so that slow or endless clients cannot hold the hub.

uvicorn waits for ever for the rest of a request's header. Here a connection that has not delivered
a whole request in time is cut, as is one whose header grows without end or that is one too many.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class PromptProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a receipt deadline, a header limit and a connection cap."""

    deadline_s = 10.0
    max_header_bytes = 64 * 1024
    max_connections = 6000

    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is not None and self._header_bytes >= 0:
            self._header_bytes += len(data)
        super().data_received(data)
        if self._header_bytes > self.max_header_bytes:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._timer is None:
            self._begin()

    def on_headers_complete(self) -> None:
        # What follows is body, which has a limit of its own.
        self._header_bytes = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._end()
        super().on_message_complete()

    def _begin(self) -> None:
        self._header_bytes = 0
        self._timer = self.loop.call_later(self.deadline_s, self.transport.abort)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

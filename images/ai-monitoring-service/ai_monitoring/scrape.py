"""Asks one target for its metrics: bounded in time and size, no redirect, no proxy. Blocking."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from urllib.parse import urlsplit

from ai_monitoring.exposition import MAX_BYTES, Snapshot, UnreadableError, read

TIMEOUT_S = 3.0
_PIECE = 65_536


class ScrapeError(Exception):
    """Why a target has nothing to say now, as a sentence."""


def scrape(url: str, monotonic: Callable[[], float]) -> Snapshot:
    """Raises ScrapeError."""
    parts = urlsplit(url)
    deadline = monotonic() + TIMEOUT_S
    connection = http.client.HTTPConnection(
        parts.hostname or "", parts.port or 80, timeout=TIMEOUT_S
    )
    try:
        connection.request("GET", parts.path or "/metrics", headers={"Accept": "text/plain"})
        reply = connection.getresponse()
        if reply.status != 200:
            raise ScrapeError(f"it answered {reply.status}")
        return read(_body(reply, deadline, monotonic).decode("utf-8", errors="replace"))
    except TimeoutError:
        raise ScrapeError(f"no answer within {TIMEOUT_S:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise ScrapeError(f"it cannot be reached: {error or type(error).__name__}") from None
    except UnreadableError as error:
        raise ScrapeError(str(error)) from None
    finally:
        connection.close()


def _body(
    reply: http.client.HTTPResponse, deadline: float, monotonic: Callable[[], float]
) -> bytes:
    body = bytearray()
    while piece := reply.read1(_PIECE):
        body += piece
        if len(body) > MAX_BYTES:
            raise ScrapeError(f"its metrics are larger than {MAX_BYTES} bytes")
        if monotonic() > deadline:
            raise TimeoutError
    return bytes(body)

"""Answers made small for the way: over a tunnel, bytes are what a page waits for.

Files are packed once when the hub starts, pages when they are asked for; a large page is packed by
a thread, so that no other answer waits for it. Streams of events are never packed: what is packed
waits for more, and an event must not.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

import zstandard
from fastapi.responses import HTMLResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Receive, Scope, Send

WAYS = ("zstd", "gzip")
_WORTH = 1_000
_LARGE = 100_000
_QUICK = {"zstd": 3, "gzip": 4}
_BEST = {"zstd": 19, "gzip": 9}
_GZIP = 31  # zlib's window bits for a gzip wrapper


def way_of(accepted: str) -> str:
    """The best way that an Accept-Encoding header allows; empty for none."""
    allowed = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.strip().partition(";")
        try:
            quality = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            quality = 0.0
        allowed[name.strip()] = quality
    return next((way for way in WAYS if allowed.get(way, 0.0) > 0), "")


def packed(body: bytes, way: str, level: int | None = None) -> bytes:
    level = _QUICK[way] if level is None else level
    if way == "zstd":
        return zstandard.ZstdCompressor(level=level).compress(body)
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()


def every_way(body: bytes) -> Mapping[str, bytes]:
    """What is packed once may take its time; ways that do not help are left out."""
    made = {way: packed(body, way, _BEST[way]) for way in WAYS}
    return {way: small for way, small in made.items() if len(small) < len(body)}


class PackedPage(HTMLResponse):
    """A page or a part of one, packed for whoever understands it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        way = way_of(Headers(scope=scope).get("accept-encoding", ""))
        plain = bytes(self.body)
        if way and len(plain) >= _WORTH:
            large = len(plain) > _LARGE
            self.body = await asyncio.to_thread(packed, plain, way) if large else packed(plain, way)
            headers = MutableHeaders(raw=self.raw_headers)
            headers["Content-Encoding"] = way
            headers["Content-Length"] = str(len(self.body))
        await super().__call__(scope, receive, send)

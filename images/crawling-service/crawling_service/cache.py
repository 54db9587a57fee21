"""What earlier crawls saw of a URL, so that a server need only say that it has not changed.

Bodies are kept, not what was made of them: a newer reader reads an old body anew. Only what the
server gave a validator for, and did not forbid to keep, is kept.
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

_LARGEST = 131_072  # of a body as stored: 500 of them stay below 100 MB


@dataclass(frozen=True, slots=True)
class Cached:
    """A body with what its server will recognise it by."""

    etag: str | None
    last_modified: str | None
    content_type: str
    body: bytes

    def conditions(self) -> dict[str, str]:
        """The request headers that ask whether it has changed."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in asked.items() if value}


class Cache(Protocol):
    """Where bodies are kept between crawls."""

    async def get(self, url: str) -> Cached | None: ...
    async def put(self, url: str, cached: Cached) -> None: ...


class NoCache:
    """Remembers nothing."""

    async def get(self, url: str) -> Cached | None:
        return None

    async def put(self, url: str, cached: Cached) -> None:
        return None


def key_of(url: str) -> str:
    """The document key of a URL."""
    return hashlib.sha256(url.encode()).hexdigest()


def keepable(etag: str | None, last_modified: str | None, cache_control: str) -> bool:
    """Whether a reply may be kept and can be asked about."""
    return bool(etag or last_modified) and "no-store" not in cache_control.lower()


def to_document(url: str, cached: Cached) -> dict[str, Any] | None:
    """None for a body too large to keep."""
    packed = zlib.compress(cached.body, 6)
    if len(packed) > _LARGEST:
        return None
    return {
        "url": url,
        "etag": cached.etag,
        "last_modified": cached.last_modified,
        "content_type": cached.content_type,
        "body": base64.b64encode(packed).decode("ascii"),
    }


def from_document(document: dict[str, Any]) -> Cached:
    """What `to_document` made."""
    return Cached(
        document["etag"],
        document["last_modified"],
        document["content_type"],
        zlib.decompress(base64.b64decode(document["body"])),
    )

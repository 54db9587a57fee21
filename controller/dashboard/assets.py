"""The pages' own files, served by the hub, so that the dashboard works with no internet.

One digest over all of them stands in every address: browsers may keep a file for a year, and an
upgrade changes every address at once (modules import each other by relative path, so they must
never be mixed from two versions). They are packed once, here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response

from controller.dashboard import packing
from controller.errors import NotFoundError

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PREFIX = "/dashboard/assets"
# What every page wants before it paints comes in one answer, in this order.
_TOGETHER = {"pages.css": ("base.css", "parts.css", "healing.css", "workflows.css", "panel.css")}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory, as it is and packed. `tag` is its digest."""

    body: bytes
    media_type: str
    tag: str
    packed: Mapping[str, bytes]

    def served(self, way: str) -> tuple[bytes, str, str]:
        """The bytes, how they are packed, and their quoted ETag: packed ones are other bytes, so
        they have another."""
        if way in self.packed:
            return self.packed[way], way, f'"{self.tag}-{way}"'
        return self.body, "", f'"{self.tag}"'


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by relative path, and the digest of the whole."""

    digest: str
    files: dict[str, Asset]

    def url(self, path: str) -> str:
        """The address of a file. Raises KeyError for one that does not exist."""
        self.files[path]
        return f"{PREFIX}/{self.digest}/{path}"

    def answer(self, request: Request, digest: str, path: str) -> Response:
        """A file of ours. An address of another version still answers, but is not to be kept.

        Raises NotFoundError.
        """
        found = self.files.get(path)
        if found is None:
            raise NotFoundError("The dashboard has no such file.")
        way = packing.way_of(request.headers.get("accept-encoding", ""))
        body, encoding, etag = found.served(way)
        headers = {
            "Cache-Control": (
                "public, max-age=31536000, immutable" if digest == self.digest else "no-cache"
            ),
            "ETag": etag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(body, media_type=found.media_type, headers=headers)


def load(folder: Path) -> Assets:
    """Read every servable file under `folder`; notes and licences beside them stay private."""
    found = {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.suffix in _TYPES
    }
    for name, parts in _TOGETHER.items():
        found[name] = b"\n".join(found.pop(part) for part in parts)
    files = {path: _asset(path, body) for path, body in found.items()}
    whole = "".join(f"{path}={asset.tag}\n" for path, asset in files.items())
    return Assets(hashlib.sha256(whole.encode()).hexdigest()[:12], files)


def _asset(path: str, body: bytes) -> Asset:
    tag = hashlib.sha256(body).hexdigest()[:20]
    return Asset(body, _TYPES[Path(path).suffix], tag, packing.every_way(body))

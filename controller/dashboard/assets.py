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

from controller.dashboard import packing

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PREFIX = "/dashboard/assets"


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


def load(folder: Path) -> Assets:
    """Read every servable file under `folder`; notes and licences beside them stay private."""
    files = {}
    whole = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        if file.suffix not in _TYPES:
            continue
        path, body = file.relative_to(folder).as_posix(), file.read_bytes()
        digest = hashlib.sha256(body).hexdigest()
        whole.update(f"{path}={digest}\n".encode())
        files[path] = Asset(body, _TYPES[file.suffix], digest[:20], packing.every_way(body))
    return Assets(whole.hexdigest()[:12], files)

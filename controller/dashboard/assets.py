"""The pages' own files, served by the hub, so that the dashboard works with no internet.

One digest over all of them stands in every address: browsers may keep a file for a year, and an
upgrade changes every address at once (modules import each other by relative path, so they must
never be mixed from two versions).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PREFIX = "/dashboard/assets"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file in memory; `etag` is quoted, as the header wants it."""

    body: bytes
    media_type: str
    etag: str


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
        files[path] = Asset(body, _TYPES[file.suffix], f'"{digest[:20]}"')
    return Assets(whole.hexdigest()[:12], files)

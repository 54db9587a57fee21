"""Keeps uploaded files on the data volume, beside the SQLite file, each under its document id.

The id of an upload is derived from its bytes: the same file twice is one document, so an upload may
be repeated when nobody knows whether the first one arrived. Blocking; call it off the event loop.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

_ID = re.compile(r"doc_[0-9a-f]{32}")
# A file this young may belong to an upload whose record is about to be written.
_YOUNG_SECONDS = 600


class FullError(Exception):
    """The shelf's bound would be passed. `used` and `bound` are bytes."""

    def __init__(self, used: int, bound: int):
        super().__init__(f"{used} of {bound} bytes are used")
        self.used = used
        self.bound = bound


class Shelf:
    """A folder of documents, at most `bound` bytes in all."""

    def __init__(self, folder: Path, bound: int):
        self._folder = folder
        self._bound = bound

    def path(self, document_id: str) -> Path:
        """Where the document is or would be. Raises ValueError for what is no id."""
        if not _ID.fullmatch(document_id):
            raise ValueError(f"{document_id!r} is no document id")
        return self._folder / document_id

    def put(self, data: bytes) -> tuple[str, str]:
        """The document's id and SHA-256. Raises FullError, OSError."""
        digest = hashlib.sha256(data).hexdigest()
        document_id = f"doc_{digest[:32]}"
        self.put_as(document_id, data)
        return document_id, digest

    def put_as(self, document_id: str, data: bytes) -> None:
        """Under an id of the caller's, whole or not at all. Raises FullError, OSError."""
        target = self.path(document_id)
        self._folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            os.utime(target)
            return
        used = sum(entry.stat().st_size for entry in os.scandir(self._folder))
        if used + len(data) > self._bound:
            raise FullError(used, self._bound)
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(target)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def remove(self, document_id: str) -> None:
        """Removes the file; nothing happens if there is none."""
        self.path(document_id).unlink(missing_ok=True)

    def sweep(self, known: Callable[[str], bool], now: float) -> int:
        """Removes files that no record knows (expired, or left by a crash). Returns how many."""
        if not self._folder.is_dir():
            return 0
        removed = 0
        for entry in list(os.scandir(self._folder)):
            if now - entry.stat().st_mtime > _YOUNG_SECONDS and not known(entry.name):
                Path(entry.path).unlink(missing_ok=True)
                removed += 1
        return removed

"""The only place of the configuration that touches the disk, because files can be hostile too.

A path may name a FIFO that never answers, a device that never ends or a link out of the project.
Everything is opened without blocking, checked to be a regular file, read up to a limit, and kept
in a ledger from which the digest of a configuration is taken.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from pathlib import Path

from controller.config.yaml12 import MAX_CHARS
from controller.errors import ConfigError

# One file may be read for each of very many services.
MAX_TOTAL = 4 * 1024 * 1024
STDIN = "-"


class FileReader:
    """Reads text files and remembers what it read."""

    def __init__(self) -> None:
        self._read: dict[Path, bytes] = {}
        self._total = 0

    @property
    def sources(self) -> tuple[Path, ...]:
        """Absolute paths of all files read, in the order of reading."""
        return tuple(self._read)

    def digest(self) -> str:
        """SHA-256 (64 hex) over the bytes of every file read, in the order of reading."""
        total = hashlib.sha256()
        for data in self._read.values():
            # The length keeps a byte from moving to the next file unnoticed.
            total.update(f"{len(data)}\0".encode())
            total.update(data)
        return total.hexdigest()

    def read(self, path: str, *, root: str | None = None, missing_ok: bool = False) -> str | None:
        """The text of a file (UTF-8, at most 256 KB), or None if missing and that is fine.

        With `root`, a file whose real place is outside that folder is refused.
        Raises ConfigError naming the file.
        """
        if "\0" in path:
            raise ConfigError(
                [f"{path!r}: a path cannot hold a zero byte"], remedy="check the path"
            )
        if root is not None:
            self._check_inside(path, root)
        data = self._bytes(path, missing_ok)
        if data is None:
            return None
        self._total += len(data)
        if self._total > MAX_TOTAL:
            raise ConfigError(
                [f"{path}: with this file more than {MAX_TOTAL} bytes are read in all"],
                remedy="name fewer or smaller files",
            )
        self._read[Path(path)] = data
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise ConfigError(
                [f"{path}:{line}: the file is not UTF-8 text"], remedy="save it as UTF-8"
            ) from error

    def _check_inside(self, path: str, root: str) -> None:
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            raise ConfigError(
                [f"{path}: the file is outside the project directory {root}"],
                remedy="move it into the project, or choose a project directory that holds both",
            )

    def _bytes(self, path: str, missing_ok: bool) -> bytes | None:
        if path == STDIN:
            return self._regular_bytes("standard input", sys.stdin.fileno(), any_kind=True)
        try:
            # O_NONBLOCK: opening a FIFO without a writer would wait for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError) as error:
            if missing_ok:
                return None
            raise ConfigError(
                [f"{path}: there is no such file"], remedy="check the path, or create the file"
            ) from error
        except OSError as error:
            raise ConfigError(
                [f"{path}: the file cannot be opened: {error.strerror}"], remedy="check the path"
            ) from error
        try:
            return self._regular_bytes(path, descriptor)
        except OSError as error:
            raise ConfigError(
                [f"{path}: the file cannot be read: {error.strerror}"], remedy="check the disk"
            ) from error
        finally:
            os.close(descriptor)

    def _regular_bytes(self, path: str, descriptor: int, *, any_kind: bool = False) -> bytes:
        if not any_kind and not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ConfigError([f"{path}: not a regular file"], remedy="name a plain text file")
        chunks: list[bytes] = []
        room = MAX_CHARS + 1
        while room > 0 and (chunk := os.read(descriptor, room)):
            chunks.append(chunk)
            room -= len(chunk)
        if room <= 0:
            raise ConfigError(
                [f"{path}: the file is larger than {MAX_CHARS} bytes"],
                remedy="split it into several files",
            )
        return b"".join(chunks)

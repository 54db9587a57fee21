"""A stranger's build context as one tar, the way Docker itself sends it.

Modes, links and empty folders are kept, links are never followed, and nothing that lies outside the
folder the hub may read is opened. The tar is a file on disk, because the engine takes it in one
piece and a context may be far larger than the hub's memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from docker.utils.build import PatternMatcher

from controller.errors import EngineError
from controller.model.build import BuildSpec

MOST_BYTES = 4 * 1024**3
MOST_FILES = 200_000
_MOST_DOCKERFILE = 1024**2
_IGNORE = ".dockerignore"


class ContextError(EngineError):
    """A build cannot even begin, because of what is or is not in its folder."""


@dataclass(frozen=True, slots=True)
class Context:
    """A tar, to be read from its start, and the name of the Dockerfile in it."""

    tar: IO[bytes]
    dockerfile: str


@dataclass(frozen=True, slots=True)
class _Parts:
    """What goes into a tar beside the folder, and the patterns of what does not."""

    dockerfile: str
    patterns: tuple[str, ...]
    extra: tuple[tuple[str, bytes], ...] = ()


@contextmanager
def packed(build: BuildSpec, scratch: Path | None = None) -> Iterator[Context]:
    """The context of `build` as a temporary file in the folder `scratch` (the system's by default).

    Raises ContextError with the file, the line that asks for it and a remedy.
    """
    folder = _inside(build, build.context, "context")
    if not folder.is_dir():
        raise _wrong(build, f"{build.context} is not a folder", "make it, or correct `context`")
    with tempfile.TemporaryFile(dir=scratch) as file:
        try:
            parts = _parts(build, folder)
            _write(file, folder, parts, build)
        except OSError as error:
            told = f"{error.filename or folder} cannot be read: {error.strerror or error}"
            raise _wrong(build, told, "make it readable, or name it in .dockerignore") from error
        except RecursionError as error:
            raise _wrong(build, f"{folder} is nested too deep", "leave it out") from error
        file.seek(0)
        yield Context(file, parts.dockerfile)


def _parts(build: BuildSpec, folder: Path) -> _Parts:
    """Where the Dockerfile comes from, and what is left out.

    A text of its own travels under a name of its own, named in .dockerignore so that `COPY .` does
    not find it: as Docker's own client does.
    """
    if build.inline is not None:
        patterns = _patterns(folder / _IGNORE)
        return _with_text(build.inline.encode(), patterns, folder)
    path = _inside(build, str(folder / build.dockerfile), "dockerfile")
    if not path.is_file():
        raise _wrong(build, f"there is no {folder / build.dockerfile}", "correct `dockerfile`")
    special = path.with_name(f"{path.name}{_IGNORE}")
    own = special.is_file()
    patterns = _patterns(special if own else folder / _IGNORE)
    if path.is_relative_to(folder) and not own:
        name = path.relative_to(folder).as_posix()
        return _Parts(name, (*patterns, f"!{name}", f"!{_IGNORE}"))
    with path.open("rb") as file:
        text = file.read(_MOST_DOCKERFILE + 1)
    if len(text) > _MOST_DOCKERFILE:
        raise _wrong(build, f"{path} is larger than 1 MiB", "shorten it")
    return _with_text(text, patterns, folder)


def _with_text(text: bytes, patterns: tuple[str, ...], folder: Path) -> _Parts:
    # The name follows from the text: the same text must find the engine's cache again.
    name = f".dockerfile.{hashlib.sha256(text).hexdigest()[:16]}"
    hidden = (name,) if (folder / _IGNORE).is_file() else (name, _IGNORE)
    ignore = "\n".join((*patterns, *hidden, "")).encode()
    return _Parts(name, patterns, ((name, text), (_IGNORE, ignore)))


def _patterns(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    lines = (line.strip() for line in path.read_text("utf-8-sig", "replace").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _write(out: IO[bytes], folder: Path, parts: _Parts, build: BuildSpec) -> None:
    extra = dict(parts.extra)
    count = 0
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in PatternMatcher(list(parts.patterns)).walk(str(folder)):
            if name in extra:
                continue
            count += 1
            path = folder / name
            status = path.lstat()
            bytes_after = out.tell() + (status.st_size if stat.S_ISREG(status.st_mode) else 0)
            if count > MOST_FILES or bytes_after > MOST_BYTES:
                told = f"{folder} has more than {MOST_FILES} files or {MOST_BYTES >> 30} GiB"
                raise _wrong(build, told, "leave out in .dockerignore what no build needs")
            _add(tar, path, name, status.st_mode)
        for name, text in extra.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text))


def _add(tar: tarfile.TarFile, path: Path, name: str, mode: int) -> None:
    """One entry, its owner left out. Sockets and devices are skipped, a FIFO is never opened."""
    if stat.S_ISREG(mode):
        # What is not a plain file any more when it is opened is not waited for, nor followed.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags), "rb") as file:
            info = tar.gettarinfo(arcname=name, fileobj=file)
            _anonymous(info)
            tar.addfile(info, file if info.isreg() else None)
        return
    found = tar.gettarinfo(path, arcname=name)
    if found is None or (found.isdev() and not found.isfifo()):
        return
    _anonymous(found)
    tar.addfile(found)


def _anonymous(info: tarfile.TarInfo) -> None:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = int(info.mtime)


def _inside(build: BuildSpec, path: str, key: str) -> Path:
    """The real place of a path. Raises ContextError where that is outside the readable folder."""
    real = Path(os.path.realpath(path))
    if real.is_relative_to(os.path.realpath(build.root)):
        return real
    raise _wrong(
        build,
        f"`{key}` is {os.path.normpath(path)}, which lies outside {build.root}, the folder of "
        "config.yaml, and the hub reads nothing else",
        "put config.yaml into a folder that holds both, or build the image yourself",
    )


def _wrong(build: BuildSpec, told: str, remedy: str) -> ContextError:
    place = f"{build.where}: " if build.where else ""
    return ContextError(f"{place}build: {told}", remedy=f"{remedy[0].upper()}{remedy[1:]}.")

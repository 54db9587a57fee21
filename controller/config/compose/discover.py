"""Which files a project is made of when nobody names them, as every Compose tool finds them."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)


def named_files(env: Mapping[str, str], folder: str) -> tuple[str, ...]:
    """The files of COMPOSE_FILE, absolute; empty where it is not set."""
    said = env.get("COMPOSE_FILE", "")
    separator = env.get("COMPOSE_PATH_SEPARATOR") or ":"
    found = [part for part in said.split(separator) if part]
    return tuple(
        part if part == "-" else posixpath.normpath(posixpath.join(folder, part)) for part in found
    )


def default_files(folder: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    """The first compose file of `folder` or of the nearest folder above, and its override."""
    while True:
        found = files_in(folder, exists)
        above = posixpath.dirname(folder)
        if found or above == folder:
            return found
        folder = above


def files_in(folder: str, exists: Callable[[str], bool]) -> tuple[str, ...]:
    """The compose file of a folder and its override; empty where there is none."""
    main = _first(folder, NAMES, exists)
    if main is None:
        return ()
    override = _first(folder, OVERRIDES, exists)
    return (main,) if override is None else (main, override)


def _first(folder: str, names: tuple[str, ...], exists: Callable[[str], bool]) -> str | None:
    found = (posixpath.join(folder, name) for name in names)
    return next((path for path in found if exists(path)), None)

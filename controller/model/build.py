"""Where the image of a service comes from: how it is built, and when it is pulled. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Pull(StrEnum):
    """When a registry is asked for an image."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"
    BUILD = "build"
    """Never: it is built, whether it is here or not."""
    REFRESH = "refresh"
    """When the last pull is older than `PullPolicy.every_s`."""


@dataclass(frozen=True, slots=True)
class PullPolicy:
    """`pull_policy` of a service. `every_s` is set for REFRESH only."""

    when: Pull = Pull.MISSING
    every_s: float = 0.0


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """`build` of a service, as far as the classic builder can do it.

    `context` is an absolute folder, or an address that the engine fetches itself. `dockerfile` is
    seen from the context; `inline` is its text instead. Nothing that really lies outside the folder
    `root` is read. `where` is the file and line that say all this.
    """

    context: str
    root: str
    where: str = ""
    dockerfile: str = "Dockerfile"
    inline: str | None = None
    args: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    target: str | None = None
    network: str | None = None
    extra_hosts: tuple[str, ...] = ()
    shm_size: int | None = None
    cache_from: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    platform: str | None = None
    isolation: str | None = None
    pull: bool = False
    no_cache: bool = False
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """All ways to the image of one service. `named`: the definition names the image, so a registry
    may have it; without that it is only ever built."""

    build: BuildSpec | None = None
    policy: PullPolicy = field(default_factory=PullPolicy)
    named: bool = True

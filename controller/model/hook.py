"""A command that runs in a container beside its own, at a moment of its life."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hook:
    """`user` and `working_dir` are None where they are the container's own; a variable whose value
    is None is passed on by name only."""

    command: tuple[str, ...]
    user: str | None = None
    privileged: bool = False
    working_dir: str | None = None
    environment: tuple[tuple[str, str | None], ...] = ()

    def __str__(self) -> str:
        return " ".join(self.command)

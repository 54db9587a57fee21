"""The shapes of the API's answers about logs, for OpenAPI and for people who write clients."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class LogEntry(BaseModel):
    """One line, or several that belong together, such as a stack trace."""

    id: str = Field(description="Also a cursor: where to go on from.")
    at: str
    service: str
    container_id: str
    stream: Literal["stdout", "stderr", "hub"] = Field(
        description="hub: what the hub itself adds, where something is missing."
    )
    level: Literal["trace", "debug", "info", "warning", "error", "fatal"] | None
    text: str
    run: str | None = Field(description="The workflow run it was written for.")
    step: str | None


class LogPage(BaseModel):
    entries: list[LogEntry]
    next: str | None = Field(description="Cursor of what follows; null where there is no more.")
    complete: bool = Field(description="false: the time was over; go on with `next`.")
    reached: str | None = Field(description="All up to here has been looked through.")
    dropped_until: str | None = Field(description="What is older was dropped, by age or size.")
    size_bytes: int = Field(description="What the logs take on the disk, about.")
    problems: dict[str, str] = Field(description="By service, why nothing is read of it.")


class LogContext(BaseModel):
    entries: list[LogEntry] = Field(description="In their order.")
    hit: str = Field(description="The id that was asked for.")

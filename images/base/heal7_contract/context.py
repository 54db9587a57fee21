"""What an action is told about the request that asked for it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from heal7_contract.documents import DocumentStore

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_LABEL_CHARS = 200
T = TypeVar("T")


class Offload(Protocol):
    """Runs a blocking function in the service's bounded pool and awaits it."""

    def __call__(self, function: Callable[..., T], *args: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Context:
    """`action_id` is derived from action and key: a repeat after a crash gets the same id again.

    `store` blocks: use it directly in a plain `def` action, and as
    `await ctx.offload(ctx.store.put, ...)` in an `async def` one.
    """

    action: str
    action_id: str
    idempotency_key: str
    run: str | None
    step: str | None
    traceparent: str | None
    store: DocumentStore
    offload: Offload


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a request says it comes from; unusable values are dropped, not refused."""

    run: str | None
    step: str | None
    traceparent: str | None

    @property
    def trace_id(self) -> str | None:
        """The 32 hexadecimal digits shared by all parts of one trace."""
        return self.traceparent[3:35] if self.traceparent else None


def origin_of(headers: Mapping[str, str]) -> Origin:
    """Reads X-Workflow-Run, X-Workflow-Step and traceparent (keys in lower case)."""
    trace = (headers.get("traceparent") or "").strip()
    return Origin(
        run=(headers.get("x-workflow-run") or "")[:_LABEL_CHARS] or None,
        step=(headers.get("x-workflow-step") or "")[:_LABEL_CHARS] or None,
        traceparent=trace if _TRACEPARENT.fullmatch(trace) else None,
    )

"""What happens in the hub, told to whoever listens, without ever waiting for a listener.

Every event has an id that grows by one; a ring of the last ones lets a client that lost its
connection resume. A listener that does not keep up is dropped: it reconnects and resumes. The first
id is taken from the clock, so that ids keep growing when the hub is restarted.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

_RING = 512
_BACKLOG = 256

Renderer = Callable[[str], str]
"""Gives the event's JSON in a language."""


@dataclass(slots=True)
class Event:
    """One event. `render(language)` gives its JSON, `frame(language)` that as it goes over the
    wire, made once for each language, since thousands may listen."""

    id: int
    kind: str
    renderer: Renderer
    _frames: dict[str, bytes] = field(default_factory=dict)

    def render(self, language: str) -> str:
        return self.renderer(language)

    def frame(self, language: str) -> bytes:
        """As a server-sent event. JSON has no line ends of its own."""
        if language not in self._frames:
            text = f"id: {self.id}\nevent: {self.kind}\ndata: {self.render(language)}\n\n"
            self._frames[language] = text.encode()
        return self._frames[language]


class Subscription:
    """One listener's backlog. `get()` awaits the next event; None means it was dropped."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue(_BACKLOG)
        self._ended = False

    async def get(self) -> Event | None:
        if self._ended and self._queue.empty():
            return None
        return await self._queue.get()

    def offer(self, event: Event) -> bool:
        """False when the listener has fallen too far behind."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            return False
        return True

    def end(self) -> None:
        """Make the listener stop after what it has."""
        self._ended = True
        # A full queue has nobody waiting on it: `get` sees the flag once it is drained.
        with suppress(asyncio.QueueFull):
            self._queue.put_nowait(None)


class Bus:
    """The hub's one event bus; use from the event loop only."""

    def __init__(self, first_id: int = 1) -> None:
        self._ring: deque[Event] = deque(maxlen=_RING)
        self._listeners: set[Subscription] = set()
        self._next = first_id

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    @property
    def last_id(self) -> int:
        return self._next - 1

    def publish(self, kind: str, renderer: Renderer) -> None:
        """Tell every listener; those too slow are dropped."""
        event = Event(self._next, kind, renderer)
        self._next += 1
        self._ring.append(event)
        for listener in list(self._listeners):
            if not listener.offer(event):
                self.unsubscribe(listener)
                listener.end()

    def complete_since(self, after: int) -> bool:
        """False when events after id `after` have been forgotten: look at everything anew."""
        oldest = self._ring[0].id if self._ring else self._next
        return oldest - 1 <= after <= self.last_id

    def subscribe(self, after: int | None = None) -> Subscription:
        """Listen from now, or from the event after id `after` as far as the ring reaches back.

        Where more was missed than one backlog holds, the listener ends after that much: it comes
        back for the rest, and no event is skipped in between.
        """
        listener = Subscription()
        missed = [event for event in self._ring if after is not None and event.id > after]
        for event in missed:
            if not listener.offer(event):
                listener.end()
                return listener
        self._listeners.add(listener)
        return listener

    def unsubscribe(self, listener: Subscription) -> None:
        self._listeners.discard(listener)

    def close(self) -> None:
        """Let every listener end."""
        for listener in list(self._listeners):
            listener.end()
        self._listeners.clear()

"""Many who listen at once: one frame for all of them, and whoever is slow hurts nobody."""

from __future__ import annotations

import asyncio
from typing import Any

from controller.api.events import EventStream
from controller.telemetry.bus import Bus

SCOPE: dict[str, Any] = {"type": "http", "method": "GET", "path": "/events", "headers": []}


class Client:
    """An ASGI client. `slow`: it takes the first bytes and no more until it is released."""

    def __init__(self, bus: Bus, *, slow: bool = False, after: int | None = None):
        self.bodies: list[bytes] = []
        self.headers: dict[str, str] = {}
        self._gone = asyncio.Event()
        self.free = asyncio.Event()
        if not slow:
            self.free.set()
        self.task = asyncio.create_task(
            EventStream(bus, after, "en")(SCOPE, self._receive, self._send)
        )

    def leave(self) -> None:
        self._gone.set()

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
            return
        self.bodies.append(message["body"])
        if len(self.bodies) > 1:
            await self.free.wait()


async def _settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_all_who_listen_share_one_frame_and_what_was_seen_is_not_told_again() -> None:
    bus = Bus()
    clients = [Client(bus) for _ in range(300)]
    await _settle()
    assert bus.listeners == 300
    bus.publish("hub", lambda language: f'{{"said":"{language}"}}')
    await _settle()
    frames = {id(client.bodies[1]) for client in clients}
    assert len(frames) == 1
    assert clients[0].bodies[1] == b'id: 1\nevent: hub\ndata: {"said":"en"}\n\n'
    assert clients[0].headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in clients[0].headers
    late = Client(bus, after=0)
    await _settle()
    assert late.bodies[1] == clients[0].bodies[1]
    for client in (*clients, late):
        client.leave()
    await asyncio.gather(*(client.task for client in (*clients, late)))
    assert bus.listeners == 0
    assert clients[0].bodies[-1] == b""


async def test_who_does_not_read_is_dropped_and_the_others_hear_everything() -> None:
    bus = Bus()
    quick, slow = Client(bus), Client(bus, slow=True)
    await _settle()
    for _ in range(400):
        bus.publish("hub", lambda _: "{}")
        await _settle()
    assert len(quick.bodies) == 401
    assert bus.listeners == 1
    slow.free.set()
    await slow.task
    # What was kept for it, and then the end, so that it comes back for the rest.
    assert len(slow.bodies) < 401
    assert slow.bodies[-1] == b""
    bus.close()
    await quick.task

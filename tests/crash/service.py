"""A service of the contract that is never killed, and remembers every request it ever got:

    python -m tests.crash.service PORT

It answers a known key from memory, refuses an action that was undone before it came (tombstone),
and goes on with what it began when whoever asked is gone. The end of its input is its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from tests.crash.flow import value
from tests.crash.process import end_with_input

_UNDO = "/compensate"


class What(StrEnum):
    """What a request came to. `tombstone`: undone before it was done."""

    UNDER_WAY = "under_way"
    BUSY = "busy"
    EXECUTED = "executed"
    REPLAYED = "replayed"
    REFUSED = "refused"
    TOO_LATE = "too_late"
    MISMATCH = "mismatch"
    UNDONE = "undone"
    TOMBSTONE = "tombstone"
    ALREADY = "already"


@dataclass(slots=True)
class Asked:
    """One request. `key` is the action's, also for its undo; `began` and `ended` are numbers of one
    count of everything that happened."""

    key: str
    digest: str
    undo: bool
    began: int
    ended: int = -1
    what: What = What.UNDER_WAY


@dataclass(slots=True)
class _Known:
    """What is known of a key."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    digest: str | None = None
    reply: Any = None
    undone: bool = False
    busy: int = 0
    undo_busy: int = 0


Answer = tuple[What, int, Any]


class Service:
    """The memory and the record."""

    def __init__(self) -> None:
        self.record: list[Asked] = []
        self.gate = asyncio.Event()
        self._known: dict[str, _Known] = {}
        self._ticks = itertools.count()

    async def act(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = request.headers["Idempotency-Key"]
        asked = self._asked(key, body, undo=False)
        known = self._known.setdefault(key, _Known())
        async with known.turn:
            answer = await self._do(known, asked.digest, request.match_info["action"], body)
            return self._answered(asked, answer)

    async def compensate(self, request: web.Request) -> web.Response:
        body = await request.json()
        key = body["idempotency_key"]
        asked = self._asked(key, body, undo=True)
        known = self._known.setdefault(key, _Known())
        async with known.turn:
            return self._answered(asked, await self._undo(known, body["does"]))

    async def _do(self, known: _Known, digest: str, action: str, body: Any) -> Answer:
        does = body["does"]
        if known.undone:
            return What.TOO_LATE, 409, {"detail": "It was undone before it came."}
        if known.digest not in (None, digest):
            return What.MISMATCH, 409, {"detail": "The key belongs to another request."}
        known.digest = digest
        if known.reply is not None:
            return What.REPLAYED, 200, known.reply
        if known.busy < does["busy"]:
            known.busy += 1
            return What.BUSY, 503, {"detail": "Ask again."}
        if does["gated"]:
            await self.gate.wait()
        # The work itself takes a while, and that is when hubs die.
        await asyncio.sleep(does["takes"])
        if does["refuses"]:
            return What.REFUSED, 422, {"detail": "No."}
        known.reply = {"value": value(action, body["seed"], body["before"])}
        return What.EXECUTED, 200, known.reply

    async def _undo(self, known: _Known, does: Mapping[str, Any]) -> Answer:
        if known.undone:
            return What.ALREADY, 200, {"status": "already_compensated"}
        if known.undo_busy < does["undo_busy"]:
            known.undo_busy += 1
            return What.BUSY, 503, {"detail": "Ask again."}
        await asyncio.sleep(does["takes"])
        known.undone = True
        what = What.TOMBSTONE if known.reply is None else What.UNDONE
        return what, 200, {"status": "compensated"}

    def _asked(self, key: str, body: Any, *, undo: bool) -> Asked:
        canonical = json.dumps(body, sort_keys=True).encode()
        digest = hashlib.sha256(canonical).hexdigest()
        asked = Asked(key, digest, undo, next(self._ticks))
        self.record.append(asked)
        return asked

    def _answered(self, asked: Asked, answer: Answer) -> web.Response:
        asked.what, status, body = answer
        asked.ended = next(self._ticks)
        headers = {"Idempotency-Replayed": "true"} if asked.what is What.REPLAYED else None
        return web.json_response(body, status=status, headers=headers)

    async def recorded(self, _: web.Request) -> web.Response:
        return web.json_response([asdict(asked) for asked in self.record])

    async def open_gate(self, _: web.Request) -> web.Response:
        self.gate.set()
        return web.json_response({})


def asked_from(raw: Mapping[str, Any]) -> Asked:
    """One line of `GET /record`."""
    return Asked(**{**raw, "what": What(raw["what"])})


async def main(port: int) -> None:
    service = Service()
    app = web.Application()
    app.router.add_post("/actions/{action}", service.act)
    app.router.add_post("/actions/{action}" + _UNDO, service.compensate)
    app.router.add_get("/record", service.recorded)
    app.router.add_post("/gate", service.open_gate)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    end_with_input()
    asyncio.run(main(int(sys.argv[1])))

"""A real HTTP receiver of messages, and a desk on a real database with time that does not wait."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from controller.alerts.desk import Desk
from controller.alerts.facts import Facts, RunEnd
from controller.alerts.rules import Rules, with_terms
from controller.alerts.sender import AppriseSender, Sender, kind_of
from controller.model.alert import Alert, Rule
from controller.store.alerts import AlertStore
from controller.store.database import Database
from controller.tasks import Tasks
from tests.unit.alerts.watch import Watch

AT_ONCE = with_terms({rule: {"after_s": 0.0, "quiet_s": 0.0} for rule in Rule})
RULES = Rules(AT_ONCE, channels=("ops",))


@dataclass
class Receiver:
    """What arrived, in order. `status` is what it answers."""

    port: int = 0
    status: int = 200
    got: list[dict[str, Any]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    @property
    def address(self) -> str:
        return f"json://ops:hunter2secret@127.0.0.1:{self.port}/alerts?retry=0"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.status == 200:
                receiver.got.append(json.loads(body))
                receiver.arrived.set()
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """What came is in `got`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    receiver.port = server.server_port
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class FakeSenses:
    """The facts that a test sets."""

    watch: Watch = field(default_factory=Watch)
    seen_dead: Mapping[str, tuple[datetime, str]] = field(default_factory=dict)

    def facts(
        self,
        now: datetime,
        dead: Mapping[str, tuple[datetime, str]],
        store_problem: str | None,
        run_ends: tuple[RunEnd, ...],
    ) -> Facts:
        problems = {"store": store_problem} if store_problem else {}
        self.seen_dead = dead
        return replace(self.watch.facts, now=now, dead=dead, problems=problems, run_ends=run_ends)


@dataclass
class Office:
    """A desk and what is around it."""

    desk: Desk
    store: AlertStore
    database: Database
    senses: FakeSenses
    tasks: Tasks
    published: list[Alert]
    seen: float = 0.0

    async def settle(self) -> None:
        """One turn, and until nothing is on its way any more."""
        await self.desk.turn_once()
        sending = [t for t in asyncio.all_tasks() if t.get_name().startswith("message ")]
        await asyncio.gather(*sending)


@asynccontextmanager
async def opened(
    folder: Path,
    rules: Rules,
    addresses: Mapping[str, str],
    sender: Sender | None = None,
    keep: int = 100,
) -> AsyncIterator[Office]:
    database = Database(folder / "hub.sqlite3")
    await database.open()
    tasks = Tasks(lambda _: None)
    sender = sender or AppriseSender(addresses, timeout_s=5)
    store, senses, published = AlertStore(database, keep), FakeSenses(), []
    kinds = {name: kind_of(address) for name, address in addresses.items()}
    desk = Desk(rules, store, senses, sender, tasks, str, published.append, kinds)
    office = Office(desk, store, database, senses, tasks, published)
    office.seen = await desk.load()
    try:
        yield office
    finally:
        await tasks.close()
        await database.close()

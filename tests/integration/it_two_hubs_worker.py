"""A hub's workflows as a process of its own, over PostgreSQL, with services that are always well:

    python -m tests.integration.it_two_hubs_worker DSN PORT

Every step is asked on PORT. A line of JSON on standard input is a wish, one on standard output its
answer; the end of the input is the end of the process.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from typing import Any

from controller.errors import HubError
from controller.health.probe import Target
from controller.model.workflow import Definition
from controller.store.journal_postgres import PostgresBackend
from controller.tasks import Tasks
from controller.workflow.assembly import Assembly, Upkeep, assemble
from tests.unit.workflow.workflow_builders import FakeServices, definition, line

Json = dict[str, Any]


class Near(FakeServices):
    """All services listen on one port of loopback."""

    def __init__(self, port: int):
        super().__init__()
        self._port = port

    def target(self, service: str) -> Target | None:
        return Target("life", "127.0.0.1", self._port)


def flow() -> Definition:
    """a → b → c, patient enough for a take-over."""
    return definition(*(replace(step, timeout_s=120.0) for step in line("a", "b", "c").steps))


async def obey(hub: Assembly, wish: Json) -> Json:
    match wish["do"]:
        case "look":
            return {"live": len(hub.runner.live), "problem": hub.keeper.problem}
        case "submit":
            asked = (submit(hub, wish.get("key")) for _ in range(wish["number"]))
            answers = await asyncio.gather(*asked)
            made = [answer for ok, answer in answers if ok]
            return {"runs": made, "refused": [answer for ok, answer in answers if not ok]}
        case _:
            raise ValueError(wish)


async def submit(hub: Assembly, key: str | None) -> tuple[bool, str]:
    """The run's id, or why it was refused."""
    try:
        run, _ = await hub.workflows.submit("w", {"x": 1}, "test", key)
    except HubError as error:
        return False, f"{type(error).__name__}: {error.detail}"
    return True, run.id


async def main(dsn: str, port: int) -> None:
    tasks = Tasks(lambda _: None)
    hub = assemble({"w": flow()}, PostgresBackend(dsn), Near(port), tasks, [], Upkeep())
    tasks.guard("keep the journal of runs", hub.keeper.run())
    while raw := await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(await obey(hub, json.loads(raw))), flush=True)
    await tasks.close()
    await hub.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))

"""The workflows of a hub as a process of its own, to be killed at any moment:

    python -m tests.crash.hub STORE SERVICE_PORT PORT

Everything under `controller/workflow` and the journal are the product's own; only the stack is not:
its services are always ready, and all of them listen on SERVICE_PORT. Once everything is imported
it says `warm` and waits for a line, so that its start costs no time when the one before it dies.
The end of its input is its own.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from typing import Any

from aiohttp import web

from controller.errors import HubError
from controller.model.run import Run
from controller.tasks import Tasks
from controller.workflow.assembly import Assembly, Upkeep, assemble
from tests.crash import flow
from tests.crash.always_ready import AlwaysReady
from tests.crash.process import end_with_input
from tests.crash.stores import backend_of

_BROKEN = 70


class Doors:
    """The little of the API that the driver needs."""

    def __init__(self, hub: Assembly):
        self._hub = hub

    def app(self) -> web.Application:
        app = web.Application(middlewares=[_refuses])
        app.router.add_post("/runs", self.submit)
        app.router.add_get("/runs/{run}", self.run)
        app.router.add_get("/state", self.state)
        return app

    async def submit(self, request: web.Request) -> web.Response:
        key = request.headers["Idempotency-Key"]
        run, new = await self._hub.workflows.submit(flow.NAME, await request.json(), "driver", key)
        return web.json_response(_shown(run), status=202 if new else 200)

    async def run(self, request: web.Request) -> web.Response:
        timeout_s = float(request.query.get("timeout_s", "0"))
        run = await self._hub.workflows.wait(request.match_info["run"], timeout_s)
        return web.json_response(_shown(run))

    async def state(self, _: web.Request) -> web.Response:
        problem, live = self._hub.keeper.problem, len(self._hub.runner.live)
        return web.json_response({"problem": problem, "live": live})


@web.middleware
async def _refuses(request: web.Request, handler: Any) -> web.StreamResponse:
    try:
        answer: web.StreamResponse = await handler(request)
    except HubError as error:
        body = {"type": error.type, "detail": error.detail, "remedy": error.remedy}
        return web.json_response(body, status=error.status)
    return answer


def _shown(run: Run) -> dict[str, Any]:
    return {"id": run.id, "status": run.shown, "output": run.output}


async def main(store: str, service_port: int, port: int) -> None:
    # A keeper that ends is a fault of the product: let it be seen.
    tasks = Tasks(lambda _: os._exit(_BROKEN))
    hub = assemble(
        {flow.NAME: flow.definition()},
        backend_of(store),
        AlwaysReady(service_port),
        tasks,
        [],
        Upkeep(),
    )
    tasks.guard("keep the journal of runs", hub.keeper.run())
    runner = web.AppRunner(Doors(hub).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    print("warm", flush=True)
    sys.stdin.readline()
    end_with_input()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

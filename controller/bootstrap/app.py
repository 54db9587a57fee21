"""The web application over one hub: which routes there are, and what each is given."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from controller import __version__
from controller.api import audit, docs, events, hub, problems
from controller.api.alerts import AlertRoutes
from controller.api.guard import Guard
from controller.api.healing import Healing
from controller.api.logs import LogRoutes
from controller.api.metrics import MetricRoutes
from controller.api.orchestration import Orchestration
from controller.api.workflows import WorkflowRoutes
from controller.bootstrap.hub import Hub
from controller.dashboard import routes as dashboard

_DESCRIPTION = """Starts, stops, restarts and watches the services of one labelled compose stack.
Errors are RFC 9457 problems with a remedy. Reasons follow Accept-Language (en, ko)."""


def create_app(running: Hub) -> FastAPI:
    """The web application over one hub."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await running.start()
        try:
            yield
        finally:
            await running.stop()

    app = FastAPI(
        title="HEAL7 Hub",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    app.include_router(
        hub.router(
            running.world,
            running,
            __version__,
            running.config.digest,
            paused=lambda: running.paused is not None,
            figures=running.figures,
            others=running.metrics.families,
        )
    )
    app.include_router(
        Orchestration(
            running.world, running.lifecycle, running.supervisor, running.last_lines
        ).router()
    )
    app.include_router(
        Healing(running.lifecycle.one, running.supervisor, running.practice).router()
    )
    app.include_router(WorkflowRoutes(running.flows.workflows).router())
    app.include_router(
        LogRoutes(
            running.logs.library,
            lambda service: bool(running.config.stack.members(service)),
            running.logs.problems,
        ).router()
    )
    app.include_router(
        AlertRoutes(
            running.alerts.desk,
            lambda service: service in running.config.stack.services,
        ).router()
    )
    app.include_router(MetricRoutes(running.metrics.library, running.metrics.sources).router())
    app.include_router(events.router(running.bus))
    app.include_router(audit.router(running))
    app.include_router(docs.router())
    app.include_router(
        dashboard.router(
            running,
            running.flows.workflows,
            running.logs.library,
            running.metrics,
            running.zone,
            running.logs.problems,
            alerts=running.alerts.desk,
        )
    )
    app.add_middleware(Guard)
    return app

"""A hub made of memory, so that pages can be driven through every state in a real browser.

It serves the real dashboard router beside stand-ins for `/events` and the orchestration calls, in
the test's own event loop: a test changes the hub with plain calls and awaits what the page shows.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from controller import clock
from controller.api.metrics import MetricRoutes
from controller.dashboard.routes import router
from controller.errors import ConflictError, EngineUnreachableError, HubError
from controller.i18n import catalogue, render
from controller.model.hub_state import AuditLine, HubState
from controller.model.observation import State
from controller.model.probe import ProbeResult
from controller.model.spec import ServiceSpec
from controller.model.text import Text
from controller.model.view import (
    Desired,
    Health,
    OperationKind,
    OperationStatus,
    OperationView,
    OrphanView,
    ServiceResult,
    StackView,
    StepView,
)
from tests.e2e.pages_support_alerts import FakeAlerts
from tests.e2e.pages_support_data import (
    AGENTS,
    OUTCOME,
    PLAN,
    PORTS,
    SENTENCES,
    WORKFLOWS,
    declared,
    healthy,
    state_of,
)
from tests.e2e.pages_support_healing import HEALING_SENTENCES, HealingFacts
from tests.e2e.pages_support_logs import FakeLogs
from tests.e2e.pages_support_metrics import FakeMetrics
from tests.e2e.pages_support_runs import FakeWorkflows


class FakeHub(HealingFacts):
    """The port's other side: state that a test sets, and events that it causes."""

    version = "0.1.0"

    def __init__(self) -> None:
        catalogue().update(SENTENCES | HEALING_SENTENCES)
        self.streams: set[asyncio.Queue[str | None]] = set()
        self.flows = FakeWorkflows(self.publish)
        self.logs = FakeLogs()
        self.alerts = FakeAlerts(self.publish)
        self.metrics = FakeMetrics(lambda: tuple(self.services.values()), tuple(WORKFLOWS))
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Back to five healthy services and an empty history. Open streams stay open."""
        now = clock.now()
        self.now = now
        self.project = "heal7"
        self.services = {
            name: healthy(name, port, now, i) for i, (name, port) in enumerate(PORTS.items())
        }
        self.asked: list[OperationView] = []
        self.engine: tuple[bool, datetime] = (True, now - timedelta(hours=9, minutes=4))
        self.warnings: tuple[str, ...] = ()
        self.orphans: tuple[OrphanView, ...] = ()
        self.store_problem = ""
        self.audited: list[AuditLine] = []
        self.probed: dict[str, tuple[ProbeResult, ...]] = {}
        self.chains: Mapping[str, Sequence[tuple[str, str]]] = WORKFLOWS
        self.refusal: HubError | None = None
        self.settled: dict[str, str] = {}
        self.calls: list[str] = []
        self.down = False
        self.forget()
        self.flows.reset()
        self.alerts.reset()

    # -- HubPort
    def view(self) -> StackView:
        connected, since = self.engine
        return StackView(
            project=self.project,
            taken_at=clock.now() if connected else since,
            engine_connected=connected,
            engine_since=since,
            services=tuple(self.services.values()),
            warnings=self.warnings,
            orphans=self.orphans,
        )

    def operations(self) -> Sequence[OperationView]:
        return tuple(self.asked)

    def workflows(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        return self.chains

    def spec(self, service: str) -> ServiceSpec | None:
        return declared(self.services[service]) if service in self.services else None

    def probes(self, service: str) -> Sequence[ProbeResult]:
        return self.probed.get(service, ())

    async def state(self) -> HubState:
        return state_of(self.engine, self.now, self.store_problem)

    async def audit(self, limit: int, before: int | None) -> Sequence[AuditLine]:
        lines = [line for line in self.audited if before is None or line.id < before]
        return lines[:limit]

    def mask(self, text: str) -> str:
        return text.replace("hunter2-value", "•••")

    # -- what tests do to it
    def publish(self, event: str, data: Mapping[str, Any]) -> None:
        frame = f"id: {len(self.calls)}\nevent: {event}\ndata: {json.dumps(data)}\n\n"
        for stream in self.streams:
            stream.put_nowait(frame)

    def change(self, name: str, **facts: Any) -> None:
        """One service differs from now on, and everybody hears of it."""
        self.services[name] = replace(self.services[name], **({"since": clock.now()} | facts))
        self.publish("service", {"service": {"name": name}})

    def scale(self, name: str, count: int) -> None:
        """A service runs in so many containers from now on, of which the last is not well."""
        one = self.services.pop(name)
        for number in range(1, count + 1):
            key = f"{name}-{number}"
            health = Health.UNHEALTHY if number == count else Health.HEALTHY
            self.services[key] = replace(one, name=key, replica_of=name, health=health)
        self.publish("service", {"service": {"name": name}})

    def abandon(self, *names: str) -> None:
        """These services are in no file any more, and their containers still run."""
        made = self.now - timedelta(days=3)
        self.orphans = tuple(
            OrphanView(f"heal7-{n}-1", n, f"id-{n}", f"{n}:1", State.RUNNING, made) for n in names
        )
        self.publish("orphans", {"orphans": list(names)})

    def fall(self) -> None:
        """The hub goes away: streams end, everything answers 503."""
        self.down = True
        for stream in self.streams:
            stream.put_nowait(None)

    def rise(self) -> None:
        self.down = False

    def lose_engine(self) -> None:
        self.engine = (False, clock.now() - timedelta(minutes=3, seconds=20))
        self.publish("engine", {"connected": False})

    def trouble(self) -> None:
        """A bad night: one failed, one blocked by it, one slow, one stopped, one fine."""
        now = clock.now()
        self.change(
            "crawling-service",
            state=State.EXITED, health=Health.FAILED, reason=Text("demo.crashed"),
            since=now - timedelta(minutes=6), response_ms=None, cpu_percent=None,
            memory_bytes=None, port_open=False, restarts=4,
        )  # fmt: skip
        self.change(
            "paperwork-service",
            state=State.CREATED, health=Health.BLOCKED, started_at=None,
            reason=Text("demo.blocked", {"service": "crawling-service"}),
            since=now - timedelta(minutes=5, seconds=40), response_ms=None, cpu_percent=None,
            memory_bytes=None, port_open=False,
        )  # fmt: skip
        self.change(
            "saju-service",
            health=Health.UNHEALTHY, reason=Text("demo.slow"),
            since=now - timedelta(seconds=48), response_ms=2104.0,
        )  # fmt: skip
        self.change(
            "test-service",
            desired=Desired.STOPPED, state=State.EXITED, health=Health.STOPPED,
            reason=Text("demo.stopped"), since=now - timedelta(hours=1, minutes=20),
            response_ms=None, cpu_percent=None, memory_bytes=None, port_open=False,
        )  # fmt: skip

    def history(self) -> None:
        """A few operations that ended, well and badly."""

        def ended(
            number: int, kind: str, names: Sequence[str], ago: int, seconds: float, bad: str = ""
        ) -> OperationView:
            at = clock.now() - timedelta(minutes=ago)
            return OperationView(
                id=f"past-{number}",
                kind=OperationKind(kind),
                status=OperationStatus.FAILED if bad else OperationStatus.SUCCEEDED,
                targets=tuple(names),
                requested_at=at,
                requested_by=AGENTS[number % 3],
                ended_at=at + timedelta(seconds=seconds),
                results={
                    name: ServiceResult(
                        "failed" if name == bad else OUTCOME.get(kind, "started"),
                        Text("demo.wanted"),
                        int(seconds * 900),
                        "OCI runtime: bind 0.0.0.0:8013: address already in use"
                        if name == bad
                        else None,
                    )
                    for name in names
                },
            )

        self.asked = [
            ended(0, "start", ["crawling-service"], 4, 1.3, bad="crawling-service"),
            ended(1, "converge", ["saju-service"], 31, 2.2),
            ended(2, "stop", ["test-service"], 80, 0.6),
            ended(3, "restart", ["ai-monitoring-service"], 170, 3.1),
            ended(4, "start", list(PORTS), 195, 4.4),
        ]

    # -- operations
    def plan(self, verb: str, names: Sequence[str]) -> list[tuple[str, str, Text]]:
        cause = Text("demo.wanted")
        return [(op, name, cause) for name in names for op in PLAN[verb]]

    def begin(self, verb: str, names: Sequence[str]) -> OperationView:
        """An operation whose steps all wait; `advance` moves it."""
        operation = OperationView(
            id=f"op-{len(self.asked) + 1}",
            kind=OperationKind(verb),
            status=OperationStatus.RUNNING,
            targets=tuple(names),
            requested_at=clock.now(),
            requested_by=AGENTS[0],
            steps=tuple(StepView(op, n, c, "waiting") for op, n, c in self.plan(verb, names)),
        )
        self.asked.insert(0, operation)
        for name in names if verb != "remove_orphans" else ():
            self.change(name, busy=operation.id)
        self.advance()
        return operation

    def advance(self) -> None:
        """The running step is done and the next runs; nothing left to do ends the operation."""
        operation = self.asked[0]
        steps = list(operation.steps)
        now = next((i for i, step in enumerate(steps) if step.status == "running"), -1)
        if now >= 0:
            steps[now] = replace(steps[now], status="done")
        if now + 1 < len(steps):
            steps[now + 1] = replace(steps[now + 1], status="running")
        self._replace(replace(operation, steps=tuple(steps)))

    def progress(self, progress: Text) -> None:
        """Say how far the running step is."""
        operation = self.asked[0]
        steps = tuple(
            replace(s, progress=progress) if s.status == "running" else s for s in operation.steps
        )
        self._replace(replace(operation, steps=steps))

    def finish(self, failed: Mapping[str, str] | None = None) -> None:
        """End the newest operation; `failed` maps names to the engine's own words."""
        failed = failed or {}
        operation = self.asked[0]
        verb = operation.kind.value
        for name in operation.targets if verb != "remove_orphans" else ():
            self._settle(name, verb, name in failed)
        done = [
            replace(s, status="failed" if s.service in failed else "done") for s in operation.steps
        ]
        self._replace(
            replace(
                operation,
                status=OperationStatus.FAILED if failed else OperationStatus.SUCCEEDED,
                ended_at=clock.now(),
                steps=tuple(done),
                results={
                    name: ServiceResult(
                        "failed" if name in failed else OUTCOME[verb],
                        Text("demo.wanted"),
                        1240,
                        failed.get(name),
                    )
                    for name in operation.targets
                },
            )
        )

    def _settle(self, name: str, verb: str, failed: bool) -> None:
        now = clock.now()
        if failed:
            self.change(name, busy=None, health=Health.FAILED, state=State.EXITED)
        elif verb == "stop":
            self.change(
                name, busy=None, health=Health.STOPPED, state=State.EXITED,
                desired=Desired.STOPPED, reason=Text("demo.stopped"), response_ms=None,
            )  # fmt: skip
        else:
            self.services[name] = replace(
                healthy(name, self.services[name].port or 0, now), since=now
            )
            self.change(name, started_at=now)

    def _replace(self, operation: OperationView) -> None:
        self.asked[0] = operation
        self.publish("operation", {"id": operation.id, "status": operation.status})

    # -- HTTP
    async def witness(self, request: Request, proceed: RequestResponseEndpoint) -> Response:
        """Note every call; answer none while the hub is down."""
        self.calls.append(f"{request.method} {request.url.path}?{request.url.query}".rstrip("?"))
        if self.down:
            return JSONResponse({"title": "down"}, 503)
        return await proceed(request)

    async def events(self) -> StreamingResponse:
        mine: asyncio.Queue[str | None] = asyncio.Queue()

        async def frames() -> AsyncIterator[str]:
            self.streams.add(mine)
            try:
                yield ": here\n\n"
                while (frame := await mine.get()) is not None:
                    yield frame
            finally:
                self.streams.discard(mine)

        return StreamingResponse(frames(), media_type="text/event-stream")

    async def ask_one(self, request: Request, service: str, verb: str) -> JSONResponse:
        return self._ask(request, verb, [service])

    async def ask_all(self, request: Request, verb: str) -> JSONResponse:
        return self._ask(request, verb, list(self.services))

    async def ask_orphans(self, request: Request) -> JSONResponse:
        wanted = (await request.json())["containers"]
        names = [one.service for one in self.orphans if one.container_id in wanted]
        return self._ask(request, "remove_orphans", names)

    def _ask(self, request: Request, verb: str, names: list[str]) -> JSONResponse:
        if self.refusal:
            raise self.refusal
        if request.query_params.get("dry_run") != "true":
            return JSONResponse({"operation": self.begin(verb, names).id}, 202)
        language = request.headers["accept-language"]
        steps = self.plan(verb, names)
        plan = [
            {
                "id": 10 + i,
                "op": op,
                "service": name,
                "subject": f"heal7-{name}-1",
                "cause": render(cause, language),
                "after": [9 + i] if i and steps[i - 1][1] == name else [],
            }
            for i, (op, name, cause) in enumerate(steps)
        ]
        return JSONResponse({"plan": plan, "settled": self.settled})


def app(hub: FakeHub) -> FastAPI:
    """The dashboard's router with stand-ins for the calls that its scripts make."""
    web = FastAPI(docs_url=None, redoc_url=None)
    web.add_exception_handler(HubError, problem)
    web.add_middleware(BaseHTTPMiddleware, dispatch=hub.witness)
    web.get("/events")(hub.events)
    web.get("/incidents")(hub.list_incidents)
    web.post("/orchestration/pause")(hub.ask_pause)
    web.post("/orchestration/resume")(hub.ask_resume)
    web.post("/orchestration/services/{service:path}/rehearse")(hub.ask_rehearsal)
    web.post("/orchestration/orphans/remove")(hub.ask_orphans)
    web.post("/orchestration/services/{service:path}/{verb}")(hub.ask_one)
    web.post("/orchestration/{verb}-all")(hub.ask_all)
    web.include_router(hub.flows.router())
    web.include_router(MetricRoutes(hub.metrics.library, hub.metrics.sources).router())
    logs = hub.logs
    web.include_router(
        router(
            hub,
            hub.flows,
            logs.library,
            hub.metrics,
            unread=lambda: logs.problems,
            alerts=hub.alerts,
        )
    )
    return web


async def problem(_: Request, error: Exception) -> JSONResponse:
    """RFC 9457, as the real hub answers."""
    assert isinstance(error, HubError)
    body = {"type": error.type, "title": error.title, "status": error.status}
    body |= {"detail": error.detail, "remedy": error.remedy}
    return JSONResponse(body, error.status, media_type="application/problem+json")


def conflict() -> HubError:
    return ConflictError(
        "saju-service is being stopped by operation op-17.",
        remedy="Wait for it, or look at it under GET /orchestration/operations/op-17.",
    )


def no_engine() -> HubError:
    return EngineUnreachableError(
        "The Docker engine did not answer within 2 s.",
        remedy="Run heal7 doctor; it says how to bring the engine back.",
    )


@asynccontextmanager
async def serving(hub: FakeHub) -> AsyncIterator[FakeHub]:
    """The fake on a free loopback port, for as long as the block lasts."""
    config = uvicorn.Config(
        app(hub), host="127.0.0.1", port=0, log_level="warning", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    await hub.logs.open()
    await hub.metrics.open()
    # Signals belong to the test runner.
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.wait({task}, timeout=0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    hub.url = f"http://127.0.0.1:{port}"
    try:
        yield hub
    finally:
        hub.fall()
        hub.logs.feed.close()
        server.should_exit = True
        await task
        await hub.logs.close()
        await hub.metrics.close()

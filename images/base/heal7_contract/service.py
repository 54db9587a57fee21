"""`Service`: what a service declares. The web framework loads when the app is first asked for."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel

from heal7_contract import clock
from heal7_contract.context import Context
from heal7_contract.documents import DocumentStore, Retention
from heal7_contract.journal import StoredAction
from heal7_contract.settings import from_env

if TYPE_CHECKING:
    from fastapi import FastAPI
    from prometheus_client import CollectorRegistry

    from heal7_contract.app import Runtime

RequestT = TypeVar("RequestT", bound=BaseModel)
ResultT = TypeVar("ResultT", bound=BaseModel)
UndoT = TypeVar("UndoT", bound=Callable[[StoredAction, str], Any])
EndpointT = TypeVar("EndpointT", bound=Callable[..., Any])
T = TypeVar("T")
Check = Callable[[], Any]
Task = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Action(Generic[RequestT, ResultT]):
    """A declared action; still callable as the function it decorates."""

    name: str
    request: type[RequestT]
    result: type[ResultT]
    errors: Mapping[int, str]
    handler: Callable[[RequestT, Context], Any]
    undo: Callable[[StoredAction, str], Any] | None = None
    stop: Callable[[str], None] | None = None

    def __call__(self, body: RequestT, ctx: Context) -> Any:
        return self.handler(body, ctx)

    def compensate(self, undo: UndoT) -> UndoT:
        """Declares the undo: `def` or `async def (record, reason) -> None`.

        It may run again after a crash, and `record.result` is None when the action failed or was
        cut short: undo whatever stands under `record.id`.
        """
        self.undo = undo
        return undo

    def interrupt(self, stop: Callable[[str], None]) -> Callable[[str], None]:
        """Declares how to end an attempt that is under way when its compensation arrives.

        Called on the event loop with the action's id, so it must not block; the attempt then ends
        in its own way and is undone. Without it the compensation waits for the attempt's end.
        """
        self.stop = stop
        return stop


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint beside the actions, registered when the app is built."""

    method: str
    path: str
    endpoint: Callable[..., Any]
    errors: Mapping[int, str]
    options: Mapping[str, Any] = field(default_factory=dict)


class Service:
    """Collects what a service offers and serves it.

    `max_body_bytes` bounds every request, `workers` the threads that plain `def` actions share,
    `wait_s` how long a repeat of a running action waits. `keep`, `max_age_s` bound stored replies.
    """

    def __init__(
        self,
        name: str,
        version: str,
        port: int,
        *,
        max_body_bytes: int = 1 << 20,
        workers: int = 4,
        max_in_flight: int = 64,
        wait_s: float = 10.0,
        keep: int = 10_000,
        max_age_s: float = 7 * 86_400,
    ):
        self.name = name
        self.version = version
        self.port = port
        self.max_body_bytes = max_body_bytes
        self.workers = workers
        self.max_in_flight = max_in_flight
        self.wait_s = wait_s
        self.replies = Retention(keep, max_age_s)
        self.kinds: dict[str, Retention] = {}
        self.actions: dict[str, Action[Any, Any]] = {}
        self.routes: list[Route] = []
        self.checks: dict[str, Check] = {}
        self.tasks: dict[str, Task] = {}
        self._runtime: Runtime | None = None

    def action(
        self,
        name: str,
        *,
        request: type[RequestT],
        result: type[ResultT],
        errors: Mapping[int, str] | None = None,
    ) -> Callable[[Callable[[RequestT, Context], Any]], Action[RequestT, ResultT]]:
        """Declares POST /actions/{name} and its compensation.

        `errors` documents further statuses: `{422: "the date does not exist"}`. The handler is
        `def` (run in the pool) or `async def`, takes (body, ctx) and returns a `result`.
        """

        def declare(
            handler: Callable[[RequestT, Context], Any],
        ) -> Action[RequestT, ResultT]:
            declared = Action(name, request, result, dict(errors or {}), handler)
            self.actions[name] = declared
            return declared

        return declare

    def route(
        self, method: str, path: str, *, errors: Mapping[int, str] | None = None, **options: Any
    ) -> Callable[[EndpointT], EndpointT]:
        """Declares a FastAPI endpoint; `options` go to `add_api_route` (response_model, …)."""

        def declare(endpoint: EndpointT) -> EndpointT:
            self.routes.append(Route(method, path, endpoint, dict(errors or {}), options))
            return endpoint

        return declare

    def get(self, path: str, **options: Any) -> Callable[[EndpointT], EndpointT]:
        """`route("GET", …)`."""
        return self.route("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[EndpointT], EndpointT]:
        """`route("POST", …)`."""
        return self.route("POST", path, **options)

    def delete(self, path: str, **options: Any) -> Callable[[EndpointT], EndpointT]:
        """`route("DELETE", …)`."""
        return self.route("DELETE", path, **options)

    def ready_check(self, name: str) -> Callable[[Check], Check]:
        """Declares a part of GET /ready: returns None when well, else a sentence, or raises."""

        def declare(check: Check) -> Check:
            self.checks[name] = check
            return check

        return declare

    def background(self, name: str) -> Callable[[Task], Task]:
        """Declares an `async def ()` that runs with the service; its end stops the service."""

        def declare(task: Task) -> Task:
            self.tasks[name] = task
            return task

        return declare

    def documents(self, kind: str, *, keep: int, max_age_s: float) -> None:
        """Bounds a kind of document by count and by age in seconds."""
        self.kinds[kind] = Retention(keep, max_age_s)

    @property
    def app(self) -> FastAPI:
        """The app on the data file that HEAL7_DATA names; built once."""
        return self._running().app

    @property
    def store(self) -> DocumentStore:
        """The documents of the running app. Blocking, as `DocumentStore` says."""
        return self._running().store

    @property
    def registry(self) -> CollectorRegistry:
        """Where a service registers metrics of its own."""
        return self._running().metrics.registry

    async def offload(self, function: Callable[..., T], *args: Any) -> T:
        """Runs blocking code in the bounded pool; for `async def` endpoints."""
        return await self._running().runner.offload(function, *args)

    def fresh(self, data: Path, now: Callable[[], float] = clock.now) -> FastAPI:
        """A new app on another data file, replacing the running one: for tests."""
        from heal7_contract.app import Runtime

        self._runtime = Runtime(self, data, now)
        return self._runtime.app

    def run(self) -> None:
        """Serves until SIGTERM, then exits the process. Never returns."""
        from heal7_contract.server import serve

        serve(self)

    def _running(self) -> Runtime:
        if self._runtime is None:
            settings = from_env(os.environ, name=self.name, port=self.port)
            self.fresh(settings.data)
        assert self._runtime is not None
        return self._runtime

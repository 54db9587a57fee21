"""`/workflows`: definitions, and runs to begin, watch, cancel, retry and resume."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from controller import clock
from controller.api import render_runs
from controller.api.answers import (
    PROBLEMS,
    UNKNOWN,
    Described,
    asker,
    json_response,
    language_of,
)
from controller.api.schemas import Problem
from controller.api.schemas_runs import (
    Imported,
    RunRequest,
    WorkflowDefinition,
    WorkflowRun,
    WorkflowRuns,
)
from controller.model.run import Run, RunPage, RunStatus
from controller.model.workflow import Definition

_MAX_WAIT_S = 600.0
_STORE: Described = {503: PROBLEMS[503] | {"description": "The journal cannot be read or written"}}
_FULL: Described = {507: {"model": Problem, "description": "The disk of the journal is full"}}
_ACT: Described = {403: PROBLEMS[403], 409: PROBLEMS[409], **UNKNOWN, **_STORE, **_FULL}

Key = Annotated[
    str | None,
    Header(description="The same key with the same input gives the same run again."),
]


class WorkflowsPort(Protocol):
    """What the API needs of workflows. What is awaited may raise StoreError."""

    def definitions(self) -> Mapping[str, Definition]: ...

    def definition(self, workflow: str) -> Definition:
        """Raises NotFoundError."""

    async def submit(
        self, workflow: str, given: Any, by: str, key: str | None = None
    ) -> tuple[Run, bool]:
        """Raises NotFoundError, RunInputError, ConflictError, OverloadedError."""

    async def cancel(self, run_id: str, by: str) -> Run: ...

    async def retry(self, run_id: str, by: str) -> Run: ...

    async def resume(self, run_id: str, by: str) -> Run: ...

    async def run(self, run_id: str) -> tuple[Run, Definition]:
        """Raises NotFoundError."""

    async def runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> RunPage: ...

    async def wait(self, run_id: str, timeout_s: float) -> Run: ...

    def export(self, runs: Sequence[str], workflow: str | None) -> AsyncIterator[str]:
        """Runs as lines of JSON, oldest first."""

    async def import_lines(self, lines: AsyncIterator[str]) -> tuple[int, int, list[str]]:
        """How many runs were taken in, how many were there already, and every fault."""


class WorkflowRoutes:
    """The endpoints."""

    def __init__(self, workflows: WorkflowsPort):
        self._workflows = workflows

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/workflows", tags=["workflows"])
        routes.get("", response_model=list[WorkflowDefinition], summary="Every workflow")(
            self.definitions
        )
        routes.get(
            "/runs",
            response_model=WorkflowRuns,
            responses={422: PROBLEMS[422], **_STORE},
            summary="Runs, newest first",
        )(self.runs)
        routes.get(
            "/runs/export",
            responses={200: {"content": {"application/x-ndjson": {}}}, **UNKNOWN, **_STORE},
            response_class=StreamingResponse,
            summary="Runs as lines of JSON, with every event",
        )(self.export)
        routes.post(
            "/runs/import",
            response_model=Imported,
            responses={403: PROBLEMS[403], **_STORE, **_FULL},
            summary="Take in what was exported; runs that are there already stay",
        )(self.take_in)
        one: Described = {**UNKNOWN, **_STORE}
        routes.get("/runs/{run_id}", response_model=WorkflowRun, responses=one, summary="One run")(
            self.run
        )
        for verb, act, what in (
            ("cancel", self.cancel, "Stop it and undo what it did"),
            ("retry", self.retry, "A new run, from the failed step"),
            ("resume", self.resume, "Go on with a compensation that failed"),
        ):
            routes.post(
                f"/runs/{{run_id}}/{verb}",
                status_code=202,
                response_model=WorkflowRun,
                responses=_ACT,
                summary=what,
            )(act)
        routes.get(
            "/{workflow}", response_model=WorkflowDefinition, responses=UNKNOWN, summary="One"
        )(self.definition)
        routes.post(
            "/{workflow}/runs",
            status_code=202,
            response_model=WorkflowRun,
            responses={
                200: {"model": WorkflowRun, "description": "The run that has this key, or its end"},
                422: PROBLEMS[422],
                **_ACT,
            },
            summary="Begin a run",
        )(self.submit)
        return routes

    async def definitions(self) -> Response:
        found = self._workflows.definitions().values()
        return json_response([render_runs.definition(one) for one in found])

    async def definition(self, workflow: str) -> Response:
        return json_response(render_runs.definition(self._workflows.definition(workflow)))

    async def submit(
        self,
        workflow: str,
        body: RunRequest,
        request: Request,
        idempotency_key: Key = None,
        wait: Annotated[bool, Query(description="Answer when it has ended.")] = False,
        timeout_s: Annotated[
            float, Query(ge=0, le=_MAX_WAIT_S, description="Wait at most so long.")
        ] = 60.0,
    ) -> Response:
        begun, is_new = await self._workflows.submit(
            workflow, body.input, asker(request), idempotency_key
        )
        if wait:
            await self._workflows.wait(begun.id, timeout_s)
            is_new = False
        return await self._answer(begun.id, request, 202 if is_new else 200)

    async def runs(
        self,
        request: Request,
        workflow: Annotated[str | None, Query(description="Only of this workflow.")] = None,
        status: Annotated[RunStatus | None, Query(description="Only those, else all.")] = None,
        limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
        cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    ) -> Response:
        found = await self._workflows.runs(workflow, status, limit, cursor)
        return json_response(render_runs.page(found, language_of(request), clock.epoch()))

    async def run(self, run_id: str, request: Request) -> Response:
        return await self._answer(run_id, request)

    async def cancel(self, run_id: str, request: Request) -> Response:
        await self._workflows.cancel(run_id, asker(request))
        return await self._answer(run_id, request, 202)

    async def retry(self, run_id: str, request: Request) -> Response:
        again = await self._workflows.retry(run_id, asker(request))
        return await self._answer(again.id, request, 202)

    async def resume(self, run_id: str, request: Request) -> Response:
        await self._workflows.resume(run_id, asker(request))
        return await self._answer(run_id, request, 202)

    async def export(
        self,
        run: Annotated[list[str] | None, Query(description="Only these.")] = None,
        workflow: Annotated[str | None, Query(description="Only of this workflow.")] = None,
    ) -> StreamingResponse:
        lines = self._workflows.export(run or (), workflow)
        # What is not there is refused before anything is sent.
        first = await anext(lines, "")
        return StreamingResponse(_chained(first, lines), media_type="application/x-ndjson")

    async def take_in(self, request: Request) -> Response:
        taken, there, faults = await self._workflows.import_lines(_lines(request))
        return json_response({"imported": taken, "skipped": there, "faults": faults})

    async def _answer(self, run_id: str, request: Request, status: int = 200) -> Response:
        found, definition = await self._workflows.run(run_id)
        body = render_runs.run(found, definition, language_of(request), clock.epoch())
        return json_response(body, status, {"Location": f"/workflows/runs/{found.id}"})


async def _chained(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for line in rest:
        yield line


async def _lines(request: Request) -> AsyncIterator[str]:
    rest = b""
    async for chunk in request.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode("utf-8", "replace")
    if rest.strip():
        yield rest.decode("utf-8", "replace")

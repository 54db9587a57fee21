"""The workflow side of the fake hub: definitions, and runs in every state that a page can show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from controller import clock
from controller.dashboard.workflows import line_of
from controller.errors import ConflictError, HubError, NotFoundError, RunInputError
from controller.model.run import (
    Error,
    Hold,
    Run,
    RunPage,
    RunStatus,
    StepRun,
    StepStatus,
    Undo,
    UndoStatus,
)
from controller.model.text import text
from controller.model.workflow import Call, Concurrency, Definition, OnLimit, Retry, Step
from controller.model.workflow_json import hashed
from controller.workflow.runner import reason_of

BY = "127.0.0.1 Mozilla/5.0"
S, U, R = StepStatus, UndoStatus, RunStatus


def step(name: str, service: str, action: str, *needs: str, **facts: Any) -> Step:
    call = Call("POST", f"/actions/{action}", facts.pop("input", None), action)
    undo = Call("POST", f"/actions/{action}/compensate", None, f"{action}/compensate")
    return Step(name, service, call, needs, **({"undo": undo} | facts))


SAJU = hashed(
    Definition(
        "saju_processing",
        (
            step("calculate", "saju-service", "calculate", input="${{ input }}", timeout_s=10.0),
            step("monitor", "ai-monitoring-service", "monitor", "calculate", undo=None,
                 input={"workflow_run": "${{ run.id }}"}, start=True),
            step("quality-check", "test-service", "quality-check", "calculate", timeout_s=20.0,
                 input={"result": "${{ steps.calculate.output.result }}"},
                 when="${{ steps.calculate.output.result != null }}"),
        ),
        "",
        {"ko": "사주 종합 처리", "en": "Four pillars processing"},
        300.0,
        {"pillars": "${{ steps.calculate.output.result.pillars }}"},
        {
            "type": "object",
            "required": ["datetime", "gender"],
            "properties": {
                "datetime": {"type": "string", "title": "Date and time",
                             "x-title-ko": "날짜와 시각", "examples": ["1992-10-24T05:30"]},
                "gender": {"enum": ["male", "female"], "title": "Gender", "x-title-ko": "성별"},
                "longitude": {"type": "number", "minimum": -180, "maximum": 180,
                              "title": "Longitude", "x-title-ko": "경도"},
                "leap_month": {"type": "boolean", "title": "Leap month", "x-title-ko": "윤달"},
                "tags": {"type": "array", "items": {"type": "string"}, "default": ["demo"]},
                "place": {"type": "object", "title": "Place", "x-title-ko": "장소",
                          "properties": {"city": {"type": "string", "description": "Where born",
                                                  "x-description-ko": "태어난 곳"},
                                         "offset": {"type": "integer"}}},
                "extra": {"type": "array", "items": {"type": "object"}},
                "api_key": {"type": "string"},
            },
        },
    )
)  # fmt: skip
DOCUMENTS = hashed(
    Definition(
        "document_automation",
        (
            step("process", "paperwork-service", "process"),
            step("crawl", "crawling-service", "crawl", "process", retry=Retry(5, 1.0, 60.0)),
            Step("report", "unmanaged-service", Call("PUT", "/reports/${{ run.id }}"),
                 ("process", "crawl"), retry=Retry(1)),
        ),
        "",
        {"ko": "문서 자동화", "en": "Document automation"},
        3600.0,
        schedule="0 3 * * *",
        concurrency=Concurrency(4, OnLimit.QUEUE),
    )
)  # fmt: skip
_WIDE = {
    "fetch": (), "verify": ("fetch",), "parse-a": ("verify",), "parse-b": ("verify",),
    "parse-c": ("verify",), "merge": ("parse-a", "parse-b", "parse-c"), "enrich": ("merge",),
    "score": ("enrich", "fetch"), "publish": ("score",), "notify": ("score", "parse-c"),
}  # fmt: skip
COLLECTION = hashed(
    Definition(
        "data_collection",
        tuple(step(name, "crawling-service", "crawl", *needs) for name, needs in _WIDE.items()),
        "",
        input_schema={"type": "object", "properties": {"start_url": {"type": "string"}}},
    )
)
HUGE = hashed(
    Definition("huge", tuple(step(f"s{n}", "test-service", "validate") for n in range(61)), "")
)


def run(identifier: str, of: Definition, status: RunStatus, ago: float, **facts: Any) -> Run:
    """A run that was begun `ago` seconds ago, none of whose steps has begun."""
    at = clock.now().timestamp() - ago
    return Run(
        id=f"run_0192f3c4a1b2_{identifier}", workflow=of.name, definition_hash=of.hash,
        status=status, input=facts.pop("input", None), created_at=at, by=facts.pop("by", BY),
        steps={s.id: StepRun(s.id, s.service) for s in of.steps}, started_at=at + 0.01,
        trace_id="7f3a9c21" * 4, **facts,
    )  # fmt: skip


def went(of: Run, name: str, status: StepStatus, begin: float, took: float, **facts: Any) -> Run:
    """The run with a step that began `begin` seconds after it, and took so long."""
    at = of.created_at + begin
    done = replace(
        of.steps[name], status=status, started_at=at, attempt_at=at, asked=True,
        ended_at=at + took if status.over else None, **facts,
    )  # fmt: skip
    return replace(of, steps={**of.steps, name: done})


OUTPUT = {
    "id": "saju_01",
    "result": {"pillars": {"year": "임신", "month": "경술", "day": "계유", "hour": "을묘"}},
    "session": {"user": "kim", "token": "hunter2-token"},
}
GIVEN = {"datetime": "1992-10-24T05:30", "gender": "female", "api_key": "hunter2-key"}


def calculated(identifier: str, status: RunStatus, ago: float, **facts: Any) -> Run:
    begun = run(identifier, SAJU, status, ago, input=GIVEN, **facts)
    return went(begun, "calculate", S.SUCCEEDED, 0.02, 0.14, output=OUTPUT, place=1)


def succeeded(identifier: str = "5ecced01", ago: float = 300) -> Run:
    made = calculated(identifier, R.SUCCEEDED, ago, output={"pillars": OUTPUT["result"]["pillars"]})  # type: ignore[index]
    made = went(made, "monitor", S.SUCCEEDED, 0.2, 0.3, output={"anomalies": []}, place=2)
    made = went(made, "quality-check", S.SUCCEEDED, 0.2, 0.9, output={"passed": True}, place=3)
    return replace(made, ended_at=made.created_at + 1.2, completed=3)


def waiting(identifier: str = "0a171e55", ago: float = 75) -> Run:
    """One step is held for an incident, another waits for nothing any more."""
    made = calculated(identifier, R.RUNNING, ago)
    made = went(made, "monitor", S.SUCCEEDED, 0.2, 0.3, output={"anomalies": []}, place=2)
    hold = Hold(text("run.waits_healing", service="test-service"), made.created_at + 12, "inc-1")
    return went(made, "quality-check", S.HELD, 0.2, 0, hold=hold, held_s=3.0, failures=1)


def running(identifier: str = "2b00b1e5", ago: float = 8) -> Run:
    made = calculated(identifier, R.RUNNING, ago)
    error = Error(text("run.http", status=503), 503, '{"title": "warming up"}')
    made = went(made, "monitor", S.RUNNING, 0.2, 0)
    return went(
        made, "quality-check", S.RETRYING, 0.2, 0, failures=2, error=error,
        retry_at=clock.now().timestamp() + 4,
    )  # fmt: skip


def compensated(identifier: str = "c0ffee01", ago: float = 5400) -> Run:
    why = text("run.http", status=422)
    error = Error(text("run.step_failed", step="quality-check", why=why), 422,
                  '{"title": "The chart contradicts itself", "detail": "hour pillar"}')  # fmt: skip
    made = calculated(identifier, R.COMPENSATED, ago, error=error, end=R.COMPENSATED)
    made = went(made, "monitor", S.SUCCEEDED, 0.2, 0.3, output={"anomalies": []}, place=2)
    made = went(made, "quality-check", S.FAILED, 0.2, 0.7, failures=1,
                error=Error(why, 422, error.detail))  # fmt: skip
    at = made.created_at + 1
    made = undone(made, "quality-check", Undo(U.DONE, 0, at, at + 0.2))
    made = undone(made, "calculate", Undo(U.DONE, 1, at + 0.2, at + 1.1))
    return replace(made, ended_at=at + 1.1)


def stuck(identifier: str = "5711c001", ago: float = 7200) -> Run:
    """Its undoing failed."""
    made = replace(compensated(identifier, ago), status=R.COMPENSATION_FAILED)
    at = made.created_at + 1
    refused = Error(text("run.http", status=500), 500, "database is locked")
    return undone(made, "calculate", Undo(U.FAILED, 5, at, at + 31, error=refused))


def undoing(identifier: str = "0bac4001", ago: float = 40) -> Run:
    made = replace(compensated(identifier, ago), status=R.COMPENSATING, ended_at=None)
    at = made.created_at + 20
    held = Hold(text("run.waits_healing", service="saju-service"), at, "inc-3")
    return undone(made, "calculate", Undo(U.HELD, 0, at, hold=held))


def undone(of: Run, name: str, undo: Undo) -> Run:
    return replace(of, steps={**of.steps, name: replace(of.steps[name], undo=undo)})


def cancelled(identifier: str = "ca9ce101", ago: float = 9000) -> Run:
    error = Error(text("run.cancelled", by=BY))
    made = calculated(
        identifier, R.CANCELLED, ago, error=error, end=R.CANCELLED, cancel_by=BY,
        retry_of="run_0192f3c4a1b2_c0ffee01",
    )  # fmt: skip
    made = went(made, "monitor", S.CANCELLED, 0.2, 3)
    at = made.created_at + 4
    made = undone(made, "calculate", Undo(U.DONE, 0, at, at + 0.2))
    return replace(made, ended_at=at + 0.2)


def wide(identifier: str = "31de0001", ago: float = 30) -> Run:
    made = run(identifier, COLLECTION, R.RUNNING, ago, by="hub")
    for at, name in enumerate(("fetch", "verify", "parse-a", "parse-c")):
        made = went(made, name, S.SUCCEEDED, at * 2, 1.5, output={"n": at}, place=at)
    return went(made, "parse-b", S.RUNNING, 4, 0)


class FakeWorkflows:
    """The port's other side. `made` are all runs; `refusal` is raised by whatever acts."""

    def __init__(self, publish: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._publish = publish
        self.reset()

    def reset(self) -> None:
        self.defined = {d.name: d for d in (SAJU, DOCUMENTS, COLLECTION)}
        self._known = self.defined | {HUGE.name: HUGE}
        self.made: dict[str, tuple[Run, Definition]] = {}
        self.sent: list[tuple[str, Any, str | None]] = []
        self.acted: list[tuple[str, str]] = []
        self.refusal: HubError | None = None
        self.unread: HubError | None = None

    def day(self) -> None:
        """A run in every state."""
        queued = replace(run("9e0e0001", DOCUMENTS, R.PENDING, 3), started_at=None)
        why = text("run.stopped", service="paperwork-service")
        error = Error(text("run.step_failed", step="process", why=why))
        failed = run("fa11ed01", DOCUMENTS, R.FAILED, 10_000, by="schedule", error=error)
        failed = replace(failed, ended_at=failed.created_at + 0.1)
        old = [succeeded(f"01d{n:05x}", 20_000 + 600 * n) for n in range(40)]
        self.tell(
            queued, running(), wide(), undoing(), waiting(), succeeded(), compensated(), stuck(),
            cancelled(), failed, *old,
        )  # fmt: skip

    def define(self, definition: Definition) -> None:
        """One workflow more, or another than before."""
        self.defined[definition.name] = self._known[definition.name] = definition

    def tell(self, *runs: Run) -> None:
        """Runs are as they are from now on, and everybody hears of it."""
        for one in runs:
            self.made[one.id] = (
                one,
                {d.name: d for d in (*self.defined.values(), HUGE)}[one.workflow],
            )
            self._publish("run", {"id": one.id, "status": one.shown})

    # -- WorkflowsPort
    def definitions(self) -> Mapping[str, Definition]:
        return self.defined

    def definition(self, workflow: str) -> Definition:
        if workflow not in self.defined:
            raise NotFoundError(f"There is no workflow {workflow!r}.")
        return self.defined[workflow]

    async def submit(
        self, workflow: str, given: Any, by: str, key: str | None = None
    ) -> tuple[Run, bool]:
        definition = self.definition(workflow)
        if self.refusal:
            raise self.refusal
        if isinstance(given, dict) and given.get("datetime") == "never":
            raise RunInputError(["input.datetime: 'never' is no date", "input: it is odd"])
        known = next((r for r, _ in self.made.values() if key and r.key == key), None)
        if known:
            return known, False
        self.sent.append((workflow, given, key))
        begun = run(f"{len(self.made):08x}", definition, R.RUNNING, 0, input=given, key=key, by=by)
        self.tell(begun)
        return begun, True

    async def cancel(self, run_id: str, by: str) -> Run:
        return self._act("cancel", run_id, cancel_by=by)

    async def resume(self, run_id: str, by: str) -> Run:
        return self._act("resume", run_id, status=R.COMPENSATING, ended_at=None)

    async def retry(self, run_id: str, by: str) -> Run:
        again = replace(self._act("retry", run_id), id=f"{run_id}2", retry_of=run_id)
        self.tell(replace(again, status=R.RUNNING, ended_at=None, error=None, end=None))
        return again

    def _act(self, verb: str, run_id: str, **facts: Any) -> Run:
        if self.refusal:
            raise self.refusal
        if run_id not in self.made:
            raise NotFoundError("There is no such run.")
        self.acted.append((verb, run_id))
        after = replace(self.made[run_id][0], **facts)
        self.tell(after)
        return after

    async def run(self, run_id: str) -> tuple[Run, Definition]:
        if self.unread:
            raise self.unread
        if run_id not in self.made:
            raise NotFoundError("There is no such run.")
        return self.made[run_id]

    async def runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> RunPage:
        if self.unread:
            raise self.unread
        found = [
            r for r in self._newest()
            if workflow in (None, r.workflow) and status in (None, r.shown)
        ]  # fmt: skip
        begin = int(cursor or 0)
        shown = tuple(line_of(r, reason_of(r)) for r in found[begin : begin + limit])
        return RunPage(shown, str(begin + limit) if begin + limit < len(found) else None)

    def live(self) -> Sequence[Run]:
        return [r for r in self._newest() if not r.status.ended]

    def _newest(self) -> list[Run]:
        return sorted((r for r, _ in self.made.values()), key=lambda r: -r.created_at)

    # -- HTTP
    def router(self) -> APIRouter:
        """Stand-ins for what the scripts ask of the API."""
        routes = APIRouter()

        async def begin(workflow: str, request: Request) -> JSONResponse:
            body = await request.json()
            begun, _ = await self.submit(workflow, body.get("input"), BY)
            return JSONResponse({"id": begun.id}, 202)

        async def act(run_id: str, verb: str) -> JSONResponse:
            acts = {"cancel": self.cancel, "retry": self.retry, "resume": self.resume}
            return JSONResponse({"id": (await acts[verb](run_id, BY)).id}, 202)

        routes.post("/workflows/runs/{run_id}/{verb}")(act)
        routes.post("/workflows/{workflow}/runs")(begin)
        return routes


def over() -> HubError:
    return ConflictError("The run has ended: succeeded.", remedy="Look at it again.")

"""The pages of workflows and runs. Unlike the others they also take forms.

Beginning a run means filling in a form, and a form must work without scripts; so it is posted here
and handed to the same port that the API uses. Cancel, retry and resume go through the API where
scripts run, and come here where they do not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from urllib.parse import parse_qs, quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from controller import clock
from controller.dashboard import form, preferences, runs, workflows
from controller.dashboard.logs import Row
from controller.dashboard.marks import Mark
from controller.errors import HubError, NotFoundError, RunInputError, StoreError
from controller.i18n import word
from controller.model.run import Run, RunLine, RunPage, RunStatus
from controller.model.workflow import Definition
from controller.workflow.runner import reason_of
from controller.workflow.schedule import next_at

_LISTED = 25
_LAST = 5
_SHOWN_LIVE = 5
_FIELDS = 1000
_WHERE = "/dashboard/workflows"
_NONCE = re.compile(r"\w{1,64}", re.ASCII)


class WorkflowsPort(Protocol):
    """What the pages need of workflows. What is awaited may raise StoreError."""

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

    def live(self) -> Sequence[Run]:
        """Every run that has not ended, newest first, from memory."""


class Frame(Protocol):
    """What every page has around it."""

    def page(
        self, request: Request, name: str, own: dict[str, Any], at: str = ""
    ) -> HTMLResponse: ...

    def part(self, request: Request, name: str, own: dict[str, Any]) -> HTMLResponse: ...

    async def pressing(self) -> dict[str, Any]: ...

    def marks(self, language: str) -> Mapping[str, Mark]: ...


class RunLogs(Protocol):
    """What services wrote for a run."""

    async def of_run(self, run: str, language: str) -> Sequence[Row]: ...


class RunPages:
    """The endpoints. `zone` is the one that schedules are meant in."""

    def __init__(
        self, port: WorkflowsPort, frame: Frame, logs: RunLogs, zone: tzinfo = UTC
    ) -> None:
        self._port = port
        self._frame = frame
        self._logs = logs
        self._zone = zone

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(_WHERE)(self.list)
        routes.get(f"{_WHERE}/runs/{{run_id}}")(self.run)
        routes.post(f"{_WHERE}/runs/{{run_id}}/{{verb}}")(self.act)
        routes.get(f"{_WHERE}/{{name}}")(self.workflow)
        routes.get(f"{_WHERE}/{{name}}/runs")(self.back)
        routes.post(f"{_WHERE}/{{name}}/runs")(self.begin)
        routes.get(f"{fragments}workflows")(self.list_part)
        routes.get(f"{fragments}workflows/runs/{{run_id}}")(self.run_part)
        routes.get(f"{fragments}workflows/{{name}}")(self.workflow_part)

    # -- the list
    async def list(self, request: Request) -> HTMLResponse:
        facts = await self._listed(request)
        return self._frame.page(request, "workflows", facts, "workflows" + facts["query"])

    async def list_part(self, request: Request) -> HTMLResponse:
        return self._frame.part(request, "workflows", await self._listed(request))

    async def _listed(self, request: Request) -> dict[str, Any]:
        """Every workflow, and runs under the filter. An unknown status filters nothing."""
        language, now = _language(request), clock.now()
        asked = request.query_params
        status = asked.get("status", "")
        chosen = {
            "workflow": asked.get("workflow") or None,
            "status": status if status in list(RunStatus) else None,
            "cursor": asked.get("cursor") or None,
        }
        live, known = self._port.live(), self._frame.marks(language)
        counted = Counter(run.workflow for run in live)
        defined = self._port.definitions()
        cards = []
        for name, definition in defined.items():
            last, _ = await self._runs(name, None, _LAST, None)
            cards.append(
                workflows.card(definition, known, counted[name], last.lines, language, now)
            )
        only = RunStatus(status) if chosen["status"] else None
        found, unread = await self._runs(chosen["workflow"], only, _LISTED, chosen["cursor"])
        names = list(defined)
        if chosen["workflow"] and chosen["workflow"] not in names:
            names.append(chosen["workflow"])
        return await self._frame.pressing() | {
            "headline": workflows.headline(live, len(defined), language),
            "cards": cards,
            "lines": [workflows.line(one, language, now) for one in found.lines],
            "next": found.next,
            "unread": unread,
            "chosen": chosen,
            "names": names,
            "statuses": [(s.value, workflows.badge(s, language).word) for s in RunStatus],
            "query": _query(chosen),
            "filtered": lambda **other: f"{_WHERE}{_query(chosen | other)}",
            "wakes": "all",
        }

    async def _runs(
        self, workflow: str | None, status: RunStatus | None, limit: int, cursor: str | None
    ) -> tuple[RunPage, bool]:
        """The record; or what is under way, and that the rest cannot be read."""
        try:
            return await self._port.runs(workflow, status, limit, cursor), False
        except NotFoundError:
            return RunPage(()), False
        except StoreError:
            found = [line_of(run) for run in self._port.live()]
            kept = [
                one for one in found
                if workflow in (None, one.workflow) and status in (None, one.status)
            ]  # fmt: skip
            return RunPage(tuple(kept[:limit])), True

    # -- one workflow
    async def workflow(self, request: Request, name: str) -> HTMLResponse:
        """What it does and a form to run it; an unknown one is told as a page, with status 404."""
        return await self._workflow(request, name)

    async def workflow_part(self, request: Request, name: str) -> HTMLResponse:
        facts = await self._described(request, name)
        return self._frame.part(request, "workflow", facts)

    async def back(self, name: str) -> RedirectResponse:
        """Where a form was posted to is no page of its own."""
        return RedirectResponse(f"{_WHERE}/{quote(name, safe='')}", status_code=303)

    async def begin(self, request: Request, name: str) -> Response:
        """A posted form becomes a run, or the form again with what is wrong with it."""
        try:
            definition = self._port.definition(name)
        except NotFoundError:
            return await self._workflow(request, name)
        language = _language(request)
        try:
            posted = _posted(await request.body())
        except ValueError:
            said = [word("ui.workflow.form.unreadable", language)]
            return await self._workflow(request, name, None, None, said, 422)
        reading = form.read(definition.input_schema, posted)
        if reading.faults:
            faults = {field: word(key, language) for field, key in reading.faults.items()}
            return await self._workflow(request, name, posted, faults, (), 422)
        try:
            key = _key(posted, reading.value)
            begun, _ = await self._port.submit(name, reading.value, _asker(request), key)
        except RunInputError as error:
            known = form.names(form.fields(definition.input_schema, language))
            at, others = form.placed(error.faults, known)
            return await self._workflow(request, name, posted, at, others, 422)
        except HubError as error:
            said = [error.detail, error.remedy or ""]
            return await self._workflow(request, name, posted, {}, said, error.status)
        return RedirectResponse(f"{_WHERE}/runs/{begun.id}", status_code=303)

    async def _workflow(
        self,
        request: Request,
        name: str,
        posted: form.Posted | None = None,
        faults: Mapping[str, str] | None = None,
        said: Sequence[str] = (),
        status: int = 200,
    ) -> HTMLResponse:
        facts = await self._described(request, name, posted, faults, said)
        missing = facts["workflow"] is None
        page = self._frame.page(request, "workflow", facts, f"workflows/{quote(name, safe='')}")
        page.status_code = 404 if missing else status
        return page

    async def _described(
        self,
        request: Request,
        name: str,
        posted: form.Posted | None = None,
        faults: Mapping[str, str] | None = None,
        said: Sequence[str] = (),
    ) -> dict[str, Any]:
        language, now = _language(request), clock.now()
        try:
            definition = self._port.definition(name)
        except NotFoundError:
            return await self._frame.pressing() | {"workflow": None, "wakes": ""}
        found, unread = await self._runs(name, None, _LISTED, None)
        known = self._frame.marks(language)
        fields = form.fields(definition.input_schema, language, posted, faults)
        return await self._frame.pressing() | {
            "title": name,
            "workflow": workflows.describe(definition, known, self._next(definition), language),
            "fields": fields,
            "focus": form.first_fault(fields),
            "nonce": clock.new_id("form"),
            "said": [one for one in said if one],
            "faulty": bool(said or faults),
            "lines": [workflows.line(one, language, now) for one in found.lines],
            "more": found.next is not None,
            "unread": unread,
            "wakes": "all",
        }

    def _next(self, definition: Definition) -> datetime | None:
        if definition.schedule is None:
            return None
        here = clock.now().astimezone(self._zone)
        return next_at(definition.schedule, here).astimezone(UTC)

    # -- one run
    async def run(self, request: Request, run_id: str) -> HTMLResponse:
        """One run; an unknown one is told as a page too, with status 404."""
        return await self._run(request, run_id, None)

    async def run_part(self, request: Request, run_id: str) -> HTMLResponse:
        """The same live part. Always 200: that it is unknown is an answer, not a lost hub."""
        return self._frame.part(request, "run", await self._told(request, run_id))

    async def act(self, request: Request, run_id: str, verb: str) -> Response:
        """Cancel, retry or resume without scripts. A refusal stands on the run's page."""
        acts = {"cancel": self._port.cancel, "retry": self._port.retry, "resume": self._port.resume}
        if verb not in acts:
            raise NotFoundError(f"A run cannot be asked to {verb[:40]}.")
        try:
            run = await acts[verb](run_id, _asker(request))
        except HubError as error:
            return await self._run(request, run_id, error)
        return RedirectResponse(f"{_WHERE}/runs/{run.id}", status_code=303)

    async def _run(self, request: Request, run_id: str, refusal: HubError | None) -> HTMLResponse:
        facts = await self._told(request, run_id) | {"refusal": refusal}
        page = self._frame.page(request, "run", facts, f"workflows/runs/{quote(run_id, safe='')}")
        if facts["run"] is None:
            page.status_code = 503 if facts["unread"] else 404
        elif refusal is not None:
            page.status_code = refusal.status
        return page

    async def _told(self, request: Request, run_id: str) -> dict[str, Any]:
        language, now = _language(request), clock.now()
        facts = await self._frame.pressing() | {"refusal": None, "wakes": run_id, "unread": False}
        try:
            found, definition = await self._port.run(run_id)
        except NotFoundError:
            return facts | {"run": None}
        except StoreError:
            return facts | {"run": None, "unread": True}
        current = self._port.definitions().get(found.workflow)
        told = runs.told(
            found,
            definition,
            reason_of(found),
            self._frame.marks(language),
            None if current is None else current.hash,
            language,
            now,
        )
        title = f"{found.workflow} {told.line.short} – {told.line.badge.word}"
        rows = await self._logs.of_run(found.id, language)
        return facts | {"run": told, "title": title, "rows": rows}


def line_of(run: Run) -> RunLine:
    return workflows.line_of(run, reason_of(run))


def under_way(port: WorkflowsPort, language: str, now: datetime) -> dict[str, Any]:
    """What the overview says of runs: the newest that go on, and how many there are in all."""
    live = port.live()
    lines = [workflows.line(line_of(run), language, now) for run in live[:_SHOWN_LIVE]]
    return {"live_runs": lines, "live_count": len(live)}


def _posted(body: bytes) -> form.Posted:
    """Raises ValueError."""
    return parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS)


def _key(posted: form.Posted, given: Any) -> str | None:
    """The same page sent twice with the same input is one run; with another input it is another."""
    nonce = next(iter(posted.get("nonce", ())), "")
    if not _NONCE.fullmatch(nonce):
        return None
    meant = json.dumps(given, sort_keys=True).encode()
    return f"{nonce}-{hashlib.sha256(meant).hexdigest()[:16]}"


def _asker(request: Request) -> str:
    """Where it came from, and with what; as the API notes it."""
    agent = request.headers.get("user-agent", "unknown").split(" ")[0][:60]
    return f"{request.client.host if request.client else 'local'} {agent}"


def _language(request: Request) -> str:
    return preferences.of_request(request.cookies, request.headers.get("accept-language")).language


def _query(chosen: Mapping[str, str | None]) -> str:
    query = urlencode({name: value for name, value in chosen.items() if value})
    return f"?{query}" if query else ""

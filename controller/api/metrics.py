"""`/metrics/history` and `/metrics/summary`: what was measured, for charts and at a glance.

`GET /metrics` itself is Prometheus' and lives in `api.hub`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from controller import clock
from controller.api import render_metrics
from controller.api.answers import PROBLEMS, UNKNOWN, Described, json_response, language_of
from controller.api.schemas_metrics import MetricHistory, MetricSummary
from controller.errors import NotFoundError, QuestionError, UnknownServiceError
from controller.logs.query import moment
from controller.metrics.assembly import Sources
from controller.metrics.library import Library, Told
from controller.model.metric import HUB, METRICS, Metric, Scope, Subject

_STORE: Described = {503: PROBLEMS[503] | {"description": "What is kept cannot be read"}}
_ASKED: Described = {**UNKNOWN, 422: PROBLEMS[422], **_STORE}
_NANO = 1e9
_EARLIER_S = {"yesterday": 86_400, "last-week": 7 * 86_400}
_LONGEST_S = 400 * 86_400
_WINDOWS_S = {"1h": 3_600, "6h": 21_600, "24h": 86_400, "7d": 7 * 86_400, "30d": 30 * 86_400}


class MetricRoutes:
    """The endpoints."""

    def __init__(self, library: Library, sources: Sources):
        self._library = library
        self._sources = sources

    def router(self) -> APIRouter:
        routes = APIRouter(prefix="/metrics", tags=["metrics"])
        routes.get(
            "/history",
            response_model=MetricHistory,
            responses=_ASKED,
            summary="What was measured of a service, a workflow or the hub, over a time",
        )(self.history)
        routes.get(
            "/summary",
            response_model=MetricSummary,
            responses={422: PROBLEMS[422], **_STORE},
            summary="Everything that is measured, at a glance",
        )(self.summary)
        return routes

    async def history(
        self,
        metric: Annotated[
            list[str], Query(description="May be given several times; all, where none is.")
        ] = [],  # noqa: B006 - never written to
        service: Annotated[str, Query(max_length=200, description="Of this service.")] = "",
        workflow: Annotated[
            str, Query(max_length=200, description="Of this workflow; without both, of the hub.")
        ] = "",
        since: Annotated[str, Query(description="A time, or how long ago: 15m, 2h, 3d.")] = "1h",
        until: Annotated[str, Query(description="A time, or how long ago; not included.")] = "",
        points: Annotated[int, Query(ge=1, le=2_000, description="At most about so many.")] = 300,
        compare: Annotated[
            Literal["yesterday", "last-week"] | None, Query(description="Beside the same of then.")
        ] = None,
    ) -> Response:
        subject = self._subject(service, workflow)
        begin, end = _times(since, until)
        compare_s = _EARLIER_S[compare] if compare else None
        found = await self._library.history(
            subject, _metrics(subject.scope, metric), begin, end, points, compare_s
        )
        problem = self._library.problem
        return json_response(render_metrics.history(subject, found, compare_s, problem))

    async def summary(
        self,
        request: Request,
        window: Annotated[
            Literal["1h", "6h", "24h", "7d", "30d"], Query(description="Over the last so long.")
        ] = "1h",
    ) -> Response:
        facts = self._sources.facts()
        subjects = {Subject(Scope.SERVICE, name): told for name, told in facts.items()}
        subjects |= {Subject(Scope.WORKFLOW, name): Told() for name in self._sources.workflows}
        found = await self._library.summaries(subjects | {HUB: Told()}, _WINDOWS_S[window])
        return json_response(
            render_metrics.summary(
                found,
                {view.name: view.health for view in self._sources.views()},
                self._library.keeping.interval_s,
                self._library.size,
                self._library.problem,
                language_of(request),
            )
        )

    def _subject(self, service: str, workflow: str) -> Subject:
        """Of what is gone there may still be something."""
        if service and workflow:
            raise QuestionError(
                "service and workflow cannot be asked for at once.", remedy="Ask for one of them."
            )
        if service:
            subject = Subject(Scope.SERVICE, service)
            if service not in self._sources.facts() and not self._library.knows(subject):
                raise UnknownServiceError(
                    f"There is no service {service[:100]!r}, and nothing was measured of one.",
                    remedy="`heal7 ps` lists the services.",
                )
            return subject
        if workflow:
            subject = Subject(Scope.WORKFLOW, workflow)
            if workflow not in self._sources.workflows and not self._library.knows(subject):
                raise NotFoundError(
                    f"There is no workflow {workflow[:100]!r}, and nothing was measured of one.",
                    remedy="`heal7 workflows` lists them.",
                )
            return subject
        return HUB


def _metrics(scope: Scope, names: Sequence[str]) -> list[Metric]:
    known = METRICS[scope]
    wanted = [name for part in names for name in part.split(",") if name] or list(known)
    for name in wanted:
        if name not in known:
            raise QuestionError(
                f"metric: {name[:60]!r} is not measured of a {scope}.",
                remedy=f"It is one of {', '.join(known)}.",
            )
    return [known[name] for name in dict.fromkeys(wanted)]


def _times(since: str, until: str) -> tuple[float, float]:
    """Seconds since 1970. Raises QuestionError."""
    now = clock.now()
    try:
        begin = moment("since", since, now) / _NANO
        end = moment("until", until, now) / _NANO if until else now.timestamp()
    except ValueError as error:
        raise QuestionError(str(error), remedy="See /docs for what may be asked.") from error
    if begin >= end:
        raise QuestionError("since must be before until.", remedy="Exchange them.")
    if end - begin > _LONGEST_S:
        raise QuestionError(
            f"since and until are more than {_LONGEST_S // 86_400} days apart.",
            remedy="Nothing is kept for so long; ask for less.",
        )
    return begin, end

"""The hub about itself: health, liveness, readiness and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Protocol

from fastapi import APIRouter, Query
from prometheus_client.core import Metric
from pydantic import BeforeValidator
from starlette.responses import Response

from controller.api.answers import json_response
from controller.api.schemas import Checks, HubHealth
from controller.orchestrator.world import World
from controller.telemetry import metrics

# The word alone says it, as in Kubernetes' own checks.
Verbose = Annotated[
    bool, BeforeValidator(lambda said: said == "" or said), Query(description="List every check.")
]


class Checker(Protocol):
    """Names the hub's own checks and whether each holds ("ok", or what is wrong)."""

    def live(self) -> Mapping[str, str]: ...

    def ready(self) -> Mapping[str, str]: ...


def router(
    world: World,
    checker: Checker,
    version: str,
    digest: str,
    paused: Callable[[], bool] = lambda: False,
    figures: metrics.Figures | None = None,
    others: Callable[[], Iterable[Metric]] = lambda: (),
) -> APIRouter:
    routes = APIRouter(tags=["hub"])

    @routes.get("/health", response_model=HubHealth, summary="The hub in one line")
    async def health() -> Response:
        connected = world.connected
        return json_response(
            {
                "status": "healthy" if connected else "degraded",
                "role": "orchestration_hub",
                "managed_services": len(world.stack.managed),
                "version": version,
                "engine": "connected" if connected else "unreachable",
                "paused": paused(),
                "config_digest": digest,
            }
        )

    @routes.get(
        "/livez",
        response_model=Checks,
        responses={503: {"model": Checks, "description": "A loop of the hub ended"}},
        summary="Whether the hub's own loops run",
    )
    async def livez(verbose: Verbose = False) -> Response:
        return _checks(checker.live(), verbose)

    @routes.get(
        "/readyz",
        response_model=Checks,
        responses={503: {"model": Checks, "description": "The store or the engine is not there"}},
        summary="Whether the hub can do its work now",
    )
    async def readyz(verbose: Verbose = False) -> Response:
        return _checks(checker.ready(), verbose)

    @routes.get("/metrics", summary="Prometheus figures", response_class=Response)
    async def scrape() -> Response:
        text = metrics.render(world.view(), version, figures, paused=paused(), others=others())
        return Response(text, media_type=metrics.CONTENT_TYPE)

    return routes


def _checks(checks: Mapping[str, str], verbose: bool) -> Response:
    good = all(value == "ok" for value in checks.values())
    body = {"ready": good, **({"checks": dict(checks)} if verbose or not good else {})}
    return json_response(body, 200 if good else 503)

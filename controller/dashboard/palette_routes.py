"""The palette's door: words in, options out, rendered like everything else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from controller import clock
from controller.dashboard import incidents, palette, preferences, present
from controller.dashboard.run_routes import Frame
from controller.errors import StoreError
from controller.model.incident import Incident
from controller.model.recovery import Pause
from controller.model.view import OperationView, StackView

_INCIDENTS = 20
_LONGEST = 100


class PalettePort(Protocol):
    """What can be reached and asked for."""

    def view(self) -> StackView: ...

    def operations(self) -> Sequence[OperationView]: ...

    def workflows(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Name to its steps as (service, action), as configured."""

    def open_incidents(self) -> Sequence[Incident]:
        """Every one that is not closed."""

    async def incidents(
        self, service: str | None, is_open: bool | None, limit: int
    ) -> Sequence[Incident]: ...

    @property
    def paused(self) -> Pause | None:
        """Since when the hub only watches; None while it heals."""


class PaletteFrame(Frame, Protocol):
    """What it needs of the frame: a part without the facts of a page."""

    def bare(self, request: Request, template: str, facts: dict[str, Any]) -> HTMLResponse: ...


class PalettePart:
    """The endpoint."""

    def __init__(self, hub: PalettePort, frame: PaletteFrame) -> None:
        self._hub = hub
        self._frame = frame

    def register(self, routes: APIRouter, fragments: str) -> None:
        routes.get(f"{fragments}palette")(self.offers)

    async def offers(self, request: Request) -> HTMLResponse:
        wishes = preferences.of_request(request.cookies, request.headers.get("accept-language"))
        language, now = wishes.language, clock.now()
        try:
            latest = await self._hub.incidents(None, None, _INCIDENTS)
        except StoreError:
            latest = self._hub.open_incidents()
        view = self._hub.view()
        stack = present.stack(view, self._hub.operations(), language, now)
        groups = palette.offers(
            request.query_params.get("q", "")[:_LONGEST],
            pages=[
                ("overview" if path == preferences.PAGES[0] else path.rsplit("/", 1)[1], path)
                for path in preferences.PAGES
            ],
            rows=stack.rows,
            whole=[*stack.actions, incidents.pause_action(self._hub.paused is not None, language)],
            workflows=list(self._hub.workflows()),
            incidents=[incidents.line(one, language, now) for one in latest],
            language=language,
        )
        return self._frame.bare(request, "_offers.html", {"groups": groups})

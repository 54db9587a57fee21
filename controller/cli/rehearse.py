"""Asks the hub for a rehearsal and stays with it until it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from controller import clock
from controller.cli.client import HubClient, Json, service_path
from controller.cli.errors import HubUnreachable
from controller.cli.follow import PATIENCE_S, POLL_S
from controller.model.rehearsal import FINAL


@dataclass(slots=True)
class Trial:
    """A rehearsal as the hub last told it; `away` is why the hub cannot be asked just now."""

    told: Json
    away: str | None = None

    @property
    def stage(self) -> str:
        return str(self.told.get("stage", ""))

    @property
    def over(self) -> bool:
        return self.stage in FINAL


def run(
    client: HubClient,
    service: str,
    fault: str,
    show: Callable[[Trial], None],
    *,
    force: bool = False,
    patience_s: float = PATIENCE_S,
    pause: Callable[[float], None] = time.sleep,
) -> Trial:
    """Rehearse and return when it is over; `show` is called after every look.

    Raises ProblemAnswer where the hub refuses, HubUnreachable where it cannot be reached at the
    start or is away for longer than `patience_s` seconds.
    """
    body = {"fault": fault, "force": force}
    trial = Trial(client.post_json(service_path(service, "rehearse"), body))
    path = f"/rehearsals/{quote(str(trial.told.get('id')), safe='')}"
    show(trial)
    last_seen = clock.monotonic()
    while not trial.over:
        pause(POLL_S)
        try:
            trial.told = client.get(path)
            trial.away, last_seen = None, clock.monotonic()
        except HubUnreachable as gone:
            if clock.monotonic() - last_seen > patience_s:
                raise
            trial.away = str(gone)
        show(trial)
    return trial

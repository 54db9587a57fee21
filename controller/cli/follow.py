"""Asks the hub for an action and stays with it until every operation has ended.

One request a service. A service that the hub refuses because an operation of ours is acting on it
(a shared dependency) is asked for again when one of ours ends; any other refusal is final.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from controller import clock
from controller.cli.client import HubClient, Json, service_path
from controller.cli.errors import CommandError, HubUnreachable, ProblemAnswer

POLL_S = 0.15
PATIENCE_S = 20.0
"""How long a hub that was there may be away: the engine restarts a killed one within seconds."""

ORPHANS = "/orchestration/orphans"
_CONFLICT = 409
Target = str | None
"""A service's name, or None for the whole stack."""


@dataclass(slots=True)
class Progress:
    """What is known so far. `operations` is keyed by target, as the hub last told them."""

    operations: dict[Target, Json] = field(default_factory=dict)
    problems: dict[Target, CommandError] = field(default_factory=dict)
    waiting: list[Target] = field(default_factory=list)
    away: str | None = None

    @property
    def running(self) -> list[Target]:
        """Targets whose operation has not ended."""
        return [t for t, o in self.operations.items() if o.get("status") == "running"]

    @property
    def success(self) -> bool:
        """Everything asked for was accepted and succeeded."""
        return not self.problems and all(
            o.get("status") == "succeeded" for o in self.operations.values()
        )


Show = Callable[[Progress], None]


def action_path(action: str, target: Target) -> str:
    """Path of start, stop or restart, for one service or for all."""
    return f"/orchestration/{action}-all" if target is None else service_path(target, action)


def run(
    client: HubClient,
    action: str,
    services: list[str],
    show: Show,
    *,
    patience_s: float = PATIENCE_S,
    pause: Callable[[float], None] = time.sleep,
) -> Progress:
    """Do `action` on `services` (none: all) and return when the last operation has ended.

    `show` is called after every look. Raises HubUnreachable when the hub cannot be reached at the
    start, or is away for longer than `patience_s` seconds.
    """
    progress = Progress(waiting=_targets(services))
    _ask(client, action, progress)
    return _stay(client, action, progress, show, patience_s, pause)


def remove_orphans(
    client: HubClient,
    containers: list[str],
    show: Show,
    *,
    patience_s: float = PATIENCE_S,
    pause: Callable[[float], None] = time.sleep,
) -> Progress:
    """Have these orphans removed and return when that is over.

    Raises ProblemAnswer where the hub refuses, HubUnreachable as `run` does.
    """
    begun = client.post_json(f"{ORPHANS}/remove?wait=false", {"containers": containers})
    return _stay(client, "", Progress({None: begun}), show, patience_s, pause)


def _stay(
    client: HubClient,
    action: str,
    progress: Progress,
    show: Show,
    patience_s: float,
    pause: Callable[[float], None],
) -> Progress:
    show(progress)
    last_seen = clock.monotonic()
    while progress.running or progress.waiting:
        pause(POLL_S)
        before = len(progress.running)
        try:
            _look(client, progress)
            if progress.waiting and (len(progress.running) < before or not progress.running):
                _ask(client, action, progress)
            progress.away, last_seen = None, clock.monotonic()
        except HubUnreachable as gone:
            if clock.monotonic() - last_seen > patience_s:
                raise
            progress.away = str(gone)
        show(progress)
    return progress


def plan(client: HubClient, action: str, services: list[str]) -> Json:
    """What `action` would do, as the hub's dry run tells it; nothing happens.

    The plans of several services become one: a step they share stands in it once.
    """
    answers = [
        client.post(action_path(action, target), dry_run="true") for target in _targets(services)
    ]
    return answers[0] if len(answers) == 1 else merge_plans(answers)


def merge_plans(answers: list[Json]) -> Json:
    """One plan of several, numbered anew; steps are the same when they do the same. Pure."""
    numbers: dict[tuple[str, ...], int] = {}
    steps: list[Json] = []
    settled: Json = {}
    for answer in answers:
        planned = answer.get("plan") or []
        settled |= answer.get("settled") or {}
        here = {step["id"]: numbers.setdefault(_deed(step), len(numbers)) for step in planned}
        for step in planned:
            number = here[step["id"]]
            after = {here[before] for before in step["after"]}
            if number == len(steps):
                steps.append(step | {"id": number, "after": sorted(after)})
            else:
                steps[number]["after"] = sorted({*steps[number]["after"], *after})
    acting = {step.get("service") for step in steps}
    return {
        "plan": steps,
        "settled": {name: how for name, how in settled.items() if name not in acting},
    }


def _deed(step: Json) -> tuple[str, ...]:
    return tuple(str(step.get(key, "")) for key in ("op", "service", "subject"))


def _targets(services: list[str]) -> list[Target]:
    return [*services] if services else [None]


def _ask(client: HubClient, action: str, progress: Progress) -> None:
    """Send what is waiting; what only waits for our own operations stays in `waiting`."""
    asked, progress.waiting = progress.waiting, []
    for position, target in enumerate(asked):
        try:
            operation = client.post(action_path(action, target), wait="false")
        except ProblemAnswer as refused:
            if refused.status == _CONFLICT and progress.running:
                progress.waiting.append(target)
            else:
                progress.problems[target] = refused
        except HubUnreachable:
            progress.waiting.extend(asked[position:])
            raise
        else:
            progress.operations[target] = operation


def _look(client: HubClient, progress: Progress) -> None:
    for target in progress.running:
        known = progress.operations[target]
        identity = known.get("id") or known.get("operation")
        try:
            progress.operations[target] = client.get(f"/orchestration/operations/{identity}")
        except ProblemAnswer as lost:
            progress.operations[target] = known | {"status": "unknown"}
            progress.problems[target] = lost

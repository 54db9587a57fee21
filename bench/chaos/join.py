"""A service killed in the middle of a workflow's step: the run waits for the heal and goes on."""

from __future__ import annotations

import signal
import time
from functools import partial

import yaml

from bench import stack as http
from bench.chaos.arena import RESILIENT, Arena, Json, Step, calm, until
from bench.chaos.report import Report, middle, p99, seconds
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack

_SERVICE = "saju-service"
_STEP = "calculate"
_BIRTH = {"datetime": "1992-10-24T05:30", "gender": "female", "longitude": 126.978}
_ENDED = ("succeeded", "compensated", "failed", "compensation_failed", "cancelled")
_LIMIT_S = 60.0
_MOST_TRIES = 10


def run(arena: Arena, kills: int, step: Step) -> Report:
    """Kill -9 of saju-service's PID 1 while its step is under way, `kills` times.

    A step is shorter than a person's eye; a kill that came too late for it is not counted.
    """
    services, volumes = arena.home(RESILIENT)
    workflows: Json = yaml.safe_load(_config())["workflows"]
    stack = arena.stack(services, volumes=volumes, workflows=workflows)
    hub = arena.hub(stack)
    report, held, missed = Report(), [], 0
    struck = 0
    while struck < kills and missed < kills * _MOST_TRIES:
        strike = arena.signaller(stack, _SERVICE, signal.SIGKILL)
        before = arena.witness.lives(stack.project)
        answer = hub.client.send("/workflows/saju_processing/runs", {"input": _BIRTH})
        strike()
        ended = _end(hub, answer.json()["id"])
        until(
            partial(_healed, arena, stack, hub, before), _LIMIT_S, "it lives anew, and all are well"
        )
        touched = _in_the_middle(ended)
        faults = _faults(hub, ended, touched)
        report.faults += [f"join: {ended['id']}: {fault}" for fault in faults]
        if not touched:
            missed += 1
            continue
        struck += 1
        held.append(_step(ended)["held_ms"] / 1000)
        step()
    _tell(report, kills, struck, missed, held)
    return report


def _healed(
    arena: Arena, stack: Stack, hub: HubProcess, before: dict[str, tuple[str, str]]
) -> bool:
    lives = arena.witness.lives(stack.project)
    return lives != before and calm(hub.client, *stack.services)


def _config() -> str:
    return (http.ROOT / "config.yaml").read_text()


def _end(hub: HubProcess, run_id: str) -> Json:
    deadline = time.monotonic() + _LIMIT_S
    while True:
        found: Json = hub.client.get(f"/workflows/runs/{run_id}").json()
        if found["status"] in _ENDED or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def _step(run: Json) -> Json:
    found: Json = next(step for step in run["steps"] if step["id"] == _STEP)
    return found


def _in_the_middle(run: Json) -> bool:
    return bool(_step(run)["held_ms"] or _step(run)["attempts"] > 1)


def _faults(hub: HubProcess, run: Json, touched: bool) -> list[str]:
    found = []
    if run["status"] != "succeeded":
        found.append(f"it is {run['status']}: {run['reason']}")
    if _step(run)["attempts"] != 1:
        found.append(f"{_step(run)['attempts']} attempts were charged")
    told = hub.client.incidents(service=_SERVICE, limit="3")
    if touched and not any(run["id"] in incident["runs_held"] for incident in told):
        found.append("no incident lists it")
    return found


def _tell(report: Report, kills: int, struck: int, missed: int, held: list[float]) -> None:
    if struck < kills:
        report.faults.append(f"join: only {struck} of {kills} kills hit a step")
    report.row(
        f"{struck} kills in the middle of a step: not succeeded, charged or not listed",
        str(len(report.faults)),
        goal="0",
    )
    if held:
        report.row(
            "  held for the heal, p50 / p99", f"{seconds(middle(held))} / {seconds(p99(held))}"
        )
    report.notes.append(f"join: {missed} kills came before or after the step and do not count")

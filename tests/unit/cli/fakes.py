"""What the tests of the command line share: canned answers, and builders of API documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Done:
    """How `heal7` ended and what it printed."""

    returncode: int
    stdout: str
    stderr: str


Heal7 = Callable[..., Done]
"""Runs `heal7 ARGS…`; keywords are environment variables."""


@dataclass
class Answer:
    """What the fake hub sends. `stream` closes the connection after its bytes, like a lost one."""

    body: Any = None
    status: int = 200
    content_type: str = "application/json"
    stream: bytes | None = None


@dataclass
class FakeHub:
    """Answers by `METHOD path?query`; a list is given out one by one, its last for ever."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def on(self, request: str, *answers: Any, status: int = 200) -> None:
        """Give these answers to `request`; anything but an Answer is sent as JSON."""
        self.answers[request] = [
            answer if isinstance(answer, Answer) else Answer(answer, status) for answer in answers
        ]

    def problem(self, request: str, status: int, **fields: Any) -> None:
        """Answer `request` by problem+json."""
        body = {"type": "about:blank", "status": status} | fields
        self.answers[request] = [Answer(body, status, "application/problem+json")]

    def take(self, request: str) -> Answer:
        left = self.answers.get(request)
        if not left:
            return Answer({"title": "No such page", "detail": request}, 404)
        return left.pop(0) if len(left) > 1 else left[0]


def service(name: str, **facts: Any) -> dict[str, Any]:
    """A Service of the API, healthy unless said otherwise."""
    return {
        "name": name,
        "port": 8012,
        "desired": "running",
        "state": "running",
        "health": "healthy",
        "reason": "It answers.",
        "container_id": "abc",
        "image": f"heal7/{name}:latest",
        "depends_on": [],
        "started_at": "2026-01-02T03:04:05.000Z",
        "uptime_s": 7384.2,
        "restarts": 0,
        "response_ms": 3.6,
        "cpu_percent": 0.31,
        "memory_bytes": 50_331_648,
        "port_open": True,
    } | facts


def operation(
    identity: str, status: str, *names: str, outcome: str = "started", **facts: Any
) -> dict[str, Any]:
    """An Operation of the API with one step a service, and results once it has ended."""
    ended = status != "running"
    step = {"succeeded": "done", "failed": "failed"}.get(status, "running")
    return {
        "operation": identity,
        "id": identity,
        "kind": "start",
        "status": status,
        "targets": list(names),
        "requested_at": "2026-01-02T03:04:05.000Z",
        "requested_by": "operator",
        "ended_at": "2026-01-02T03:04:06.000Z" if ended else None,
        "results": {
            name: {
                "outcome": outcome,
                "cause": "People want it running.",
                "duration_ms": 1234,
                "detail": None,
            }
            for name in names
        }
        if ended
        else {},
        "steps": [
            {"op": "start", "service": name, "cause": "People want it running.", "status": step}
            for name in names
        ],
    } | facts


def incident(identity: str, **facts: Any) -> dict[str, Any]:
    """An Incident of the API: a crash that is over, unless said otherwise."""
    return {
        "id": identity,
        "service": "saju-service",
        "state": "closed",
        "kind": "crash",
        "cause": "Ended by signal 9 (exit code 137).",
        "opened_at": "2026-01-02T03:04:05.000Z",
        "detected_at": "2026-01-02T03:04:05.310Z",
        "closed_at": "2026-01-02T03:04:07.400Z",
        "outcome": "recovered",
        "detect_ms": 310,
        "recover_ms": 2400,
        "restarts": 1,
        "evidence": {
            "container_id": "0123456789abcdef",
            "exit_code": 137,
            "oom_killed": False,
            "engine_error": "",
            "last_probes": [],
            "log_tail": [],
        },
        "actions": [],
        "suppressed_alerts": [],
        "runs_held": [],
        "root": None,
        "rehearsal": None,
    } | facts


def rehearsal(identity: str, stage: str, **facts: Any) -> dict[str, Any]:
    """A Rehearsal of the API, measured whole once its stage is final."""
    ended = stage in ("passed", "failed", "aborted")
    return {
        "id": identity,
        "service": "saju-service",
        "fault": "crash",
        "stage": stage,
        "verdict": f"It is {stage}.",
        "objective_s": 30.0,
        "requested_at": "2026-01-02T03:04:05.000Z",
        "requested_by": "operator",
        "injected_at": "2026-01-02T03:04:05.100Z",
        "detected_ms": 310 if ended else None,
        "healed_ms": 2400 if ended else None,
        "dependants_ms": {"paperwork-service": 3100} if ended else {},
        "incident": "inc_1" if ended else None,
        "ended_at": "2026-01-02T03:04:09.000Z" if ended else None,
    } | facts


def planned(
    number: int,
    op: str,
    service: str,
    subject: str,
    *,
    after: list[int] | None = None,
    cause: str = "People want it running.",
) -> dict[str, Any]:
    """A step of a dry run."""
    return {
        "id": number,
        "op": op,
        "service": service,
        "subject": subject,
        "cause": cause,
        "after": after or [],
    }


def run_step(identity: str, status: str = "succeeded", *needs: str, **facts: Any) -> dict[str, Any]:
    """A step of a run of the API, of a service and with an action named for it."""
    begun = status not in ("pending", "held", "skipped")
    over = status in ("succeeded", "failed", "skipped", "cancelled")
    return {
        "id": identity,
        "service": "saju-service",
        "action": "calculate",
        "method": "POST",
        "path": "/actions/calculate",
        "needs": list(needs),
        "status": status,
        "attempts": 1 if begun else 0,
        "max_attempts": 3,
        "started_at": "2026-01-02T03:04:05.100Z" if begun else None,
        "ended_at": "2026-01-02T03:04:05.220Z" if over else None,
        "latency_ms": 120.0 if begun and over else None,
        "output": None,
        "error": None,
        "held_ms": 0,
        "hold": None,
        "retry_at": None,
        "reused": False,
        "compensation": None,
    } | facts


def workflow_run(status: str, *steps: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A run of the API, 1.5 s after it began."""
    ended = status not in ("pending", "running", "waiting", "compensating")
    return {
        "id": "run_1",
        "workflow": "saju_processing",
        "definition_hash": "d1",
        "status": status,
        "reason": None,
        "error": None,
        "by": "127.0.0.1 heal7",
        "key": None,
        "retry_of": None,
        "created_at": "2026-01-02T03:04:05.000Z",
        "started_at": "2026-01-02T03:04:05.000Z",
        "ended_at": "2026-01-02T03:04:06.500Z" if ended else None,
        "elapsed_ms": 1500,
        "input": {},
        "output": None,
        "steps": list(steps),
    } | facts


def workflow(name: str, *steps: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """A workflow of the API."""
    return {
        "name": name,
        "hash": "0123456789abcdef",
        "description": {"ko": "사주 종합 처리", "en": "Four pillars processing"},
        "steps": list(steps),
        "timeout_s": 60.0,
        "output": None,
        "input_schema": None,
        "schedule": None,
        "concurrency": None,
    } | facts


def defined_step(identity: str, *needs: str, **facts: Any) -> dict[str, Any]:
    """A step of a workflow of the API."""
    return {
        "id": identity,
        "service": "saju-service",
        "action": "calculate",
        "method": "POST",
        "path": "/actions/calculate",
        "needs": list(needs),
        "input": None,
        "when": None,
        "timeout_s": 10.0,
        "retry": {"attempts": 3, "backoff_s": 0.5, "max_backoff_s": 10.0},
        "start": False,
        "compensate": None,
    } | facts

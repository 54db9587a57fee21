"""Turns what people are shown into the JSON of the API: one place, so that all answers agree."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from controller.clock import rfc3339
from controller.i18n import render
from controller.model.probe import ProbeResult
from controller.model.spec import ServiceSpec
from controller.model.view import OperationView, OrphanView, ServiceView, StackView
from controller.orchestrator.plan import Plan


def dumps(value: Any) -> str:
    """Compact JSON, Korean left readable."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def service(view: ServiceView, language: str, now: datetime) -> dict[str, Any]:
    """A Service. `uptime_s` counts from the container's start to `now`."""
    uptime = (now - view.started_at).total_seconds() if view.started_at else None
    return {
        "name": view.name,
        "port": view.port,
        "desired": view.desired,
        "state": view.state,
        "health": view.health,
        "reason": render(view.reason, language),
        "container_id": view.container_id,
        "image": view.image,
        "depends_on": list(view.depends_on),
        "started_at": rfc3339(view.started_at),
        "uptime_s": round(max(0.0, uptime), 1) if uptime is not None else None,
        "restarts": view.restarts,
        "response_ms": view.response_ms,
        "cpu_percent": view.cpu_percent,
        "memory_bytes": view.memory_bytes,
        "port_open": view.port_open,
        "since": rfc3339(view.since),
        "operation": view.busy,
        "incident": view.incident,
        "replica_of": view.replica_of or None,
    }


def status(view: StackView, language: str, now: datetime) -> dict[str, Any]:
    """The answer of `GET /orchestration/status`."""
    return {
        "orchestration_hub": "active",
        "total_services": len(view.services),
        "running": view.running,
        "healthy": view.healthy,
        "services": [service(s, language, now) for s in view.services],
        "orphans": [orphan(one) for one in view.orphans],
    }


def orphan(view: OrphanView) -> dict[str, Any]:
    """A container that no file speaks of."""
    return {
        "name": view.name,
        "service": view.service,
        "container_id": view.container_id,
        "image": view.image,
        "state": view.state,
        "since": rfc3339(view.since),
        "operation": view.busy,
    }


def operation(view: OperationView, language: str) -> dict[str, Any]:
    """An Operation with its progress and results."""
    return {
        "id": view.id,
        "kind": view.kind,
        "status": view.status,
        "targets": list(view.targets),
        "requested_at": rfc3339(view.requested_at),
        "requested_by": view.requested_by,
        "ended_at": rfc3339(view.ended_at),
        "results": results(view, language),
        "steps": [
            {
                "op": step.op,
                "service": step.service,
                "cause": render(step.cause, language),
                "status": step.status,
                "progress": render(step.progress, language) if step.progress else None,
            }
            for step in view.steps
        ],
    }


def results(view: OperationView, language: str) -> dict[str, Any]:
    """Per service: outcome, cause, duration_ms and, where there is one, detail."""
    shown = {}
    for name, result in view.results.items():
        row: dict[str, Any] = {
            "outcome": result.outcome,
            "cause": render(result.cause, language),
            "duration_ms": result.duration_ms,
        }
        if result.detail is not None:
            row["detail"] = result.detail
        shown[name] = row
    return shown


def plan(view: Plan, language: str) -> dict[str, Any]:
    """The answer of a dry run. `after` holds the `id`s that an operation waits for."""
    return {
        "plan": [
            {
                "id": op.id,
                "op": op.op,
                "service": op.service,
                "subject": op.subject,
                "cause": render(op.cause, language),
                "after": list(op.after),
            }
            for op in view.ops
        ],
        "settled": dict(view.settled),
    }


def config(spec: ServiceSpec) -> dict[str, Any]:
    """How the service is probed and healed, as configured. Durations are seconds."""
    return {"probe": asdict(spec.probe), "recovery": asdict(spec.recovery)}


def probes(results: Iterable[ProbeResult], language: str) -> list[dict[str, Any]]:
    """Probes as they were made, oldest first."""
    return [
        {
            "at": rfc3339(result.at),
            "ok": result.ok,
            "said": render(result.said, language),
            "response_ms": result.response_ms,
        }
        for result in results
    ]

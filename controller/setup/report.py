"""What set-up shows at its end: the services, where they are, and how long each phase took.

Pure: from the hub's JSON and the phases' seconds to things rich can print.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

_COLOURS = {
    "healthy": "green",
    "starting": "cyan",
    "unhealthy": "red",
    "failed": "red",
    "blocked": "red",
    "held": "yellow",
    "stopped": "dim",
}


def services_table(services: Sequence[Mapping[str, Any]], published: Collection[str]) -> Table:
    """The services of `GET /orchestration/status` with their addresses, health and reason.

    `published` are those whose port is this machine's too: the others have no address here.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("service", "address", "health", "reason"):
        table.add_column(heading, overflow="fold", no_wrap=heading != "reason")
    for service in services:
        health = str(service.get("health", "unknown"))
        port = service.get("port") if service.get("name") in published else None
        table.add_row(
            Text(str(service.get("name", ""))),
            Text(f"http://localhost:{port}" if port else "-"),
            Text(health, style=_COLOURS.get(health, "")),
            Text(str(service.get("reason") or "")),
        )
    return table


def unwell(services: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The services that are not as they should be; one that has finished its work is."""
    return [one for one in services if one.get("health") not in ("healthy", "stopped")]


def causes(operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Name and sentence of each service that an operation could not bring where it was asked to."""
    good = (
        *("started", "restarted", "recreated", "completed", "already_running"),
        *("stopped", "already_stopped", "removed"),
    )
    found = []
    for name, result in (operation.get("results") or {}).items():
        if result.get("outcome") not in good:
            cause, detail = result.get("cause") or "no cause was given", result.get("detail") or ""
            # What a blocked one waits for tells its own story; one line is in the cause already.
            told = result.get("outcome") == "blocked" or detail in cause
            said = [cause, "" if told else detail]
            why = "\n".join(str(part) for part in said if part)
            found.append((name, f"{name}: {result.get('outcome')}: {why}"))
    return found


def orphans(status: Mapping[str, Any]) -> str:
    """One sentence on containers that no compose file speaks of; empty where there are none."""
    found = status.get("orphans") or []
    names = ", ".join(f"{one.get('name')} ({one.get('service')})" for one in found)
    if not names:
        return ""
    return (
        f"Left from services that no compose file speaks of: {names}. "
        "`heal7 compose orphans --remove` removes them."
    )


def summary(services: Sequence[Mapping[str, Any]], operation: Mapping[str, Any]) -> str:
    """`3/5 healthy; waiting for a, b`, and how far that is which takes long, such as a build."""
    waiting = [str(s.get("name")) for s in services if s.get("health") != "healthy"]
    line = f"{len(services) - len(waiting)}/{len(services)} healthy"
    long = [
        f"{step.get('service')}: {step['progress']}"
        for step in operation.get("steps") or []
        if step.get("status") == "running" and step.get("progress")
    ]
    told = [f"{line}; waiting for {', '.join(waiting)}" if waiting else line, *long]
    return ". ".join(told)


def timings_line(timings: Mapping[str, float], total_s: float) -> str:
    """`base image 36.8 s · wheels 7.0 s · in all 48.0 s`; phases may overlap."""
    parts = [f"{name} {seconds:.1f} s" for name, seconds in timings.items()]
    return " · ".join([*parts, f"in all {total_s:.1f} s"])

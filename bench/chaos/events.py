"""What the engine itself says happened to a project's containers: the witness of every count.

A subscription of its own, beside the hub's, because the engine remembers only its last 256 events.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import docker

from tests.integration.it_engine import PROJECT, SERVICE


@dataclass(frozen=True, slots=True)
class Seen:
    """One event. `at` is Unix seconds by the engine's clock; the numbers are None where the event
    has none."""

    service: str
    action: str
    at: float
    container: str
    signal: int | None = None
    exit_code: int | None = None


class EngineLog:
    """Collects start, die, kill and stop events of one project until it is closed, those included
    that the engine remembers from Unix second `since` on."""

    def __init__(self, project: str, base_url: str | None = None, since: float | None = None):
        self._api = docker.APIClient(base_url=base_url, version="auto")
        self._seen: list[Seen] = []
        self._stream: Any = self._api.events(
            decode=True,
            since=None if since is None else datetime.fromtimestamp(since, UTC),
            filters={
                "type": "container",
                "label": f"{PROJECT}={project}",
                "event": ["start", "die", "kill", "stop"],
            },
        )
        threading.Thread(target=self._read, name=f"events of {project}", daemon=True).start()

    def _read(self) -> None:
        for event in self._stream:
            said = event["Actor"]["Attributes"]
            code = said.get("exitCode")
            number = said.get("signal")
            self._seen.append(
                Seen(
                    service=said.get(SERVICE, ""),
                    action=event["Action"],
                    at=event["timeNano"] / 1e9,
                    container=event["Actor"]["ID"],
                    signal=int(number) if number else None,
                    exit_code=int(code) if code else None,
                )
            )

    def of(self, action: str, service: str | None = None, since: float = 0.0) -> list[Seen]:
        """Oldest first."""
        return [
            seen
            for seen in tuple(self._seen)
            if seen.action == action
            and seen.at >= since
            and (service is None or seen.service == service)
        ]

    def count(self, action: str, service: str | None = None, since: float = 0.0) -> int:
        return len(self.of(action, service, since))

    def close(self) -> None:
        self._stream.close()
        self._api.close()

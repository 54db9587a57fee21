"""The real hub as a process of its own, and the client that a person's tools would be."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.integration.it_wait import eventually

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    id: int
    kind: str
    data: Json


class EventStream:
    """An open `/events`. `start_id` is the newest id there was when the stream was opened."""

    def __init__(self, lines: Iterator[str]):
        self._lines = lines
        preamble = next(line for line in lines if line.startswith(":"))
        self.start_id = int(preamble.rsplit(" ", 1)[-1])

    def until(self, wanted: Callable[[Event], bool]) -> list[Event]:
        """Every event up to and including the first `wanted` one. A read timeout raises."""
        got: list[Event] = []
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
                continue
            if "id" in fields:
                event = Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
                got.append(event)
                if wanted(event):
                    return got
            fields = {}
        raise AssertionError(f"the stream ended after {got[-3:]}")


class HubClient:
    """What the tests ask of a hub."""

    def __init__(self, port: int):
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            timeout=90,
            trust_env=False,
            headers={"Accept-Language": "en"},
        )

    def get(self, path: str) -> httpx.Response:
        return self._http.get(path)

    def post(self, path: str, **query: str) -> httpx.Response:
        return self._http.post(path, params=query)

    def send(self, path: str, body: Json) -> httpx.Response:
        """POST with a JSON body."""
        return self._http.post(path, json=body)

    def services(self) -> dict[str, Json]:
        """The status, by service."""
        answer = self.get("/orchestration/status")
        assert answer.status_code == 200, answer.text
        return {service["name"]: service for service in answer.json()["services"]}

    def verb(self, what: str) -> Json:
        """`start-all`, or `services/x/stop`, awaited to its end: the 200's body."""
        answer = self.post(f"/orchestration/{what}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def done(self, what: str) -> dict[str, Json]:
        """Like `verb`, for what must succeed: its results."""
        body = self.verb(what)
        assert body["success"], json.dumps(body, indent=1)
        results: dict[str, Json] = body["results"]
        return results

    def plan(self, what: str) -> Json:
        answer = self.post(f"/orchestration/{what}", dry_run="true")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    def operations(self) -> list[Json]:
        """Newest first."""
        found: list[Json] = self.get("/orchestration/operations").json()
        return found

    def incidents(self, **query: str) -> list[Json]:
        """Newest first."""
        answer = self._http.get("/incidents", params=query)
        assert answer.status_code == 200, answer.text
        found: list[Json] = answer.json()
        return found

    def idle(self) -> bool:
        """True where no operation is under way."""
        return not [o for o in self.operations() if o["status"] == "running"]

    @contextmanager
    def events(self, last_event_id: int | None = None) -> Iterator[EventStream]:
        headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
        with self._http.stream("GET", "/events", headers=headers, timeout=30) as answer:
            yield EventStream(answer.iter_lines())

    def close(self) -> None:
        self._http.close()


class HubProcess:
    """`heal7 serve` on a port of its own. Its standard error is kept in `log`."""

    def __init__(
        self, config: Path, state: Path, port: int, environment: Mapping[str, str] | None = None
    ):
        self.config = config
        self.state = state
        self.port = port
        self.client = HubClient(port)
        self.log = state.parent / f"{state.name}-hub-{port}.log"
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("HEAL7", "COMPOSE_"))}
        self._environment = {**ours, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Begin; `wait_ready` or `wait_listening` says when it is there."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=ROOT, env=self._environment, stdout=log, stderr=log
            )
        return self

    def command(self, *more: str) -> list[str]:
        words = [sys.executable, "-m", "controller", "serve", "--config", str(self.config)]
        return [*words, "--state", str(self.state), "--port", str(self.port), *more]

    def wait_listening(self) -> Self:
        eventually(lambda: self._answers("/livez"), 30, f"hub on {self.port}: {self.log}")
        return self

    def wait_ready(self) -> Self:
        """Listening, the engine seen, and what the hub owed from before done."""
        eventually(lambda: self._answers("/readyz"), 30, f"hub on {self.port}: {self.log}")
        eventually(self.client.idle, 60, "the hub converges")
        return self

    def _answers(self, path: str) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()[-2000:]
        try:
            return self.client.get(path).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_dead(self) -> bool:
        """Whether it ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def kill9(self) -> None:
        """As the kernel's OOM killer would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As the engine would. A hub that does not heed SIGTERM, or breaks by it, is a failure."""
        code = self._end(signal.SIGTERM)
        # uvicorn shuts down first and then lets the signal have its way.
        assert code in (0, -signal.SIGTERM), self.log.read_text()[-2000:]

    def _end(self, number: int) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(60)
        finally:
            process.kill()

    def close(self) -> None:
        self.stop()
        self.client.close()

"""A service as a process: it stops when told, at every moment, and logs what belongs together."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

HERE = Path(__file__).parent
STOP_S = 2.0


class Process:
    """The demo service on a free port, with its log lines as they come."""

    def __init__(self, data: Path, **env: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "contract_demo.py")],
            env={
                **os.environ,
                "PYTHONPATH": str(HERE.parent),
                "HEAL7_PORT": self.port,
                "HEAL7_HOST": "127.0.0.1",
                "HEAL7_DATA": str(data),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()

    def wait_for(self, text: str, timeout_s: float = 60) -> None:
        with self._changed:
            found = self._changed.wait_for(
                lambda: any(text in line for line in self.lines), timeout_s
            )
        assert found, "".join(self.lines)

    def stop(self) -> tuple[int, float]:
        """Exit code and seconds from SIGTERM to the end."""
        started = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        return code, time.perf_counter() - started

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    started = Process(tmp_path / "demo.sqlite3")
    yield started
    started.end()


def test_sigterm_when_idle(process: Process) -> None:
    process.wait_for("running on")
    code, seconds = process.stop()
    assert (code, seconds < STOP_S) == (0, True), seconds


def test_sigterm_with_a_client_that_keeps_its_connection(process: Process) -> None:
    process.wait_for("running on")
    with httpx.Client() as http:
        assert http.get(f"{process.url}/health").status_code == 200
        code, seconds = process.stop()
    assert (code, seconds < STOP_S) == (0, True), seconds


@pytest.mark.parametrize("action", ["double", "double-in-thread"])
def test_sigterm_while_an_action_hangs(process: Process, action: str) -> None:
    process.wait_for("running on")
    hanging = threading.Thread(target=_post_quietly, args=(process.url, action, "hold"))
    hanging.start()
    _await_metric(process.url, "heal7_http_requests_in_flight 2.0")
    code, seconds = process.stop()
    hanging.join()
    assert (code, seconds < STOP_S) == (0, True), seconds


def test_sigterm_during_start_up(process: Process) -> None:
    # Whatever the moment, the end is quick; before the interpreter listens it is by the signal.
    code, seconds = process.stop()
    assert code in (0, -signal.SIGTERM)
    assert seconds < STOP_S


def test_kill_loses_no_reply(tmp_path: Path) -> None:
    data = tmp_path / "demo.sqlite3"
    first = Process(data)
    first.wait_for("running on")
    headers = {"Idempotency-Key": "k"}
    before = httpx.post(f"{first.url}/actions/double", json={"number": 3}, headers=headers)
    first.end()
    second = Process(data)
    second.wait_for("running on")
    after = httpx.post(f"{second.url}/actions/double", json={"number": 3}, headers=headers)
    second.end()
    assert after.content == before.content
    assert after.headers["idempotency-replayed"] == "true"


def test_every_line_is_json_with_run_and_step(process: Process) -> None:
    process.wait_for("running on")
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"X-Workflow-Run": "run-7", "X-Workflow-Step": "double", "traceparent": trace}
    body = {"number": 1, "mode": "crash"}
    httpx.post(f"{process.url}/actions/double", json=body, headers=headers)
    httpx.get(f"{process.url}/a%0A%1B%5B31mforged")
    process.wait_for("forged")
    lines = [json.loads(line) for line in process.lines]
    of_run = [line for line in lines if line.get("run") == "run-7"]
    assert {line["logger"] for line in of_run} == {"heal7", "heal7.access"}
    assert all(line["step"] == "double" for line in of_run)
    assert all(line["trace_id"] == trace[3:35] for line in of_run)
    assert any("RuntimeError" in line.get("exception", "") for line in of_run)
    assert not any("\x1b" in line for line in process.lines)


@pytest.mark.parametrize(
    ("env", "named"),
    [({"HEAL7_PORT": "http"}, "HEAL7_PORT"), ({"HEAL7_LOG_LEVEL": "loud"}, "HEAL7_LOG_LEVEL")],
)
def test_a_wrong_setting_is_named(tmp_path: Path, env: dict[str, str], named: str) -> None:
    process = Process(tmp_path / "demo.sqlite3", **env)
    assert process.process.wait(60) == 2
    process.wait_for(named)
    process.end()


def test_a_taken_port_ends_it_with_an_error(process: Process, tmp_path: Path) -> None:
    process.wait_for("running on")
    second = Process(tmp_path / "other.sqlite3", HEAL7_PORT=process.port)
    assert second.process.wait(60) == 3
    second.wait_for("address already in use")
    second.end()


def _post_quietly(url: str, action: str, mode: str) -> None:
    try:
        httpx.post(f"{url}/actions/{action}", json={"number": 1, "mode": mode}, timeout=20)
    except httpx.HTTPError:
        return  # the service went away under it, which is what the test is about


def _await_metric(url: str, line: str) -> None:
    deadline = time.perf_counter() + 60
    while line not in httpx.get(f"{url}/metrics").text:
        assert time.perf_counter() < deadline

"""A small HTTP server that gives canned answers, and `heal7` run as a person would run it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from typer.testing import CliRunner

from controller.cli.app import app
from tests.unit.cli.fakes import ROOT, Done, FakeHub, Heal7


@pytest.fixture
def fake_hub() -> Iterator[FakeHub]:
    hub = FakeHub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            request = f"{self.command} {self.path}"
            hub.asked.append(request)
            hub.headers.append(dict(self.headers))
            hub.bodies.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            canned = hub.take(request)
            if canned.stream is None:
                content = canned.body if isinstance(canned.body, str) else json.dumps(canned.body)
                body = content.encode()
            else:
                body = canned.stream
            self.send_response(canned.status)
            self.send_header("Content-Type", canned.content_type)
            if canned.stream is None:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def do_DELETE(self) -> None:
            self.answer()

        def log_message(self, *_arguments: Any) -> None:
            """The requests are in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def surroundings(hub: FakeHub, env: dict[str, str]) -> dict[str, str]:
    return {"HEAL7_HUB": hub.url, "COLUMNS": "80", "LANG": "C.UTF-8"} | env


@pytest.fixture
def heal7_process(fake_hub: FakeHub) -> Heal7:
    """Run `heal7 ARGS…` as a program of its own; 0.3 s each, for what only a program shows."""

    def run(*arguments: str, **env: str) -> Done:
        done = subprocess.run(
            [sys.executable, "-m", "controller", *arguments],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"]} | surroundings(fake_hub, env),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def heal7(fake_hub: FakeHub) -> Heal7:
    """Run `heal7 ARGS…` in this process, 80 columns wide."""
    absent = dict.fromkeys(
        ("LC_ALL", "LC_MESSAGES", "NO_COLOR", "FORCE_COLOR", "TERM", "HEAL7_CONFIG", "DOCKER_HOST")
    )

    def run(*arguments: str, stdin: str | None = None, **env: str) -> Done:
        runner = CliRunner(env={**absent, **surroundings(fake_hub, env)})
        done = runner.invoke(app, arguments, input=stdin, prog_name="heal7")
        unexpected = None if isinstance(done.exception, SystemExit) else done.exception
        if unexpected is not None:
            raise unexpected
        return Done(done.exit_code, done.stdout, done.stderr)

    return run

"""Small stacks of the tests' own: services that do one thing and say when they did it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PYTHON = "/opt/venv/bin/python"
PORT = 8000
Service = dict[str, Any]
# Ends when asked, so that a stop takes no grace.
IDLE = "import signal; signal.signal(signal.SIGTERM, lambda *_: exit(0)); signal.pause()"

# Answers 503 for BOOT_S seconds, then 200; says when it first answered well and when it was asked
# to stop, and takes STOP_S to do so. With GATE set it is never well until the file is there.
_SERVER = """
import os, signal, time
born = time.time()
first = []
def bye(*_):
    print('asked', time.time(), flush=True)
    time.sleep(float(os.environ.get('STOP_S', '0')))
    os._exit(0)
signal.signal(signal.SIGTERM, bye)
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
def well():
    gate = os.environ.get('GATE')
    late = time.time() - born >= float(os.environ.get('BOOT_S', '0'))
    return late and (not gate or os.path.exists(gate))
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        ok = well()
        if ok and not first:
            first.append(time.time())
            print('ready', first[0], flush=True)
        self.send_response(200 if ok else 503)
        self.send_header('Content-Length', '0')
        self.end_headers()
    def log_message(self, *_):
        pass
ThreadingHTTPServer(('', 8000), Handler).serve_forever()
"""

# Ends with code 3 and a last word unless the file GATE is there.
_CRASHES = """
import os, sys
if not os.path.exists(os.environ['GATE']):
    print('opening the ledger', flush=True)
    print('the ledger is locked', flush=True)
    sys.exit(3)
os.environ.pop('GATE')
"""

# Also does actions: takes as long as the body says, refuses where it says so, says what it did, and
# answers a key that it knows from memory. One voice: print writes a line in pieces, and those of
# two threads would mingle.
_WORKER = """
import json, threading
known, lock, voice = {}, threading.Lock(), threading.Lock()
def say(word, key):
    with voice:
        print(word, key, flush=True)
def act(self):
    body = json.loads(self.rfile.read(int(self.headers.get('Content-Length') or 0)) or 'null') or {}
    key = self.headers.get('Idempotency-Key')
    undo = self.path.endswith('/compensate')
    with lock:
        turn = known.setdefault(key, threading.Lock())
    with turn:
        again = key in known.setdefault('done', set())
        say('undo' if undo else 'begun', key)
        if not again and not undo:
            time.sleep(float(body.get('takes') or 0))
        say('again' if again else 'undid' if undo else 'did', key)
        known['done'].add(key)
    refused = not undo and body.get('refuse')
    answer = json.dumps({'detail': 'I will not.'} if refused else {'result': {'key': key}}).encode()
    self.send_response(422 if refused else 200)
    self.send_header('Content-Type', 'application/json')
    self.send_header('Content-Length', str(len(answer)))
    self.end_headers()
    self.wfile.write(answer)
Handler.do_POST = act
"""

SERVER = textwrap.dedent(_SERVER)
# Before the line that serves for ever.
WORKER = SERVER.replace("ThreadingHTTPServer(('',", _WORKER.strip() + "\nThreadingHTTPServer(('',")
CRASHES = textwrap.dedent(_CRASHES) + SERVER


def serving(image: str, port: int, *, program: str = SERVER, **more: Any) -> Service:
    """A compose service that serves on 127.0.0.1:`port`; `more` replaces or adds keys."""
    labels = {
        "heal7.managed": "true",
        "heal7.port": str(port),
        "heal7.health.path": "/health",
        **more.pop("labels", {}),
    }
    return {
        "image": image,
        "command": [PYTHON, "-c", program],
        "init": True,
        "stop_grace_period": "3s",
        "ports": [f"127.0.0.1:{port}:{PORT}"],
        "labels": labels,
        **more,
    }


def after(*names: str) -> dict[str, dict[str, str]]:
    """A `depends_on` that waits for the named ones' health."""
    return {name: {"condition": "service_healthy"} for name in names}


@dataclass(slots=True)
class Stack:
    """A compose file and a config.yaml in a folder of their own. Change `services`, then write."""

    project: str
    folder: Path
    services: dict[str, Service]
    volumes: dict[str, Any] = field(default_factory=dict)
    networks: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, Any] = field(default_factory=dict)
    workflows: dict[str, Any] = field(default_factory=dict)
    alerts: dict[str, Any] = field(default_factory=dict)

    @property
    def compose_file(self) -> Path:
        return self.folder / "compose.yaml"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def write(self) -> None:
        model = {"services": self.services}
        beside = {"volumes": self.volumes, "networks": self.networks}
        model |= {key: declared for key, declared in beside.items() if declared}
        self.compose_file.write_text(yaml.safe_dump(model, sort_keys=False))
        orchestration: dict[str, Any] = {
            "project": self.project,
            "compose_files": [self.compose_file.name],
        }
        if self.limits:
            orchestration["limits"] = self.limits
        config = {"orchestration": orchestration}
        if self.workflows:
            config["workflows"] = self.workflows
        if self.alerts:
            config["alerts"] = self.alerts
        self.config.write_text(yaml.safe_dump(config, sort_keys=False))

    def container(self, service: str) -> str:
        """The name that the hub gives the service's container."""
        return f"{self.project}-{service}-1"

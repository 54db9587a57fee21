"""Stacks, hubs and ports for chaos, and the broom: nothing is left behind, whatever happened."""

from __future__ import annotations

import itertools
import os
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Self

import docker
import yaml

from bench import stack as http
from bench.chaos.events import EngineLog
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient, HubProcess
from tests.integration.it_ports import Ports
from tests.integration.it_stack import Service, Stack
from tests.integration.it_wait import eventually

Json = dict[str, Any]
Step = Callable[[], None]
"""Told after every round."""

_BASE = "heal7/service-base:latest"
_POLL_S = 0.004
_ANSWER_S = 0.25
RESILIENT = {"heal7.recovery.reset": "1s", "heal7.recovery.max_restarts": "1000"}
"""Each fault counts as the first one, as if ten healthy minutes lay between any two."""
ROOMY = {"at_once": 10, "per_minute": 1000}
"""Limits of the stack that many faults in a short time do not reach."""
BRISK = {
    "heal7.probe.interval": "1s",
    "heal7.probe.timeout": "1s",
    "heal7.probe.failures": "3",
}
_serial = itertools.count(1)


class Arena:
    """Everything a scenario uses, made on demand and swept away at the end.

    `base_url` is the engine's address where it is not the machine's own.
    """

    def __init__(self, base_url: str | None = None):
        self._base_url = base_url
        self._at_end = ExitStack()
        self._folder = Path()
        self.free_port = Ports()
        self.image = _BASE

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._folder = Path(opening.enter_context(tempfile.TemporaryDirectory()))
            client = docker.DockerClient(
                base_url=self._base_url or os.environ.get("DOCKER_HOST"), timeout=60
            )
            opening.callback(client.close)
            client.ping()
            self.witness = Witness(client)
            self._at_end = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._at_end.close()

    def stack(self, services: dict[str, Service], limits: Json | None = None, **more: Any) -> Stack:
        """A stack with a project name of its own, written down."""
        project = f"heal7-chaos-{os.getpid()}-{next(_serial)}"
        folder = self._folder / project
        folder.mkdir()
        made = Stack(project, folder, services, limits=limits or ROOMY, **more)
        made.write()
        self._at_end.callback(self.witness.sweep, project)
        return made

    def hub(
        self, stack: Stack, started: tuple[str, ...] | None = None, **environment: str
    ) -> HubProcess:
        """A hub that answers, with these services (all of them) started and healthy."""
        made = HubProcess(stack.config, stack.state, self.free_port(), environment)
        self._at_end.callback(made.close)
        made.start().wait_ready()
        if started is None:
            made.client.done("start-all")
        for name in started or ():
            made.client.done(f"services/{name}/start")
        names = stack.services if started is None else started
        eventually(lambda: calm(made.client, *names), 60, "all healthy")
        return made

    def log(self, stack: Stack) -> EngineLog:
        made = EngineLog(stack.project, self._base_url)
        self._at_end.callback(made.close)
        return made

    def home(self, labels: dict[str, str]) -> tuple[dict[str, Service], Json]:
        """The five services of the home stack on ports of ours, and their volumes."""
        model = yaml.safe_load(http.COMPOSE_FILE.read_text())
        services: dict[str, Service] = {}
        for name, service in model["services"].items():
            port, inner = self.free_port(), service["labels"]["heal7.port"]
            ours = {
                "ports": [f"127.0.0.1:{port}:{inner}"],
                "labels": {**service["labels"], "heal7.port": str(port), **labels},
            }
            services[name] = {k: v for k, v in service.items() if k != "build"} | ours
        return services, model["volumes"]

    def pid(self, stack: Stack, service: str) -> int:
        """The host's number of the service's PID 1. Raises AssertionError where it has none."""
        found = int(self.witness.one(stack.project, service)["State"]["Pid"])
        assert found, f"{service} does not run"
        return found

    def signaller(self, stack: Stack, service: str, number: int) -> Callable[[], None]:
        """Sends the signal to the service's PID 1 as it is now, without asking the engine then."""
        return partial(os.kill, self.pid(stack, service), number)

    def kill9(self, stack: Stack, service: str) -> None:
        self.signaller(stack, service, signal.SIGKILL)()


def port_of(stack: Stack, service: str) -> int:
    return int(stack.services[service]["labels"]["heal7.port"])


def serves(port: int) -> bool:
    """Whether a fresh connection gets a 200 soon."""
    return http.request(port, "GET", "/health", _ANSWER_S)[0] == 200


def until_serving(port: int, limit_s: float = 60.0) -> float:
    """Seconds from now until the port serves. Raises TimeoutError."""
    begun = time.monotonic()
    until(lambda: serves(port), limit_s, f"an answer on port {port}")
    return time.monotonic() - begun


def outage(
    log: EngineLog, stack: Stack, service: str, strike: Callable[[], None], limit_s: float = 60.0
) -> float:
    """Seconds from the strike until the service serves again. Raises TimeoutError.

    Nobody connects before the engine has started it: a connection to a container whose network is
    only half there makes the kernel look for it again a second later, and would be measured.
    """
    struck_at, begun = time.time(), time.monotonic()
    strike()
    until(lambda: log.count("start", service, struck_at) > 0, limit_s, f"a start of {service}")
    until_serving(port_of(stack, service), limit_s)
    return time.monotonic() - begun


def until(condition: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait for a moment that is measured, without a guess at its length. Raises TimeoutError."""
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {limit_s} s: {what}")
        time.sleep(_POLL_S)


def calm(client: HubClient, *names: str) -> bool:
    """Whether these are healthy and no incident of theirs is open."""
    seen = client.services()
    return all(seen[n]["health"] == "healthy" and not seen[n]["incident"] for n in names)


def story(incident: Json) -> str:
    """An incident in one line, for faults."""
    acts = ", ".join(f"{a['op']} {a['outcome']}".strip() for a in incident["actions"])
    code = incident["evidence"]["exit_code"]
    return (
        f"{incident['id']} {incident['kind']} (exit code {code}) {incident['state']} "
        f"{incident['outcome']}: {acts}"
    )

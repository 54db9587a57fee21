"""The doctor's judgement on facts, and its gatherers on a machine made for the test."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from controller import clock
from controller.cli import facts as gather
from controller.cli.checkup import report
from controller.cli.client import HubClient
from controller.cli.doctor import (
    ClockFact,
    ConfigFact,
    DiskFact,
    EngineFact,
    Facts,
    HubFact,
    ImageFact,
    OrphanFact,
    PortFact,
    PortState,
    Socket,
    evaluate,
)
from controller.cli.local_engine import LocalEngine, socket_path
from controller.model.build import BuildSpec, Pull, PullPolicy, Source
from controller.model.spec import ContainerSpec, Port, ServiceSpec, StackSpec
from tests.unit.cli.fakes import FakeHub

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GIB = 1024**3
WELL = Facts(
    own_version="0.1.0",
    hub=HubFact("http://hub", version="0.1.0", engine="connected", config_digest="d1"),
    engine=EngineFact("/run/d.sock", Socket.ANSWERS, "20.10.24", "1.41", skew_s=0.1),
    config=ConfigFact("config.yaml", digest="d1"),
    ports=(PortFact("the hub", 8015, PortState.OURS), PortFact("saju", 8012, PortState.FREE)),
    images=(ImageFact("heal7/saju:1", present=True, source="own"),),
    disks=(DiskFact("/var/lib/docker", 20 * GIB, 40 * GIB),),
    clock=ClockFact(NOW, NOW - timedelta(days=3)),
)


def told(facts: Facts) -> list[str]:
    """What is not well, as `status name: found`."""
    return [f"{c.status} {c.name}: {c.found}" for c in evaluate(facts) if c.status != "ok"]


def test_a_machine_that_is_well() -> None:
    assert told(WELL) == []
    assert [c.name for c in evaluate(WELL)] == [
        "engine",
        "hub",
        "hub's engine",
        "config",
        "config in use",
        "images",
        "ports",
        "disk",
        "clock",
    ]


SICK = [
    (
        {"hub": HubFact("http://hub", error="The hub at http://hub is not running.")},
        "fail hub: The hub at http://hub is not running.",
    ),
    (
        {"hub": replace(WELL.hub, version="0.0.9")},
        "warn hub: The hub at http://hub is version 0.0.9, this command 0.1.0.",
    ),
    (
        {"hub": replace(WELL.hub, engine="unreachable")},
        "fail hub's engine: The hub says that its engine is unreachable.",
    ),
    (
        {"hub": replace(WELL.hub, paused=True)},
        "warn hub paused: The hub is paused: it watches and does not heal.",
    ),
    (
        {"hub": replace(WELL.hub, config_digest="d0")},
        "warn config in use: config.yaml (or a file it names) has changed since the hub loaded it.",
    ),
    (
        {"orphans": (OrphanFact("shop-old-1", "old", "running", WELL.clock.now),)},
        f"warn orphan: shop-old-1 (running, since {WELL.clock.now:%Y-%m-%d %H:%M} UTC) belongs to "
        "the service old, of which no compose file speaks.",
    ),
    (
        {"engine": EngineFact("/run/d.sock", Socket.MISSING)},
        "fail engine: There is no Docker socket at /run/d.sock.",
    ),
    (
        {"engine": EngineFact("/run/d.sock", Socket.DENIED)},
        "fail engine: This user may not use the Docker socket /run/d.sock.",
    ),
    (
        {"engine": EngineFact("/run/d.sock", Socket.SILENT, error="timed out")},
        "fail engine: The Docker socket /run/d.sock is there, but no engine answers: timed out.",
    ),
    (
        {"engine": EngineFact("tcp://far:2375", Socket.REMOTE)},
        "warn engine: DOCKER_HOST is tcp://far:2375; only an engine on this host can be checked.",
    ),
    (
        {"config": ConfigFact("config.yaml", ("config.yaml:3: unknown key",))},
        "fail config: config.yaml:3: unknown key",
    ),
    (
        {"config": replace(WELL.config, warnings=("config.yaml:3: port differs",))},
        "warn config: config.yaml:3: port differs",
    ),
    (
        {"images": (ImageFact("heal7/saju:1", present=False, source="own"),)},
        "fail image: heal7/saju:1 is not on this machine.",
    ),
    (
        {"images": (ImageFact("heal7/saju:1", present=None, source="own"),)},
        "warn images: The engine could not be asked for the images.",
    ),
    (
        {"ports": (PortFact("saju", 8012, PortState.TAKEN),)},
        "fail port: Port 8012 of saju is taken.",
    ),
    (
        {"ports": (PortFact("saju", 80, PortState.UNKNOWN, "Permission denied"),)},
        "warn port: Whether port 80 of saju is free cannot be told: Permission denied.",
    ),
    (
        {"disks": (DiskFact("/", GIB, 40 * GIB),)},
        "warn disk: 1.0 GiB of 40.0 GiB free under /.",
    ),
    (
        {"disks": (DiskFact("/", 1024**2, 40 * GIB),)},
        "fail disk: 1 MiB of 40.0 GiB free under /.",
    ),
    (
        {"clock": ClockFact(NOW, NOW + timedelta(days=2))},
        "fail clock: The clock says 2026-01-02 03:04 UTC, before files of ours were written.",
    ),
    (
        {"engine": replace(WELL.engine, skew_s=-5.0)},
        "warn clock: The engine's clock is 5 s behind this command's.",
    ),
    (
        {"engine": replace(WELL.engine, skew_s=300.0)},
        "fail clock: The engine's clock is 300 s ahead of this command's.",
    ),
]


@pytest.mark.parametrize(("change", "said"), SICK, ids=[said.split(":")[0] for _, said in SICK])
def test_each_fault_is_said_with_how_to_mend_it(change: dict[str, Any], said: str) -> None:
    sick = replace(WELL, **change)
    assert told(sick) == [said]
    assert all(check.remedy for check in evaluate(sick) if check.status != "ok")


@pytest.mark.parametrize(
    ("source", "status", "remedy"),
    [
        ("own", "fail", "Build it with `heal7 images build`."),
        ("build", "warn", "The next start builds it; so does `heal7 compose build` now."),
        ("pull", "warn", "The next start pulls it; so does `heal7 compose pull` now."),
        ("", "fail", "Fetch it with `docker pull redis:7`: its pull_policy is never."),
    ],
)
def test_where_a_missing_image_comes_from(source: str, status: str, remedy: str) -> None:
    sick = replace(WELL, images=(ImageFact("redis:7", present=False, source=source),))
    assert [(c.status, c.remedy) for c in evaluate(sick) if c.remedy] == [(status, remedy)]


@pytest.mark.parametrize(
    ("image", "source", "found"),
    [
        ("heal7/saju:1", Source(BuildSpec("images/x", "/")), "own"),
        ("shop-web", Source(BuildSpec("web", "/")), "build"),
        ("redis:7", Source(), "pull"),
        ("redis:7", Source(policy=PullPolicy(Pull.NEVER)), ""),
        ("redis:7", Source(policy=PullPolicy(Pull.BUILD)), ""),
    ],
)
def test_what_the_hub_does_about_a_missing_image(image: str, source: Source, found: str) -> None:
    spec = ServiceSpec("a", ContainerSpec("p-a-1", image), "hash", source=source)
    declared = StackSpec("p", "/", (), {"a": spec})
    assert gather.image_facts(declared, None) == (ImageFact(image, None, found),)


def test_the_report_fits_80_columns_and_cuts_no_word() -> None:
    sick = replace(WELL, engine=EngineFact("/run/d.sock", Socket.SILENT, error="timed out"))
    shown = [line.plain for line in report(evaluate(sick), 80, utf8=True)]
    assert max(len(line) for line in shown) <= 80
    assert shown[0].startswith("✗ fail  engine")
    for check in evaluate(sick):
        assert check.found in " ".join(" ".join(shown).split())
        assert check.remedy in " ".join(" ".join(shown).split())
    assert shown[-1] == "1 to mend, 0 warnings."


# ---- gatherers ---------------------------------------------------------------------------------


@contextmanager
def engine_at(path: Path, answers: dict[str, Any]) -> Iterator[str]:
    """An engine behind a Unix socket that knows only `answers`, by the path before `?`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = answers.get(self.path.partition("?")[0])
            body = json.dumps(known).encode()
            self.send_response(404 if known is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            """Nobody reads it."""

        def address_string(self) -> str:
            return "unix"

    class Server(ThreadingMixIn, UnixStreamServer):
        daemon_threads = True

    with Server(str(path), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield str(path)
        finally:
            server.shutdown()
            thread.join()


VERSION = {
    "/version": {"Version": "20.10.24", "ApiVersion": "1.41"},
    "/info": {"DockerRootDir": "/tmp", "SystemTime": "2026-01-02T03:04:05.123456789Z"},
}


def test_the_engine_that_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    with engine_at(tmp_path / "d.sock", VERSION) as path:
        fact, engine, root = gather.engine_fact(path, {})
    assert (fact.socket, fact.version, fact.api_version) == (Socket.ANSWERS, "20.10.24", "1.41")
    assert fact.skew_s == pytest.approx(0.123, abs=0.001)
    assert engine is not None
    assert root == "/tmp"


def test_the_engine_that_does_not(tmp_path: Path) -> None:
    assert gather.engine_fact(str(tmp_path / "none"), {})[0].socket is Socket.MISSING
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(dead))
    assert gather.engine_fact(str(dead), {})[0].socket is Socket.SILENT
    with engine_at(tmp_path / "odd.sock", {}) as odd:
        fact, engine, _ = gather.engine_fact(odd, {})
    assert fact.socket is Socket.SILENT
    assert "404" in fact.error
    assert engine is None


def test_docker_host_decides_which_engine() -> None:
    assert socket_path({}) == "/var/run/docker.sock"
    assert socket_path({"DOCKER_HOST": "unix:///run/x.sock"}) == "/run/x.sock"
    assert socket_path({"DOCKER_HOST": "tcp://far:2375"}) is None


def stack(port: int) -> StackSpec:
    def one(name: str, published: int) -> ServiceSpec:
        container = ContainerSpec(
            name=f"heal7-{name}-1",
            image=f"heal7/{name}:1",
            ports=(Port(8000, published, host_ip="127.0.0.1"),),
        )
        return ServiceSpec(
            name, container, "hash", port=published, source=Source(BuildSpec("images/x", "/"))
        )

    services = {"held": one("held", port), "ours": one("ours", port)}
    return StackSpec("heal7", "/", ("compose.yaml",), services)


def test_ports_and_images_of_the_stack(tmp_path: Path) -> None:
    answers = {
        "/containers/json": [{"Labels": {"com.docker.compose.service": "ours"}}],
        "/images/heal7/ours:1/json": {"Id": "sha256:1"},
    }
    with socket.socket() as somebody, engine_at(tmp_path / "d.sock", answers) as path:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        declared, engine = stack(somebody.getsockname()[1]), LocalEngine(path)
        states = {fact.service: fact.state for fact in gather.port_facts(declared, engine)}
        present = {fact.reference: fact.present for fact in gather.image_facts(declared, engine)}
        unasked = {fact.service: fact.state for fact in gather.port_facts(declared, None)}
    assert states == {"held": PortState.TAKEN, "ours": PortState.OURS}
    assert present == {"heal7/held:1": False, "heal7/ours:1": True}
    assert unasked == {"held": PortState.UNKNOWN, "ours": PortState.UNKNOWN}
    freed = {fact.service: fact.state for fact in gather.port_facts(declared, None)}
    assert freed == {"held": PortState.FREE, "ours": PortState.FREE}


def test_orphans_of_the_project(tmp_path: Path) -> None:
    def listed(service: str, **labels: str) -> dict[str, Any]:
        more = {f"com.docker.compose.{key}": value for key, value in labels.items()}
        return {
            "Names": [f"/heal7-{service}-1"],
            "State": "running",
            "Created": 1767323045,
            "Labels": {"com.docker.compose.service": service, **more},
        }

    hub = listed("hub")
    hub["Labels"]["heal7.config.digest"] = "d"
    known = {"held", "ours", "off"}
    found = [*map(listed, known), listed("job", oneoff="True"), hub, listed("old")]
    declared = replace(stack(1), disabled=frozenset({"off"}))
    with engine_at(tmp_path / "d.sock", {"/containers/json": found}) as path:
        told = gather.orphan_facts(declared, LocalEngine(path))
    since = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert told == (OrphanFact("heal7-old-1", "old", "running", since),)
    assert gather.orphan_facts(declared, LocalEngine(path)) == (), "the engine went away"
    assert gather.orphan_facts(declared, None) == ()


def test_the_hub_as_it_answers(fake_hub: FakeHub) -> None:
    fake_hub.on(
        "GET /health",
        {
            "status": "healthy",
            "role": "orchestration_hub",
            "version": "0.1.0",
            "engine": "connected",
        },
    )
    fact = gather.hub_fact(HubClient(fake_hub.url))
    assert (fact.error, fact.version, fact.engine) == ("", "0.1.0", "connected")
    assert [port.state for port in gather.hub_port(fact)] == [PortState.OURS]


def test_somebody_else_on_the_hubs_port(fake_hub: FakeHub) -> None:
    fake_hub.on("GET /health", {"status": "ok"})
    fact = gather.hub_fact(HubClient(fake_hub.url))
    assert "is not a hub" in fact.error
    assert [port.state for port in gather.hub_port(fact)] == [PortState.TAKEN]

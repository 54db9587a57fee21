"""What the five services cost: their images, their memory, their start, and charts a second.

    python bench/services.py [--only images,start,memory,charts] [--charts 2000] [--rounds 5]
                             [--no-peers] [--tag saju-service=REF]

The real images run in containers of the bench's own, with the options of compose/compose.yaml, on
ports and volumes of their own, so the home stack may run beside them (its work shows in the
figures: load is printed). `--tag` measures another image in the place of a service's own.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import docker
import yaml
from rich.console import Console
from rich.table import Table

from bench.peers import LUNAR, LUNAR_CHARTS, environment
from bench.stack import COMPOSE_FILE, engine, request, wait
from controller.setup.images import SERVICE_BASE

Row = tuple[str, str, str]
Json = dict[str, Any]
_MIB = 1024 * 1024
_IDLE_S = 5.0
_CONNECTIONS = 4
_MEMORY_GOAL_MB = 600


@dataclass(frozen=True, slots=True)
class Declared:
    """A service of the compose file, as much of it as the bench repeats."""

    name: str
    image: str
    port: int
    options: Mapping[str, Any]


@dataclass(slots=True)
class Running:
    """A container of the bench's own."""

    api: docker.APIClient
    id: str
    port: int

    def started(self) -> float:
        """Start it; seconds until it is ready."""
        began = time.monotonic()
        self.api.start(self.id)
        wait(lambda: request(self.port, "GET", "/ready", 2)[0] == 200, 30, "a ready service")
        return time.monotonic() - began

    def processes(self) -> list[int]:
        return [int(row[1]) for row in self.api.top(self.id)["Processes"]]

    def cpu_s(self) -> float:
        """Seconds of one core that it has used so far, as its cgroup counts them."""
        return float(self._stats()["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9

    def cgroup_mb(self) -> float:
        """MiB that its cgroup counts, less the file cache that the kernel may drop."""
        found = self._stats()["memory_stats"]
        kept = found["stats"]
        cache = kept.get("total_inactive_file", kept.get("inactive_file", 0))
        return float(found["usage"] - cache) / _MIB

    def _stats(self) -> Json:
        found: Json = self.api.stats(self.id, stream=False, one_shot=True)
        return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--only", default="images,start,memory,charts")
    arguments.add_argument("--charts", type=int, default=2_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--no-peers", action="store_true")
    arguments.add_argument("--tag", action="append", default=[], metavar="SERVICE=REF")
    chosen = arguments.parse_args()
    console = Console(width=120)
    api = engine()
    services = declared(dict(tag.split("=", 1) for tag in chosen.tag))
    ways: dict[str, Callable[[], list[Row]]] = {
        "images": lambda: _images(api, services),
        "start": lambda: _starts(api, services, chosen.rounds),
        "memory": lambda: _memory(api, services),
        "charts": lambda: _charts(console, api, services, chosen.charts, not chosen.no_peers),
    }
    table = Table("What", "Measured", "Goal")
    for name in chosen.only.split(","):
        for row in ways[name]():
            table.add_row(*row)
    console.print(table)
    console.print(f"load of the machine, {os.cpu_count()} cores: {os.getloadavg()[0]:.1f}")


def declared(instead: Mapping[str, str]) -> list[Declared]:
    """The five, by their compose file; `instead` names other images for some."""
    found = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))["services"]
    return [
        Declared(
            name,
            instead.get(name, entry["image"]),
            int(entry["ports"][0].rsplit(":", 1)[1]),
            entry,
        )
        for name, entry in found.items()
    ]


@contextmanager
def container(
    api: docker.APIClient, service: Declared, cpus: str | None = None
) -> Iterator[Running]:
    """A created container with the service's own options; it and its volume go at the end."""
    entry = service.options
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    created = api.create_container(
        service.image,
        user=entry["user"],
        environment=entry.get("environment"),
        ports=[service.port],
        volumes=["/data"],
        labels={"heal7.bench": "services"},
        host_config=api.create_host_config(
            port_bindings={service.port: ("127.0.0.1", port)},
            read_only=entry["read_only"],
            tmpfs=dict.fromkeys(entry["tmpfs"], ""),
            cap_drop=entry["cap_drop"],
            security_opt=entry["security_opt"],
            mem_limit=entry["mem_limit"],
            init=entry["init"],
            cpuset_cpus=cpus,
        ),
    )
    try:
        yield Running(api, created["Id"], port)
    finally:
        api.remove_container(created["Id"], force=True, v=True)


# What they weigh on the disk


def _images(api: docker.APIClient, services: Sequence[Declared]) -> list[Row]:
    base = _layers(api, SERVICE_BASE)
    shared = _size_mb(api, SERVICE_BASE)
    rows, whole = [], shared
    for service in services:
        layers = _layers(api, service.image)
        if layers[: len(base)] != base:
            raise SystemExit(f"{service.image} does not stand on {SERVICE_BASE}")
        own = _size_mb(api, service.image) - shared
        whole += own
        rows.append(
            (
                f"image of {service.name}",
                f"{own:.1f} MB in {len(layers) - len(base)} own layers",
                "",
            )
        )
    shares = f"{shared:.0f} MB in {len(base)} layers that all share, {whole:.0f} MB all five"
    return [*rows, ("images together", shares, "")]


def _size_mb(api: docker.APIClient, ref: str) -> float:
    return float(_image(api, ref)["Size"]) / 1e6


def _layers(api: docker.APIClient, ref: str) -> list[str]:
    layers: list[str] = _image(api, ref)["RootFS"]["Layers"]
    return layers


def _image(api: docker.APIClient, ref: str) -> Json:
    found: Json = api.inspect_image(ref)  # type: ignore[no-untyped-call]
    return found


# How soon they serve


def _starts(api: docker.APIClient, services: Sequence[Declared], rounds: int) -> list[Row]:
    rows = []
    for service in services:
        took = []
        for _ in range(rounds):
            with container(api, service) as one:
                took.append(one.started())
        figures = f"median {statistics.median(took):.2f} s, at most {max(took):.2f} s"
        rows.append((f"start to ready, {service.name}, {rounds} new containers", figures, "<= 2 s"))
    return rows


# What they hold in memory


def _memory(api: docker.APIClient, services: Sequence[Declared]) -> list[Row]:
    with ExitStack() as stack:
        running = [stack.enter_context(container(api, service)) for service in services]
        for one in running:
            one.started()
        time.sleep(_IDLE_S)
        found = [(one.cgroup_mb(), *_resident_mb(one.processes())) for one in running]
    rows = [
        (f"idle memory, {service.name}", _memory_text(*figures), "")
        for service, figures in zip(services, found, strict=True)
    ]
    together = [sum(column) for column in zip(*found, strict=True)]
    return [*rows, ("idle memory together", _memory_text(*together), f"<= {_MEMORY_GOAL_MB} MB")]


def _memory_text(cgroup: float, rss: float, pss: float) -> str:
    return f"cgroup {cgroup:.0f} MiB, resident {rss:.0f} MiB, of which its own share {pss:.0f} MiB"


def _resident_mb(pids: Sequence[int]) -> tuple[float, float]:
    """RSS, and the proportional share of it (pages that n processes map count 1/n)."""
    rss = pss = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in ("Rss", "Pss"):
                kib = int(rest.split()[0])
                rss, pss = (rss + kib, pss) if name == "Rss" else (rss, pss + kib)
    return rss / 1024, pss / 1024


# How many charts they make


def _charts(
    console: Console,
    api: docker.APIClient,
    services: Sequence[Declared],
    charts: int,
    with_peers: bool,
) -> list[Row]:
    (saju,) = [service for service in services if service.name == "saju-service"]
    with container(api, saju, cpus="0") as one:
        one.started()
        _ask_charts(one.port, _births(200, seed=1))
        used, began = one.cpu_s(), time.monotonic()
        _ask_charts(one.port, _births(charts, seed=2))
        wall, used = time.monotonic() - began, one.cpu_s() - used
    rate = charts / used
    rows = [
        (
            f"{charts} charts over HTTP, each stored, {_CONNECTIONS} connections, one core",
            f"{charts / wall:.0f}/s by the clock, {rate:.0f} a second of processor time",
            ">= 200/s",
        )
    ]
    peer = _peer_rate(console, charts // 4) if with_peers else None
    if peer is not None:
        rows.append(
            (
                "such charts by lunar_python, bare in one process: no HTTP, nothing stored",
                f"{peer:.0f} a second of processor time; service ÷ it {rate / peer:.2f}",
                "",
            )
        )
    return rows


def _births(count: int, seed: int) -> list[bytes]:
    chance = random.Random(seed)
    days = [date(1910, 1, 1) + timedelta(days=chance.randrange(51_000)) for _ in range(count)]
    return [
        json.dumps(
            {
                "datetime": f"{day}T{chance.randint(3, 23):02}:{chance.randint(0, 59):02}",
                "longitude": 126.978,
                "gender": chance.choice(["male", "female"]),
            }
        ).encode()
        for day in days
    ]


def _ask_charts(port: int, bodies: Sequence[bytes]) -> None:
    """Ask for them all, over a few connections at once. Raises RuntimeError unless all are 200."""
    refused: list[str] = []

    def ask(share: Sequence[bytes]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for body in share:
            connection.request("POST", "/actions/calculate", body)
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                refused.append(f"{answer.status} {text[:200]!r}")
        connection.close()

    threads = [
        threading.Thread(target=ask, args=(bodies[n::_CONNECTIONS],)) for n in range(_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"{len(refused)} charts were refused: {refused[0]}")


def _peer_rate(console: Console, charts: int) -> float | None:
    python = environment(console, "lunar_python", LUNAR)
    if python is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "charts.py"
        script.write_text(LUNAR_CHARTS)
        done = subprocess.run(
            [str(python), str(script), str(max(20, charts))],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        )
    return float(json.loads(done.stdout)["rate"])


if __name__ == "__main__":
    main()

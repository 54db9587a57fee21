"""Contract tests of the five services at length: cases, failures and server errors of each.

Starts their images on a network of their own, where nobody else's things are, and has test-service
test all five, itself included; `--running` asks the stack that runs on this machine instead, and
then only touches what the tests made. Leaves with 1 when a service fails or was asked too little.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import docker
import yaml

from bench.stack import COMPOSE_FILE, request, wait

EXAMINER, EXAMINER_PORT = "test-service", 8011
# Ends with 0 when what is asked inside a container says that it is ready.
_READY = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)"
TIME_LIMIT_S = 900
Json = dict[str, Any]


def main() -> int:
    asked = _arguments()
    if asked.running:
        return _examine(asked, EXAMINER_PORT, "safe")
    with started(asked.image) as port:
        return _examine(asked, port, "all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=500, help="at least so many for each service")
    parser.add_argument("--examples", type=int, default=50, help="random cases an operation")
    parser.add_argument("--coverage", type=int, default=300, help="coverage cases an operation")
    parser.add_argument("--seed", type=int, default=1, help="another one asks other things")
    parser.add_argument("--only", default="", help="services, with commas between")
    parser.add_argument("--running", action="store_true", help="the stack that runs here")
    parser.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="SERVICE=IMAGE",
        help="another image than the one compose/compose.yaml names",
    )
    return parser.parse_args()


def declared() -> dict[str, Json]:
    """The five services as compose/compose.yaml declares them."""
    services: dict[str, Json] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))["services"]
    return services


@contextmanager
def started(images: list[str]) -> Iterator[int]:
    """The five, bounded as in the home stack, with no way out; yields the examiner's port."""
    engine = docker.from_env(timeout=60)
    instead: dict[str, str] = dict(pair.split("=", 1) for pair in images)
    name = f"heal7-contracts-{os.getpid()}"
    inside = engine.networks.create(name, internal=True)
    outside = engine.networks.create(f"{name}-out")
    made = []
    try:
        for service, spec in declared().items():
            aliases = [service, *_aliases(spec)]
            container = engine.containers.create(
                instead.get(service, str(spec["image"])),
                name=f"{name}-{service}",
                user=spec["user"],
                init=True,
                read_only=True,
                tmpfs={"/tmp": ""},
                volumes=["/data"],
                cap_drop=["ALL"],
                mem_limit=spec["mem_limit"],
                # Names of the world fail at once, and not when a resolver far away gives up.
                dns=["127.0.0.1"],
                environment=spec.get("environment", {}),
                network=f"{name}-out",
                ports={f"{EXAMINER_PORT}/tcp": ("127.0.0.1", 0)} if service == EXAMINER else {},
            )
            made.append(container)
            inside.connect(container, aliases=aliases)
            container.start()
            if service != EXAMINER:
                outside.disconnect(container)
        examiner = made[list(declared()).index(EXAMINER)]
        examiner.reload()
        published = examiner.ports[f"{EXAMINER_PORT}/tcp"] or [{}]
        port = int(published[0]["HostPort"])
        wait(lambda: request(port, "GET", "/ready")[0] == 200, 60, "the examiner")
        for container, (service, spec) in zip(made, declared().items(), strict=True):
            wait(partial(_ready, container, spec["labels"]["heal7.port"]), 60, service)
        yield port
    finally:
        for container in made:
            container.remove(force=True, v=True)
        inside.remove()
        outside.remove()
        engine.close()


def _ready(container: Any, port: str) -> bool:
    url = f"http://127.0.0.1:{port}/ready"
    return int(container.exec_run(["/opt/venv/bin/python", "-c", _READY, url]).exit_code) == 0


def _aliases(spec: Json) -> list[str]:
    networks = spec.get("networks")
    default = networks.get("default") if isinstance(networks, dict) else None
    return list((default or {}).get("aliases", ()))


def _examine(asked: argparse.Namespace, port: int, scope: str) -> int:
    chosen = [name for name in asked.only.split(",") if name] or list(declared())
    print(
        f"seed {asked.seed}, an operation: {asked.examples} examples, {asked.coverage} coverage "
        f"cases at most; scope {scope}"
    )
    print(
        f"{'service':24}{'cases':>8}{'left out':>10}{'failures':>10}{'5xx':>6}{'refused':>9}"
        f"{'promises':>10}{'made':>7}{'left':>6}{'MB':>6}{'s':>7}"
    )
    well = True
    for service in chosen:
        reports = _enough(asked, port, service, scope)
        print(_row(service, reports), flush=True)
        well &= all(report["passed"] is True and not report["stopped_by"] for report in reports)
        for report in reports:
            _explain(report)
    answers = _act(port, "known-answers", {"service": "saju-service"})
    print(f"known answers of saju-service: {answers['asked']}, {answers['differing']} differ")
    return 0 if well and not answers["differing"] and answers["passed"] else 1


def _enough(asked: argparse.Namespace, port: int, service: str, scope: str) -> list[Json]:
    """Runs with one seed after another until enough was asked; more than three is no use."""
    reports: list[Json] = []
    for turn in range(3):
        body = {
            "service": service,
            "max_examples": asked.examples,
            "max_coverage": asked.coverage,
            "time_limit_s": TIME_LIMIT_S,
            "seed": (asked.seed + turn) % (1 << 32),
            "scope": scope,
        }
        reports.append(_act(port, "contract-test", body))
        if sum(report["cases"] for report in reports) >= asked.cases:
            return reports
    raise SystemExit(f"{service}: fewer than {asked.cases} cases in {len(reports)} runs")


def _act(port: int, action: str, body: Json) -> Json:
    url = f"http://127.0.0.1:{port}/actions/{action}"
    with urlopen(Request(url, json.dumps(body).encode()), timeout=TIME_LIMIT_S + 60) as reply:
        result: Json = json.load(reply)["result"]
    return result


def _row(service: str, reports: list[Json]) -> str:
    def total(name: str) -> int:
        return sum(int(report[name]) for report in reports)

    promises = [promise["kept"] for promise in reports[0]["promises"]]
    kept = f"{sum(kept is True for kept in promises)}/{len(promises)}"
    failures = sum(len(report["failures"]) + len(report["errors"]) for report in reports)
    made = sum(report["cleanup"]["made"] for report in reports)
    removed = sum(report["cleanup"]["removed"] for report in reports)
    peak = max(report["peak_memory_bytes"] for report in reports) / 1e6
    seconds = sum(report["seconds"] for report in reports)
    return (
        f"{service:24}{total('cases'):>8}{total('left_out'):>10}{failures:>10}{total('server_errors'):>6}"
        f"{total('refused'):>9}{kept:>10}{made:>7}{made - removed:>6}{peak:>6.0f}{seconds:>7.1f}"
    )


def _explain(report: Json) -> None:
    for failure in report["failures"]:
        print(
            f"  {failure['check']} {failure['operation']} {failure['status']}: {failure['title']}"
        )
        print(f"    {failure['message'][:300]}\n    {failure['curl'][:500]}".replace("\n\n", " "))
    for error in report["errors"]:
        print(f"  {error['where']}: {error['message'][:300]}")
    for promise in report["promises"]:
        if promise["kept"] is not True:
            word = "broken" if promise["kept"] is False else "not asked"
            print(f"  {word}: {promise['of']} {promise['promise']}: {promise['detail'][:200]}")
    for operation in report["operations"]:
        if operation["left_out"]:
            asked = operation["cases"].get("coverage", 0)
            print(f"  {operation['operation']}: {operation['left_out']} coverage cases left out")
            print(f"    of {asked + operation['left_out']}, the others of each kind alike")
    if report["stopped_by"]:
        print(f"  stopped by {report['stopped_by']}")


if __name__ == "__main__":
    sys.exit(main())

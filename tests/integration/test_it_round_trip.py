"""One file, two tools: what the hub makes differs from what docker-compose makes in nothing said.

Containers are created and not started; both are inspected, and every setting of the engine is
compared but the names that each tool chooses for itself.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

from controller.config.load import load
from controller.engine.client import DockerEngine
from controller.model.spec import StackSpec

HUB, PEER = "heal7-rt-hub", "heal7-rt-dc"
PLAIN: dict[str, Any] = {"image": "heal7/service-base:latest"}
# Every case is a service's keys; `top` are those of the whole file.
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "command": {"command": ["echo", "a b"], "entrypoint": ["/bin/sh", "-c"]},
    "command in words": {"command": 'echo "a b" c', "entrypoint": "sh -c"},
    "cleared entrypoint": {"entrypoint": [], "command": ["true"]},
    "environment": {"environment": {"A": "1", "B": None, "C": "x=y", "D": ""}},
    "labels": {"labels": {"a.b": "1", "empty": ""}},
    "ports": {
        "ports": ["20801:80", "127.0.0.1:20802:81/udp", "82"],
        "expose": ["9000", "9001/udp"],
    },
    "port ranges": {"ports": ["20810-20812:80-82"]},
    "binds": {"volumes": ["/tmp:/a:ro", "/var/tmp:/b", "./data:/c"]},
    "volumes": {"volumes": ["data:/d", "/anonymous"], "top": {"volumes": {"data": None}}},
    "long mounts": {
        "volumes": [
            {"type": "volume", "source": "data", "target": "/d", "read_only": True},
            {"type": "bind", "source": "/tmp", "target": "/b"},
            {"type": "tmpfs", "target": "/t", "tmpfs": {"size": 1048576}},
        ],
        "top": {"volumes": {"data": None}},
    },
    "tmpfs": {"tmpfs": ["/run:size=1m", "/t"]},
    "limits": {"mem_limit": "64m", "mem_reservation": "32m", "memswap_limit": "128m", "cpus": 0.5},
    "scheduler": {"cpu_shares": 512, "cpuset": "0", "pids_limit": 50},
    "quota": {"cpu_period": 50000, "cpu_quota": 25000},
    "capabilities": {"cap_add": ["NET_ADMIN"], "cap_drop": ["MKNOD"], "privileged": False},
    "privileged": {"privileged": True},
    "security": {
        "security_opt": ["no-new-privileges:true"],
        "read_only": True,
        "user": "1000:1000",
    },
    "process": {"init": True, "tty": True, "stdin_open": True, "working_dir": "/tmp"},
    "stopping": {"stop_signal": "SIGUSR1", "stop_grace_period": "1m30s"},
    "names": {"hostname": "h", "domainname": "d.example", "extra_hosts": ["a:1.2.3.4"]},
    "resolver": {"dns": ["1.1.1.1"], "dns_search": ["x.y"], "dns_opt": ["ndots:2"]},
    "kernel": {
        "ulimits": {"nofile": {"soft": 100, "hard": 200}, "nproc": 50},
        "sysctls": {"net.core.somaxconn": "1024"},
        "shm_size": "32m",
        "oom_score_adj": 100,
    },
    "devices": {"devices": ["/dev/null:/dev/x:r"], "device_cgroup_rules": ["c 1:3 mr"]},
    "groups": {"group_add": ["100", "audio"]},
    "restart always": {"restart": "always"},
    "restart on failure": {"restart": "on-failure:3"},
    "healthcheck": {
        "healthcheck": {
            "test": ["CMD", "true"],
            "interval": "1m30s",
            "timeout": "10s",
            "retries": 3,
            "start_period": "5s",
        }
    },
    "healthcheck by shell": {"healthcheck": {"test": "exit 0"}},
    "healthcheck off": {"healthcheck": {"disable": True}},
    "logging": {"logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}}},
    "no network": {"network_mode": "none"},
    "host network": {"network_mode": "host"},
    # The peer joins a second network only when it starts the container.
    "an address": {
        "networks": {"two": {"ipv4_address": "10.213.7.9", "aliases": ["x"]}},
        "top": {"networks": {"two": {"ipam": {"config": [{"subnet": "10.213.7.0/24"}]}}}},
    },
    "namespaces": {"ipc": "shareable", "pid": "host", "userns_mode": "host"},
    "secret": {"secrets": ["s"], "top": {"secrets": {"s": {"file": "./0.yaml"}}}},
    "blkio": {"blkio_config": {"weight": 300}},
    "deploy limits": {
        "deploy": {"resources": {"limits": {"memory": "64M", "cpus": "0.25"}}},
    },
    "container name": {"container_name": "heal7-rt-named"},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """What both tools made of all the files: by service, first the hub's, then the peer's."""
    folder = tmp_path_factory.mktemp("files")
    files = [_write(folder, at, case) for at, case in enumerate(CASES.values())]
    (folder / "data").mkdir()
    config = {"orchestration": {"project": HUB, "compose_files": files}}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    client = docker.from_env()
    _sweep(client)
    try:
        _by_hub(folder)
        ours = _inspected(client, HUB)
        _sweep(client)
        _by_peer(folder, files)
        yield ours, _inspected(client, PEER)
    finally:
        _sweep(client)
        client.close()


def _sweep(api: docker.DockerClient) -> None:
    for project in (HUB, PEER):
        wanted = {"label": f"com.docker.compose.project={project}"}
        for container in api.containers.list(all=True, filters=wanted):
            container.remove(force=True, v=True)
        for network in api.networks.list(filters=wanted):
            network.remove()
        for volume in api.volumes.list(filters=wanted):
            volume.remove(force=True)


def _by_hub(folder: Path) -> None:
    stack = load(folder / "config.yaml", {}).stack
    engine = DockerEngine()
    try:
        _create(engine, stack)
    finally:
        engine.close()


def _create(engine: DockerEngine, stack: StackSpec) -> None:
    for network in stack.networks:
        engine.ensure_network(network)
    for volume in stack.volumes:
        engine.ensure_volume(volume)
    for service in stack.services.values():
        engine.create(service.container)


def _by_peer(folder: Path, files: list[str]) -> None:
    named = [word for file in files for word in ("-f", file)]
    done = subprocess.run(
        ["docker-compose", "-p", PEER, *named, "up", "--no-start"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _inspected(api: docker.DockerClient, project: str) -> dict[str, Any]:
    wanted = {"label": f"com.docker.compose.project={project}"}
    found = api.containers.list(all=True, filters=wanted)
    return {c.labels["com.docker.compose.service"]: _said(c.attrs, project) for c in found}


_OWN = {"Hostname", "Image", "Labels", "AttachStdout", "AttachStderr", "Volumes", "OnBuild"}


def _said(raw: dict[str, Any], project: str) -> dict[str, Any]:
    """Every setting, the names of the project and the tool's own labels taken out."""
    config = {k: v for k, v in raw["Config"].items() if k not in _OWN and not _empty(v)}
    labels = {k: v for k, v in raw["Config"]["Labels"].items() if "compose" not in k}
    config |= {"Labels": labels, "Env": sorted(raw["Config"].get("Env") or ())}
    if raw["Config"]["Hostname"] != raw["Id"][:12]:
        config["Hostname"] = raw["Config"]["Hostname"]
    host = {k: v for k, v in raw["HostConfig"].items() if not _empty(v)}
    for key in ("Binds", "Mounts", "VolumesFrom"):
        host.pop(key, None)
    mounts = sorted(
        (m["Type"], m["Destination"], m.get("Name") or m.get("Source", ""), m["RW"])
        for m in raw["Mounts"]
    )
    networks = {
        name: {
            "aliases": sorted(set(end.get("Aliases") or ()) - {raw["Id"][:12]}),
            "ipam": end.get("IPAMConfig") or {},
        }
        for name, end in raw["NetworkSettings"]["Networks"].items()
    }
    text = json.dumps({"config": config, "host": host, "mounts": mounts, "networks": networks})
    # A volume without a name gets a random one.
    text = re.sub(r'"[0-9a-f]{64}"', '"random"', text)
    said: dict[str, Any] = json.loads(text.replace(project, "PROJECT"))
    return said


def _empty(value: Any) -> bool:
    return value in (None, "", [], {}, 0, False)


def _write(folder: Path, at: int, case: dict[str, Any]) -> str:
    service = {**PLAIN, **{key: value for key, value in case.items() if key != "top"}}
    text = yaml.safe_dump({"services": {f"s{at}": service}, **case.get("top", {})})
    name = f"{at}.yaml"
    (folder / name).write_text(text)
    return name


@pytest.mark.parametrize("case", CASES)
def test_both_make_the_same_container(case: str, made: tuple[Any, Any]) -> None:
    ours, theirs = made
    name = f"s{list(CASES).index(case)}"
    assert ours[name] == theirs[name]

"""What a compose file says against what the engine gets, key by key."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import docker
import pytest

from controller.engine import create
from controller.engine.client import checked
from controller.errors import EngineError
from controller.model.spec import (
    ContainerSpec,
    HealthCheck,
    Mount,
    NetworkAttachment,
    Port,
)
from controller.model.text import text
from controller.orchestrator.executor import _as_planned
from controller.orchestrator.plan import Op, PlannedOp

PLAIN = ContainerSpec(name="heal7-web-1", image="heal7/web:1")
SHA = "sha256:abc"


def host(**changes: Any) -> dict[str, Any]:
    return create.host_config(replace(PLAIN, **changes))


def body(**changes: Any) -> dict[str, Any]:
    return create.container_config(replace(PLAIN, **changes), SHA)


def test_a_plain_container_says_nothing_it_need_not() -> None:
    assert host() == {"mounts": [], "privileged": False}
    assert body() == {
        "detach": True,
        "image": "heal7/web:1",
        "name": "heal7-web-1",
        "labels": {"com.docker.compose.image": SHA},
        "tty": False,
        "stdin_open": False,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"restart": "no"}, {}),
        ({"restart": "always"}, {"restart_policy": {"Name": "always", "MaximumRetryCount": 0}}),
        (
            {"restart": "on-failure:3"},
            {"restart_policy": {"Name": "on-failure", "MaximumRetryCount": 3}},
        ),
        ({"network_mode": "host"}, {"network_mode": "host"}),
        (
            {"networks": (NetworkAttachment("b"), NetworkAttachment("a", priority=5))},
            {"network_mode": "a"},
        ),
        (
            {"cap_add": ("NET_ADMIN",), "cap_drop": ("ALL",)},
            {"cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"]},
        ),
        (
            {"security_opt": ("no-new-privileges:true",)},
            {"security_opt": ["no-new-privileges:true"]},
        ),
        ({"group_add": ("docker",)}, {"group_add": ["docker"]}),
        (
            {"extra_hosts": ("db:10.0.0.1", "v6=::1")},
            {"extra_hosts": {"db": "10.0.0.1", "v6": "::1"}},
        ),
        ({"dns": ("1.1.1.1",)}, {"dns": ["1.1.1.1"]}),
        ({"tmpfs": (("/tmp", "size=1m"),)}, {"tmpfs": {"/tmp": "size=1m"}}),
        (
            {"sysctls": (("net.core.somaxconn", "1024"),)},
            {"sysctls": {"net.core.somaxconn": "1024"}},
        ),
        (
            {"mem_limit": 1, "mem_reservation": 2, "nano_cpus": 3, "pids_limit": 4, "shm_size": 5},
            {"mem_limit": 1, "mem_reservation": 2, "nano_cpus": 3, "pids_limit": 4, "shm_size": 5},
        ),
        ({"oom_score_adj": -500}, {"oom_score_adj": -500}),
        ({"ipc": "host", "pid": "host"}, {"ipc_mode": "host", "pid_mode": "host"}),
        ({"read_only": True, "init": True}, {"read_only": True, "init": True}),
        ({"init": False}, {"init": False}),
        (
            {"log_driver": "json-file", "log_options": (("max-size", "1m"),)},
            {"log_config": {"Type": "json-file", "Config": {"max-size": "1m"}}},
        ),
    ],
)
def test_host_options(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert host(**changes) == host() | expected


def test_privileged() -> None:
    assert host(privileged=True)["privileged"] is True


def test_ports_are_bound_where_declared_and_else_chosen_by_the_engine() -> None:
    ports = (
        Port(8000, 8010, host_ip="127.0.0.1"),
        Port(8000, 8011),
        Port(53, 5353, protocol="udp"),
        Port(9000),
    )
    assert host(ports=ports)["port_bindings"] == {
        "8000/tcp": [("127.0.0.1", 8010), ("", 8011)],
        "53/udp": [("", 5353)],
        "9000/tcp": [("", None)],
    }
    assert body(ports=ports, expose=("7000", "53/udp"))["ports"] == [
        ("53", "udp"),
        ("7000", "tcp"),
        ("8000", "tcp"),
        ("9000", "tcp"),
    ]


def test_mounts() -> None:
    mounts = (
        Mount("bind", "/b", "/made", read_only=True, propagation="rslave", selinux="z"),
        Mount(
            "bind",
            "/etc/x",
            "/srv/x",
            read_only=True,
            propagation="rslave",
            create_host_path=False,
        ),
        Mount("volume", "/data", "heal7_data"),
        Mount("volume", "/scratch"),
        Mount("tmpfs", "/tmp", tmpfs_size=1024, tmpfs_mode=0o1777),
    )
    found = host(mounts=mounts)
    assert found["binds"] == ["/made:/b:ro,z,rslave"]
    bind, volume, anonymous, tmpfs = found["mounts"]
    assert bind == {
        "Target": "/etc/x",
        "Source": "/srv/x",
        "Type": "bind",
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rslave"},
    }
    assert (volume["Type"], volume["Source"]) == ("volume", "heal7_data")
    assert (anonymous["Type"], anonymous["Source"]) == ("volume", None)
    assert tmpfs["TmpfsOptions"] == {"SizeBytes": 1024, "Mode": 0o1777}


def test_limits_of_processes() -> None:
    (limit,) = host(ulimits=(("nofile", 1024, 2048),))["ulimits"]
    assert dict(limit) == {"Name": "nofile", "Soft": 1024, "Hard": 2048}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"command": ("run", "it")}, {"command": ["run", "it"]}),
        ({"command": (), "entrypoint": ()}, {"command": [], "entrypoint": []}),
        (
            {"environment": (("A", "1"), ("EMPTY", ""), ("FROM_IMAGE", None))},
            {"environment": ["A=1", "EMPTY=", "FROM_IMAGE"]},
        ),
        ({"user": "10:10", "working_dir": "/app"}, {"user": "10:10", "working_dir": "/app"}),
        ({"hostname": "web", "domainname": "lan"}, {"hostname": "web", "domainname": "lan"}),
        ({"stop_signal": "SIGINT"}, {"stop_signal": "SIGINT"}),
        ({"labels": (("a", "b"),)}, {"labels": {"a": "b", "com.docker.compose.image": SHA}}),
    ],
)
def test_container_options(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(**changes) == body() | expected


def test_healthcheck_is_given_in_nanoseconds() -> None:
    check = HealthCheck(("CMD", "true"), interval_s=1.5, timeout_s=1, retries=3, start_period_s=0)
    assert body(healthcheck=check)["healthcheck"] == {
        "test": ["CMD", "true"],
        "interval": 1_500_000_000,
        "timeout": 1_000_000_000,
        "retries": 3,
        "start_period": 0,
    }
    assert body(healthcheck=HealthCheck(("NONE",)))["healthcheck"] == {"test": ["NONE"]}


def test_endpoints() -> None:
    attached = NetworkAttachment("net", ("web",), "10.0.0.2", "fd00::2")
    spec = replace(PLAIN, networks=(attached, NetworkAttachment("other")))
    assert create.endpoint(spec, "net") == {
        "aliases": ["web"],
        "ipv4_address": "10.0.0.2",
        "ipv6_address": "fd00::2",
    }
    assert create.endpoint(spec, "other") == {}
    assert create.endpoint(spec, "unknown") == {}
    assert create.networks_in_order(spec) == ["net", "other"]


def test_docker_py_takes_all_of_it() -> None:
    """Every keyword exists in the pinned library, which is where a typo would show."""
    full = replace(
        PLAIN,
        command=("x",),
        ports=(Port(80, 8080),),
        mounts=(Mount("volume", "/d", "v"),),
        networks=(NetworkAttachment("net"),),
        ulimits=(("nofile", 1, 2),),
        healthcheck=HealthCheck(("CMD", "true"), 1),
        log_driver="json-file",
        sysctls=(("net.core.somaxconn", "1"),),
        mem_limit=1,
        nano_cpus=1,
        restart="always",
        init=True,
    )
    client = docker.APIClient(base_url="http://127.0.0.1:1", version="1.41")
    made = client.create_host_config(**create.host_config(full))
    wire = client.create_container_config(
        **{k: v for k, v in create.container_config(full, SHA).items() if k != "name"},
        host_config=made,
    )
    assert made["NanoCpus"] == 1
    assert made["PortBindings"] == {"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}
    assert wire["ExposedPorts"] == {"80/tcp": {}}
    assert wire["Healthcheck"]["Interval"] == 1_000_000_000


# -- a replacement takes anonymous volumes over


def test_a_replacement_keeps_anonymous_volumes_where_nothing_else_is_put() -> None:
    declared = replace(
        PLAIN,
        mounts=(Mount("volume", "/scratch"), Mount("volume", "/data", "heal7_data")),
        tmpfs=(("/run", ""),),
    )
    kept = (("/scratch", "1" * 64), ("/data", "2" * 64), ("/run", "3" * 64), ("/new", "4" * 64))
    op = PlannedOp(1, Op.CREATE, "web", text("cause.missing"), "abc_heal7-web-1", volumes=kept)
    made = _as_planned(declared, op)
    assert made.name == "abc_heal7-web-1"
    assert [(m.target, m.source) for m in made.mounts] == [
        ("/scratch", "1" * 64),
        ("/data", "heal7_data"),
        ("/new", "4" * 64),
    ]


# -- names


@pytest.mark.parametrize("name", ["heal7-web-1", "a", "A.b_c-9", "0" * 64])
def test_names_the_engine_reads_as_names(name: str) -> None:
    assert checked(name) == name


@pytest.mark.parametrize("name", ["", "../images/x", "a/b", "-a", ".", "a b", "a\n", "a?b", "웹"])
def test_names_that_would_reach_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(EngineError):
        checked(name)


def test_a_grace_of_its_own_is_the_engines_too() -> None:
    assert body(stop_grace_s=3.4)["stop_timeout"] == 3
    assert "stop_timeout" not in body(stop_grace_s=10.0)

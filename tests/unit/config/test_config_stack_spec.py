"""The stack that comes out of compose files: engine names, labels, units, probes."""

from __future__ import annotations

from typing import Any

import pytest
from config_helpers import FOLDER, compile_texts, stack, web_spec, web_text

from controller.config.compose.to_spec import to_stack
from controller.config.managed import Treatment
from controller.model.hook import Hook
from controller.model.spec import (
    AddressPool,
    Condition,
    Dependency,
    HealthCheck,
    Mount,
    NetworkAttachment,
    Port,
    ProbeKind,
    ProbeSpec,
)

CONTAINER_CASES: list[tuple[str, str, Any]] = [
    ("", "name", "demo-web-1"),
    ("container_name: boss", "name", "boss"),
    ("", "command", None),
    ("command: []", "command", ()),
    ("command: a b", "command", ("a", "b")),
    ("environment: {A: 1, B: }", "environment", (("A", "1"), ("B", None))),
    ("ports: ['127.0.0.1:8010:80']", "ports", (Port(80, 8010, "tcp", "127.0.0.1"),)),
    ("ports: ['80', '8000-8001:90']", "ports", (Port(80), Port(90, published_range=(8000, 8001)))),
    ("expose: ['80', '90-91/udp']", "expose", ("80/tcp", "90/udp", "91/udp")),
    ("volumes: ['data:/d:ro']\n---\nvolumes: {data: }", "mounts",
     (Mount("volume", "/d", "demo_data", read_only=True),)),
    ("volumes: ['data:/d']\n---\nvolumes: {data: {external: true}}", "mounts",
     (Mount("volume", "/d", "data"),)),
    ("volumes: [/anon]", "mounts", (Mount("volume", "/anon"),)),
    ("volumes: ['./a:/b:rslave']", "mounts",
     (Mount("bind", "/b", f"{FOLDER}/a", propagation="rslave"),)),
    ("volumes: [{type: bind, source: /a, target: /b, bind: {create_host_path: false}}]", "mounts",
     (Mount("bind", "/b", "/a", create_host_path=False),)),
    ("volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k, mode: 0o1777}}]", "mounts",
     (Mount("tmpfs", "/t", tmpfs_size=1024, tmpfs_mode=0o1777),)),
    ("tmpfs: ['/a:size=1m', /b]", "tmpfs", (("/a", "size=1m"), ("/b", ""))),
    ("", "networks", (NetworkAttachment("demo_default", ("web",)),)),
    ("networks: {default: {aliases: [x, web], ipv4_address: 10.0.0.9}}", "networks",
     (NetworkAttachment("demo_default", ("web", "x"), "10.0.0.9"),)),
    ("networks: {a: , b: {priority: 5}}\n---\nnetworks: {a: , b: }", "networks",
     (NetworkAttachment("demo_b", ("web",), priority=5), NetworkAttachment("demo_a", ("web",)))),
    ("network_mode: host", "network_mode", "host"),
    ("network_mode: host", "networks", ()),
    ("mem_limit: 1g", "mem_limit", 1 << 30),
    ("deploy: {resources: {limits: {memory: 1m}}}", "mem_limit", 1 << 20),
    ("deploy: {resources: {reservations: {memory: 1m}}}", "mem_reservation", 1 << 20),
    ("cpus: 0.5", "nano_cpus", 500_000_000),
    ("deploy: {resources: {limits: {cpus: '1.5', pids: 9}}}", "nano_cpus", 1_500_000_000),
    ("deploy: {resources: {limits: {cpus: '1.5', pids: 9}}}", "pids_limit", 9),
    ("shm_size: 64m", "shm_size", 64 << 20),
    ("stop_grace_period: 1m", "stop_grace_s", 60.0),
    ("", "stop_grace_s", 10.0),
    ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
    ("restart: always", "restart", "always"),
    ("", "restart", "no"),
    ("restart: always\ndeploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
     "restart", "on-failure:2"),
    ("deploy: {restart_policy: {condition: none}}", "restart", "no"),
    ("deploy: {restart_policy: {}}", "restart", "always"),
    ("deploy: {restart_policy: {condition: any}}", "restart", "always"),
    ("healthcheck: {test: a, interval: 2s}", "healthcheck",
     HealthCheck(("CMD-SHELL", "a"), interval_s=2.0)),
    ("healthcheck: {disable: true}", "healthcheck", HealthCheck(("NONE",))),
    ("ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}", "ulimits",
     (("nofile", 1, 2), ("nproc", 3, 3))),
    ("sysctls: {a: 1}", "sysctls", (("a", "1"),)),
    ("extra_hosts: ['a=::1']", "extra_hosts", ("a:::1",)),
    ("logging: {driver: local, options: {x: 1}}", "log_options", (("x", "1"),)),
    ("user: u\ninit: true\nread_only: true\ncap_drop: [ALL]", "cap_drop", ("ALL",)),
    ("init: true", "init", True),
    ("build: .", "image", "i"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field", "expected"),
    CONTAINER_CASES,
    ids=[f"{c[0]} > {c[1]}" for c in CONTAINER_CASES],
)
def test_a_container_is(body: str, field: str, expected: Any) -> None:
    assert getattr(web_spec(body).container, field) == expected


def test_the_labels_are_those_that_compose_tools_know() -> None:
    text = """
    services:
      web:
        image: i
        labels: {own: x}
        depends_on:
          db: {condition: service_healthy, restart: true}
          c: {condition: service_started}
      db: {image: i}
      c: {image: i}
    """
    spec = stack(text).services["web"]
    labels = dict(spec.container.labels)
    assert labels == {
        "own": "x",
        "com.docker.compose.project": "demo",
        "com.docker.compose.service": "web",
        "com.docker.compose.container-number": "1",
        "com.docker.compose.oneoff": "False",
        "com.docker.compose.config-hash": spec.config_hash,
        "com.docker.compose.depends_on": "db:service_healthy:true,c:service_started:false",
        "com.docker.compose.project.config_files": f"{FOLDER}/c.yaml",
        "com.docker.compose.project.working_dir": FOLDER,
        "com.docker.compose.version": "9.9.9",
    }
    assert spec.depends_on == (
        Dependency("db", Condition.HEALTHY, restart=True),
        Dependency("c"),
    )


def test_networks_and_volumes_carry_names_and_labels() -> None:
    found = stack(
        web_text("volumes: ['data:/d', 'ext:/e']\n---\nvolumes: {data: , ext: {external: true}}")
    )
    network, (data, ext) = found.networks[0], found.volumes
    assert (network.key, network.name) == ("default", "demo_default")
    assert dict(network.labels)["com.docker.compose.network"] == "default"
    assert (data.name, ext.name, ext.external, ext.labels) == ("demo_data", "ext", True, ())
    assert dict(data.labels) == {
        "com.docker.compose.project": "demo",
        "com.docker.compose.volume": "data",
        "com.docker.compose.version": "9.9.9",
        "com.docker.compose.config-hash": data.config_hash,
    }


def test_a_shared_namespace_is_named_by_its_container() -> None:
    text = "services: {a: {image: i, network_mode: 'service:b'}, b: {image: i, container_name: bb}}"
    found = stack(text).services["a"]
    assert found.container.network_mode == "container:bb"
    assert found.depends_on == (Dependency("b", restart=True),)


def test_an_optional_dependency_that_is_disabled_is_dropped() -> None:
    text = """
    services:
      a: {image: i, depends_on: {b: {condition: service_started, required: false}}}
      b: {image: i, profiles: [p]}
    """
    found = stack(text)
    assert list(found.services) == ["a"]
    assert found.services["a"].depends_on == ()


SAME_HASH = ["build: .", "pull_policy: never", "scale: 1", "deploy: {replicas: 1}", "profiles: [p]"]
OTHER_HASH = ["user: u", "environment: {A: 1}", "labels: {a: b}", "deploy: {labels: {a: b}}"]


def _hash(body: str) -> str:
    compiled = compile_texts(web_text(body), profiles=("p",))
    return to_stack(compiled, {}, "1").services["web"].config_hash


@pytest.mark.parametrize("body", SAME_HASH)
def test_the_hash_leaves_out_what_recreates_nothing(body: str) -> None:
    assert _hash(body) == _hash("")


@pytest.mark.parametrize("body", OTHER_HASH)
def test_the_hash_sees_what_a_container_is(body: str) -> None:
    assert _hash(body) != _hash("")
    assert len(_hash(body)) == 64


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert _hash("user: a\nhostname: b") == _hash("hostname: b\nuser: a")


def test_a_managed_container_is_restarted_by_the_hub_alone() -> None:
    managed = web_spec("restart: always", Treatment())
    assert (managed.managed, managed.container.restart) == (True, "no")
    assert managed.config_hash == web_spec("restart: unless-stopped", Treatment()).config_hash
    assert managed.config_hash != web_spec("restart: always").config_hash


HTTP = ProbeSpec(ProbeKind.HTTP, 80, "/up")


@pytest.mark.parametrize(
    ("body", "values", "port", "probe"),
    [
        ("", {}, None, ProbeSpec(ProbeKind.NONE)),
        ("ports: ['8010:80']", {}, 8010, ProbeSpec(ProbeKind.TCP, 80)),
        ("ports: ['8010:80']", {"path": "/up"}, 8010, HTTP),
        ("ports: ['8010:80']", {"path": "/up", "port": 8010}, 8010, HTTP),
        ("ports: ['8010:80']", {"path": "/up", "port": 80}, 8010, HTTP),
        ("ports: ['8010:80']", {"port": 9}, 9, ProbeSpec(ProbeKind.TCP, 9)),
        ("ports: ['9000:90', '8010:80']", {}, 8010, ProbeSpec(ProbeKind.TCP, 80)),
        ("ports: ['53:53/udp']", {}, None, ProbeSpec(ProbeKind.NONE)),
        ("ports: ['80']", {}, None, ProbeSpec(ProbeKind.TCP, 80)),
        ("expose: [9000, '8000-8001', 53/udp]", {}, None, ProbeSpec(ProbeKind.TCP, 8000)),
        ("expose: ['53/udp']", {}, None, ProbeSpec(ProbeKind.NONE)),
        ("expose: [9000]", {"path": "/up"}, None, ProbeSpec(ProbeKind.HTTP, 9000, "/up")),
        ("healthcheck: {test: x}", {}, None, ProbeSpec(ProbeKind.ENGINE)),
        ("healthcheck: {test: x}\nports: ['8010:80']", {}, 8010, ProbeSpec(ProbeKind.ENGINE, 80)),
        ("healthcheck: {test: x}\nports: ['8010:80']", {"path": "/up"}, 8010, HTTP),
        ("healthcheck: {disable: true}", {}, None, ProbeSpec(ProbeKind.NONE)),
        ("healthcheck: {test: [NONE]}", {}, None, ProbeSpec(ProbeKind.NONE)),
        ("", {"path": "/up"}, None, ProbeSpec(ProbeKind.NONE, path="/up")),
        ("ports: ['8010:80']",
         {"path": "/up", "interval": 5.0, "timeout": 2.0, "failures": 4, "successes": 2,
          "startup": 9.0}, 8010, ProbeSpec(ProbeKind.HTTP, 80, "/up", 5.0, 2.0, 4, 2, 9.0)),
    ],
)  # fmt: skip
def test_the_port_and_the_probe(
    body: str, values: dict[str, Any], port: int | None, probe: ProbeSpec
) -> None:
    found = web_spec(body, Treatment(values))
    assert (found.port, found.probe) == (port, probe)


def test_several_containers_are_one_each_and_who_needs_them_needs_all() -> None:
    made = stack(
        """
        services:
          web: {image: i, deploy: {replicas: 2}, network_mode: "service:db"}
          db: {image: i, scale: 3}
          none: {image: i, scale: 0}
          user: {image: i, depends_on: [web, none]}
        """
    )
    assert list(made.services) == ["web-1", "web-2", "db-1", "db-2", "db-3", "user"]
    assert made.replicas == {"web": 2, "db": 3, "none": 0}
    assert [d.service for d in made.services["user"].depends_on] == ["web-1", "web-2"]
    second = made.services["web-2"]
    assert (second.replica_of, second.number, second.shares) == ("web", 2, ("db-1",))
    assert second.container.name == "demo-web-2"
    assert second.container.network_mode == "container:demo-db-1"
    labels = dict(second.container.labels)
    assert labels["com.docker.compose.container-number"] == "2"
    assert labels["com.docker.compose.service"] == "web"
    assert second.config_hash == made.services["web-1"].config_hash


def test_commands_beside_the_service_are_hooks() -> None:
    spec = web_spec(
        """
        post_start:
          - command: ./migrate "all of it"
            user: root
            environment: [A=1, B]
        pre_stop: [{command: [bye], privileged: true, working_dir: /w}]
        """
    )
    migrate = Hook(("./migrate", "all of it"), "root", environment=(("A", "1"), ("B", None)))
    assert spec.post_start == (migrate,)
    assert spec.pre_stop == (Hook(("bye",), privileged=True, working_dir="/w"),)


def test_a_network_gives_away_the_addresses_that_are_said() -> None:
    (made,) = stack(
        """
        services: {web: {image: i, networks: [n]}}
        networks:
          n:
            ipam:
              driver: default
              options: {foo: bar}
              config:
                - subnet: 10.1.0.0/16
                  ip_range: 10.1.5.0/24
                  gateway: 10.1.5.1
                  aux_addresses: {nas: 10.1.5.9}
        """
    ).networks
    assert made.ipam_options == (("foo", "bar"),)
    assert made.ipam_pools == (
        AddressPool("10.1.0.0/16", "10.1.5.0/24", "10.1.5.1", (("nas", "10.1.5.9"),)),
    )

"""Good compose files and what they normalise to, one invariant each.

The cases follow the specification's text; `web(...)` is the service of that name.
"""

from __future__ import annotations

from typing import Any

import pytest
from config_helpers import FOLDER, compile_texts, web, web_text

SERVICE_CASES: list[tuple[str, Any]] = [
    # command, entrypoint: text is split like a shell does, null inherits, [] clears
    ("command: echo 'a b' c", {"command": ["echo", "a b", "c"]}),
    ("command: [a, b c]", {"command": ["a", "b c"]}),
    ("command: []", {"command": []}),
    ("command: ''", {"command": []}),
    ("command:", {"command": None}),
    ("entrypoint: /run.sh -x", {"entrypoint": ["/run.sh", "-x"]}),
    # build
    ("build: {no_cache_filter: a}",
     {"build": {"context": FOLDER, "dockerfile": "Dockerfile", "no_cache_filter": ["a"]}}),
    ("build: {dockerfile: '${UNSET}'}", {"build": {"context": FOLDER}}),
    ("pre_start: [{command: a}, {image: k}]",
     {"pre_start": [{"image": "i", "command": ["a"]}, {"image": "k", "command": None}]}),
    ("storage_opt: {size: 5}", {"storage_opt": {"size": "5"}}),
    ("networks: {default: {aliases: [a, a]}}", {"networks": {"default": {"aliases": ["a"]}}}),
    # environment
    ("environment: {A: 1, B: true, C: 1.5, D: x}",
     {"environment": {"A": "1", "B": "true", "C": "1.5", "D": "x"}}),
    ("environment: [A=1, B=x=y, 'C=']", {"environment": {"A": "1", "B": "x=y", "C": ""}}),
    ("environment: [FROM_SHELL, UNKNOWN]",
     {"environment": {"FROM_SHELL": "yes", "UNKNOWN": None}}),
    ("environment: {FROM_SHELL: }", {"environment": {"FROM_SHELL": "yes"}}),
    ("environment: [A=1, A=2]", {"environment": {"A": "2"}}),
    ("environment: {T: 22:22, N: no}", {"environment": {"T": "22:22", "N": "no"}}),
    # labels
    ("labels: {a: 1, b: , c: true}", {"labels": {"a": "1", "b": "", "c": "true"}}),
    ("labels: [a=1, b]", {"labels": {"a": "1", "b": ""}}),
    # ports
    ("ports: ['80']", {"ports": [{"mode": "ingress", "target": 80, "protocol": "tcp"}]}),
    ("ports: [80]", {"ports": [{"mode": "ingress", "target": 80, "protocol": "tcp"}]}),
    ("ports: ['127.0.0.1:8010:8010']",
     {"ports": [{"mode": "ingress", "target": 8010, "host_ip": "127.0.0.1",
                 "published": "8010", "protocol": "tcp"}]}),
    ("ports: ['53:53/udp']",
     {"ports": [{"mode": "ingress", "target": 53, "published": "53", "protocol": "udp"}]}),
    ("ports: [{target: 80, published: 8080, host_ip: 127.0.0.1, protocol: tcp, mode: host}]",
     {"ports": [{"mode": "host", "target": 80, "published": "8080",
                 "host_ip": "127.0.0.1", "protocol": "tcp"}]}),
    ("ports: [{target: '${P:-81}'}]",
     {"ports": [{"mode": "ingress", "target": 81, "protocol": "tcp"}]}),
    ("ports: ['80:80', '80:80']",
     {"ports": [{"mode": "ingress", "target": 80, "published": "80", "protocol": "tcp"}]}),
    ("expose: [80, '90/udp', '100-101']", {"expose": ["80", "90/udp", "100-101"]}),
    # volumes
    ("volumes: [./data:/data]",
     {"volumes": [{"type": "bind", "source": f"{FOLDER}/data", "target": "/data",
                   "bind": {"create_host_path": True}}]}),
    ("volumes: ['../x:/data:ro']",
     {"volumes": [{"type": "bind", "source": "/p/x", "target": "/data", "read_only": True,
                   "bind": {"create_host_path": True}}]}),
    ("volumes: ['/etc/x/:/data']",
     {"volumes": [{"type": "bind", "source": "/etc/x/", "target": "/data",
                   "bind": {"create_host_path": True}}]}),
    ("volumes: ['~/x:/data']",
     {"volumes": [{"type": "bind", "source": "/home/me/x", "target": "/data",
                   "bind": {"create_host_path": True}}]}),
    ("volumes: [/data]", {"volumes": [{"type": "volume", "target": "/data", "volume": {}}]}),
    ("volumes: ['v:/data']\n---\nvolumes: {v: {}}",
     {"volumes": [{"type": "volume", "source": "v", "target": "/data", "volume": {}}]}),
    ("volumes: ['v:/data:nocopy']\n---\nvolumes: {v: }",
     {"volumes": [{"type": "volume", "source": "v", "target": "/data",
                   "volume": {"nocopy": True}}]}),
    ("volumes: ['/a:/b:rshared']",
     {"volumes": [{"type": "bind", "source": "/a", "target": "/b",
                   "bind": {"propagation": "rshared", "create_host_path": True}}]}),
    ("volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 017}}]",
     {"volumes": [{"type": "tmpfs", "target": "/t", "tmpfs": {"size": "1048576", "mode": 15}}]}),
    ("volumes: [{type: bind, source: ./a, target: /b/, bind: {create_host_path: false}}]",
     {"volumes": [{"type": "bind", "source": f"{FOLDER}/a", "target": "/b",
                   "bind": {"create_host_path": False}}]}),
    ("tmpfs: /run", {"tmpfs": ["/run"]}),
    ("tmpfs: ['/run:size=1m', /tmp]", {"tmpfs": ["/run:size=1m", "/tmp"]}),
    # networks
    ("", {"networks": {"default": None}}),
    ("networks: [a, default]\n---\nnetworks: {a: }", {"networks": {"a": None, "default": None}}),
    ("networks: {a: {aliases: [x], ipv4_address: 10.0.0.2}}\n---\nnetworks: {a: {}}",
     {"networks": {"a": {"aliases": ["x"], "ipv4_address": "10.0.0.2"}}}),
    ("network_mode: host", {"network_mode": "host"}),
    # healthcheck
    ("healthcheck: {test: curl x, interval: 90s, timeout: 1s, retries: 3, start_period: 500ms}",
     {"healthcheck": {"test": ["CMD-SHELL", "curl x"], "interval": "1m30s", "timeout": "1s",
                      "retries": 3, "start_period": "500ms"}}),
    ("healthcheck: {test: [CMD, a, b]}", {"healthcheck": {"test": ["CMD", "a", "b"]}}),
    ("healthcheck: {disable: true}", {"healthcheck": {"disable": True}}),
    # limits
    ("mem_limit: 512m", {"mem_limit": "536870912"}),
    ("mem_limit: 1048576", {"mem_limit": "1048576"}),
    ("cpus: '0.5'", {"cpus": 0.5}),
    ("pids_limit: 100", {"pids_limit": 100}),
    ("shm_size: 64m", {"shm_size": "67108864"}),
    ("deploy: {resources: {limits: {cpus: '0.25', memory: 50M, pids: 5}}}",
     {"deploy": {"resources": {"limits": {"cpus": 0.25, "memory": "52428800", "pids": 5}},
                 "placement": {}}}),
    ("ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}",
     {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "nproc": 5}}),
    # flags, from variables too
    ("read_only: true", {"read_only": True}),
    ("read_only: '${FLAG:-yes}'", {"read_only": True}),
    ("init: false", {"init": False}),
    ("tty: true\nstdin_open: true", {"tty": True, "stdin_open": True}),
    ("privileged: 'true'", {"privileged": True}),
    # lists and maps
    ("cap_add: [A, B, A]", {"cap_add": ["A", "B"]}),
    ("dns: 1.1.1.1", {"dns": ["1.1.1.1"]}),
    ("extra_hosts: ['b:1.2.3.4', 'a=::1', 'c:[::2]']",
     {"extra_hosts": ["a=::1", "b=1.2.3.4", "c=::2"]}),
    ("extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, 2.2.2.2]}",
     {"extra_hosts": ["a=1.2.3.4", "b=1.1.1.1", "b=2.2.2.2"]}),
    ("sysctls: {net.core.somaxconn: 1024}", {"sysctls": {"net.core.somaxconn": "1024"}}),
    ("sysctls: [a=1]", {"sysctls": {"a": "1"}}),
    ("group_add: [1000, mail]", {"group_add": ["1000", "mail"]}),
    ("logging: {driver: json-file, options: {max-size: 1m, max-file: 3}}",
     {"logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}}),
    ("security_opt: ['no-new-privileges:true']",
     {"security_opt": ["no-new-privileges:true"]}),
    ("stop_grace_period: 90s", {"stop_grace_period": "1m30s"}),
    ("restart: no", {"restart": "no"}),
    ("restart: on-failure:3", {"restart": "on-failure:3"}),
    ("pull_policy: if_not_present", {"pull_policy": "missing"}),
    ("secrets: [s]\n---\nsecrets: {s: {file: ./s.txt}}",
     {"secrets": [{"source": "s", "target": "/run/secrets/s"}]}),
    ("devices: ['/dev/a:/dev/b']",
     {"devices": [{"source": "/dev/a", "target": "/dev/b", "permissions": "rwm"}]}),
    ("build: ./app", {"build": {"context": f"{FOLDER}/app", "dockerfile": "Dockerfile"}}),
    ("build: {context: .., dockerfile: D, args: [A=1, FROM_SHELL, UNKNOWN]}",
     {"build": {"context": "/p", "dockerfile": "D", "args": {"A": "1", "FROM_SHELL": "yes"}}}),
    ("build: https://example.org/x.git",
     {"build": {"context": "https://example.org/x.git", "dockerfile": "Dockerfile"}}),
    ("x-note: {anything: goes}", {}),
    ("hostname: h\ndomainname: d\nuser: '0:0'\nworking_dir: /w\nipc: host\npid: host",
     {"hostname": "h", "domainname": "d", "user": "0:0", "working_dir": "/w", "ipc": "host",
      "pid": "host"}),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SERVICE_CASES, ids=[c[0] for c in SERVICE_CASES])
def test_a_service_normalises_to(body: str, expected: dict[str, Any]) -> None:
    found = web(body, env={"FROM_SHELL": "yes"})
    assert {key: found.get(key) for key in expected} == expected
    assert not any(key.startswith("x-") for key in found)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        ("name: My.Shop!\nservices: {a: {image: i}}", ("name",), "myshop"),
        ("name: ${N:-x}\nservices: {a: {image: i}}", ("name",), "x"),
        ("services: {a: {image: i}}", ("name",), "demo"),
        ("services: {a: {image: i}}", ("networks",),
         {"default": {"name": "demo_default", "ipam": {}}}),
        ("services: {a: {image: i}}\nnetworks: {unused: {}}", ("networks", "unused"), None),
        ("services: {a: {image: i}}\nnetworks: {default: {name: n, driver: bridge}}",
         ("networks", "default"), {"name": "n", "driver": "bridge", "ipam": {}}),
        ("services: {a: {image: i, networks: [n]}}\nnetworks: {n: {external: true}}",
         ("networks", "n"), {"external": True, "name": "n", "ipam": {}}),
        ("services: {a: {image: i, networks: [n]}}\nnetworks: {n: {external: {name: real}}}",
         ("networks", "n"), {"external": True, "name": "real", "ipam": {}}),
        ("services: {a: {image: i, networks: [n]}}\n"
         "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}, internal: true}}",
         ("networks", "n"), {"ipam": {"config": [{"subnet": "10.0.0.0/24"}]}, "internal": True,
                             "name": "demo_n"}),
        ("services: {a: {image: i, volumes: ['v:/v']}}\nvolumes: {v: , unused: }",
         ("volumes",), {"v": {"name": "demo_v"}}),
        ("services: {a: {image: i, volumes: ['v:/v']}}\nvolumes: {v: {external: true, name: r}}",
         ("volumes", "v"), {"external": True, "name": "r"}),
        ("services: {a: {image: i, depends_on: [b]}, b: {image: i}}",
         ("services", "a", "depends_on"),
         {"b": {"condition": "service_started", "required": True}}),
        ("services: {a: {image: i, depends_on: {b: {condition: service_healthy, restart: true,"
         " required: false}}}, b: {image: i}}", ("services", "a", "depends_on"),
         {"b": {"condition": "service_healthy", "required": False, "restart": True}}),
        ("services: {a: {image: i, network_mode: 'service:b'}, b: {image: i}}",
         ("services", "a", "depends_on"),
         {"b": {"condition": "service_started", "required": True, "restart": True}}),
        ("services: {a: {image: i, links: ['b:db']}, b: {image: i}}",
         ("services", "a", "depends_on"),
         {"b": {"condition": "service_started", "required": True, "restart": True}}),
        ("version: '3.8'\nservices: {a: {image: i}}", ("version",), None),
        ("x-note: [1]\nservices: {a: {image: i}}", ("x-note",), [1]),
        ("services: {a: &a {image: i, user: u}, b: {<<: *a, image: j}}",
         ("services", "b", "user"), "u"),
        ("services: {a: {image: i}}\n---\nservices: {b: {image: j}}",
         ("services", "b", "image"), "j"),
        ("services: {a: {image: i, secrets: [s]}}\nsecrets: {s: {file: ./s}}",
         ("secrets", "s"), {"file": f"{FOLDER}/s", "name": "demo_s"}),
    ],
)  # fmt: skip
def test_a_model_holds(text: str, path: tuple[str, ...], expected: Any) -> None:
    found: Any = compile_texts(text).model
    for step in path:
        found = (found or {}).get(step)
    assert found == expected


def test_env_files_fill_the_environment_and_its_own_values_win() -> None:
    found = web(
        "env_file: [a.env, {path: b.env, required: false}, {path: gone.env, required: false}]\n"
        "environment: {OWN: own}",
        files={"a.env": "OWN=a\nX=1\nY=$FROM_SHELL", "b.env": "X=2\nZ=${X}"},
        env={"FROM_SHELL": "yes"},
    )
    assert found["environment"] == {"OWN": "own", "X": "2", "Y": "yes", "Z": "2"}
    assert "env_file" not in found


def test_a_raw_env_file_is_taken_as_it_is() -> None:
    found = web("env_file: [{path: a.env, format: raw}]", files={"a.env": "A='x' $B # c\n"})
    assert found["environment"] == {"A": "'x' $B # c"}


def test_label_files_are_folded_into_labels() -> None:
    found = web("label_file: a.lbl\nlabels: {own: '1'}", files={"a.lbl": "own=0\nother=2\n"})
    assert found["labels"] == {"own": "1", "other": "2"}


def test_the_shell_wins_over_dotenv_and_env_file_is_not_visible_to_interpolation() -> None:
    found = web(
        "user: ${A}\nhostname: ${B}\ndomainname: ${C:-unset}\nenv_file: c.env",
        files={".env": "A=dot\nB=dot\n", "c.env": "C=file"},
        env={"A": "shell"},
    )
    assert (found["user"], found["hostname"], found["domainname"]) == ("shell", "dot", "unset")


def test_a_named_env_file_replaces_dotenv_and_later_ones_win() -> None:
    found = web(
        "user: ${A}\nhostname: ${B:-unset}",
        files={".env": "B=dot", "1.env": "A=1", "2.env": "A=2"},
        env_files=("1.env", "2.env"),
    )
    assert (found["user"], found["hostname"]) == ("2", "unset")


@pytest.mark.parametrize(
    ("profiles", "env", "names"),
    [
        ((), {}, ["a"]),
        (("p",), {}, ["a", "b"]),
        (("*",), {}, ["a", "b", "c"]),
        ((), {"COMPOSE_PROFILES": "p,q"}, ["a", "b", "c"]),
        (("q",), {"COMPOSE_PROFILES": "p"}, ["a", "c"]),
    ],
)
def test_profiles_choose_services(
    profiles: tuple[str, ...], env: dict[str, str], names: list[str]
) -> None:
    text = "services: {a: {image: i}, b: {image: i, profiles: [p]}, c: {image: i, profiles: [q]}}"
    assert list(compile_texts(text, profiles=profiles, env=env).model["services"]) == names


def test_the_project_given_wins_over_the_environment_and_the_file() -> None:
    text, env = "name: filed\nservices: {a: {image: i}}", {"COMPOSE_PROJECT_NAME": "envd"}
    assert compile_texts(text, project="given", env=env).model["name"] == "given"
    assert compile_texts(text, env=env).model["name"] == "envd"
    assert compile_texts(text).model["name"] == "filed"


def test_the_project_name_can_be_interpolated() -> None:
    assert web("hostname: ${COMPOSE_PROJECT_NAME}")["hostname"] == "demo"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("gpus: all", None),
        ("annotations: {a: b}", "services.web.annotations"),
        ("build: .", None),
        ("secrets: [s]\n---\nsecrets: {s: {file: x}}", None),
        ("deploy: {replicas: 3}", None),
        ("ports: ['8000:80']\nscale: 2", "8000"),
        ("ports: ['8000-8001:80']\nscale: 2", None),
        ("ports: ['8000-8001:80']\nscale: 3", "a range of 3"),
        ("networks: {default: {ipv4_address: 10.0.0.9}}\nscale: 2", "ipv4_address"),
        ("deploy: {placement: {constraints: [a]}}", "services.web.deploy.placement"),
        ("healthcheck: {start_interval: 1s}", None),
        ("volumes: ['./a:/a:z']", None),
        (
            "volumes: [{type: bind, source: /a, target: /a, bind: {recursive: disabled}}]",
            "bind.recursive",
        ),
        ("develop: {watch: [{path: a, action: rebuild}]}", "services.web.develop"),
        ("ports: ['8000-8009:80']", None),
        ("networks: {default: {mac_address: '02:00:00:00:00:01'}}", None),
        ("networks: {default: {gw_priority: 1}}", "gw_priority"),
        ("user: ${NOT_SET}x", "NOT_SET"),
        ("attach: false", None),
        ("x-anything: 1", None),
    ],
)
def test_what_is_not_honoured_is_a_named_warning(key: str, said: str | None) -> None:
    warnings = compile_texts(web_text(key)).report.warnings
    assert len(warnings) == (1 if said else 0)
    if said:
        assert said in warnings[0]
        assert warnings[0].startswith(f"{FOLDER}/c.yaml:4: ")


def test_a_long_chain_of_services_is_no_cycle() -> None:
    lines = [f"  s{i}: {{image: i, depends_on: [s{i + 1}]}}" for i in range(2000)]
    text = "services:\n" + "\n".join(lines) + "\n  s2000: {image: i}\n"
    assert len(compile_texts(text).model["services"]) == 2001

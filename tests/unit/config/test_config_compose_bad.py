"""Bad compose files: each is refused with file, line and key, and a hint that helps."""

from __future__ import annotations

import pytest
from config_helpers import FOLDER, faults_of, web_text

FILE = f"{FOLDER}/c.yaml"

# Body of the service `web` (its first key stands on line 4), and what the fault says.
SERVICE_CASES = [
    ("imagee: x", 'services.web.imagee: unknown key (did you mean "image"?)'),
    ("volume: [a]", 'did you mean "volumes"?'),
    ("memlimit: 5", 'did you mean "mem_limit"?'),
    ("command: 5", "services.web.command: found number 5, allowed: nothing or text or list"),
    ("command: [1]", "services.web.command[0]: found number 1, allowed: text"),
    ('command: "a \'b"', "services.web.command: the command cannot be split"),
    ("entrypoint: {a: b}", "services.web.entrypoint: found mapping"),
    ("environment: 5", "services.web.environment: found number 5"),
    ("environment:", "services.web.environment: found nothing"),
    ("environment: [5]", "services.web.environment[0]: found number 5"),
    ("environment: {A: [1]}", "services.web.environment.A: found list"),
    ("environment: ['A =1']", "the name 'A ' is empty or has spaces"),
    ("environment: ['=1']", "the name '' is empty"),
    ("ports:", "services.web.ports: found nothing"),
    ("ports: 80", "services.web.ports: found number 80, allowed: list"),
    ("ports: ['x']", "services.web.ports: 'x': 'x' is not a port"),
    ("ports: ['80:']", "no target port"),
    ("ports: ['80:70000']", "ports go from 0 to 65535"),
    ("ports: ['80:80/xyz']", "one of tcp, udp, sctp"),
    ("ports: ['999.1.1.1:80:80']", "is not an IP address"),
    ("ports: ['8000-8002:80-81']", "differ in length"),
    ("ports: ['90-80:90-80']", "the lower one first"),
    ("ports: [{published: 80}]", "the key target is missing"),
    ("ports: [{target: 80, publishd: 80}]", 'did you mean "published"?'),
    ("ports: [{target: 80, protocol: foo}]", "allowed: tcp, udp, sctp"),
    ("ports: [{target: abc}]", "services.web.ports[0].target: found text 'abc'"),
    ("ports: [80.5]", "allowed: a whole number"),
    ("ports: ['1-65535', '1-65535:1-65535']", "more than 65536 ports"),
    ("expose: [abc]", "services.web.expose: 'abc'"),
    ("expose: ['80/xyz']", "one of tcp, udp, sctp"),
    ("volumes: data", "services.web.volumes: found text 'data', allowed: list"),
    ("volumes: ['a::b']", "an empty part between colons"),
    ("volumes: ['a:/b:ro:z']", "too many colons"),
    ("volumes: [data:/x]", "the volume 'data' is not declared"),
    ("volumes: [{source: a, target: /b}]", "services.web.volumes[0]: the key type is missing"),
    ("volumes: [{type: bin, source: a, target: /b}]", 'did you mean "bind"?'),
    ("volumes: [{type: bind, target: /b}]", "a bind needs a source path"),
    ("volumes: [{type: volume}]", "the key target is missing"),
    ("volumes: [{type: tmpfs, target: /t, tmpfs: {mode: rwx}}]", "write it without quotes"),
    ("volumes: ['./a:/x']\ntmpfs: /x", "two mounts have the target /x"),
    ("networks: [net]", "the network 'net' is not declared"),
    ("networks:", "services.web.networks: found nothing"),
    ("networks: {default: {alias: [a]}}", 'did you mean "aliases"?'),
    ("networks: [default, default]", "services.web.networks[1]: the same as item [0]"),
    ("network_mode: host\nnetworks: [default]", "network_mode and networks exclude each other"),
    (
        "network_mode: 'service:gone'",
        "services.web.network_mode: depends on 'gone', which does not exist",
    ),
    ("links: ['gone:db']", "services.web.links: depends on 'gone', which does not exist"),
    ("depends_on: [bd]", "depends on 'bd', which does not exist"),
    ("depends_on: {db: {condition: healthy}}", 'did you mean "service_healthy"?'),
    ("depends_on: {db: {restart: true}}", "depends_on.db: the key condition is missing"),
    ("depends_on: db", "services.web.depends_on: found text 'db', allowed: list or mapping"),
    ("depends_on: [web]", "a dependency cycle: web -> web"),
    ("healthcheck: {interval: 10}", "services.web.healthcheck.interval: found number 10"),
    ("healthcheck: {interval: '10'}", "a duration has a number and a unit"),
    ("healthcheck: {test: [curl, x]}", "allowed: CMD, CMD-SHELL or NONE"),
    ("healthcheck: {retries: many}", "healthcheck.retries: found text 'many'"),
    ("healthcheck: {tests: x}", 'did you mean "test"?'),
    ("healthcheck:", "services.web.healthcheck: found nothing"),
    ("restart: sometimes", "allowed: no, always, on-failure[:N], unless-stopped"),
    ("restart: false", "services.web.restart: found boolean False"),
    ("user: 1000", "services.web.user: found number 1000, allowed: text"),
    ("hostname: [a]", "services.web.hostname: found list"),
    ("container_name: '-x'", "services.web.container_name"),
    ("container_name: x/y", "services.web.container_name"),
    ("mem_limit: lots", "a size is a number with a unit"),
    ("mem_limit: [1]", "services.web.mem_limit: found list"),
    ("cpus: many", "allowed: a number from 0 up"),
    ("cpus: .nan", "allowed: a number from 0 up"),
    ("pids_limit: 1.5", "allowed: a whole number"),
    ("stop_grace_period: 10", "services.web.stop_grace_period: found number 10"),
    ("read_only: maybe", "allowed: true or false"),
    ("read_only: 1", "services.web.read_only: found number 1"),
    ("privileged: [true]", "services.web.privileged: found list"),
    ("ulimits: {nofile: {soft: 1}}", "services.web.ulimits.nofile: the key hard is missing"),
    ("ulimits: {nofile: x}", "services.web.ulimits.nofile"),
    ("logging: {driver: 5}", "services.web.logging.driver: found number 5"),
    ("logging: {options: {a: [1]}}", "services.web.logging.options.a: found list"),
    ("extra_hosts: [nohost]", "services.web.extra_hosts: 'nohost' has no address"),
    ("security_opt: [a, a]", "services.web.security_opt[1]: the same as item [0]"),
    ("profiles: [-x]", "services.web.profiles[0]"),
    ("pull_policy: sometimes", "services.web.pull_policy"),
    ("deploy: {replicas: -1}", "services.web.deploy.replicas: found -1"),
    ("deploy: {resource: {}}", 'did you mean "resources"?'),
    ("deploy: {resources: {limits: {memory: 512}}}", "limits.memory: found number 512"),
    ("mem_limit: 1m\ndeploy: {resources: {limits: {memory: 2m}}}", "they must agree"),
    ("scale: 2\ncontainer_name: abc", "container_name allows one container"),
    ("scale: 2\ndeploy: {replicas: 3}", "scale is 2 and deploy.replicas is 3"),
    ("secrets: [gone]", "the secret 'gone' is not declared"),
    ("configs: [{source: gone}]", "the config 'gone' is not declared"),
    ("build: {contxt: .}", 'did you mean "context"?'),
    ("build: {dockerfile: a, dockerfile_inline: b}", "exclude each other"),
    ("extends: {service: base}", "services.web.extends: there is no service 'base'"),
    ("env_file: gone.env", "services.web.env_file: /p/demo/gone.env: there is no such file"),
    ("env_file: [{required: true}]", "services.web.env_file[0]: the key path is missing"),
    ("hostname: ${H:?set H}", "the required variable H has no value: set H"),
    ("hostname: ${H", 'services.web.hostname: a "${" without its closing "}"'),
    ("ports: ['80:0']", "services.web.ports: '80:0': 0 is no target port"),
    ("ports: [0]", "services.web.ports[0]: found 0, allowed: a whole number from 1"),
    ("links: ['b:x:y']", "depends on 'b:x:y', which does not exist"),
    ("devices: ['/a:/b:rwm:x']", "services.web.devices: too many colons"),
    ("develop: {watch: [{path: ., action: sync}]}", "the action sync needs a target"),
    ("build: {additional_contexts: {c: 'service:gone'}}", "c: there is no service 'gone'"),
    (
        "build: {additional_contexts: {c: 'service:b'}}\n---\n  b: {image: j}",
        "c: the service 'b' is not built here",
    ),
    ("user: x\n---\nsecrets: {s: {driver: x}}", "secrets.s: give exactly one of file, environment"),
    ("build: {additional_contexts: [b]}", "allowed: name=where"),
]


@pytest.mark.parametrize(("body", "said"), SERVICE_CASES, ids=[c[0] for c in SERVICE_CASES])
def test_a_service_is_refused_with_line_and_key(body: str, said: str) -> None:
    faults = faults_of(web_text(body))
    assert any(said in fault for fault in faults), faults
    assert all(fault.startswith((f"{FILE}:4: ", f"{FILE}:5: ")) for fault in faults), faults


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("servces: {}", 1, 'servces: unknown key (did you mean "services"?)'),
        ("[a, b]", 1, "a compose file is a mapping"),
        ("just text", 1, "a compose file is a mapping"),
        ("", 0, "the file is empty"),
        ("# only a comment", 0, "the file is empty"),
        ("version: 3\nservices: {}", 1, "version: found number 3"),
        ("name: 5\nservices: {}", 1, "name: found number 5"),
        ("services:", 1, "services: found nothing"),
        ("services: [a]", 1, "services: found list"),
        ("services:\n  web:", 2, "services.web: found nothing"),
        ("services:\n  'we b': {image: i}", 2, "may hold only"),
        ("services:\n  web: {}", 2, "neither an image nor a build"),
        ("{}", 0, "the file is empty"),
        ("name: '='\nservices: {a: {image: i}}", 1, "found project name ''"),
        ("include: [a.yaml]\nservices: {a: {image: i}}", 1,
         "include: /p/demo/a.yaml: there is no such file"),
        ("services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [a]}", 2,
         "a dependency cycle: a -> b -> a"),
        ("services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, profiles: [p]}", 2,
         "whose profile is not enabled"),
        ("services:\n  a: {image: i, container_name: xx}\n  b: {image: i, container_name: xx}", 3,
         "'xx' is taken by 'a'"),
        ("services: {a: {image: i}}\nvolumes:", 2, "volumes: found nothing"),
        ("services: {a: {image: i}}\nvolumes: {v: {drivr: x}}", 2, 'did you mean "driver"?'),
        ("services: {a: {image: i, volumes: ['v:/v']}}\n"
         "volumes:\n  v: {external: true, driver: x}", 3, "an external volume takes no driver"),
        ("services: {a: {image: i}}\nnetworks: {n: {internal: maybe}}", 2, "true or false"),
        ("services: {a: {image: i}}\nnetworks: {n: {ipam: {config: {}}}}", 2, "found mapping"),
        ("services: {a: {image: i}}\nsecrets:\n  s: {}", 3, "exactly one of file, environment"),
        ("services: {a: {image: i}}\nmodels:\n  m: {}", 3, "the key model is missing"),
        ("services:\n  a: {image: i}\n  a: {image: j}", 3, "the key appears twice"),
        ("services: {a: {image: !reset x}}", 1, "neither an image nor a build"),
    ],
)  # fmt: skip
def test_a_file_is_refused_with_line_and_key(text: str, line: int, said: str) -> None:
    faults = faults_of(text)
    assert any(said in fault for fault in faults), faults
    assert faults[0].startswith(f"{FILE}:{line}: " if line else f"{FILE}: ")


def test_all_faults_of_all_files_come_at_once() -> None:
    faults = faults_of("services:\n  a: {imag: i}\n  b: {ports: 5}", "networks: []\nx: 1")
    assert [fault.split(": ")[0] for fault in faults] == [
        f"{FILE}:2",
        f"{FILE}:3",
        f"{FOLDER}/c1.yaml:1",
        f"{FOLDER}/c1.yaml:2",
    ]


@pytest.mark.parametrize("name", ["My Project", "-x", "Ä", "UPPER"])
def test_a_project_name_given_must_be_usable(name: str) -> None:
    assert "project name" in faults_of("services: {a: {image: i}}", project=name)[0]


def test_a_thousand_faults_are_cut_short() -> None:
    faults = faults_of("services:\n" + "".join(f"  s{i}: {{x: 1}}\n" for i in range(1000)))
    assert len(faults) == 101

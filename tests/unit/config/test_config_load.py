"""config.yaml and the compose files together: one HubConfig, or every fault with its place."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from controller import __version__
from controller.config.load import HubConfig, load, normalise
from controller.config.settings import Settings
from controller.errors import ConfigError
from controller.model.spec import HealingLimits, ProbeKind, RecoveryPolicy, RecoverySpec

ROOT = Path(__file__).resolve().parents[3]

COMPOSE = """\
services:
  web:
    image: i
    restart: always
    ports: ["8010:80"]
    labels:
      heal7.managed: "true"
      heal7.health.path: /up
  db:
    image: i
    restart: always
"""


def write(folder: Path, config: str, compose: str = COMPOSE) -> Path:
    (folder / "compose").mkdir(exist_ok=True)
    (folder / "compose" / "compose.yaml").write_text(compose)
    path = folder / "config.yaml"
    path.write_text(config)
    return path


def hub(folder: Path, config: str, compose: str = COMPOSE, **env: str) -> HubConfig:
    return load(write(folder, config, compose), env)


def faults(folder: Path, config: str, compose: str = COMPOSE, **env: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        hub(folder, config, compose, **env)
    assert caught.value.remedy
    return caught.value.faults


def test_labels_alone_are_enough(tmp_path: Path) -> None:
    found = hub(tmp_path, "")
    assert found.stack.managed == ("web",)
    web, db = found.stack.services["web"], found.stack.services["db"]
    assert (web.port, web.probe.kind, web.probe.port, web.probe.path) == (
        8010,
        ProbeKind.HTTP,
        80,
        "/up",
    )
    assert (web.container.restart, db.container.restart) == ("no", "always")
    assert found.stack.project == "heal7"
    assert found.stack.warnings == ()


def test_config_yaml_wins_over_labels_and_says_so(tmp_path: Path) -> None:
    config = """\
orchestration:
  managed_services:
    - name: web
      port: 8099
      health_endpoint: /health
      probe: {interval: 5s, failures: 9}
"""
    found = hub(tmp_path, config)
    web = found.stack.services["web"]
    assert (web.port, web.probe.path, web.probe.interval_s, web.probe.failures) == (
        8099,
        "/health",
        5.0,
        9,
    )
    compose = tmp_path / "compose" / "compose.yaml"
    assert found.stack.warnings == (
        f"{tmp_path}/config.yaml:5: web: path is /health here and /up at {compose}:8; "
        "this one counts",
        f"{tmp_path}/config.yaml:4: web: the port is 8099 here, and {compose}:5 publishes 8010; "
        "this one counts",
    )


def test_a_service_that_only_one_side_knows(tmp_path: Path) -> None:
    config = "orchestration:\n  managed_services:\n    - {name: db}\n"
    warnings = hub(tmp_path, config).stack.warnings
    assert "services.web: managed by its label, and not listed" in warnings[0]
    config = "orchestration:\n  managed_services:\n    - name: dbb\n"
    assert faults(tmp_path, config)[0].startswith(
        f"{tmp_path}/config.yaml:3: orchestration.managed_services: 'dbb' is not in the compose "
        'files (did you mean "db"?)'
    )


@pytest.mark.parametrize(
    ("label", "said"),
    [
        ("heal7.port: '9'", None),
        ("heal7.probe.interval: 500ms", None),
        ("heal7.config.digest: x", None),
        ("heal7.probe.match: ok|올바름", None),
        ("heal7.recovery.policy: none", None),
        ("heal7.recovery.grace: '0'", None),
        ("heal7.recovery.polcy: none", 'did you mean "heal7.recovery.policy"?'),
        ("heal7.gateway.path: /x", "not honoured yet"),
        ("autoheal.stop.timeout: '5'", None),
        ("heal7.prot: '9'", 'did you mean "heal7.port"?'),
    ],
)
def test_labels_that_the_hub_cannot_honour_are_named(
    tmp_path: Path, label: str, said: str | None
) -> None:
    compose = f"services:\n  a:\n    image: i\n    labels:\n      autoheal: true\n      {label}\n"
    warnings = hub(tmp_path, "", compose).stack.warnings
    assert len(warnings) == (1 if said else 0)
    if said:
        assert said in warnings[0]
        assert f"{tmp_path}/compose/compose.yaml:6: services.a.labels." in warnings[0]


RECOVERY = {
    "policy": ("none", RecoveryPolicy.NONE),
    "grace": ("500ms", 0.5),
    "max_restarts": ("7", 7),
    "window": ("1h", 3600.0),
    "backoff": ("2s", 2.0),
    "max_backoff": ("1m30s", 90.0),
    "reset": ("5m", 300.0),
    "replace_after": ("4", 4),
    "objective": ("10", 10.0),
}
ALL_SAID = RecoverySpec(RecoveryPolicy.NONE, 0.5, 7, 3600.0, 2.0, 90.0, 300.0, 4, 10.0)


def labelled(*labels: str) -> str:
    lines = "".join(f"      {label}\n" for label in ("heal7.managed: 'true'", *labels))
    return f"services:\n  web:\n    image: i\n    ports: ['8010:80']\n    labels:\n{lines}"


def test_recovery_by_labels(tmp_path: Path) -> None:
    labels = [f"heal7.recovery.{key}: '{said}'" for key, (said, _) in RECOVERY.items()]
    found = hub(tmp_path, "", labelled(*labels)).stack
    assert (found.services["web"].recovery, found.warnings) == (ALL_SAID, ())


@pytest.mark.parametrize("form", [0, 1], ids=["as text", "as numbers"])
def test_recovery_by_config_yaml(tmp_path: Path, form: int) -> None:
    keys = ", ".join(f"{key}: {values[form]}" for key, values in RECOVERY.items())
    config = f"orchestration:\n  managed_services:\n    - name: web\n      recovery: {{{keys}}}\n"
    found = hub(tmp_path, config, labelled()).stack
    assert (found.services["web"].recovery, found.warnings) == (ALL_SAID, ())


def test_recovery_unsaid_is_the_default(tmp_path: Path) -> None:
    found = hub(tmp_path, "", labelled()).stack
    assert found.services["web"].recovery == RecoverySpec()
    assert found.limits == HealingLimits()


def test_whose_word_counts_on_recovery(tmp_path: Path) -> None:
    config = """\
orchestration:
  recovery: {grace: 9, max_restarts: 8, window: 1h, objective: 7s}
  limits: {at_once: 3, per_minute: 30, hold: 2m}
  managed_services:
    - name: web
      probe: {match: fine}
      recovery:
        grace: 2s
"""
    labels = (
        "heal7.recovery.grace: 3s",
        "heal7.recovery.max_restarts: '5'",
        "heal7.probe.match: ok",
    )
    found = hub(tmp_path, config, labelled(*labels)).stack
    web = found.services["web"]
    assert (web.recovery.grace_s, web.recovery.max_restarts) == (2.0, 5)
    assert (web.recovery.window_s, web.recovery.objective_s) == (3600.0, 7.0)
    assert web.recovery.backoff_s == RecoverySpec().backoff_s
    assert web.probe.match == "fine"
    assert found.limits == HealingLimits(3, 30, 120.0)
    compose = tmp_path / "compose" / "compose.yaml"
    assert found.warnings == (
        f"{tmp_path}/config.yaml:6: web: match is fine here and ok at {compose}:9; this one counts",
        f"{tmp_path}/config.yaml:8: web: grace is 2.0 here and 3.0 at {compose}:7; this one counts",
    )


def test_the_usual_recovery_is_for_labelled_services_too(tmp_path: Path) -> None:
    config = "orchestration: {recovery: {grace: 9, policy: none}}"
    web = hub(tmp_path, config, labelled("heal7.recovery.policy: restart")).stack.services["web"]
    assert (web.recovery.grace_s, web.recovery.policy) == (9.0, RecoveryPolicy.RESTART)


@pytest.mark.parametrize("swapped", [False, True])
def test_autoheals_stop_timeout_is_the_grace_unless_that_is_said(
    tmp_path: Path, swapped: bool
) -> None:
    alias, own = "autoheal.stop.timeout: '5'", "heal7.recovery.grace: '2'"
    alone = hub(tmp_path, "", labelled(alias)).stack
    assert (alone.services["web"].recovery.grace_s, alone.warnings) == (5.0, ())
    both = hub(tmp_path, "", labelled(*((own, alias) if swapped else (alias, own)))).stack
    assert both.services["web"].recovery.grace_s == 2.0
    assert [warning.split(": ", 1)[1] for warning in both.warnings] == [
        "services.web.labels.autoheal.stop.timeout: heal7.recovery.grace says the same, "
        "and that one counts"
    ]
    assert faults(tmp_path, "", labelled("autoheal.stop.timeout: '900'"))[0].startswith(
        f"{tmp_path}/compose/compose.yaml:7: services.web.labels.autoheal.stop.timeout: "
    )


def test_how_a_service_is_healed_is_no_part_of_what_its_container_is(tmp_path: Path) -> None:
    plain = hub(tmp_path, "", labelled()).stack.services["web"]
    config = "orchestration: {recovery: {grace: 9}, limits: {at_once: 1}}"
    assert hub(tmp_path, config, labelled()).stack.services["web"].config_hash == plain.config_hash
    # A label is written on the container, so that it counts like any other.
    said = hub(tmp_path, "", labelled("heal7.recovery.grace: 9")).stack.services["web"]
    assert said.config_hash != plain.config_hash


@pytest.mark.parametrize(
    "label",
    [
        "heal7.port: abc",
        "heal7.port: '0'",
        "heal7.health.path: health",
        "heal7.probe.interval: fast",
        "heal7.probe.timeout: '0'",
        "heal7.probe.failures: '-1'",
        "heal7.managed: maybe",
        "heal7.probe.match: '['",
        "heal7.recovery.policy: always",
        "heal7.recovery.grace: 301s",
        "heal7.recovery.grace: '-1'",
        "heal7.recovery.max_restarts: '0'",
        "heal7.recovery.window: 2d",
        "heal7.recovery.objective: soon",
    ],
)
def test_bad_labels_are_faults_with_a_place(tmp_path: Path, label: str) -> None:
    compose = f"services:\n  a:\n    image: i\n    labels:\n      {label}\n"
    found = faults(tmp_path, "", compose)
    assert found[0].startswith(f"{tmp_path}/compose/compose.yaml:5: services.a.labels.heal7.")


@pytest.mark.parametrize(
    ("config", "line", "said"),
    [
        ("orchestrtion: {}", 1, 'orchestrtion: unknown key (did you mean "orchestration"?)'),
        ("orchestration:\n  managed_service: []", 2, 'did you mean "managed_services"?'),
        ("orchestration:\n  managed_services:\n    - name: web\n      prot: 1", 4,
         'orchestration.managed_services[0].prot: unknown key (did you mean "port"?)'),
        ("orchestration:\n  managed_services:\n    - name: web\n      probe:\n        intervl: 1",
         5, 'did you mean "interval"?'),
        ("orchestration:\n  managed_services:\n    - port: 1", 3, "name: the key is missing"),
        ("orchestration:\n  managed_services:\n    - {name: web, port: 70000}", 3,
         "found 70000; Input should be less than or equal to 65535"),
        ("orchestration:\n  managed_services:\n    - {name: web, port: true}", 3,
         "not true or false"),
        ("orchestration:\n  managed_services:\n    - {name: web, health_endpoint: up}", 3,
         "a health path begins with /"),
        ("orchestration:\n  managed_services:\n    - {name: web, probe: {interval: soon}}", 3,
         "a duration"),
        ("orchestration:\n  managed_services:\n    - {name: web}\n    - {name: web}", 4,
         "'web' is listed twice"),
        ("orchestration:\n  managed_services:\n    - {name: web, probe: {match: '(a'}}", 3,
         "orchestration.managed_services[0].probe.match: found '(a'; not a regular expression"),
        ("orchestration:\n  managed_services:\n    - name: web\n      recovery:\n        grac: 1",
         5, 'did you mean "grace"?'),
        ("orchestration:\n  managed_services:\n    - {name: web, recovery: {policy: never}}", 3,
         "recovery.policy: found 'never'; Input should be 'restart' or 'none'"),
        ("orchestration:\n  recovery:\n    grace: 301", 3, "a grace is from 0 to 300 seconds"),
        ("orchestration:\n  recovery:\n    grace: true", 3, "a duration is a number of seconds"),
        (f"orchestration:\n  recovery:\n    window: 1{'0' * 400}", 3, "at most a day"),
        ("orchestration:\n  recovery:\n    max_restarts: 0", 3, "greater than or equal to 1"),
        ("orchestration:\n  limits:\n    per_minut: 1", 3, 'did you mean "per_minute"?'),
        ("orchestration:\n  limits:\n    hold: 0", 3, "a duration is above 0"),
        ("orchestration:\n  compose_files: []", 2, "at least 1 item"),
        ("orchestration:\n  project: My Shop", 2, "project name 'My Shop'"),
        ("server:\n  host: 0.0.0.0", 2, "loopback only"),
        ("server:\n  host: example", 2, "an IP address is asked for"),
        ("server:\n  port: 0", 2, "greater than or equal to 1"),
        ("workflows:\n  w:\n    steps: [{service: web, action: a}]\n    timeoutt: 1s", 4,
         'did you mean "timeout"?'),
        ("workflows:\n  w: {}", 2, "workflows.w.steps: the key is missing"),
        ("workflows:\n  w:\n    steps: []", 3, "at least 1 item"),
        ("workflows:\n  w:\n    steps:\n      - {service: wbe, action: a}", 4,
         "workflows.w.steps[0].service: 'wbe' is not in the compose files (did you mean"),
        ("workflows:\n  w:\n    steps:\n      - {service: web}", 4, "neither an action nor a path"),
        ("workflows:\n  w:\n    steps:\n      - {service: web, acton: a}", 4,
         'did you mean "action"?'),
        ("[a]", 1, "config.yaml is a mapping"),
        ("server: {port: 1}\nserver: {}", 2, "the key appears twice"),
        ("server:\n  host: ${HOST:?say where}", 2, "HOST has no value: say where"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_with_line_and_key(
    tmp_path: Path, config: str, line: int, said: str
) -> None:
    found = faults(tmp_path, config)
    assert any(said in fault for fault in found), found
    assert found[0].startswith(f"{tmp_path}/config.yaml:{line}: "), found


def test_all_faults_of_config_yaml_come_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, "server: {host: 1.2.3.4, port: 0}\nx: 1\n")
    assert len(found) == 3


def test_the_environment_overrides_and_fills_in(tmp_path: Path) -> None:
    config = "server: {port: '${PORT}'}\norchestration: {compose_files: [none.yaml]}\n"
    found = hub(
        tmp_path,
        config,
        PORT="8020",
        HEAL7__SERVER__HOST="::1",
        HEAL7__ORCHESTRATION__COMPOSE_FILES="[compose/compose.yaml]",
        HEAL7__ORCHESTRATION__PROJECT="mine",
    )
    assert (found.settings.server.host, found.settings.server.port) == ("::1", 8020)
    assert found.stack.project == "mine"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEAL7__SERVER__PROT", "1", 'did you mean "port"?'),
        ("HEAL7__SERVER__PORT", "x", "server.port"),
        ("HEAL7__SERVER____PORT", "1", "empty part"),
        ("HEAL7__SERVER__PORT", "{", "not valid YAML"),
        ("HEAL7__SERVER__PORT__X", "1", "holds no keys"),
    ],
)
def test_a_bad_override_names_the_variable(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    found = faults(tmp_path, "server: {port: 8015}", **{name: value})
    assert said in found[0]
    assert f"environment variable {name}" in found[0]


def test_workflow_expressions_are_left_for_the_run(tmp_path: Path) -> None:
    config = """\
workflows:
  w:
    description: {ko: 일, en: work}
    steps:
      - service: web
        action: go
        input: {all: "${{ input }} ${NAME}", n: ["${{ steps.*.timing }}"]}
"""
    step = hub(tmp_path, config, NAME="x").settings.workflows["w"].steps[0]
    assert step.input == {"all": "${{ input }} x", "n": ["${{ steps.*.timing }}"]}


@pytest.mark.parametrize(
    ("config", "env", "compose", "project"),
    [
        ("", {}, COMPOSE, "heal7"),
        ("", {}, f"name: shop\n{COMPOSE}", "shop"),
        ("", {"COMPOSE_PROJECT_NAME": "envd"}, f"name: shop\n{COMPOSE}", "envd"),
        ("orchestration: {project: mine}", {"COMPOSE_PROJECT_NAME": "envd"}, COMPOSE, "mine"),
    ],
)
def test_where_the_project_name_comes_from(
    tmp_path: Path, config: str, env: Mapping[str, str], compose: str, project: str
) -> None:
    assert hub(tmp_path, config, compose, **env).stack.project == project


def test_the_digest_covers_every_file_read(tmp_path: Path) -> None:
    compose = COMPOSE.replace("image: i\n    restart", "image: i\n    env_file: a.env\n    restart")
    (tmp_path / "compose").mkdir()
    (tmp_path / "compose" / "a.env").write_text("A=1")
    first = hub(tmp_path, "", compose)
    assert [path.name for path in first.sources] == ["config.yaml", "compose.yaml", "a.env"]
    assert hub(tmp_path, "", compose).digest == first.digest
    (tmp_path / "compose" / "a.env").write_text("A=2")
    assert hub(tmp_path, "", compose).digest != first.digest


def test_nothing_managed_is_said(tmp_path: Path) -> None:
    found = hub(tmp_path, "", "services: {a: {image: i}}")
    assert found.stack.managed == ()
    assert "no service is managed" in found.stack.warnings[0]


def test_a_managed_service_in_a_disabled_profile_is_a_fault(tmp_path: Path) -> None:
    compose = "services: {a: {image: i}, b: {image: i, profiles: [p]}}"
    config = "orchestration: {managed_services: [{name: b}]}"
    assert "is in a profile that is not enabled" in faults(tmp_path, config, compose)[0]
    assert hub(tmp_path, config, compose, COMPOSE_PROFILES="p").stack.managed == ("b",)


def test_a_stack_without_services_is_refused(tmp_path: Path) -> None:
    assert "no service is declared" in faults(tmp_path, "", "services: {}")[0]


@pytest.mark.parametrize(
    ("there", "found"),
    [
        (["compose.yaml"], ["compose.yaml"]),
        (["docker-compose.yml", "docker-compose.override.yml"],) * 2,
        (["compose/compose.yaml", "compose/compose.override.yaml"],) * 2,
        (["compose.yml", "compose/compose.yaml"], ["compose.yml"]),
    ],
)
def test_compose_files_are_found_where_none_is_named(
    tmp_path: Path, there: list[str], found: list[str]
) -> None:
    (tmp_path / "compose").mkdir()
    for name in there:
        (tmp_path / name).write_text("services: {web: {image: i}}")
    (tmp_path / "config.yaml").write_text("")
    files = load(tmp_path / "config.yaml", {}).stack.config_files
    assert files == tuple(str(tmp_path / name) for name in found)


def test_a_folder_without_a_compose_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(ConfigError, match=r"there is no compose\.yaml, neither here nor"):
        load(tmp_path / "config.yaml", {})


def test_several_compose_files_are_merged(tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text("services: {web: {user: me}}")
    found = hub(tmp_path, "orchestration: {compose_files: [compose/compose.yaml, over.yaml]}")
    assert found.stack.services["web"].container.user == "me"
    assert found.stack.config_files == (
        f"{tmp_path}/compose/compose.yaml",
        f"{tmp_path}/over.yaml",
    )
    assert found.stack.working_dir == f"{tmp_path}/compose"


def test_normalise_gives_the_model_and_its_warnings(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("services: {a: {image: 'i${TAG}', annotations: {a: b}}}")
    warnings: list[str] = []
    model = normalise([path], [], [], "p", None, {}, warnings)
    assert (model["name"], model["services"]["a"]["image"]) == ("p", "i")
    assert ["TAG" in warnings[0], "annotations" in warnings[1]] == [True, True]


def test_the_home_stack_loads_without_a_warning() -> None:
    found = load(ROOT / "config.yaml", {})
    assert found.stack.warnings == ()
    assert found.stack.project == "heal7"
    assert {n: found.stack.services[n].port for n in found.stack.managed} == {
        "paperwork-service": 8010,
        "test-service": 8011,
        "saju-service": 8012,
        "crawling-service": 8013,
        "ai-monitoring-service": 8014,
    }
    assert all(
        s.probe.kind is ProbeKind.HTTP and s.probe.path == "/health"
        for s in found.stack.services.values()
    )
    assert list(found.settings.workflows) == [
        "saju_processing",
        "document_automation",
        "data_collection",
    ]
    aliases = found.stack.services["crawling-service"].container.networks[0].aliases
    assert "demo-site" in aliases


def test_the_version_is_that_of_the_distribution() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert declared == __version__


def _models(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield f"{model.__name__}.{name}", field
        for kind in _inner(field.annotation):
            yield from _models(kind)


def _inner(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _inner(inner)


def test_every_key_of_config_yaml_is_documented() -> None:
    fields = dict(_models(Settings))
    assert len(fields) > 20
    assert [name for name, field in fields.items() if not field.description] == []


def test_hostile_paths_are_config_errors(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    big = tmp_path / "big.yaml"
    big.write_text("# " + "x" * 300_000)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"a: 1\nb: \xff")
    cases = {
        fifo: "not a regular file",
        Path("/dev/zero"): "not a regular file",
        tmp_path: "not a regular file",
        big: "larger than",
        binary: "binary.yaml:2: the file is not UTF-8",
        tmp_path / "gone.yaml": "there is no such file",
        Path("/etc/passwd/x"): "there is no such file",
        tmp_path / ("x" * 300): "cannot be opened",
    }
    for path, said in cases.items():
        with pytest.raises(ConfigError, match=said):
            load(path, {})
        with pytest.raises(ConfigError, match=said):
            normalise([path], [], [], None, None, {})


def test_an_env_file_outside_the_project_is_not_read(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.env").write_text("TOP=secret")
    (project / "link.env").symlink_to(tmp_path / "secret.env")
    path = project / "c.yaml"
    for name in ("../secret.env", "/etc/passwd", "link.env"):
        path.write_text(f"services:\n  a:\n    image: i\n    env_file: {name}\n")
        with pytest.raises(ConfigError, match="outside the project directory") as caught:
            normalise([path], [], [], None, None, {})
        assert f"{path}:4: services.a.env_file" in caught.value.detail
        assert "TOP" not in caught.value.detail
    path.write_text("services: {a: {image: i, env_file: secret.env}}")
    model = normalise([path], [], [], None, tmp_path, {})
    assert model["services"]["a"]["environment"] == {"TOP": "secret"}


def test_who_is_sent_the_metrics_must_be_declared(tmp_path: Path) -> None:
    assert hub(tmp_path, "metrics: {push_to: web}").settings.metrics.push_to == "web"
    assert hub(tmp_path, "").settings.metrics.push_to is None
    [fault] = faults(tmp_path, "metrics:\n  push_to: wep\n")
    assert "config.yaml:2: metrics.push_to: 'wep' is not in the compose files" in fault
    assert "web" in fault
    [fault] = faults(tmp_path, "metrics: {push_to: db}")
    assert fault.endswith("metrics.push_to: the hub knows no port of 'db'")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", True),
        ("    healthcheck: {test: 'true'}\n", True),
        ("    expose: [8000]\n", False),
        ("    ports: ['8000']\n", False),
        ("      heal7.port: '8000'\n", False),
        ("    scale: 3\n", True),
    ],
)
def test_a_health_path_that_cannot_be_asked_is_told_once(
    tmp_path: Path, more: str, told: bool
) -> None:
    labels = '    labels:\n      heal7.managed: "true"\n      heal7.health.path: /up\n'
    after = more.startswith("      ")
    body = labels + more if after else more + labels
    warnings = hub(tmp_path, "", f"services:\n  a:\n    image: i\n{body}").stack.warnings
    assert len(warnings) == told, warnings
    if told:
        line = 5 + (not after and bool(more)) + 1
        assert f"compose.yaml:{line}: services.a: /up is not asked" in warnings[0]
        assert "heal7.port" in warnings[0]

"""The section `alerts` of config.yaml: every fault at its line, and no secret in any of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from controller.alerts.configured import rules_of
from controller.config.load import HubConfig, load
from controller.errors import ConfigError
from controller.model.alert import Rule, Severity

COMPOSE = """
services:
  web: {image: i, labels: {heal7.managed: "true"}}
"""


def loaded(folder: Path, alerts: str, env: Mapping[str, str] | None = None) -> HubConfig:
    (folder / "compose.yaml").write_text(COMPOSE)
    config = folder / "config.yaml"
    text = "orchestration: {compose_files: [compose.yaml]}\nalerts:\n"
    config.write_text(text + textwrap.indent(textwrap.dedent(alerts), "  "))
    return load(config, env or {})


def faults(folder: Path, alerts: str, env: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as failure:
        loaded(folder, alerts, env)
    return [fault.replace(f"{folder}/", "") for fault in failure.value.faults]


def test_a_channel_is_all_that_has_to_be_given(tmp_path: Path) -> None:
    found = loaded(
        tmp_path, "channels: {ops: 'json://u:${TOKEN}@127.0.0.1/x'}", {"TOKEN": "hunter2"}
    )
    said = found.settings.alerts
    assert found.channels == {"ops": "json://u:hunter2@127.0.0.1/x"}
    assert "hunter2" not in repr(found)
    assert "hunter2" not in str(said.model_dump())
    rules = rules_of(said, 8015)
    assert rules.channels_for(Severity.INFO, "web") == ("ops",)
    assert rules.link == "http://localhost:8015"
    assert rules.of(Rule.SERVICE_DOWN).after_s == 60


def test_an_address_is_read_from_a_file_that_nobody_prints(tmp_path: Path) -> None:
    (tmp_path / "ops.address").write_text("json://u:hunter2@127.0.0.1/x\n")
    found = loaded(tmp_path, "channels: {ops: {file: ops.address}}")
    assert found.channels == {"ops": "json://u:hunter2@127.0.0.1/x"}
    assert "hunter2" not in repr(found)
    assert tmp_path / "ops.address" in found.sources
    by_variable = loaded(
        tmp_path, "renotify: 1h", {"HEAL7__ALERTS__CHANNELS__OPS": "json://u:hunter2@127.0.0.1/x"}
    )
    assert by_variable.channels == found.channels


def test_every_rule_can_be_told_otherwise(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        """
        language: ko
        renotify: 0s
        link: https://hub.example
        rules:
          service_down: {severity: info, after: 2m, quiet: 0s}
          slow: {response: 250}
          flapping: {count: 5, window: 1h}
          disk_full: {free: 20, critical_free: 5}
          certificate_expiring: {days: 40}
          channel_dead: {enabled: false}
          log_pattern: {patterns: [{name: lock, match: 'database is locked$$', window: 1m}]}
        """,
    )
    rules = rules_of(found.settings.alerts, 8015)
    down = rules.of(Rule.SERVICE_DOWN)
    assert (down.severity, down.after_s, down.quiet_s) == (Severity.INFO, 120, 0)
    assert rules.of(Rule.SLOW).limit == 250
    assert (rules.of(Rule.FLAPPING).count, rules.of(Rule.FLAPPING).window_s) == (5, 3_600)
    disk = rules.of(Rule.DISK_FULL)
    assert (disk.limit, disk.critical_limit) == (20, 5)
    assert rules.of(Rule.CERTIFICATE_EXPIRING).limit == 40
    assert not rules.of(Rule.CHANNEL_DEAD).enabled
    assert rules.patterns[0].match.pattern == "database is locked$"
    assert (rules.language, rules.renotify_s, rules.link) == ("ko", 0, "https://hub.example")


SECRETS = [
    ("channels: {ops: 'nosuch://hunter2'}", "Apprise knows no 'nosuch' addresses"),
    ("channels: {ops: 'slack://hunter2'}", "lacks something that 'slack' needs"),
    ("channels: {ops: 'hunter2'}", "an address such as mailto://"),
    ("channels: {ops: '${TOKEN}'}", "the address is empty"),
    ("channels: 'json://hunter2'", "alerts.channels: "),
    ("channels: {ops: {address: 'json://hunter2', file: x}}", "either the address is given"),
    ("channels: {ops: {}}", "either the address is given"),
    ("channels: {ops: {file: nosuch}}", "nosuch is not there"),
    ("channels: {ops: [json://hunter2]}", "alerts.channels.ops: "),
    ("channels: {'json://hunter2 x': 'json://x'}", "a name of at most 40 letters"),
]


@pytest.mark.parametrize(("alerts", "said"), SECRETS)
def test_what_is_wrong_with_a_channel_is_told_without_its_address(
    tmp_path: Path, alerts: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (fault,) = faults(tmp_path, alerts)
    assert fault.startswith("config.yaml:3: alerts.channels")
    assert said in fault
    printed = capsys.readouterr()
    assert "hunter2" not in fault.replace("channels.json://hunter2 x", "") + printed.err


def test_what_is_named_must_be_there(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        channels: {ops: 'json://127.0.0.1'}
        routes:
          - {channels: [opps]}
          - {channels: [ops], services: [wep]}
        rules:
          log_pattern:
            patterns:
              - {name: a, match: x, service: wbe}
              - {name: a, match: y}
        """,
    )
    assert found == [
        "config.yaml:6: alerts.routes[0].channels: there is no channel 'opps' "
        '(did you mean "ops"?)',
        "config.yaml:7: alerts.routes[1].services: 'wep' is not in the compose files "
        '(did you mean "web"?)',
        "config.yaml:11: alerts.rules.log_pattern.patterns[0].service: 'wbe' is not in the "
        'compose files (did you mean "web"?)',
        "config.yaml:12: alerts.rules.log_pattern.patterns[1].name: 'a' is there twice",
    ]


def test_typing_errors_are_told_with_the_nearest_key(tmp_path: Path) -> None:
    found = faults(
        tmp_path,
        """
        rules:
          service_dwn: {}
          slow: {after: soon, response: true}
          disk_full: {free: 95}
          log_pattern: {patterns: [{name: x, match: '('}]}
        renotify: 31d
        """,
    )
    text = "\n".join(found)
    assert 'alerts.rules.service_dwn: unknown key (did you mean "service_down"?)' in text
    for key in ("slow.after", "slow.response", "disk_full.free", "log_pattern.patterns[0].match"):
        assert f"alerts.rules.{key}: " in text
    assert "alerts.renotify: " in text

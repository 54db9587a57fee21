"""docs/bring-your-own-stack.md says what the code does: nothing is left out or invented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.config import managed
from controller.config.load import load
from controller.config.managed import parse_seconds
from controller.errors import ConfigError
from controller.model.spec import HealingLimits
from tests.unit.config.own_stack_tables import DOCUMENT, rewritten, settings_keys

TEXT = DOCUMENT.read_text("utf-8")


def section(title: str) -> str:
    found = re.search(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", TEXT)
    assert found is not None, title
    return found[1]


def first_cells(markdown: str) -> set[str]:
    """What stands in backticks in the first column of every table."""
    rows = re.findall(r"(?m)^\| (`.*?) \|", markdown)
    return {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}


def example(name: str) -> str:
    """The yaml block that is named by its first line."""
    found = re.search(rf"(?ms)^```yaml\n# {re.escape(name)}\n(.*?)^```$", TEXT)
    assert found is not None, name
    return found[1]


def test_the_tables_are_those_of_the_code() -> None:
    assert rewritten(DOCUMENT) == TEXT, "run: python -m tests.unit.config.own_stack_tables"


def test_every_key_of_config_yaml_is_there() -> None:
    """But for those of workflows, which have a page of their own."""
    keys = dict(settings_keys())
    assert "orchestration.managed_services[].probe.interval" in keys
    assert all(keys.values())
    here = {key for key in keys if not key.startswith("workflows.")}
    assert here == first_cells(section("config.yaml"))


def test_every_label_is_there() -> None:
    honoured = {*managed._LABELS, *managed._SWITCHES, *managed._ALIASES}
    not_yet = {f"{prefix}*" for prefix in managed._NOT_YET}
    assert first_cells(section("Labels")) == honoured | not_yet


def test_the_defaults_that_are_told_are_those_of_the_code() -> None:
    """In the table of labels and in the descriptions of config.yaml, which say "Default 30m."."""
    parse = {label: (key, parse) for label, (key, parse) in managed._LABELS.items()}
    rows = re.findall(
        r"(?m)^\| `(heal7\.(?:probe|recovery)\.\w+)`.*\| ([^|]+) \|$", section("Labels")
    )
    told = {label: default for label, default in rows if label != "heal7.probe.match"}
    assert len(told) == 14
    keys = dict(settings_keys())
    for label, default in told.items():
        key = label.removeprefix("heal7.")
        written = re.search(r"Default (\S+)\.$", keys[f"orchestration.managed_services[].{key}"])
        assert written is not None, label
        assert written[1] == default
        name, read = parse[label]
        value = read(default)
        treated = managed.Treatment({name: value})
        spec = (managed.recovery_of, lambda t: managed.probe_of(t, None, (), None))
        assert [make(treated) for make in spec] == [make(managed.Treatment()) for make in spec], (
            label
        )
    for name in ("at_once", "per_minute", "hold"):
        written = re.search(r"Default (\S+)\.$", keys[f"orchestration.limits.{name}"])
        assert written is not None
        limits = HealingLimits()
        assert parse_seconds(written[1]) == getattr(limits, "hold_s" if name == "hold" else name)


def test_the_worked_example_loads_without_a_warning(tmp_path: Path) -> None:
    for name in ("compose.yaml", "compose.override.yaml", "config.yaml", ".env"):
        (tmp_path / name).write_text(example(name))
    found = load(tmp_path / "config.yaml", {})
    assert found.stack.warnings == ()
    assert found.stack.project == "shop"
    assert found.stack.managed == ("db", "web")
    web, db = found.stack.services["web"], found.stack.services["db"]
    assert (web.port, web.probe.path, web.probe.kind) == (8080, "/healthz", "http")
    assert (db.port, db.probe.kind, db.probe.startup_s) == (None, "engine", 120.0)
    assert not found.stack.services["backup"].managed


@pytest.mark.parametrize(
    ("file", "content", "said"),
    re.findall(r"(?m)^\| (\S+\.yaml) \| `(.*?)` \| (.*?) \|$", section("Refused")),
)
def test_what_is_said_to_be_refused_is(tmp_path: Path, file: str, content: str, said: str) -> None:
    (tmp_path / "compose").mkdir()
    files = {"compose.yaml": "services: {web: {image: i}}", "config.yaml": "", file: content}
    (tmp_path / "compose" / "compose.yaml").write_text(files["compose.yaml"])
    (tmp_path / "config.yaml").write_text(files["config.yaml"])
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "config.yaml", {})
    assert said in caught.value.detail
    assert f"{file}:1: " in caught.value.detail

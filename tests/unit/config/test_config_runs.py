"""The section `runs` of config.yaml: where runs are kept, how many, and in whose time."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.config.load import HubConfig, load
from controller.errors import ConfigError

COMPOSE = """
services:
  web: {image: i, labels: {heal7.managed: "true"}}
"""
ADDRESS = "postgresql://hub:secret@localhost/runs"


def loaded(folder: Path, runs: str) -> HubConfig:
    (folder / "compose.yaml").write_text(COMPOSE)
    config = folder / "config.yaml"
    config.write_text(f"orchestration: {{compose_files: [compose.yaml]}}\nruns: {runs}\n")
    return load(config, {})


def test_without_a_word_runs_are_in_a_file_and_kept_for_a_month(tmp_path: Path) -> None:
    found = loaded(tmp_path, "{}")
    said = found.settings.runs
    assert (said.keep, said.keep_days, said.time_zone) == (10_000, 30, "UTC")
    assert found.runs_database is None


def test_a_database_is_named_here_or_in_a_file_that_nobody_prints(tmp_path: Path) -> None:
    assert loaded(tmp_path, f"{{database: '{ADDRESS}'}}").runs_database == ADDRESS
    (tmp_path / "address").write_text(f"{ADDRESS}\n")
    found = loaded(tmp_path, "{database_file: address, time_zone: Asia/Seoul}")
    assert found.runs_database == ADDRESS
    assert "secret" not in repr(found)
    assert tmp_path / "address" in found.sources


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ("{time_zone: Asia/Sool}", "a time zone is asked for"),
        ("{keep: 0}", "runs.keep: found 0"),
        ("{keep_days: true}", "a number is asked for"),
        ("{database: 'mysql://a'}", "an address such as postgresql://"),
        ("{database_file: nowhere}", "there is no such file"),
        ("{database_file: compose.yaml}", "compose.yaml:1: an address such as postgresql://"),
        (f"{{database: '{ADDRESS}', database_file: x}}", "keep one of them"),
    ],
)
def test_what_is_wrong_is_told_by_name(tmp_path: Path, runs: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        loaded(tmp_path, runs)
    assert "secret" not in str(caught.value)

"""A configuration that the hub's container would read differently is refused before anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.config.load import load
from controller.errors import SetupError
from controller.setup.hub_view import check

COMPOSE = "services: {web: {image: 'web:${TAG:-1}', labels: {heal7.managed: 'true'}}}"


def judge(folder: Path, config: str = "", compose: str = COMPOSE, **env: str) -> None:
    (folder / "compose").mkdir(exist_ok=True)
    (folder / "compose" / "compose.yaml").write_text(compose)
    path = folder / "config.yaml"
    path.write_text(config)
    check(path, load(path, env), env)


def test_what_both_read_alike_is_fine(tmp_path: Path) -> None:
    judge(tmp_path, TERM="xterm", HOME="/home/me")
    judge(tmp_path, "server: {port: '${PORT:-8020}'}", HEAL7__SERVER__PORT="8016")
    judge(tmp_path, HEAL7__ORCHESTRATION__PROJECT="mine")
    (tmp_path / "compose" / ".env").write_text("TAG=2\nCOMPOSE_PROJECT_NAME=mine\n")
    judge(tmp_path)


@pytest.mark.parametrize("name", ["TAG", "COMPOSE_PROJECT_NAME"])
def test_a_variable_that_only_the_shell_has_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(SetupError, match=f"does not have them: {name}") as caught:
        judge(tmp_path, TERM="xterm", **{name: "other"})
    assert ".env" in (caught.value.remedy or "")


def test_a_variable_without_which_the_files_are_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not have them: TAG"):
        judge(tmp_path, compose="services: {web: {image: 'web:${TAG:?}'}}", TAG="2")


def test_a_variable_in_config_yaml_is_named(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not have them: PORT"):
        judge(tmp_path, "server: {port: '${PORT:-8015}'}", PORT="8020")


def test_a_bare_environment_key_is_seen(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not have them: SECRET"):
        judge(tmp_path, compose="services: {web: {image: i, environment: [SECRET]}}", SECRET="x")


def test_a_compose_file_beside_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(COMPOSE)
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(SetupError, match=r"other\.yaml lies outside"):
        judge(home, "orchestration: {compose_files: [../other.yaml]}")

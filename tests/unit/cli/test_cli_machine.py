"""The commands that need no hub hand over what was asked for, and report how it ended."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from controller.cli.app import app
from controller.errors import ConfigError, SetupError
from tests.unit.cli.fakes import Heal7

Run = Callable[..., Result]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What the commands asked set-up for; its modules are replaced, so nothing is set up."""
    made: list[tuple[str, Any]] = []

    def record(name: str, answer: object) -> Callable[..., object]:
        def called(*arguments: Any, console: Any, **keywords: Any) -> object:
            console.print(f"{name} at work")
            made.append((name, (*arguments, *keywords.values())))
            return answer

        return called

    up = ModuleType("controller.setup.up")
    up.__dict__.update(
        up=record("up", True), setup=record("setup", None), build_images=record("build", None)
    )
    down = ModuleType("controller.setup.down")
    down.__dict__.update(down=record("down", True), clean=record("clean", False))
    monkeypatch.setitem(sys.modules, "controller.setup.up", up)
    monkeypatch.setitem(sys.modules, "controller.setup.down", down)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "call", "code"),
    [
        (("up",), ("up", (Path("config.yaml"),)), 0),
        (("up", "-c", "mine.yaml"), ("up", (Path("mine.yaml"),)), 0),
        (("down", "-p", "mine"), ("down", ("mine",)), 0),
        (("clean", "-p", "mine"), ("clean", ("mine", False)), 1),
        (("clean", "-p", "mine", "--yes"), ("clean", ("mine", True)), 1),
        (("setup",), ("setup", ()), 0),
        (("images", "build"), ("build", ([],)), 0),
        (("images", "build", "hub"), ("build", (["hub"],)), 0),
    ],
)
def test_what_is_handed_over(
    calls: list[tuple[str, Any]], arguments: tuple[str, ...], call: tuple[str, Any], code: int
) -> None:
    done = run(*arguments)
    assert done.exit_code == code, done.output
    assert calls == [call]
    assert f"{call[0]} at work" in done.stdout


def test_with_json_standard_output_is_one_document(calls: list[tuple[str, Any]]) -> None:
    done = run("up", "--json")
    assert json.loads(done.stdout) == {"success": True}
    assert "up at work" in done.stderr
    assert calls


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (
            SetupError("No engine.", remedy="Install one."),
            "heal7: Set-up stopped: No engine.\n  → Install one.\n",
        ),
        (
            ConfigError(["a.yaml:1: x", "a.yaml:2: y"], remedy="Correct it."),
            "heal7: The configuration is not valid: a.yaml:1: x\n"
            "heal7: The configuration is not valid: a.yaml:2: y\n  → Correct it.\n",
        ),
    ],
)
def test_a_failure_is_told_in_its_own_words(
    calls: list[tuple[str, Any]], failure: Exception, said: str
) -> None:
    def fails(*_arguments: Any, **_keywords: Any) -> None:
        raise failure

    sys.modules["controller.setup.up"].__dict__["up"] = fails
    done = run("up")
    assert done.exit_code == 1
    assert done.stderr == said
    assert done.stdout == ""
    assert calls == []


def test_the_project_is_the_one_the_config_names(
    calls: list[tuple[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services:\n  a:\n    image: x\n  b:\n    image: x\n    profiles: [more]\n", "utf-8"
    )
    config = tmp_path / "config.yaml"
    config.write_text(
        "orchestration:\n  project: other\n  compose_files: [compose.yaml]\n"
        "server:\n  port: 8016\n",
        "utf-8",
    )
    assert run("down", "-c", str(config)).exit_code == 0
    assert run("down", "--remove-orphans", "-c", str(config)).exit_code == 0
    (kept, (project, port, declares)), (_, (_, _, everything)) = calls
    assert (kept, project, port, everything) == ("down", "other", 8016, None)
    assert [declares(name) for name in ("a", "b", "c")] == [True, True, False]


def test_doctor_checks_this_machine_with_the_hub_down(heal7_process: Heal7, tmp_path: Path) -> None:
    wrong = tmp_path / "config.yaml"
    wrong.write_text("orchestration:\n  managed_servces: []\n", "utf-8")
    arguments = ("doctor", "-c", str(wrong), "--hub", "http://127.0.0.1:9", "--json")
    done = heal7_process(*arguments, DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["ok"] is False
    checks = {check["name"]: check for check in told["checks"]}
    assert checks["hub"]["status"] == "fail"
    assert checks["engine"]["found"] == f"There is no Docker socket at {tmp_path}/none.sock."
    assert f"{wrong}:2" in checks["config"]["found"]
    assert "managed_services" in checks["config"]["found"]
    assert checks["disk"]["status"] in ("ok", "warn")
    assert "docker" not in done.stderr

"""docs/workflows.md leaves out no key, and shows nothing that the hub would not take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from controller.config.load import load
from controller.config.settings import Settings
from controller.config.workflows import _STEP_TIMEOUT_S, _TIMEOUT_S, MAX_STEPS
from controller.model.workflow import OnLimit, Retry
from tests.unit.config.own_stack_tables import WORKFLOWS, rewritten, settings_keys

TEXT = WORKFLOWS.read_text("utf-8")
EXAMPLES = re.findall(r"(?ms)^```yaml\n(.*?)^```$", TEXT)
SERVICES = ("saju-service", "ai-monitoring-service", "shop", "till", "post")


KEYS = {key: said for key, said in settings_keys() if key.startswith("workflows.")}


def test_every_key_is_there_as_the_code_has_it() -> None:
    assert rewritten(WORKFLOWS) == TEXT, "run: python -m tests.unit.config.own_stack_tables"
    assert "workflows.<name>.steps[].retry.max_backoff" in KEYS
    assert all(KEYS.values())
    assert set(KEYS) == set(re.findall(r"(?m)^\| `(workflows\.[^`]*)` \|", TEXT))


def test_the_defaults_that_are_told_are_those_of_the_code() -> None:
    step = {
        "service": "x",
        "timeout": told("steps[].timeout"),
        "retry": {
            key: told(f"steps[].retry.{key}") for key in ("attempts", "backoff", "max_backoff")
        },
    }
    step["retry"]["attempts"] = int(step["retry"]["attempts"])
    workflow = {"steps": [step], "timeout": told("timeout")}
    found = Settings.model_validate({"workflows": {"w": workflow}}).workflows["w"]
    retry = found.steps[0].retry
    assert retry is not None
    assert Retry(retry.attempts or 0, retry.backoff or 0, retry.max_backoff or 0) == Retry()
    assert (found.timeout, found.steps[0].timeout) == (_TIMEOUT_S, _STEP_TIMEOUT_S)
    assert told("concurrency.on_limit") == OnLimit.QUEUE
    assert f"at most {MAX_STEPS:,}" in KEYS["workflows.<name>.steps[]"]


def told(key: str) -> Any:
    found = re.search(r"Default:? (\w+)\.$", KEYS[f"workflows.<name>.{key}"])
    assert found is not None, key
    return found[1]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 2


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_loads(tmp_path: Path, example: str) -> None:
    named = "".join(
        f'  {name}:\n    image: x\n    labels: {{heal7.managed: "true"}}\n' for name in SERVICES
    )
    (tmp_path / "compose.yaml").write_text(f"services:\n{named}")
    config = tmp_path / "config.yaml"
    config.write_text(f"orchestration: {{compose_files: [compose.yaml]}}\n{example}")
    found = load(config, {})
    assert found.workflows
    assert not [w for w in found.stack.warnings if "workflow" in w]

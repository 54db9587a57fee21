"""Helpers shared by the tests of workflows in config.yaml."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from controller.config.load import HubConfig, load
from controller.errors import ConfigError
from controller.model import expression
from controller.model.workflow import Definition

ROOT = Path(__file__).resolve().parents[3]
INPUTS: Mapping[str, Any] = json.loads(
    (ROOT / "images/crawling-service/tests/data/workflow_inputs.json").read_text("utf-8")
)

COMPOSE = """\
services:
  web: {image: i, labels: {heal7.managed: "true"}}
  store: {image: i, labels: {heal7.managed: "true"}}
  job: {image: i}
  off: {image: i, profiles: [p]}
  a.b: {image: i, labels: {heal7.managed: "true"}}
"""


def hub(folder: Path, workflows: str, compose: str = COMPOSE) -> HubConfig:
    """What is loaded from the text of the section `workflows`, whose first line is line 2."""
    (folder / "compose").mkdir(exist_ok=True)
    (folder / "compose" / "compose.yaml").write_text(compose)
    path = folder / "config.yaml"
    path.write_text("workflows:\n" + textwrap.indent(textwrap.dedent(workflows), "  "))
    return load(path, {})


def workflow(folder: Path, body: str) -> Definition:
    """The one workflow `w` with the keys of `body`."""
    text = "w:\n" + textwrap.indent(textwrap.dedent(body), "  ")
    return hub(folder, text).workflows["w"]


def faults(folder: Path, workflows: str) -> list[str]:
    """The faults for which a section `workflows` is refused, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        hub(folder, workflows)
    return [fault.removeprefix(f"{folder}/config.yaml:") for fault in caught.value.faults]


def sent(definition: Definition, step: str, given: Any, outputs: Mapping[str, Any]) -> str:
    """The JSON that a step is sent, once other steps have given their results."""
    steps = {
        name: {
            "output": {"id": "act_1", "status": "completed", "result": result},
            "timing": {
                "service": definition.by_id[name].service,
                "latency_ms": 1.5,
                "status": "succeeded",
            },
        }
        for name, result in outputs.items()
    }
    run = {"id": "r1", "workflow": definition.name, "trace_id": "0" * 32}
    context = {"input": given, "run": run, "steps": steps}
    return json.dumps(expression.evaluate(definition.by_id[step].call.input, context))

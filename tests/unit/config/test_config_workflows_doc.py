"""docs/workflows.md shows nothing that the hub would not take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.config.load import load

TEXT = (Path(__file__).resolve().parents[3] / "docs" / "workflows.md").read_text("utf-8")
EXAMPLES = re.findall(r"(?ms)^```yaml\n(.*?)^```$", TEXT)
SERVICES = ("saju-service", "ai-monitoring-service", "shop", "till", "post")


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

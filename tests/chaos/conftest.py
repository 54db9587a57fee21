"""An arena for each scenario: stacks and hubs that leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.chaos.arena import Arena


@pytest.fixture
def arena() -> Iterator[Arena]:
    with Arena() as made:
        yield made

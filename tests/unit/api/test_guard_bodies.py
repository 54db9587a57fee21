"""How large a body may be depends on where it goes."""

from __future__ import annotations

import pytest

from controller.api.guard import MAX_BODY_BYTES, max_body
from controller.workflow.admission import MAX_INPUT


@pytest.mark.parametrize("path", ["/orchestration/stop-all", "/runs", "/workflows/runs/x/cancel"])
def test_most_bodies_are_small(path: str) -> None:
    assert max_body(path) == MAX_BODY_BYTES


def test_the_largest_input_fits_however_it_is_escaped() -> None:
    assert max_body("/workflows/w/runs") > 2 * MAX_INPUT


def test_archives_may_be_large() -> None:
    assert max_body("/workflows/runs/import") > 100 * MAX_INPUT

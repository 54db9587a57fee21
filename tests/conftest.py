"""Shared by every test: whatever blocks the event loop inside the hub's own code fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """A file read, a query or a socket call on the loop raises BlockingError; only in tests."""
    with blockbuster_ctx("controller") as guard:
        for function in guard.functions.values():
            # Tiny files of the kernel's memory, microseconds each: see that module.
            function.can_block_in("controller/engine/usage.py", {"read_usage"})
        yield guard

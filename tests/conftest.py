"""Shared by every test: whatever blocks the event loop inside the hub's own code fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx


@pytest.hookimpl(tryfirst=True)  # before the one that reads these marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where several workers share the tests, a file's stay together, since they share its stack and
    hub; and all that use the machine's one home stack come one after the other."""
    for item in items:
        folder, file = item.path.parent.name, item.path.name
        is_home = folder == "e2e" and not file.startswith("test_pages")
        item.add_marker(pytest.mark.xdist_group("home" if is_home else str(item.path)))


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """A file read, a query or a socket call on the loop raises BlockingError; only in tests."""
    with blockbuster_ctx("controller") as guard:
        for function in guard.functions.values():
            # Tiny files of the kernel's memory, microseconds each: see that module.
            function.can_block_in("controller/engine/usage.py", {"read_usage"})
        yield guard

"""Shared by every test: whatever blocks the event loop inside the hub's own code fails its test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class TwoWorkers(LoadScopeScheduling):
    """The tests that need the engine, one after the other, since they share stacks and time what
    they see; beside them first chaos, whose stacks are its own and which mostly waits, then the
    others, of which a file's stay together."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file.startswith("tests/chaos/"):
            return "chaos"
        is_page = file.startswith("tests/e2e/test_pages")
        needs_engine = file.startswith(("tests/e2e/", "tests/integration/"))
        return "engine" if needs_engine and not is_page else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoWorkers:
    return TwoWorkers(config, log)


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """A file read, a query or a socket call on the loop raises BlockingError; only in tests."""
    with blockbuster_ctx("controller") as guard:
        for function in guard.functions.values():
            # Tiny files of the kernel's memory, microseconds each: see that module.
            function.can_block_in("controller/engine/usage.py", {"read_usage", "read_traffic"})
        yield guard

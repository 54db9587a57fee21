"""What `heal7 serve` refuses to do, and how it says so."""

from __future__ import annotations

import subprocess

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import Stack, serving


@pytest.fixture(scope="module")
def stack(make_stack: MakeStack, free_port: Ports, image: str) -> Stack:
    return make_stack({"one": serving(image, free_port())})


def _refused(hub: HubProcess, *more: str) -> str:
    """Run `serve` to its end, which must be a refusal in sentences; standard error."""
    done = subprocess.run(
        hub.command(*more), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1"])
def test_only_loopback_is_listened_on(stack: Stack, make_hub: MakeHub, host: str) -> None:
    said = _refused(make_hub(stack), "--host", host)
    assert host in said
    assert "loopback only" in said


def test_a_second_hub_on_the_port_says_so_and_leaves_the_first_alone(
    stack: Stack, make_hub: MakeHub
) -> None:
    first = make_hub(stack).start().wait_ready()
    first.client.done("start-all")
    begun = first.client.post("/orchestration/restart-all", wait="false")
    operation = begun.json()["operation"]
    said = _refused(first)
    assert str(first.port) in said
    assert "already in use" in said
    # The state is the first one's: the second must not have declared its operation dead.
    where = f"/orchestration/operations/{operation}"
    assert first.client.get(where).json()["status"] in ("running", "succeeded")


def test_a_fault_in_the_files_is_named_with_its_line(stack: Stack, make_hub: MakeHub) -> None:
    stack.services["one"]["depends_on"] = ["two"]
    stack.write()
    said = _refused(make_hub(stack))
    assert f"{stack.compose_file}:" in said
    assert "two" in said

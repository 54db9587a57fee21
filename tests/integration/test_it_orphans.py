"""What is left of services that no file declares: named, left alone, removed on request."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from controller.setup import down as taking_down
from controller.setup import hub as own
from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Json, Witness
from tests.integration.it_hub import ROOT, HubProcess
from tests.integration.it_stack import Stack, serving
from tests.integration.it_wait import eventually


def _orphans(hub: HubProcess) -> list[str]:
    found: list[Json] = hub.client.get("/orchestration/orphans").json()["orphans"]
    return [one["name"] for one in found]


def _heal7(hub: HubProcess, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controller", "--hub", f"http://127.0.0.1:{hub.port}", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _abandoned(stack: Stack, hub: HubProcess, *services: str) -> HubProcess:
    """Take these out of the file and start the hub anew on it."""
    hub.stop()
    for name in services:
        del stack.services[name]
    stack.write()
    return hub.start().wait_ready()


def test_they_are_named_left_alone_and_removed_on_request(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    extra = serving(image, free_port(), profiles=["more"])
    stack = make_stack(
        {name: serving(image, free_port()) for name in ("web", "old", "other")} | {"extra": extra}
    )
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    assert _orphans(hub) == []
    stranger, job, kept = (f"{stack.project}-{name}" for name in ("stranger", "job", "extra-1"))
    run = witness.api.containers.run
    label = {"com.docker.compose.project": stack.project}
    idle = {"image": image, "command": ["sleep", "600"], "init": True, "detach": True}
    try:
        # No label of ours; a one-off; and a service that is only disabled.
        run(name=stranger, labels={"com.docker.compose.service": "old"}, **idle)
        oneoff = {"com.docker.compose.service": "old", "com.docker.compose.oneoff": "True"}
        run(name=job, labels=label | oneoff, **idle)
        run(name=kept, labels=label | {"com.docker.compose.service": "extra"}, **idle)
        hub = _abandoned(stack, hub, "old", "other")
        before = witness.lives(stack.project)
        left = [stack.container("old"), stack.container("other")]
        eventually(lambda: _orphans(hub) == left, 30, "the hub names what is left")
        status = hub.client.get("/orchestration/status").json()
        assert [one["service"] for one in status["orphans"]] == ["old", "other"]
        assert "old-1 (old)" in _heal7(hub, "ps").stdout
        page = hub.client.get("/dashboard/services").text
        assert left[0] in page
        # Neither a start of everything nor a healing pass touches them.
        hub.client.done("restart-all")
        after = witness.lives(stack.project)
        assert {n: after[n] for n in (*left, job, kept)} == {
            n: before[n] for n in (*left, job, kept)
        }
        # What is no orphan is refused, by whatever name.
        for name in (stack.container("web"), stranger, job, kept):
            refused = hub.client.send("/orchestration/orphans/remove", {"containers": [name]})
            assert refused.status_code == 404, name
        done = _heal7(hub, "compose", "orphans", left[0], "--remove", "--yes")
        assert done.returncode == 0, done.stderr
        assert _orphans(hub) == [left[1]]
        assert _heal7(hub, "compose", "orphans", "--remove", "--yes").returncode == 0
        assert _orphans(hub) == []
        remaining = set(witness.lives(stack.project))
        assert remaining == {stack.container("web"), job, kept}
        assert witness.api.containers.get(stranger).status == "running"
        told = hub.client.get("/audit").json()["entries"][0]
        assert (told["action"], told["targets"]) == ("remove_orphans", ["other"])
    finally:
        witness.api.containers.get(stranger).remove(force=True)


def test_one_that_appears_is_told_of_at_once(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    stack = make_stack({"web": serving(image, free_port())})
    hub = make_hub(stack).start().wait_ready()
    labels = {
        "com.docker.compose.project": stack.project,
        "com.docker.compose.service": "late",
    }
    with hub.client.events() as stream:
        made = witness.api.containers.create(image, ["true"], labels=labels)
        told = stream.until(lambda event: event.kind == "orphans")[-1].data["orphans"]
        assert [(one["name"], one["state"]) for one in told] == [(made.name, "created")]
        made.remove()
        gone = stream.until(lambda event: event.kind == "orphans")[-1].data["orphans"]
        assert gone == []


def test_down_leaves_them_and_their_network(
    make_stack: MakeStack,
    make_hub: MakeHub,
    free_port: Ports,
    image: str,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = make_stack({name: serving(image, free_port()) for name in ("web", "old")})
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    # A hub that another test has on this machine is none of ours.
    monkeypatch.setattr(own, "PROJECT", f"{stack.project}-hub")
    said = StringIO()

    def down(declares: Callable[[str], bool] | None) -> None:
        taking_down.down(
            stack.project, console=Console(file=said), port=hub.port, declares=declares
        )

    down({"web"}.__contains__)
    left = witness.picture(stack.project)
    assert [raw["Name"] for raw in left["containers"]] == [f"/{stack.container('old')}"]
    assert left["networks"] == [f"{stack.project}_default"]
    assert "--remove-orphans" in said.getvalue()
    down(None)
    assert witness.picture(stack.project) == {"containers": [], "networks": [], "volumes": []}

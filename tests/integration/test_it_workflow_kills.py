"""Hubs killed at every named point of a run: nothing is lost, done twice, or left undone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import WORKER, Stack, serving
from tests.integration.it_wait import eventually

Json = dict[str, Any]
DIAMOND = {"b": "a", "c": "a", "d": "a", "e": "b c d", "f": "e"}
ENDED = ("succeeded", "compensated", "failed", "compensation_failed", "cancelled")
GOOD = (
    *("before_create:1", "after_create:1", "before_append:1", "after_append:1"),
    *("before_append:3", "after_append:4", "before_call:1", "after_call:3"),
)
BAD = ("before_append:6", "after_append:7", "before_undo:1", "after_undo:2")


@pytest.fixture(scope="module")
def home(make_stack: MakeStack, image: str, free_port: Ports) -> Stack:
    """Three services that remember keys, and a diamond of six steps over them."""
    names = ("one", "two", "three")

    def step(name: str, service: str) -> Json:
        refuse = "${{ input.refuse }}" if name == "e" else False
        needs = DIAMOND.get(name, "").split()
        body = {"takes": 0.02, "refuse": refuse}
        return {"id": name, "service": service, "action": "go", "needs": needs, "input": body}

    steps = [step(name, names[at % 3]) for at, name in enumerate("abcdef")]
    services = {name: serving(image, free_port(), program=WORKER) for name in names}
    return make_stack(services, workflows={"diamond": {"steps": steps}})


@pytest.fixture(scope="module", autouse=True)
def all_up(make_hub: MakeHub, home: Stack) -> None:
    hub = make_hub(home).start().wait_ready()
    hub.client.done("start-all")
    hub.stop()


def begun(hub: HubProcess, key: str, refuse: bool) -> str | None:
    """As a client does that will ask again: the run's id, None where nobody answered."""
    try:
        answer = httpx.post(
            f"http://127.0.0.1:{hub.port}/workflows/diamond/runs",
            json={"input": {"refuse": refuse}},
            headers={"Idempotency-Key": key},
            timeout=60,
            trust_env=False,
        )
    except httpx.TransportError:
        return None
    assert answer.status_code in (200, 202), answer.text
    run_id: str = answer.json()["id"]
    return run_id


def ended(hub: HubProcess, run_id: str) -> Json | None:
    run: Json = hub.client.get(f"/workflows/runs/{run_id}").json()
    return run if run["status"] in ENDED else None


@pytest.mark.parametrize(
    ("point", "refuse"), [*((p, False) for p in GOOD), *((p, True) for p in BAD)]
)
def test_a_hub_killed_there_loses_nothing_and_does_nothing_twice(
    make_hub: MakeHub, home: Stack, witness: Witness, point: str, refuse: bool
) -> None:
    doomed = make_hub(home, HEAL7_FAULT_POINT=point).start().wait_ready()
    acknowledged = begun(doomed, point, refuse)
    eventually(doomed.is_dead, 20, f"the hub dies at {point}")
    doomed.kill9()
    hub = make_hub(home).start().wait_ready()
    run_id = begun(hub, point, refuse)
    assert run_id is not None
    assert acknowledged in (None, run_id)
    run = eventually(lambda: ended(hub, run_id), 30, f"{run_id} ends")
    hub.stop()
    assert run["status"] == ("compensated" if refuse else "succeeded"), run
    said = [line for name in home.services for line in witness.logs(home.project, name).split("\n")]
    did = {step: said.count(f"did {run_id}:{step}") for step in "abcdef"}
    undid = [said.count(f"undid {run_id}:{step}:undo") for step in "abcdef"]
    assert did == dict.fromkeys("abcde", 1) | {"f": 0 if refuse else 1}
    assert undid == ([1, 1, 1, 1, 1, 0] if refuse else [0] * 6)

"""Workflows and healing on the real engine: what one does, the other knows."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubProcess
from tests.integration.it_stack import WORKER, Stack, after, serving
from tests.integration.it_wait import eventually

Json = dict[str, Any]
BRISK = {
    "heal7.probe.interval": "500ms",
    "heal7.probe.timeout": "500ms",
    "heal7.recovery.reset": "1s",
    "heal7.recovery.max_restarts": "1000",
}
ENDED = ("succeeded", "compensated", "failed", "compensation_failed", "cancelled")


@pytest.fixture(scope="module")
def home(make_stack: MakeStack, image: str, free_port: Ports) -> Stack:
    """A first and a second service that do actions, and a root under the second."""

    def works(**more: Any) -> Json:
        return serving(image, free_port(), program=WORKER, labels=BRISK, **more)

    takes = {"takes": "${{ input.takes }}", "refuse": "${{ input.refuse }}"}
    return make_stack(
        {
            "first": works(),
            "root": works(),
            "second": works(depends_on=after("root"), init=False),
        },
        workflows={
            "two": {
                "steps": [
                    {"service": "first", "action": "begin", "input": {}},
                    {"service": "second", "action": "go", "input": takes, "timeout": "20s"},
                ]
            },
            "wakes": {"steps": [{"service": "first", "action": "go", "input": {}, "start": True}]},
            "one_at_a_time": {
                "steps": [{"service": "second", "action": "go", "input": takes}],
                "concurrency": {"limit": 1},
            },
        },
    )


@pytest.fixture(scope="module")
def hub(make_hub: MakeHub, home: Stack) -> HubProcess:
    return make_hub(home).start().wait_ready()


@pytest.fixture(autouse=True)
def all_well(hub: HubProcess) -> None:
    hub.client.post("/orchestration/resume")
    hub.client.done("start-all")
    eventually(lambda: not hub.client.incidents(state="open"), 20, "no incident is open")


def begin(hub: HubProcess, workflow: str = "two", **given: Any) -> str:
    answer = hub.client.send(f"/workflows/{workflow}/runs", {"input": given})
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["id"]
    assert answer.headers["Location"] == f"/workflows/runs/{run_id}"
    return run_id


def look(hub: HubProcess, run_id: str) -> Json:
    answer = hub.client.get(f"/workflows/runs/{run_id}")
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


def end_of(hub: HubProcess, run_id: str) -> Json:
    def over() -> Json | None:
        run = look(hub, run_id)
        return run if run["status"] in ENDED else None

    return eventually(over, 60, f"{run_id} ends: {look(hub, run_id)}")


def said(witness: Witness, stack: Stack, service: str, word: str, key: str) -> int:
    """How often the service's container said this of that key."""
    output = witness.logs(stack.project, service)
    return output.splitlines().count(f"{word} {key}")


def under_way(hub: HubProcess, home: Stack, witness: Witness, run_id: str) -> None:
    """Wait until the second step is being done."""
    key = f"{run_id}:second"
    eventually(lambda: said(witness, home, "second", "begun", key), 20, f"{key} is begun")


def test_a_run_goes_through_and_says_what_happened(hub: HubProcess) -> None:
    run = end_of(hub, begin(hub, takes=0.01))
    assert run["status"] == "succeeded"
    assert [step["status"] for step in run["steps"]] == ["succeeded"] * 2
    assert run["steps"][1]["output"]["result"] == {"key": f"{run['id']}:second"}
    listed = hub.client.get("/workflows/runs").json()["runs"]
    assert listed[0]["id"] == run["id"]


@pytest.mark.parametrize("moment", range(3))
def test_a_container_killed_in_the_middle_of_a_step_costs_no_attempt(
    hub: HubProcess, home: Stack, witness: Witness, moment: int
) -> None:
    run_id = begin(hub, takes=0.4)
    under_way(hub, home, witness, run_id)
    os.kill(int(witness.one(home.project, "second")["State"]["Pid"]), signal.SIGKILL)
    run = end_of(hub, run_id)
    assert run["status"] == "succeeded", run
    step = run["steps"][1]
    assert step["attempts"] == 1
    assert step["held_ms"] > 0
    assert said(witness, home, "first", "did", f"{run_id}:first") == 1
    (incident,) = [i for i in hub.client.incidents(service="second") if run_id in i["runs_held"]]
    assert incident["kind"] == "crash"


def test_a_process_that_hangs_in_the_middle_of_a_step_costs_no_attempt(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    run_id = begin(hub, takes=0.4)
    under_way(hub, home, witness, run_id)
    os.kill(int(witness.one(home.project, "second")["State"]["Pid"]), signal.SIGSTOP)
    run = end_of(hub, run_id)
    assert run["status"] == "succeeded", run
    assert run["steps"][1]["attempts"] == 1


def test_a_step_waits_for_a_service_that_is_down_and_says_so(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    hub.client.post("/orchestration/pause")
    os.kill(int(witness.one(home.project, "second")["State"]["Pid"]), signal.SIGKILL)
    eventually(lambda: hub.client.services()["second"]["health"] == "failed", 10, "it is down")
    with hub.client.events() as stream:
        run_id = begin(hub, takes=0)
        stream.until(lambda e: e.kind == "run" and e.data["status"] == "waiting")
        waiting = look(hub, run_id)
        assert waiting["status"] == "waiting"
        assert "second" in waiting["reason"]
        incident = waiting["steps"][1]["hold"]["incident"]
        assert incident == hub.client.services()["second"]["incident"]
        (listed,) = hub.client.get("/workflows/runs?status=waiting").json()["runs"]
        assert (listed["steps_done"], listed["steps_total"]) == (1, 2)
        hub.client.post("/orchestration/resume")
        stream.until(lambda e: e.kind == "run" and e.data["status"] == "succeeded")
    assert look(hub, run_id)["steps"][1]["held_ms"] > 0
    assert run_id in hub.client.get(f"/incidents/{incident}").json()["runs_held"]


def test_what_a_person_stops_fails_the_run_at_once_with_that_reason(hub: HubProcess) -> None:
    hub.client.done("services/second/stop")
    run = end_of(hub, begin(hub, takes=0))
    assert run["status"] == "compensated"
    assert run["steps"][1]["error"]["reason"] == "second was stopped by a person."
    assert run["steps"][0]["compensation"]["status"] == "done"
    assert run["steps"][1]["attempts"] == 0


def test_a_stop_beside_the_hub_in_the_middle_of_a_step_is_told_too(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    run_id = begin(hub, takes=30)
    under_way(hub, home, witness, run_id)
    witness.api.containers.get(home.container("second")).stop(timeout=1)
    run = eventually(lambda: _turned(look(hub, run_id)), 20, "the run turns back")
    assert "stopped by a person" in run["error"]["reason"]
    # What it did is not known, so its undo is owed, and waits until somebody starts the service.
    hub.client.done("services/second/start")
    assert end_of(hub, run_id)["status"] == "compensated"


def _turned(run: Json) -> Json | None:
    return run if run["status"] == "compensating" else None


def test_a_step_may_start_what_a_person_stopped(hub: HubProcess) -> None:
    hub.client.done("services/first/stop")
    run = end_of(hub, begin(hub, "wakes"))
    assert run["status"] == "succeeded", run
    assert hub.client.services()["first"]["desired"] == "running"


def test_a_restart_lets_a_step_finish_first(hub: HubProcess, home: Stack, witness: Witness) -> None:
    run_id = begin(hub, takes=1)
    under_way(hub, home, witness, run_id)
    hub.client.done("services/second/restart")
    run = end_of(hub, run_id)
    assert run["status"] == "succeeded"
    assert said(witness, home, "second", "begun", f"{run_id}:second") == 1
    assert run["steps"][1]["held_ms"] == 0


def test_a_refusal_is_undone_in_reverse(hub: HubProcess, home: Stack, witness: Witness) -> None:
    run = end_of(hub, begin(hub, takes=0, refuse=True))
    assert run["status"] == "compensated"
    assert run["error"]["status"] == 422
    assert run["error"]["detail"] == "I will not."
    listed = hub.client.get("/workflows/runs").json()["runs"][0]
    assert (listed["id"], listed["steps_done"], listed["steps_total"]) == (run["id"], 2, 2)
    for service in ("first", "second"):
        assert said(witness, home, service, "undo", f"{run['id']}:{service}:undo") == 1


def test_a_run_is_cancelled_retried_and_found_by_its_key(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    run_id = begin(hub, takes=30)
    under_way(hub, home, witness, run_id)
    answer = hub.client.post(f"/workflows/runs/{run_id}/cancel")
    assert answer.status_code == 202, answer.text
    assert end_of(hub, run_id)["status"] == "cancelled"
    again = hub.client.post(f"/workflows/runs/{run_id}/retry").json()
    assert again["retry_of"] == run_id
    hub.client.post(f"/workflows/runs/{again['id']}/cancel")
    end_of(hub, again["id"])
    assert hub.client.post(f"/workflows/runs/{run_id}/resume").status_code == 409


def test_a_hub_killed_in_the_middle_goes_on_with_the_same_keys(
    hub: HubProcess, home: Stack, witness: Witness
) -> None:
    run_id = begin(hub, takes=1.5)
    waiting = [begin(hub, "one_at_a_time", takes=0.01) for _ in range(2)]
    under_way(hub, home, witness, run_id)
    hub.kill9()
    hub.start().wait_ready()
    run = end_of(hub, run_id)
    assert run["status"] == "succeeded", run
    assert said(witness, home, "first", "did", f"{run_id}:first") == 1
    assert {end_of(hub, other)["status"] for other in waiting} == {"succeeded"}


def test_bad_requests_are_refused_by_name(hub: HubProcess) -> None:
    assert hub.client.send("/workflows/nothing/runs", {"input": {}}).status_code == 404
    assert hub.client.send("/workflows/two/runs", {"imput": {}}).status_code == 422
    assert hub.client.get("/workflows/runs/run_x").status_code == 404
    assert hub.client.get("/workflows/runs?status=odd").status_code == 422
    assert [w["name"] for w in hub.client.get("/workflows").json()] == [
        "two",
        "wakes",
        "one_at_a_time",
    ]

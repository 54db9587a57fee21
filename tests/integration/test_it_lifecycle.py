"""Start, stop, restart and dry run of a stack with dependencies, judged by the engine's own times.

db <- api <- web, and `lone`, which needs nobody. db takes a while to be well and to stop.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_hub import HubClient, HubProcess, Json
from tests.integration.it_stack import Stack, after, serving
from tests.integration.it_wait import eventually

NAMES = ["db", "api", "web", "lone"]


@dataclass(frozen=True, slots=True)
class Chain:
    stack: Stack
    hub: HubProcess
    witness: Witness

    @property
    def client(self) -> HubClient:
        return self.hub.client

    def from_nothing(self) -> None:
        """The stack as it was before anybody ever started it."""
        self.client.done("stop-all")
        self.witness.remove_containers(self.stack.project)
        states = {"missing"}
        eventually(lambda: {s["state"] for s in self.client.services().values()} == states)


@pytest.fixture(scope="module")
def chain(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> Chain:
    slow = {"BOOT_S": "1", "STOP_S": "0.3"}
    services = {
        "web": serving(image, free_port(), depends_on=after("api"), environment={"STOP_S": "0.3"}),
        "api": serving(image, free_port(), depends_on=after("db"), environment={"STOP_S": "0.3"}),
        "db": serving(image, free_port(), environment=slow, volumes=["data:/var/db"]),
        "lone": serving(image, free_port(), environment=slow),
    }
    stack = make_stack(services, volumes={"data": {}})
    return Chain(stack, make_hub(stack).start().wait_ready(), witness)


def test_start_all_from_nothing_waits_for_health_where_it_must_and_nowhere_else(
    chain: Chain,
) -> None:
    chain.from_nothing()
    results = chain.client.done("start-all")
    assert {name: r["outcome"] for name, r in results.items()} == dict.fromkeys(NAMES, "started")
    project, witness = chain.stack.project, chain.witness
    assert witness.started(project, "api") > witness.said(project, "db", "ready")
    assert witness.started(project, "web") > witness.said(project, "api", "ready")
    # Of two that are independent each was started before the other was ready: nobody waited.
    assert witness.started(project, "lone") < witness.said(project, "db", "ready")
    assert witness.started(project, "db") < witness.said(project, "lone", "ready")
    for service in chain.client.services().values():
        assert service["state"] == "running"
        assert service["health"] == "healthy"
        assert service["desired"] == "running"
        assert service["port_open"] is True


def test_start_all_of_what_runs_touches_nothing(chain: Chain) -> None:
    chain.client.done("start-all")
    before = chain.witness.lives(chain.stack.project)
    results = chain.client.done("start-all")
    outcomes = {r["outcome"] for r in results.values()}
    assert outcomes == {"already_running"}
    assert all(r["duration_ms"] == 0 and r["cause"] for r in results.values())
    assert chain.witness.lives(chain.stack.project) == before


def test_stop_all_goes_backwards_and_the_containers_are_used_again(chain: Chain) -> None:
    chain.client.done("start-all")
    ids = {raw["Id"] for raw in chain.witness.inspected(chain.stack.project)}
    results = chain.client.done("stop-all")
    assert {r["outcome"] for r in results.values()} == {"stopped"}
    project, witness = chain.stack.project, chain.witness
    assert witness.said(project, "api", "asked") > witness.finished(project, "web")
    assert witness.said(project, "db", "asked") > witness.finished(project, "api")
    for service in chain.client.services().values():
        assert (service["state"], service["health"], service["desired"]) == (
            "exited",
            "stopped",
            "stopped",
        )
    again = chain.client.done("stop-all")
    assert {r["outcome"] for r in again.values()} == {"already_stopped"}
    chain.client.done("start-all")
    assert {raw["Id"] for raw in chain.witness.inspected(chain.stack.project)} == ids


def test_restart_all_ends_every_life_and_keeps_the_order(chain: Chain) -> None:
    chain.client.done("start-all")
    before = chain.witness.lives(chain.stack.project)
    results = chain.client.done("restart-all")
    assert {r["outcome"] for r in results.values()} == {"restarted"}
    project, witness = chain.stack.project, chain.witness
    now = witness.lives(project)
    for name, (container, started) in before.items():
        assert now[name][0] == container, "a restart is not a replacement"
        assert now[name][1] != started
    assert witness.started(project, "db") > witness.finished(project, "api")
    assert witness.started(project, "web") > witness.said(project, "api", "ready")


def test_starting_one_brings_what_it_needs_and_nothing_else(chain: Chain) -> None:
    chain.from_nothing()
    results = chain.client.done("services/api/start")
    assert {name: r["outcome"] for name, r in results.items()} == {
        "db": "started",
        "api": "started",
    }
    assert "api" in results["db"]["cause"]
    services = chain.client.services()
    assert services["db"]["health"] == services["api"]["health"] == "healthy"
    assert services["web"]["state"] == services["lone"]["state"] == "missing"
    assert services["web"]["desired"] == "stopped"


def test_stopping_and_restarting_one_leaves_the_others_alone(chain: Chain) -> None:
    chain.client.done("start-all")
    before = chain.witness.lives(chain.stack.project)
    web = chain.stack.container("web")
    assert chain.client.done("services/web/restart")["web"]["outcome"] == "restarted"
    assert chain.client.done("services/web/stop")["web"]["outcome"] == "stopped"
    now = chain.witness.lives(chain.stack.project)
    assert now[web] != before[web]
    assert {n: v for n, v in now.items() if n != web} == {
        n: v for n, v in before.items() if n != web
    }


@pytest.mark.parametrize("running", [False, True])
def test_a_dry_run_says_everything_and_changes_nothing(chain: Chain, running: bool) -> None:
    if running:
        chain.client.done("start-all")
    else:
        chain.from_nothing()
    before = chain.witness.picture(chain.stack.project)
    wishes = {n: s["desired"] for n, s in chain.client.services().items()}
    operations = [o["id"] for o in chain.client.operations()]
    plans = [
        chain.client.plan(what)
        for what in ("start-all", "stop-all", "restart-all", "services/web/start")
    ]
    assert chain.witness.picture(chain.stack.project) == before
    assert {n: s["desired"] for n, s in chain.client.services().items()} == wishes
    assert [o["id"] for o in chain.client.operations()] == operations
    assert all(step["cause"] for plan in plans for step in plan["plan"])
    _check_order(plans[2 if running else 0]["plan"])
    if running:
        assert plans[0] == {"plan": [], "settled": dict.fromkeys(NAMES, "already_running")}


def _check_order(plan: list[dict[str, object]]) -> None:
    """Each start comes after the wait for its dependency's verdict."""
    ids = {(step["op"], step["service"]): step["id"] for step in plan}
    waits = {(step["op"], step["service"]): step["after"] for step in plan}
    for dependant, dependency in (("web", "api"), ("api", "db")):
        after_ids = waits["start", dependant]
        assert isinstance(after_ids, list)
        assert ids["await_healthy", dependency] in after_ids


def test_a_second_request_for_a_busy_service_is_refused_with_the_way_on(chain: Chain) -> None:
    chain.client.done("stop-all")
    begun = chain.client.post("/orchestration/start-all", wait="false")
    assert begun.status_code == 202
    operation = begun.json()["operation"]
    refused = chain.client.post("/orchestration/services/db/stop")
    assert refused.status_code == 409
    assert operation in refused.json()["remedy"]
    where = begun.headers["Location"]
    ended = eventually(lambda: _ended(chain.client.get(where).json()))
    assert ended["status"] == "succeeded"
    assert {step["status"] for step in ended["steps"]} == {"done"}


def _ended(operation: Json) -> Json | None:
    return operation if operation["status"] != "running" else None


def test_an_unknown_service_is_named_with_the_known_ones(chain: Chain) -> None:
    answer = chain.client.post("/orchestration/services/wbe/start")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "web" in answer.json()["remedy"]

"""A person's request during convergence comes first, and what convergence owed is done after it."""

from __future__ import annotations

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_stack import after, serving
from tests.integration.it_wait import eventually


def test_the_rest_of_a_cut_short_convergence_is_finished(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    services = {
        "slow": serving(image, free_port(), environment={"BOOT_S": "2"}),
        "late": serving(image, free_port(), depends_on=after("slow")),
        "lone": serving(image, free_port()),
    }
    stack = make_stack(services)
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    hub.kill9()
    for name in services:
        witness.kill(stack.project, name)
    hub.start().wait_listening()
    eventually(lambda: [o["kind"] for o in hub.client.operations()][:1] == ["converge"])
    assert hub.client.operations()[0]["status"] == "running"

    asked = hub.client.post("/orchestration/services/lone/start")

    assert asked.status_code == 200
    assert asked.json()["success"]
    eventually(lambda: {s["health"] for s in hub.client.services().values()} == {"healthy"})
    kinds = [o["kind"] for o in hub.client.operations()]
    assert kinds[:3] == ["converge", "start", "converge"]
    assert hub.client.operations()[2]["status"] == "interrupted"

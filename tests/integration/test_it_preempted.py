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
        # Acted on until long after the request, for what is over is let go of.
        "lone": serving(image, free_port(), environment={"BOOT_S": "3"}),
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
    newest, second, first = hub.client.operations()[:3]
    # The rest may be begun beside the request, which it does not touch.
    assert {newest["kind"], second["kind"]} == {"converge", "start"}
    assert (first["kind"], first["status"]) == ("converge", "interrupted")

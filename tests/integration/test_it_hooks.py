"""Commands that a service wants run in its container after its start and before its stop."""

from __future__ import annotations

from typing import Any

from tests.integration.conftest import MakeHub, MakeStack, Ports
from tests.integration.it_engine import Witness
from tests.integration.it_stack import serving

Json = dict[str, Any]


def _sh(script: str, **more: Any) -> Json:
    return {"command": ["sh", "-c", script], **more}


def test_they_run_in_order_and_as_whom_they_are_to(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str, witness: Witness
) -> None:
    service = serving(
        image,
        free_port(),
        volumes=["kept:/kept"],
        post_start=[
            _sh("id -u > /kept/start; echo $$WHO >> /kept/start", user="0", environment=["WHO=me"]),
            _sh("pwd >> /kept/start", user="0", working_dir="/kept"),
        ],
        pre_stop=[_sh("exit 3"), _sh("echo bye >> /kept/stop", user="0")],
    )
    stack = make_stack({"one": service}, volumes={"kept": {}})
    hub = make_hub(stack).start().wait_ready()
    hub.client.done("start-all")
    assert witness.run(stack.project, "one", "cat /kept/start").split() == ["0", "me", "/kept"]
    results = hub.client.done("services/one/restart")
    assert results["one"]["outcome"] == "restarted"
    assert witness.run(stack.project, "one", "cat /kept/stop").split() == ["bye"]
    assert witness.run(stack.project, "one", "wc -l < /kept/start").strip() == "3"


def test_one_that_fails_is_told_with_its_last_line(
    make_stack: MakeStack, make_hub: MakeHub, free_port: Ports, image: str
) -> None:
    service = serving(
        image,
        free_port(),
        labels={"heal7.recovery.policy": "none"},
        post_start=[
            _sh("exec 2>&1; echo begins; echo the table is locked >&2; exit 7"),
            _sh("exit 8"),
        ],
    )
    hub = make_hub(make_stack({"one": service})).start().wait_ready()
    body = hub.client.verb("start-all")
    assert not body["success"]
    told = body["results"]["one"]
    assert told["outcome"] == "failed"
    assert "ended with code 7" in told["cause"]
    assert "the table is locked" in told["cause"]
    assert told["detail"].splitlines() == ["begins", "the table is locked"]

"""The examiner tests all five services of the home stack, itself included, with short bounds.

`bench/contracts.py` does the same at length.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.e2e_support import PORTS, Home, shell

Json = dict[str, Any]
EXAMINER = f"http://127.0.0.1:{PORTS['test-service']}"


@pytest.fixture(scope="module")
def stack(machine: Home) -> Home:
    """The home stack, for tests that leave it as it is."""
    shell("make up")
    machine.wait_healthy()
    return machine


def examined(action: str, body: Json) -> Json:
    """The report of a test that ended."""
    reply = httpx.post(f"{EXAMINER}/actions/{action}", json=body, timeout=120, trust_env=False)
    assert reply.status_code == 200, reply.text
    report: Json = reply.json()["result"]
    return report


@pytest.mark.parametrize("service", sorted(PORTS))
def test_a_service_keeps_to_its_document_and_to_the_contract(stack: Home, service: str) -> None:
    body: Json = {"service": service, "max_examples": 3, "seed": 1, "time_limit_s": 60}
    body["max_coverage"] = 150  # the six templates of paperwork-service make nearly 2,000
    report = examined("contract-test", body)
    assert report["server_errors"] == 0, report["failures"]
    assert report["failures"] == []
    assert report["errors"] == []
    assert [promise for promise in report["promises"] if promise["kept"] is False] == []
    assert (report["passed"], report["stopped_by"]) == (True, None)
    asked = [phase for operation in report["operations"] for phase in operation["cases"]]
    assert {"coverage", "fuzzing"} <= set(asked)
    assert report["cases"] >= 100
    assert report["cleanup"]["made"] == report["cleanup"]["removed"]
    assert report["cleanup"]["left"] == []


def test_the_known_answers_hold(stack: Home) -> None:
    report = examined("known-answers", {"service": "saju-service"})
    assert (report["asked"], report["differences"], report["passed"]) == (132, [], True)

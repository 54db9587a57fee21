"""The home stack in use: a killed hub, services that work, Compose tools that see them."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.e2e_support import HUB_CONTAINER, HUB_PROJECT, PORTS, PROJECT, ROOT, Home, shell
from tests.integration.it_wait import eventually

Json = dict[str, Any]
INPUTS: Json = json.loads(
    (ROOT / "images/crawling-service/tests/data/workflow_inputs.json").read_text("utf-8")
)
PAPERS = ROOT / "images/paperwork-service/tests/data"

# The 132 verified vectors and what holds of each are the saju service's own tests; imported here,
# they get the client of this module and so ask the real container.
sys.path.append(str(ROOT / "images/saju-service/tests"))
_vectors = importlib.import_module("test_saju_vectors")
test_every_vector_is_of_a_kind_that_is_tested = (
    _vectors.test_every_vector_is_of_a_kind_that_is_tested
)
test_chart = _vectors.test_chart
test_chart_from_the_lunar_date = _vectors.test_chart_from_the_lunar_date
test_clock_history = _vectors.test_clock_history
test_refused_input = _vectors.test_refused_input
test_solar_term = _vectors.test_solar_term
test_conversion_both_ways = _vectors.test_conversion_both_ways


@pytest.fixture(scope="module")
def stack(machine: Home) -> Home:
    """The home stack, for tests that leave it as it is."""
    shell("make up")
    machine.wait_healthy()
    return machine


@pytest.fixture
async def http(stack: Home) -> AsyncIterator[httpx.AsyncClient]:
    """The real saju-service, for the vectors."""
    async with httpx.AsyncClient(base_url=address("saju-service"), trust_env=False) as client:
        yield client


def address(service: str) -> str:
    return f"http://127.0.0.1:{PORTS[service]}"


def act(service: str, action: str, body: Json) -> Json:
    """The result of an action of a real service."""
    reply = httpx.post(
        f"{address(service)}/actions/{action}", json=body, timeout=60, trust_env=False
    )
    assert reply.status_code == 200, reply.text
    result: Json = reply.json()["result"]
    return result


def uploaded(name: str = "invoice.pdf") -> str:
    """The document's id."""
    with (PAPERS / name).open("rb") as file:
        reply = httpx.post(
            f"{address('paperwork-service')}/documents",
            files={"file": (name, file)},
            trust_env=False,
        )
    assert reply.status_code in (200, 201), reply.text
    document: str = reply.json()["document_id"]
    return document


def run_of(stack: Home, workflow: str, given: Json) -> Json:
    """A run of a workflow that ends well, with its steps by their ids."""
    path = f"/workflows/{workflow}/runs?wait=true&timeout_s=90"
    answer = stack.client.send(path, {"input": given})
    assert answer.status_code == 200, answer.text
    run: Json = answer.json()
    assert run["status"] == "succeeded", run
    return run | {"steps": {step["id"]: step for step in run["steps"]}}


@pytest.fixture(scope="module")
def crawled(stack: Home) -> Json:
    """A crawl of the demo site in its container."""
    wanted = INPUTS["data_collection"]
    body = {
        "start_urls": [wanted["start_url"]],
        "max_pages": wanted["max_pages"],
        "same_host": wanted["same_host"],
    }
    return act("crawling-service", "crawl", body)


def test_the_demo_site_is_crawled_as_promised(crawled: Json) -> None:
    wanted = INPUTS["data_collection"]
    base = wanted["start_url"].rstrip("/")
    assert len(crawled["pages"]) == wanted["expect_pages_ok"]
    assert {skipped["url"]: skipped["reason"] for skipped in crawled["skipped"]} == {
        **{base + path: "robots" for path in wanted["expect_skipped_by_robots"]},
        **{base + path: "http_404" for path in wanted["expect_404"]},
        **dict.fromkeys(wanted["expect_blocked"], "blocked_address"),
    }
    assert crawled["truncated"] is False


def test_what_was_crawled_is_validated(crawled: Json) -> None:
    verdict = act(
        "test-service",
        "validate",
        {
            "records": crawled["records"],
            "group_by": ["source"],
            "values_at": "fields",
            "ruleset": "solar_terms",
        },
    )
    faults = {group["name"].rpartition("/")[2]: group["errors"] for group in verdict["groups"]}
    assert faults == {"2024.html": 0, "2025.html": 0, "2026.html": 0, "2025-draft.html": 7}
    assert verdict["passed"] is False


def test_the_sample_invoice_is_read_and_its_link_crawled(stack: Home) -> None:
    wanted = INPUTS["document_automation"]
    read = act("paperwork-service", "process", {"document_id": uploaded()})
    assert (read["type"], read["needs_review"]) == (wanted["expect_type"], False)
    assert [amount["value"] for amount in read["fields"]["amounts"]] == [
        1_500_000,
        150_000,
        1_650_000,
    ]
    assert read["urls"] == [wanted["crawl_url"]]
    found = act("crawling-service", "crawl", {"start_urls": read["urls"], "max_depth": 0})
    assert [page["url"] for page in found["pages"]] == read["urls"]
    assert len(found["records"]) == 24


def test_a_paper_is_made_and_reads_back_the_same(stack: Home) -> None:
    base = address("paperwork-service")
    told = httpx.get(f"{base}/templates", trust_env=False).json()["templates"]
    example = next(t["example"] for t in told if t["template"] == "tax_invoice")
    made = act("paperwork-service", "generate", example)
    read = act("paperwork-service", "process", {"document_id": made["document_id"]})
    amounts = [amount["value"] for amount in read["fields"]["amounts"]]
    assert amounts == list(made["totals"].values())
    assert (read["type"], read["needs_review"]) == ("invoice", False)
    assert httpx.get(base + made["file"], trust_env=False).content.startswith(b"%PDF-")
    gone = httpx.delete(f"{base}/documents/{made['document_id']}", trust_env=False)
    assert gone.json()["deleted"] is True


def test_a_chart_is_examined_and_the_run_monitored(stack: Home) -> None:
    chart = act("saju-service", "calculate", INPUTS["saju_processing"])
    verdict = act("test-service", "quality-check", {"service": "saju-service", "result": chart})
    assert (verdict["passed"], verdict["errors"]) == (True, 0)
    chart["pillars"]["day"]["hanja"] = "甲子"
    spoilt = act("test-service", "quality-check", {"service": "saju-service", "result": chart})
    assert spoilt["passed"] is False

    steps = [
        {"service": "saju-service", "latency_ms": 12.0, "status": "succeeded"},
        {"service": "test-service", "latency_ms": 30000, "status": "timed_out"},
    ]
    watched = act(
        "ai-monitoring-service", "monitor", {"workflow_run": f"e2e-{os.getpid()}", "steps": steps}
    )
    assert [alert["service"] for alert in watched["alerts"]] == ["test-service"]
    # No trace of an alert that nobody needs to look at.
    undo = httpx.post(
        f"{address('ai-monitoring-service')}/actions/monitor/compensate",
        json={"id": watched["report"]["id"], "reason": "an end-to-end test"},
        trust_env=False,
    )
    assert undo.json()["status"] == "compensated", undo.text


def test_a_chart_is_calculated_checked_and_monitored_in_one_run(stack: Home) -> None:
    run = run_of(stack, "saju_processing", INPUTS["saju_processing"])
    output = run["output"]
    chart = act("saju-service", "calculate", INPUTS["saju_processing"])
    assert output["pillars"] == chart["pillars"]
    assert output["passed"] is True
    kept = httpx.get(f"{address('saju-service')}/readings/{output['reading']}", trust_env=False)
    assert kept.status_code == 200, kept.text


@pytest.mark.parametrize("name", ["invoice.pdf", "invoice_scan.png"])
def test_an_invoice_is_read_and_its_link_crawled_in_one_run(stack: Home, name: str) -> None:
    wanted = INPUTS["document_automation"]
    run = run_of(stack, "document_automation", {"document_id": uploaded(name)})
    output = run["output"]
    amounts = [amount["value"] for amount in output["fields"]["amounts"]]
    assert amounts == [1_500_000, 150_000, 1_650_000]
    assert (output["type"], output["needs_review"]) == (wanted["expect_type"], False)
    assert [page["url"] for page in output["pages"]] == [wanted["crawl_url"]]
    assert len(run["steps"]["crawl"]["output"]["result"]["records"]) == 24


def test_a_site_is_collected_and_its_records_are_checked_in_one_run(stack: Home) -> None:
    wanted = INPUTS["data_collection"]
    given = {key: wanted[key] for key in ("start_url", "max_pages", "same_host")}
    output = run_of(stack, "data_collection", given)["output"]
    assert output["pages"] == wanted["expect_pages_ok"]
    base = wanted["start_url"].rstrip("/")
    assert {skipped["url"] for skipped in output["skipped"]} == {
        *(base + path for path in wanted["expect_skipped_by_robots"] + wanted["expect_404"]),
        *wanted["expect_blocked"],
    }
    faults = {table["name"].rpartition("/")[2]: table["errors"] for table in output["tables"]}
    assert faults == {"2024.html": 0, "2025.html": 0, "2026.html": 0, "2025-draft.html": 7}


def test_the_monitor_hears_the_other_services_and_the_hub(stack: Home) -> None:
    """It asks the four; the hub, which no container reaches, sends its own figures."""

    def heard() -> Json:
        told = httpx.get(f"{address('ai-monitoring-service')}/targets", trust_env=False).json()
        return {target["name"]: target["health"] for target in told["targets"]}

    everybody = {*PORTS, "hub"} - {"ai-monitoring-service"}
    eventually(lambda: heard() == dict.fromkeys(everybody, "up"), 40, "everybody is heard")
    told = httpx.get(
        f"{address('ai-monitoring-service')}/series", params={"target": "hub"}, trust_env=False
    ).json()
    assert {"hub:event_loop_lag_ms", "hub:memory_mb", "hub:saju-service:memory_mb"} <= {
        series["name"] for series in told["series"]
    }


def test_an_old_compose_tool_sees_the_hubs_containers(stack: Home) -> None:
    compose = f"docker-compose -p {PROJECT} -f compose/compose.yaml"
    assert "1.29" in shell("docker-compose version --short").out
    ours = {identity for identity, _ in stack.witness.lives(PROJECT).values()}
    assert set(shell(f"{compose} ps -q").out.split()) == ours
    table = shell(f"{compose} ps").out
    for service, port in PORTS.items():
        row = next(line for line in table.splitlines() if f"{PROJECT}-{service}-1" in line)
        assert " Up " in row, row
        assert f"127.0.0.1:{port}->{port}/tcp" in row, row


def processes_of_the_hub(home: Home) -> Iterator[tuple[str, int]]:
    """Its init and the hub itself, by their numbers on the host."""
    yield "init", home.hub()["State"]["Pid"]
    for row in home.witness.api.containers.get(HUB_CONTAINER).top()["Processes"]:
        if " serve" in row[-1] and "docker-init" not in row[-1]:
            yield "hub", int(row[1])


@pytest.mark.parametrize("victim", ["init", "hub"])
def test_a_killed_hub_is_back_by_itself_and_remembers(home: Home, victim: str) -> None:
    home.client.done("services/test-service/stop")
    before = home.witness.lives(PROJECT)
    wishes = {name: service["desired"] for name, service in home.client.services().items()}
    first = home.hub()
    os.kill(dict(processes_of_the_hub(home))[victim], signal.SIGKILL)

    def is_another() -> bool:
        hub = home.hub()["State"]
        return bool(hub["Running"]) and hub["StartedAt"] != first["State"]["StartedAt"]

    eventually(is_another, 30, "the hub's container started again")
    home.wait_ready()
    assert home.hub()["Id"] == first["Id"]
    eventually(
        lambda: (
            [s["health"] for s in home.client.services().values()].count("healthy") == 4
            and home.client.idle()
        ),
        20,
        "the four that run are known to be well, and nothing is under way",
    )
    services = home.client.services()
    assert {name: service["desired"] for name, service in services.items()} == wishes
    assert services["test-service"]["health"] == "stopped"
    assert home.witness.lives(PROJECT) == before
    assert len(home.witness.lives(HUB_PROJECT)) == 1

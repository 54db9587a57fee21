"""The pages of workflows and runs without a browser: forms, refusals, masks, filters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from controller.dashboard import preferences
from controller.errors import StoreError
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support import FakeHub, app

WORKFLOW = "/dashboard/workflows/saju_processing"
GOOD = {"/datetime": "1992-10-24T05:30", "/gender": "1", "/tags": "a\r\nb", "/place/city": "서울"}


@pytest.fixture
def hub() -> FakeHub:
    hub = FakeHub()
    hub.flows.day()
    return hub


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        yield client


def page_of(name: str) -> str:
    return f"/dashboard/workflows/runs/run_0192f3c4a1b2_{name}"


PAGES = ("/dashboard/workflows", WORKFLOW, page_of("5ecced01"), page_of("5711c001"))


def post(client: TestClient, path: str, fields: dict[str, Any] | None = None) -> Response:
    return client.post(path, data=fields or {}, follow_redirects=False)


def begin(client: TestClient, fields: dict[str, Any]) -> Response:
    return post(client, f"{WORKFLOW}/runs", fields)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_forbids_everything_it_does_not_need(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", answer.text)


@pytest.mark.parametrize("path", PAGES)
def test_first_paint_is_small(client: TestClient, path: str) -> None:
    page = client.get(path)
    linked = set(re.findall(r'(?:src|href)="(/dashboard/assets/[^"]+)"', page.text))
    assert len(page.content) + sum(len(client.get(url).content) for url in linked) <= 150_000


@pytest.mark.parametrize("path", PAGES)
def test_ids_are_there_once(client: TestClient, path: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', client.get(path).text)
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)


def test_no_page_shows_a_secret(client: TestClient, hub: FakeHub) -> None:
    for run_id in hub.flows.made:
        text = client.get(f"/dashboard/workflows/runs/{run_id}").text
        assert "hunter2" not in text
    assert "•••" in client.get(page_of("5ecced01")).text


def test_a_posted_form_becomes_a_run_and_leads_to_it(client: TestClient, hub: FakeHub) -> None:
    answer = begin(client, GOOD | {"nonce": "n1"})
    assert answer.status_code == 303
    assert client.get(answer.headers["location"]).status_code == 200
    ((workflow, given, key),) = hub.flows.sent
    assert workflow == "saju_processing"
    assert given == {
        "datetime": "1992-10-24T05:30", "gender": "female", "tags": ["a", "b"],
        "place": {"city": "서울"},
    }  # fmt: skip
    assert key is not None


def test_a_form_sent_twice_is_one_run_and_changed_it_is_another(
    client: TestClient, hub: FakeHub
) -> None:
    first, second = (begin(client, GOOD | {"nonce": "n1"}) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    begin(client, GOOD | {"nonce": "n1", "/gender": "0"})
    begin(client, GOOD | {"nonce": "n2"})
    assert len(hub.flows.sent) == 3
    nonces = {re.findall(r'name="nonce" value="(\w+)"', client.get(WORKFLOW).text)[0] for _ in "ab"}
    assert len(nonces) == 2


def test_what_cannot_be_read_is_said_at_its_field_and_what_was_typed_stays(
    client: TestClient, hub: FakeHub
) -> None:
    answer = begin(client, GOOD | {"/longitude": "far", "/datetime": "", "/api_key": "hunter2"})
    assert answer.status_code == 422
    assert "A number is needed." in answer.text
    assert "This is needed." in answer.text
    assert 'value="far"' in answer.text
    assert "서울" in answer.text
    assert "hunter2" not in answer.text
    assert answer.text.count("autofocus") == 1
    assert hub.flows.sent == []


def test_what_the_hub_finds_wrong_is_said_at_its_field(client: TestClient) -> None:
    answer = begin(client, GOOD | {"/datetime": "never"})
    assert answer.status_code == 422
    assert re.search(r'id="fault-f-0">.*?&#39;never&#39; is no date', answer.text, re.S)
    assert "input: it is odd" in answer.text


def test_a_refusal_is_said_over_the_form(client: TestClient, hub: FakeHub) -> None:
    hub.flows.refusal = runs.over()
    answer = begin(client, GOOD)
    assert answer.status_code == 409
    assert "The run has ended: succeeded." in answer.text
    assert "Look at it again." in answer.text


@pytest.mark.parametrize("body", [b"\xff", b"&".join(b"a=%d" % n for n in range(2000))])
def test_a_body_that_is_no_form_does_nothing(client: TestClient, hub: FakeHub, body: bytes) -> None:
    assert client.post(f"{WORKFLOW}/runs", content=body).status_code == 422
    assert hub.flows.sent == []


@pytest.mark.parametrize(
    ("verb", "name", "leads_to"),
    [("cancel", "0a171e55", "0a171e55"), ("retry", "c0ffee01", "c0ffee012"),
     ("resume", "5711c001", "5711c001")],
)  # fmt: skip
def test_a_run_is_acted_on_without_scripts(
    client: TestClient, hub: FakeHub, verb: str, name: str, leads_to: str
) -> None:
    assert f'action="{page_of(name)}/{verb}"' in client.get(page_of(name)).text
    answer = post(client, f"{page_of(name)}/{verb}")
    assert (answer.status_code, answer.headers["location"]) == (303, page_of(leads_to))
    assert hub.flows.acted == [(verb, f"run_0192f3c4a1b2_{name}")]


def test_a_refused_act_is_said_on_the_runs_page(client: TestClient, hub: FakeHub) -> None:
    hub.flows.refusal = runs.over()
    answer = post(client, f"{page_of('0a171e55')}/cancel")
    assert answer.status_code == 409
    assert "The hub refused:" in answer.text
    assert post(client, f"{page_of('0a171e55')}/explode").status_code == 404
    assert post(client, f"{page_of('unknown')}/cancel").status_code == 404


def listed(answer: Response) -> list[str]:
    return re.findall(r'<tr [^>]*id="run-run_0192f3c4a1b2_(\w+)"', answer.text)


def test_runs_are_filtered_and_paged(client: TestClient) -> None:
    first = client.get("/dashboard/workflows")
    assert len(listed(first)) == 25
    (older,) = re.findall(r'href="([^"]+cursor=25[^"]*)"', first.text)
    second = client.get(older.replace("&amp;", "&"))
    assert len(listed(second)) == 25
    assert not set(listed(first)) & set(listed(second))
    only = client.get("/dashboard/workflows?workflow=document_automation&status=failed")
    assert listed(only) == ["fa11ed01"]
    assert listed(client.get("/dashboard/workflows?status=waiting")) == ["0a171e55"]
    # What is not known filters nothing; a workflow that is not known has no runs.
    assert len(listed(client.get("/dashboard/workflows?status=odd"))) == 25
    assert "No run matches." in client.get("/dashboard/workflows?workflow=odd").text


def test_a_journal_that_cannot_be_read_is_said_and_what_goes_on_is_shown(
    client: TestClient, hub: FakeHub
) -> None:
    hub.flows.unread = StoreError("The disk is gone.")
    answer = client.get("/dashboard/workflows")
    assert answer.status_code == 200
    assert "The journal of runs cannot be read" in answer.text
    assert "0a171e55" in listed(answer)
    assert client.get(WORKFLOW).status_code == 200
    assert client.get(page_of("5ecced01")).status_code == 503


@pytest.mark.parametrize("path", ["/dashboard/workflows/nope", page_of("nope")])
def test_what_is_not_known_is_told_as_a_page(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
    part = client.get(path.replace("/dashboard/", "/dashboard/fragments/"))
    assert part.status_code == 200
    assert "headline" in part.text


def test_an_address_of_a_form_leads_back_to_its_page(client: TestClient) -> None:
    answer = client.get(f"{WORKFLOW}/runs", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, WORKFLOW)
    assert post(client, "/dashboard/workflows/nope/runs").status_code == 404


def test_names_that_are_markup_are_only_names(client: TestClient, hub: FakeHub) -> None:
    hostile = "<script>alert(1)</script>\"'/?#"
    steps = (runs.step(hostile, hostile, hostile, when=hostile),)
    odd = runs.Definition(hostile, steps, "h", {"en": hostile}, input_schema={
        "type": "object", "properties": {hostile: {"type": "string", "title": hostile,
                                                   "description": hostile, "enum": [hostile]}},
    })  # fmt: skip
    hub.flows.define(odd)
    made = runs.run("bad00001", odd, runs.R.RUNNING, 4, input={hostile: hostile}, key=hostile)
    hub.flows.tell(made)
    for path in ("/dashboard", "/dashboard/workflows", page_of("bad00001")):
        text = client.get(path).text
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


@pytest.mark.parametrize(
    "path", [PAGES[0], WORKFLOW, PAGES[2], PAGES[0] + "?workflow=a&status=b&cursor=1"]
)
def test_choosing_a_language_leads_back(path: str) -> None:
    body = f"lang=ko&back={quote(path, safe='')}".encode()
    assert preferences.chosen(body) == ({"heal7_lang": "ko"}, path)
    assert preferences.chosen(body + b"//evil")[1] == "/dashboard"

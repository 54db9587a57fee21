"""The panel without a browser: what is drawn, what is sent again, and what wants attention."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from controller.dashboard import incidents, palette, patches, present, stack_graph
from controller.dashboard.overview import newest_of_each
from controller.i18n import catalogue
from controller.model.run import RunLine, RunStatus
from controller.model.text import Text
from controller.model.view import Health, ServiceView
from tests.e2e import pages_support_runs as runs
from tests.e2e.pages_support import FakeHub, app, healthy

PART = "/dashboard/fragments/services"


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        yield client


def _token(html: str) -> str:
    return re.findall(r'data-seen="([^"]+)"', html)[0]


def _rows(html: str) -> list[str]:
    return re.findall(r'data-row="([^"]+)" data-tone', html)


def _drawn(services: list[ServiceView], hub: FakeHub) -> stack_graph.Drawn | None:
    catalogue()
    view = replace(hub.view(), services=tuple(services))
    return stack_graph.draw(present.stack(view, (), "en", hub.now).rows, "en")


def _chain(hub: FakeHub, n: int) -> list[ServiceView]:
    return [
        replace(healthy(f"s{i}", 9000 + i, hub.now), depends_on=(f"s{i - 1}",) if i else ())
        for i in range(n)
    ]


def test_only_the_row_that_changed_is_sent_again(client: TestClient, hub: FakeHub) -> None:
    whole = client.get(PART)
    assert len(_rows(whole.text)) == 5
    assert "data-partial" not in whole.text
    same = client.get(PART, params={"since": _token(whole.text)})
    assert (_rows(same.text), "data-partial" in same.text) == ([], True)
    hub.change("saju-service", health=Health.FAILED, reason=Text("demo.crashed"))
    part = client.get(PART, params={"since": _token(same.text)})
    # The one that needs it shows how it is, too.
    assert sorted(_rows(part.text)) == ["saju-service", "test-service"]
    assert "1 service needs attention" in part.text


def test_a_page_can_be_brought_up_to_date_from_where_it_is(
    client: TestClient, hub: FakeHub
) -> None:
    page = _token(client.get("/dashboard/services").text)
    hub.change("saju-service", restarts=7)
    first = _token(client.get(PART, params={"since": page}).text)
    hub.change("test-service", restarts=8)
    assert _rows(client.get(PART, params={"since": first}).text) == ["test-service"]
    assert sorted(_rows(client.get(PART, params={"since": page}).text)) == [
        "saju-service",
        "test-service",
    ]


@pytest.mark.parametrize("since", ["", "nonsense", "0-0", "<b>"])
def test_an_unknown_token_gets_everything(client: TestClient, since: str) -> None:
    assert len(_rows(client.get(PART, params={"since": since}).text)) == 5


def test_another_setting_or_another_language_gets_everything(
    client: TestClient, hub: FakeHub
) -> None:
    token = _token(client.get(PART).text)
    korean = client.get(PART, params={"since": token}, headers={"Accept-Language": "ko"})
    assert len(_rows(korean.text)) == 5
    hub.lose_engine()
    assert "data-partial" not in client.get(PART, params={"since": token}).text


def test_old_tokens_are_forgotten() -> None:
    told = patches.Told()
    first = told.patch("", {"a": 0}).token
    for n in range(1, 200):
        last = told.patch("", {"a": n}).token
    assert told.patch(first, {"a": 0}).changed is None
    assert told.patch(last, {"a": 199}).changed == frozenset()


def test_a_small_stack_is_drawn_whole(hub: FakeHub) -> None:
    services = _chain(hub, 3)
    services[0] = replace(services[0], health=Health.FAILED)
    drawn = _drawn(services, hub)
    assert drawn is not None
    assert [node.name for node in drawn.nodes] == ["s0", "s1", "s2"]
    assert [way.cut for way in drawn.ways] == [True, False]
    assert (drawn.nodes[0].tone, drawn.nodes[0].word) == ("bad", "Failed")
    assert drawn.listed[1].needs[0].name == "s0"
    assert drawn.listed[1].needed_by == ("s2",)
    assert drawn.left_out == 0


def test_of_a_large_stack_only_what_is_not_at_rest_is_drawn_with_its_neighbours(
    hub: FakeHub,
) -> None:
    services = _chain(hub, 100)
    assert _drawn(services, hub) is None
    services[50] = replace(services[50], health=Health.UNHEALTHY)
    drawn = _drawn(services, hub)
    assert drawn is not None
    assert [node.name for node in drawn.nodes] == ["s49", "s50", "s51"]
    assert drawn.left_out == 97
    everything = [replace(s, health=Health.FAILED) for s in services]
    drawn = _drawn(everything, hub)
    assert drawn is not None
    assert len(drawn.nodes) == stack_graph.MOST


def test_one_service_needs_no_drawing(hub: FakeHub) -> None:
    assert _drawn(_chain(hub, 1), hub) is None


def _run(n: int, workflow: str, hub: FakeHub, ago: timedelta) -> RunLine:
    at = (hub.now - ago).timestamp()
    return RunLine(f"run_{n}", workflow, RunStatus.FAILED, at, at, at + 1, "local heal7/0.1.0", "h")


def test_of_failed_runs_the_newest_of_each_workflow_counts_for_a_day(hub: FakeHub) -> None:
    lines = [
        _run(1, "a", hub, timedelta(hours=3)),
        _run(2, "a", hub, timedelta(hours=1)),
        _run(3, "b", hub, timedelta(hours=30)),
        _run(4, "c", hub, timedelta(hours=2)),
    ]
    assert [line.id for line in newest_of_each(lines, hub.now)] == ["run_2", "run_4"]


def test_a_failed_run_wants_attention_until_the_workflow_succeeds(
    client: TestClient, hub: FakeHub
) -> None:
    failed = runs.stuck("dead0001", ago=900)
    hub.flows.tell(failed)
    assert f'id="failed-{failed.id}"' in client.get("/dashboard").text
    hub.flows.tell(replace(runs.succeeded("900d0001", ago=60), workflow=failed.workflow))
    assert f'id="failed-{failed.id}"' not in client.get("/dashboard").text


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("restart saju", "do-restart-saju-service"),
        ("SAJU", "service-saju-service"),
        ("stop all", "do-stop"),
        ("data", "workflow-data_collection"),
        ("light", "theme-light"),
        ("incid", "page-incidents"),
        ("crash ai-mon", "incident-inc-4"),
        ("한국어", "lang-ko"),
    ],
)
def test_the_palette_offers_first_what_was_meant(
    client: TestClient, hub: FakeHub, typed: str, first: str
) -> None:
    hub.night(hub.now)
    stack = present.stack(hub.view(), (), "en", hub.now)
    groups = palette.offers(
        typed,
        pages=[("overview", "/dashboard"), ("incidents", "/dashboard/incidents")],
        rows=stack.rows,
        whole=stack.actions,
        workflows=list(hub.workflows()),
        incidents=[incidents.line(i, "en", hub.now) for i in hub.told.values()],
        language="en",
    )
    assert groups[0].options[0].id == first


def test_the_palette_stays_small_whatever_there_is(client: TestClient, hub: FakeHub) -> None:
    hub.services = {s.name: s for s in _chain(hub, 300)}
    for typed in ("", "s", "stop", "nothing has these words"):
        answer = client.get("/dashboard/fragments/palette", params={"q": typed})
        assert answer.text.count('role="option"') <= palette.MOST
    assert "Nothing fits." in answer.text

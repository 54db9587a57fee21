"""The page of alerts without a browser: what it says, what its forms do, and what it survives."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from controller.dashboard import alerts, preferences
from controller.errors import StoreError
from controller.i18n import LANGUAGES, catalogue
from controller.model.alert import AlertState, Rule, Severity
from controller.model.text import text
from tests.e2e.pages_support import FakeHub, app
from tests.e2e.pages_support_alerts import EVIL

PAGE = "/dashboard/alerts"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeHub, TestClient]]:
    """One for all: compiling every template takes longer than the tests."""
    hub = FakeHub()
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        yield hub, client


@pytest.fixture
def hub(served: tuple[FakeHub, TestClient]) -> FakeHub:
    served[0].reset()
    return served[0]


@pytest.fixture
def client(hub: FakeHub, served: tuple[FakeHub, TestClient]) -> TestClient:
    return served[1]


def post(client: TestClient, path: str, **form: str) -> int:
    return client.post(PAGE + path, data=form, follow_redirects=False).status_code


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_and_severity_has_its_words(language: str) -> None:
    keys = [f"ui.alerts.rule.{r}" for r in Rule] + [f"alert.title.{r}" for r in Rule]
    keys += [f"alert.ended.{r}" for r in Rule] + [f"alert.{r}" for r in Rule]
    keys += [f"ui.alerts.severity.{s}" for s in Severity]
    keys += [f"alert.news.{n}.{s}" for n in ("opened", "worse") for s in Severity]
    keys += [f"ui.alerts.duration.{d}" for d in alerts.DURATIONS]
    assert [key for key in keys if not catalogue().get(key, {}).get(language)] == []


def test_the_worst_that_nobody_knows_of_comes_first(hub: FakeHub, client: TestClient) -> None:
    hub.alerts.night()
    html = client.get(PAGE).text
    order = [html.index(f'id="{alert.id}"') for alert in hub.alerts.open()]
    assert order == sorted(order)
    assert hub.alerts.open()[0].rule is Rule.GAVE_UP
    assert "2 alerts that nobody has acknowledged" in html
    assert "acknowledged by browser" in html
    assert 'id="nav-firing" title="2 not acknowledged">2<' in html
    assert html.count('class="alert t-ok"') == 6
    assert "told over ops" in html
    assert "night-watch: not through yet" in html


def test_nothing_is_wrong(client: TestClient) -> None:
    html = client.get(PAGE).text
    assert "Nothing is wrong that is worth an alert" in html
    assert re.search(r'id="nav-firing"[^>]* hidden>0<', html)


def test_without_a_channel_the_page_says_that_nobody_is_told(
    hub: FakeHub, client: TestClient
) -> None:
    hub.alerts.pulses = {}
    assert "no channel: nobody is told" in client.get(PAGE).text


def test_the_forms_do_what_they_say(hub: FakeHub, client: TestClient) -> None:
    alert = hub.alerts.raise_alert(Rule.GAVE_UP, Severity.CRITICAL, service="saju-service")
    assert post(client, f"/{alert.id}/ack") == 303
    assert hub.alerts.opened[alert.id].state is AlertState.ACKNOWLEDGED
    form = {"service": "saju-service", "rule": "slow", "duration": "8h", "comment": "배포 중"}
    assert post(client, "/silences", **form) == 303
    (silence,) = hub.alerts.silences()
    assert (silence.service, silence.rule, silence.comment) == (
        "saju-service",
        Rule.SLOW,
        "배포 중",
    )
    assert (silence.until - silence.created_at).total_seconds() == 8 * 3600
    assert post(client, f"/silences/{silence.id}/remove") == 303
    assert hub.alerts.silences() == []
    tested = client.post(f"{PAGE}/channels/ops/test")
    assert tested.url.query == b"tested=dlv_0"
    assert "The test arrived at ops." in tested.text
    hub.alerts.broken = "401 Unauthorized"
    assert (
        "did not arrive at ops: 401 Unauthorized" in client.post(f"{PAGE}/channels/ops/test").text
    )


@pytest.mark.parametrize(
    ("path", "form", "status", "said"),
    [
        ("/alt_none/ack", {}, 404, "There is no alert"),
        ("/silences/sil_none/remove", {}, 404, "There is no silence"),
        ("/channels/nosuch/test", {}, 404, "There is no channel"),
        ("/silences", {"service": EVIL, "duration": "2h"}, 404, "There is no service"),
        ("/silences", {"duration": "soon"}, 422, "cannot be silenced"),
        ("/silences", {"rule": "nosuch", "duration": "2h"}, 422, "cannot be silenced"),
        ("/silences", {}, 422, "cannot be silenced"),
    ],
)
def test_a_refusal_stands_on_the_page(
    client: TestClient, path: str, form: dict[str, str], status: int, said: str
) -> None:
    answer = client.post(PAGE + path, data=form)
    assert answer.status_code == status
    assert said in answer.text
    assert "<img src=x" not in answer.text


def test_a_form_that_nobody_would_send_is_refused(client: TestClient) -> None:
    for body in (b"&".join(b"a%d=1" % n for n in range(50)), b"\xff\xfe=%ff&duration=%00", b"="):
        answer = client.post(f"{PAGE}/silences", content=body)
        assert answer.status_code == 422
    for path in ("/%00/ack", "/silences/%ff%fe/remove", "/channels/%2e%2e%2f/test"):
        assert client.post(PAGE + path).status_code == 404


def test_hostile_names_and_texts_are_inert(hub: FakeHub, client: TestClient) -> None:
    hub.alerts.raise_alert(
        Rule.LOG_PATTERN,
        Severity.CRITICAL,
        service=EVIL,
        folded=(EVIL,),
        cause=text("alert.log_pattern", count=1, minutes=5, name=EVIL, last=EVIL),
    )
    hub.alerts.resolve("alt_1")
    hub.alerts.raise_alert(
        Rule.LOG_PATTERN,
        Severity.CRITICAL,
        service=EVIL,
        folded=(EVIL,),
        cause=text("alert.log_pattern", count=1, minutes=5, name=EVIL, last=EVIL),
    )
    html = client.get(f"{PAGE}?tested={EVIL}&before={EVIL}").text
    assert "<img src=x" not in html
    assert "{{ 7*7 }}" in html


def test_a_store_that_cannot_be_read_hides_only_the_past(hub: FakeHub, client: TestClient) -> None:
    hub.alerts.raise_alert(Rule.GAVE_UP, Severity.CRITICAL, service="saju-service")
    hub.alerts.refusal = StoreError("disk I/O error")
    html = client.get(PAGE).text
    assert "saju-service: healing has given up" in html
    assert "The past cannot be read" in html


def test_the_past_goes_page_by_page(hub: FakeHub, client: TestClient) -> None:
    for number in range(35):
        hub.alerts.raise_alert(Rule.SLOW, Severity.WARNING, cause=text("alert.engine_unreachable"))
        hub.alerts.resolve(f"alt_{number + 1}")
    first = client.get(PAGE).text
    (older,) = re.findall(r'href="(/dashboard/alerts\?before=[^"]+)"', first)
    second = client.get(older).text
    assert (first.count('class="alert t-ok"'), second.count('class="alert t-ok"')) == (30, 5)


def test_the_page_is_one_of_our_own() -> None:
    back = f"{PAGE}?before=alt_1"
    assert preferences.chosen(f"lang=ko&back={back.replace('?', '%3F')}".encode())[1] == back

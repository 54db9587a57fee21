"""The pages without a browser: what they conclude, what they send, and what they refuse."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from controller.dashboard import assets, preferences, present, wording
from controller.dashboard.marks import LOOK, marks
from controller.i18n import catalogue
from controller.model.observation import State
from controller.model.text import text
from controller.model.view import Desired, Health
from tests.e2e.pages_support import FakeHub, app

STATIC = Path(assets.__file__).parent / "static"
PAGES = ("/dashboard", "/dashboard/services", "/dashboard/incidents", "/dashboard/incidents/inc-1")


@pytest.fixture
def hub() -> FakeHub:
    return FakeHub()


@pytest.fixture
def client(hub: FakeHub) -> Iterator[TestClient]:
    with TestClient(app(hub), base_url="http://localhost:8015") as client:
        yield client


def test_root_leads_to_the_dashboard(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/dashboard")


@pytest.mark.parametrize("path", PAGES)
def test_a_page_forbids_everything_it_does_not_need(
    client: TestClient, hub: FakeHub, path: str
) -> None:
    hub.night(hub.now)
    answer = client.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", answer.text)
    assert re.findall(r"(?:src|href)=\"(https?:|//)", answer.text) == []


SAID = [
    ("en", "Building its image, step 3 of 12: RUN &lt;make&gt;"),
    ("ko", "이미지를 빌드하는 중입니다(12단계 중 3단계). RUN &lt;make&gt;"),
]


@pytest.mark.parametrize(("language", "said"), SAID)
def test_how_far_a_build_is_stands_with_its_step(
    client: TestClient, hub: FakeHub, language: str, said: str
) -> None:
    hub.begin("start", ["saju-service"])
    hub.progress(text("phase.building", step=3, of=12, line="RUN <make>"))
    page = client.get("/dashboard", headers={"accept-language": language}).text
    assert page.count(said) == 1
    hub.finish()
    assert said not in client.get("/dashboard", headers={"accept-language": language}).text


@pytest.mark.parametrize("path", PAGES)
def test_first_paint_is_small(client: TestClient, hub: FakeHub, path: str) -> None:
    hub.night(hub.now)
    page = client.get(path)
    waiting = set(re.findall(r'(?:src|href)="(/dashboard/assets/[^"]+)"', page.text))
    sizes = {path: int(page.headers["content-length"])}
    while waiting:
        url = waiting.pop()
        file = client.get(url)
        sizes[url] = int(file.headers["content-length"])
        if url.endswith(".js"):
            imported = re.findall(r'from "\./([^"]+)"', file.text)
            waiting |= {re.sub(r"[^/]+$", name, url) for name in imported} - set(sizes)
    assert len(sizes) > 5
    assert sum(sizes.values()) <= 150_000, sizes


def test_assets_are_kept_for_ever_at_their_address_only(client: TestClient) -> None:
    url = re.findall(r'href="([^"]+pages\.css)"', client.get("/dashboard").text)[0]
    first = client.get(url)
    assert "immutable" in first.headers["cache-control"]
    again = client.get(url, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/dashboard/assets/000000000000/pages.css")
    assert other.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["nothing.js", "lib/README.md", "../routes.py", "..%2Froutes.py", "lib/"]
)
def test_no_other_file_is_served(client: TestClient, path: str) -> None:
    assert client.get(f"/dashboard/assets/x/{path}").status_code == 404


def test_vendored_files_are_what_their_readme_says() -> None:
    readme = (STATIC / "lib" / "README.md").read_text()
    for file in (STATIC / "lib").glob("*.js"):
        assert f"`{hashlib.sha256(file.read_bytes()).hexdigest()}`" in readme


def test_an_unknown_operation_is_not_found(client: TestClient) -> None:
    assert client.get("/dashboard/fragments/operations/nope").status_code == 404


def test_preferences_are_checked_and_never_redirect_elsewhere(client: TestClient) -> None:
    def post(body: bytes) -> tuple[str, list[str]]:
        answer = client.post("/dashboard/preferences", content=body, follow_redirects=False)
        assert answer.status_code == 303
        return answer.headers["location"], answer.headers.get_list("set-cookie")

    where, cookies = post(b"lang=ko&theme=dark&back=/dashboard/services")
    assert where == "/dashboard/services"
    assert [c.split(";")[0] for c in cookies] == ["heal7_lang=ko", "heal7_theme=dark"]
    assert all("HttpOnly" in c and "SameSite=strict" in c for c in cookies)
    assert post(b"lang=xx&theme=<b>&back=//evil.example") == ("/dashboard", [])
    assert post(b"\xff\xfe") == ("/dashboard", [])
    assert post(b"&".join(b"a=%d" % n for n in range(50))) == ("/dashboard", [])


def test_a_bad_cookie_falls_back_to_the_browser() -> None:
    wishes = preferences.of_request({"heal7_lang": "xx", "heal7_theme": "pink"}, "ko,en;q=0.5")
    assert wishes == preferences.Preferences("ko", "auto")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_state_has_its_word_and_its_own_icon(language: str) -> None:
    icons = {icon for _, icon in LOOK.values()}
    assert len(icons) == len(Health)
    for health in Health:
        assert catalogue()[f"ui.health.{health}"][language]


def test_the_headline_says_the_worst(hub: FakeHub) -> None:
    def says() -> str:
        return present.stack(hub.view(), hub.operations(), "en", hub.now).headline.text

    def each(**facts: object) -> None:
        hub.services = {n: replace(s, **facts) for n, s in hub.services.items()}  # type: ignore[arg-type]

    assert says() == "All 5 services are healthy"
    hub.change("saju-service", health=Health.STOPPED)
    assert says() == "4 healthy, 1 stopped on request"
    hub.change("crawling-service", health=Health.STARTING)
    assert says() == "1 service in progress"
    hub.change("test-service", health=Health.BLOCKED)
    assert says() == "1 service needs attention"
    hub.begin("start", ["test-service"])
    assert says() == "2 services in progress"
    hub.lose_engine()
    assert says() == "The Docker engine cannot be reached"
    hub.reset()
    each(health=Health.STOPPED)
    assert says() == "Everything is stopped"
    hub.services = {}
    assert says() == "No services are configured yet"


def test_only_sensible_actions_are_offered(hub: FakeHub) -> None:
    def verbs(**facts: object) -> list[str]:
        hub.change("saju-service", **facts)
        rows = present.stack(hub.view(), (), "en", hub.now).rows
        return [a.verb for r in rows if r.name == "saju-service" for a in r.actions]

    assert verbs() == ["restart", "stop"]
    assert verbs(state=State.EXITED) == ["start", "stop"]
    assert verbs(state=State.EXITED, desired=Desired.STOPPED) == ["start"]
    assert verbs(state=State.MISSING, desired=Desired.STOPPED) == ["start"]


def test_the_pages_hold_with_nothing_configured(hub: FakeHub, client: TestClient) -> None:
    hub.services, hub.chains = {}, {}
    for path in ("/dashboard", "/dashboard/services"):
        assert "No service is configured" in client.get(path).text


@pytest.mark.parametrize(
    ("seconds", "en", "ko"),
    [
        (0, "0 s", "0초"),
        (59.9, "59 s", "59초"),
        (60, "1 min", "1분"),
        (3600, "1 h", "1시간"),
        (11520, "3 h 12 min", "3시간 12분"),
        (90000, "1 d 1 h", "1일 1시간"),
        (-5, "0 s", "0초"),
    ],
)
def test_durations_are_short(seconds: float, en: str, ko: str) -> None:
    assert (wording.duration(seconds, "en"), wording.duration(seconds, "ko")) == (en, ko)


def test_measures_are_rounded_for_reading() -> None:
    assert [wording.took(ms, "en") for ms in (None, 0.04, 3.81, 41.7, 999.6, 61_000)] == [
        "–", "0.0 ms", "3.8 ms", "42 ms", "1.0 s", "1 min",
    ]  # fmt: skip
    assert [wording.size(n) for n in (None, 512, 61 << 20, 3 << 29)] == [
        "–", "512 B", "61 MB", "1.5 GB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("noted", "shown"),
    [
        ("127.0.0.1 Mozilla/5.0", "browser"),
        ("local heal7/0.1.0", "heal7"),
        ("10.0.0.7 curl/8.1", "curl (10.0.0.7)"),
        ("hub", "hub"),
    ],
)
def test_who_asked_is_named_as_people_would(noted: str, shown: str) -> None:
    assert wording.who(noted, "en") == shown


def test_a_service_in_several_containers_has_a_page_of_its_own(
    client: TestClient, hub: FakeHub
) -> None:
    hub.scale("crawling-service", 3)
    known = marks(hub.view(), (), "en")
    assert (known["crawling-service"].word, known["crawling-service"].containers) == (
        "2 of 3 healthy",
        3,
    )
    page = client.get("/dashboard/services/crawling-service")
    assert page.status_code == 200
    for number in (1, 2, 3):
        assert f'href="/dashboard/services/crawling-service-{number}"' in page.text
    assert 'id="do-stop-crawling-service"' in page.text
    overview = client.get("/dashboard", headers={"Accept-Language": "ko"}).text
    assert "3개 중 2개 정상" in overview
    chosen = client.get("/dashboard/alerts").text
    assert 'value="crawling-service-3"' in chosen
    assert 'value="crawling-service"' not in chosen

"""The crawl as a client sees it: the demo site's promised outcome, and a rude web survived."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from crawling_fakes import CountingBackend, FakeNames, tools_of

from crawling_service import app, demo_site
from crawling_service.crawl import Crawl
from crawling_service.fetch import Fetcher, PinnedBackend
from crawling_service.limits import Limits
from crawling_service.outcome import Outcome
from crawling_service.plan import Plan
from heal7_contract.testing import client

EXPECTED = json.loads((Path(__file__).parent / "data" / "workflow_inputs.json").read_text())
ALLOW = frozenset({"demo-site:8080"})


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CountingBackend]:
    """The demo site behind `demo-site:8080`, and the log of every connection made."""
    async with demo_site.serving(demo_site.default_root(), host="127.0.0.1", port=0) as port:
        sockets = CountingBackend(port_map={8080: port})
        names = FakeNames({"demo-site": ["172.18.0.9"]})
        monkeypatch.setattr(app, "limits", lambda: Limits(allow=ALLOW))
        app.pace.cache_clear()
        app.reader.cache_clear()
        monkeypatch.setattr(
            app, "network", lambda: PinnedBackend(ALLOW, resolver=names, inner=sockets)
        )
        yield sockets


async def _crawl_demo(http: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    wanted = EXPECTED["data_collection"]
    body = {
        "start_urls": [wanted["start_url"]],
        "max_pages": wanted["max_pages"],
        "same_host": wanted["same_host"],
        **changes,
    }
    reply = await http.post("/actions/crawl", json=body, headers={"Idempotency-Key": "run1:crawl"})
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


async def test_the_demo_site_gives_exactly_the_promised_outcome(
    world: CountingBackend, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        result = (await _crawl_demo(http))["result"]
    wanted = EXPECTED["data_collection"]
    base = wanted["start_url"].rstrip("/")
    assert len(result["pages"]) == wanted["expect_pages_ok"]
    by_reason: dict[str, list[str]] = {}
    for skipped in result["skipped"]:
        by_reason.setdefault(skipped["reason"], []).append(skipped["url"])
    assert by_reason == {
        "robots": [base + path for path in wanted["expect_skipped_by_robots"]],
        "http_404": [base + path for path in wanted["expect_404"]],
        "blocked_address": wanted["expect_blocked"],
    }
    assert {address for address, _ in world.attempts} == {"172.18.0.9"}
    assert result["truncated"] is False


async def test_text_tables_and_old_encodings_are_read(
    world: CountingBackend, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        result = (await _crawl_demo(http, extract=["text", "tables", "links"]))["result"]
    pages = {page["url"].partition("8080")[2]: page for page in result["pages"]}
    euc_kr = pages["/notices/2.html"]
    assert euc_kr["charset"] == "cp949"
    assert euc_kr["title"] == "서머타임 안내"
    assert "일광절약시간제를 실시하였다." in euc_kr["text"]
    assert "로그인" not in euc_kr["text"]
    assert "광고" not in euc_kr["text"]
    assert pages["/"]["links"][0] == "http://demo-site:8080/"
    table = pages["/terms/2025.html"]["tables"][0]
    assert (table["name"], table["headers"]) == ("terms", ["절기", "한자", "날짜", "시각"])
    counts: dict[str, int] = {}
    for record in result["records"]:
        counts[record["source"]] = counts.get(record["source"], 0) + 1
    base = "http://demo-site:8080/terms/"
    assert counts == {
        f"{base}2024.html": 24,
        f"{base}2025.html": 24,
        f"{base}2026.html": 24,
        f"{base}2025-draft.html": 23,
    }
    assert {"절기": "입춘", "한자": "立春", "날짜": "2025-02-03", "시각": "23:10"} in [
        record["fields"] for record in result["records"]
    ]


async def test_the_document_workflows_url_is_a_crawl_of_one_page(
    world: CountingBackend, tmp_path: Path
) -> None:
    url = EXPECTED["document_automation"]["crawl_url"]
    async with client(app.service, tmp_path) as http:
        result = (await _crawl_demo(http, start_urls=[url], max_depth=0))["result"]
    assert [page["url"] for page in result["pages"]] == [url]
    assert len(result["records"]) == 24


async def test_a_crawl_is_stored_replayed_and_undone(
    world: CountingBackend, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        first = await _crawl_demo(http)
        connections = len(world.attempts)
        assert await _crawl_demo(http) == first
        assert len(world.attempts) == connections
        path = f"/crawls/{first['id']}"
        assert (await http.get(path)).json() == first["result"]
        undo = {"idempotency_key": "run1:crawl", "reason": "the run was cancelled"}
        for status in ("compensated", "already_compensated"):
            reply = await http.post("/actions/crawl/compensate", json=undo)
            assert (reply.status_code, reply.json()["status"]) == (200, status)
        gone = await http.get(path)
    assert gone.status_code == 404
    assert gone.json()["code"] == "crawl_not_found"


async def test_a_stored_crawl_can_be_deleted(world: CountingBackend, tmp_path: Path) -> None:
    async with client(app.service, tmp_path) as http:
        crawl_id = (await _crawl_demo(http))["result"]["crawl_id"]
        assert (await http.delete(f"/crawls/{crawl_id}")).json()["deleted"] is True
        assert (await http.delete(f"/crawls/{crawl_id}")).status_code == 404
        assert (await http.get("/crawls/not-an-id")).status_code == 422


@pytest.mark.parametrize(
    "change",
    [
        {"start_urls": []},
        {"max_pages": 0},
        {"max_pages": "5"},
        {"max_depth": 11},
        {"extract": ["ocr"]},
        {"surprise": 1},
        {"start_urls": ["x" * 3000]},
    ],
)
async def test_a_wrong_request_is_named(change: dict[str, Any], tmp_path: Path) -> None:
    async with client(app.service, tmp_path) as http:
        body = {"start_urls": ["http://demo-site:8080/"], **change}
        reply = await http.post("/actions/crawl", json=body)
    assert reply.status_code == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert next(iter(change)) in reply.json()["errors"][0]["field"]


async def test_the_limits_of_a_crawl_are_kept_and_told(
    world: CountingBackend, tmp_path: Path
) -> None:
    async with client(app.service, tmp_path) as http:
        result = (await _crawl_demo(http, max_pages=3))["result"]
    assert len(result["pages"]) == 3
    assert result["truncated"] is True
    assert [s["reason"] for s in result["skipped"]].count("max_pages") == 7


async def test_a_settings_mistake_makes_the_service_not_ready(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app.limits.cache_clear()
    monkeypatch.setenv("HEAL7_CRAWL_ALLOW", "demo-site")
    async with client(app.service, tmp_path) as http:
        reply = await http.get("/ready")
    app.limits.cache_clear()
    assert reply.status_code == 503
    assert "HEAL7_CRAWL_ALLOW" in reply.json()["checks"]["settings"]


# --- a web that misbehaves -------------------------------------------------------------------

Handler = Callable[[str], bytes]


@asynccontextmanager
async def _server(handler: Handler) -> AsyncIterator[tuple[int, list[str]]]:
    """A raw server: answers each request line's path with `handler`'s bytes and hangs up."""
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split()[1].decode())
        writer.write(handler(asked[-1]))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


def _reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def _html(text: str, *headers: str) -> bytes:
    return _reply("200 OK", text.encode(), "Content-Type: text/html", *headers)


async def _run(handler: Handler, **plan: Any) -> tuple[Outcome, list[str]]:
    async with _server(handler) as (port, asked):
        sockets = CountingBackend(port_map={80: port})
        names = FakeNames({"site.example": ["93.184.215.14"], "other.example": ["93.184.215.15"]})
        backend = PinnedBackend(frozenset(), resolver=names, inner=sockets)
        limits = Limits(host_delay_s=0, body_bytes=100_000)
        asked_for = {"max_pages": 10, "max_depth": 2, "same_host": True, "time_limit_s": 10.0}
        wanted = Plan(("http://site.example/",), **{**asked_for, **plan})
        async with Fetcher(limits, backend) as fetcher:
            return await Crawl(wanted, limits, tools_of(limits, fetcher)).run(), asked


def _no_robots(pages: dict[str, bytes]) -> Handler:
    return lambda path: pages.get(path, _reply("404 Not Found"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_reply("500 Internal Server Error"), "http_500"),
        (_reply("429 Too Many Requests"), "http_429"),
        (_reply("302 Found", b"", "Location: /"), "too_many_redirects"),
        (_reply("302 Found", b"", "Location: http://other.example/"), "other_host"),
        (_reply("200 OK", b"%PDF", "Content-Type: application/pdf"), "unsupported_type"),
        (_reply("200 OK", b"x" * 100_001, "Content-Type: text/html"), "too_large"),
        (
            _reply(
                "200 OK",
                gzip.compress(b"\0" * 50_000_000),
                "Content-Type: text/html",
                "Content-Encoding: gzip",
            ),
            "too_large",
        ),
        (_html("x", "Content-Encoding: gzip"), "broken_reply"),
        (_html("x", "Content-Encoding: br"), "unsupported_encoding"),
        (b"220 mail.example ESMTP\r\n", "broken_reply"),
        (b"", "broken_reply"),
    ],
)
async def test_a_bad_answer_is_a_reason_not_a_failure(answer: bytes, reason: str) -> None:
    outcome, _ = await _run(_no_robots({"/": answer}))
    assert outcome.pages == []
    assert [skipped.reason for skipped in outcome.skipped] == [reason]


async def test_a_compressed_page_is_read() -> None:
    body = gzip.compress("<title>압축</title><p>본문".encode())
    answer = _reply("200 OK", body, "Content-Type: text/html", "Content-Encoding: gzip")
    outcome, _ = await _run(_no_robots({"/": answer}))
    assert (outcome.pages[0].page.title, outcome.pages[0].page.text) == ("압축", "본문")


@pytest.mark.parametrize("status", ["503 Service Unavailable", "429 Too Many Requests"])
async def test_a_site_that_can_not_say_its_rules_is_left_alone(status: str) -> None:
    outcome, asked = await _run(lambda path: _reply(status))
    assert asked == ["/robots.txt"]
    assert outcome.skipped[0].reason == "robots_unavailable"


async def test_a_host_that_asks_for_rest_is_not_asked_again() -> None:
    links = "".join(f'<a href="/{n}">' for n in range(6))
    outcome, asked = await _run(
        lambda path: {"/": _html(links), "/robots.txt": _reply("404 No")}.get(
            path, _reply("429 Too Many Requests")
        )
    )
    assert len(asked) == 3
    assert sorted(s.reason for s in outcome.skipped) == ["host_busy"] * 5 + ["http_429"]


async def test_a_redirect_passes_robots_again_and_duplicates_are_told() -> None:
    pages = {
        "/robots.txt": _reply("200 OK", b"User-agent: *\nDisallow: /secret\n"),
        "/": _html('<a href="/to-secret"><a href="/copy"><a href="/dir/../copy?b=1#top">'),
        "/to-secret": _reply("301 Moved", b"", "Location: /secret"),
        "/copy": _reply("301 Moved", b"", "Location: /"),
        "/copy?b=1": _html("one"),
    }
    outcome, asked = await _run(_no_robots(pages))
    assert "/secret" not in asked
    assert [(s.url[19:], s.reason) for s in outcome.skipped] == [
        ("/to-secret", "robots"),
        ("/copy", "duplicate"),
    ]
    assert [page.url[19:] for page in outcome.pages] == ["/", "/copy?b=1"]


async def test_requests_to_one_host_never_overlap_and_keep_their_distance() -> None:
    links = "".join(f'<a href="/{n}">' for n in range(4))
    loop = asyncio.get_running_loop()
    times: list[float] = []

    def handler(path: str) -> bytes:
        if path != "/robots.txt":
            times.append(loop.time())
            return _html(f"{path}{links}")
        return _reply("200 OK", b"User-agent: *\nCrawl-delay: 0.05\n")

    outcome, _ = await _run(handler)
    assert len(outcome.pages) == 5
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert min(gaps) >= 0.05


async def test_a_crawl_ends_at_its_time_limit_with_what_it_has() -> None:
    links = "".join(f'<a href="/{n}">' for n in range(4))
    pages = {"/robots.txt": _reply("200 OK", b"User-agent: *\nCrawl-delay: 20\n")}
    outcome, _ = await _run(_no_robots({**pages, "/": _html(links)}), time_limit_s=0.3)
    assert [page.url for page in outcome.pages] == ["http://site.example/"]
    assert {s.reason for s in outcome.skipped} == {"time_limit"}
    assert outcome.truncated
